"""`sven-ref demo`, `train`, `reproduce`, `study`, `claims`: options, with the defaults of the functions they call."""

from __future__ import annotations

from typing import Any

from ..solvers import SOLVERS
from . import demo, train
from .arguments import DATA, Help, add_many_runs, assignment, names, one_of
from .claims import command as claims
from .optimizers.options import OPTIMIZERS, PROBLEM, option_names
from .paper import reproduce, studies
from .paper.protocols import read
from .paper.study_cells import STUDIES
from .tasks import TASKS

SOLVER_NAMES = [*SOLVERS, "auto"]
OPTIONS = {  # of Sven and of its problem, which `train` takes as `demo` does; others go by --set
    "lr": ("ETA", "learning rate"),
    "k": ("K", "Sven keeps at most k singular triplets"),
    "rtol": ("R", "and of those, sigma > rtol sigma_1"),
    "atol": ("A", "and sigma > atol"),
    "solver": ("NAME", "who computes the singular triplets: " + ", ".join(SOLVER_NAMES)),
    "param_fraction": ("F", "a step moves this part of the parameters"),
    "mask": ("NAME", "of them: elementwise, rows"),
    "kappa": ("KAPPA", "exponent of the residuals: |R| = loss^(kappa/2)"),
    "rows": ("NAME", "residuals: unsigned, signed, per_output"),
    "micro_batch": ("M", "samples that share a row"),
}


def add_parsers(commands: Any) -> None:
    """Add the five to the command line's subparsers."""
    add_demo(commands)
    add_train(commands)
    add_reproduce(commands)
    add_study(commands)
    claims.add_parser(commands)


def add_demo(commands: Any) -> None:
    """`demo`: the first look."""
    p = commands.add_parser(
        "demo",
        help="train the paper's first task with Sven and with Adam: a table, a figure, a JSON file",
        description="Train f(x) = exp(-10 x^2) sin(2x) with Sven and with Adam: same start, same batches.",
        epilog=f"""examples:
  sven-ref demo
  sven-ref demo --epochs 5 --lr 0.05 --out my-demo

exit status: 0; 1 after an error; {train.DIVERGED} where Sven or Adam diverged""",
        formatter_class=Help,
    )
    p.add_argument("--seed", type=int, metavar="N", help="of the initialisation and the order of the batches")
    p.add_argument("--data-seed", type=int, metavar="N", help="of the training, validation and test data")
    p.add_argument("--epochs", type=int, metavar="N", help="passes over the 10,000 training examples")
    p.add_argument("--lr", type=float, metavar="ETA", help="Sven's learning rate")
    p.add_argument("--k", type=int, metavar="K", help="Sven keeps at most k singular triplets")
    p.add_argument("--rtol", type=float, metavar="R", help="and of those, sigma > rtol sigma_1")
    p.add_argument("--kappa", type=float, metavar="KAPPA", help="exponent of the residuals: |R| = loss^(kappa/2)")
    p.add_argument("--solver", type=one_of("solver", SOLVER_NAMES), metavar="NAME", help=OPTIONS["solver"][1])
    p.add_argument("--adam-lr", type=float, metavar="LR", help="Adam's learning rate")
    p.add_argument("--out", metavar="DIR", help="where demo.png and demo.json are written")
    p.set_defaults(command=demo.command, **(demo.run.__kwdefaults__ or {}))


def add_train(commands: Any) -> None:
    """`train`: one run."""
    taken = "\n".join(f"  {o:<13} " + ", ".join(option_names(o)[: -len(PROBLEM)]) for o in OPTIMIZERS)
    p = commands.add_parser(
        "train",
        help="train one task with one optimizer; a killed run is resumed from its last epoch",
        description="One run. What is not given is the published protocol's for this task and optimizer.",
        epilog=f"""names that --set takes, with each optimizer also {", ".join(PROBLEM)}:
{taken}

examples:
  sven-ref train --task toy --optimizer sven --lr 0.05 --kappa 1 --out my-run
  sven-ref train --task digits --optimizer adam --set lr=1e-3 --set betas=[0.9,0.99] --out my-run
  sven-ref train --task toy --optimizer sven --lr 0.05 --kappa 1 --out my-run --resume

exit status: 0; 1 after an error; {train.DIVERGED} where the run diverged""",
        formatter_class=Help,
    )
    p.add_argument("--task", required=True, type=one_of("task", TASKS), metavar="TASK", help=", ".join(TASKS))
    p.add_argument(
        "--optimizer",
        required=True,
        type=one_of("optimizer", OPTIMIZERS),
        metavar="NAME",
        help=", ".join(OPTIMIZERS),
    )
    p.add_argument("--set", action="append", metavar="NAME=VALUE", help="an option; may be repeated; names are below")
    for name, (metavar, what) in OPTIONS.items():
        flag = f"--{name.replace('_', '-')}"
        p.add_argument(flag, dest="set", action="append", type=assignment(name), metavar=metavar, help=what)
    p.add_argument("--epochs", type=int, metavar="N", help="passes over the training split")
    p.add_argument("--batch-size", type=int, metavar="B", help="samples in a batch")
    p.add_argument("--seed", type=int, metavar="N", help="of the initialisation and the order of the batches")
    p.add_argument("--data-seed", type=int, metavar="N", help="of the data")
    p.add_argument("--n-train", type=int, metavar="N", help="training examples; all if not given")
    p.add_argument("--data", metavar="DIR", help=DATA)
    p.add_argument("--out", metavar="DIR", help="where the run is recorded")
    p.add_argument("--resume", action="store_true", help="go on with the run in that directory")
    where = p.add_mutually_exclusive_group()
    where.add_argument("--workers", type=int, metavar="N", help="Sven's steps by N processes here, which Dask starts")
    where.add_argument(
        "--scheduler", metavar="ADDRESS", help="Sven's steps by the workers of a Dask scheduler, tcp://…"
    )
    p.set_defaults(command=train.command, **(train.train_one.__kwdefaults__ or {}) | {"set": []})


def add_reproduce(commands: Any) -> None:
    """`reproduce`: the paper's comparisons."""
    tasks = [*read()[1], "all"]
    p = commands.add_parser(
        "reproduce",
        help="the paper's comparisons, with baselines and several seeds: a table beside the published figures",
        description="Every method of a task, several seeds. The same command goes on from where it was stopped.",
        epilog="""examples:
  sven-ref reproduce toy --quick
  sven-ref reproduce polynomial --optimizers sven,adam --seeds 3 --out my-comparison

exit status: 0, also where runs diverged, which the table counts; 1 after an error""",
        formatter_class=Help,
    )
    p.add_argument("task", type=one_of("task", tasks), metavar="TASK", help=", ".join(tasks))
    p.add_argument("--seeds", type=int, metavar="N", help="seeds of initialisation and order; 5, or 1 with --quick")
    p.add_argument("--data-seeds", type=int, metavar="N", help="seeds of the data, each with all of those")
    p.add_argument("--optimizers", type=names("optimizers", OPTIMIZERS), metavar="A,B", help="only these")
    add_many_runs(p, "a look in a minute: few epochs, few examples")
    p.add_argument(
        "--out",
        metavar="DIR",
        help="where results, tables and figures are written; sven-reproduce, or sven-reproduce-quick with --quick",
    )
    p.set_defaults(command=reproduce.reproduce, **(reproduce.reproduce.__kwdefaults__ or {}))


def add_study(commands: Any) -> None:
    """`study`: one question, many short runs."""
    studied = [*STUDIES, "all"]
    p = commands.add_parser(
        "study",
        help="one question about Sven, many short runs: " + ", ".join(STUDIES),
        description="One question about Sven, many short runs. The same command goes on from where it was stopped.",
        epilog="""examples:
  sven-ref study divergence --quick
  sven-ref study kappa --seeds 3 --out my-studies

exit status: 0, also where runs diverged, which the table counts; 1 after an error""",
        formatter_class=Help,
    )
    p.add_argument("name", type=one_of("study", studied), metavar="NAME", help=", ".join(studied))
    p.add_argument("--seeds", type=int, metavar="N", help="in each cell")
    add_many_runs(p, "few cells, few epochs, few examples")
    p.add_argument(
        "--out",
        metavar="DIR",
        help="where results, tables and figures are written; sven-study, or sven-study-quick with --quick",
    )
    p.set_defaults(command=studies.study, **(studies.study.__kwdefaults__ or {}))
