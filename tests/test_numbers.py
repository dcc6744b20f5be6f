"""Numbers of the pages that are not lessons: each stands in a table or a block of its page, or is computed here.

A table of measurements is the output of the command that its page names. What follows from it is computed from it, and
what follows from the code, from the code.
"""

import ast
import dataclasses
import inspect
import math
import re
import sys
from pathlib import Path

import numpy as np
import pytest
import scipy.optimize

import sven_ref as sr
from sven_ref import adjoint, one_matrix, pinv, streams
from sven_ref.conformance import loader
from sven_ref.lab import demo
from sven_ref.lab.paper import protocols
from sven_ref.lab.scale import step_cost, tables
from sven_ref.lab.tasks import TASKS
from sven_ref.lab.tasks.mnist import N_VAL
from sven_ref.solvers import auto

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
sys.path += [str(DOCS / "_ext"), str(ROOT / "tests" / "benchmarks")]

import bench_sharded  # noqa: E402
import pages  # noqa: E402

TEXTS = {path.stem: path.read_text(encoding="utf-8") for path in sorted(DOCS.glob("*.md"))}
EPS, EPS32 = (float(np.finfo(dtype).eps) for dtype in (np.float64, np.float32))
MACHINE = step_cost.Machine()


def near(text, value):
    """Whether `value`, rounded to the digits that are written, is what is written."""
    mantissa = text.partition("e")[0].replace(".", "").lstrip("0")
    return float(text) == float(f"{value:.{max(len(mantissa), 1) - 1}e}")


def has(path, text):
    """Whether a file says so; the number is a fact of it."""
    return text in (ROOT / path).read_text(encoding="utf-8")


def cost(solver, M, P, pairs=200, **machine):
    return step_cost.cost(solver, M, P, 64, step_cost.Machine(**machine), pairs=pairs)


def steps_of_the_demo():
    epochs = inspect.signature(demo.run).parameters["epochs"].default
    return epochs * math.ceil(len(TASKS["toy"](0).train[0]) / demo.BATCH_SIZE)


def tiny_loss():
    """−log softmax of a logit that leads by 460: its relative error."""
    f = np.array([[460.0, 0.0]])
    problem = sr.Problem(lambda theta, x: f + 0 * theta[0], "cross_entropy")
    (loss,) = problem.losses(np.zeros(1), (np.zeros((1, 1)), np.array([0])))
    return loss, abs(loss / math.exp(-460) - 1)


def layers_fit(P, nodes):
    c = cost("gram, layers sharded", 1e4, P, nodes=nodes)
    return max(c.node, c.client) <= MACHINE.memory


def svds_seconds():
    """Of a step at M = 1e4, P = 1e9: all, and what the network takes for the products J Jᵀu."""
    with_pairs, without = (cost("svds", 1e4, 1e9, pairs=pairs) for pairs in (200, 0))
    return with_pairs.seconds(MACHINE), (with_pairs.path - without.path) / MACHINE.network


def breaks_even():
    """The M from which a product J Jᵀu at P = 1e9 is quicker on 64 nodes than on one."""
    one = dataclasses.replace(MACHINE, nodes=1)
    seconds = lambda M, m: step_cost.operations(M, 1e9, m)["J J^T u"].seconds(m)  # noqa: E731
    return scipy.optimize.brentq(lambda M: seconds(M, one) - seconds(M, MACHINE), 1e3, 1e6)


def mnist_by_the_model():
    """Seconds of the measured step of MNIST on two workers, at the rates of the page: in all, and of the products."""
    _, _, _, two, *_ = table(TEXTS["scale"], "`python tests/benchmarks/bench_sharded.py model`")
    m = step_cost.Machine(
        **dict(zip(("flops", "lapack", "panel", "network", "trip", "hop", "task"), map(float, two[1:]), strict=True)),
        nodes=2,
    )
    _, _, (_, M, _, _, products, *_), *_ = table(TEXTS["scale"], "`SVEN_REF_DATA=FOLDER python tests")
    jvp, vjp = map(int, products.split(", "))
    W = sum(i + 1 + o for i, o in sr.MLP(bench_sharded.MNIST_NET).shapes[::2])
    P, M = sr.MLP(bench_sharded.MNIST_NET).n_params, int(M.replace(",", ""))
    one, block = (step_cost.operations(M, P, m, n, W) for n in (1, 65))
    assert jvp - vjp == 65
    c = one["J"] + vjp * (one["J V"] + one["J^T U"]) + block["J V"]
    return c.seconds(m), c.flops / (m.nodes * m.flops)


def of_gram_matvec():
    return step_cost.operations(1e4, 1e6, MACHINE)["J J^T u"]


def ratio_of_lapack():
    """Of LAPACK's measured rates on the page, eigenvectors over QR."""
    _, _, *rows = table(TEXTS["scale"], "`python tests/benchmarks/bench_sharded.py model`")
    return np.mean([float(row[2]) / float(row[3]) for row in rows])


def any_case(flag):
    return any(flag in case.flags for case in loader.load().cases)


SIZES = {593: (1, 16, 16, 16, 1), 673: (6, 16, 16, 16, 1), 27562: (784, 32, 32, 32, 10)}


def table(text, head):
    """Rows of cells below a line that starts with `head`, up to a line that is no row."""
    lines = text.splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith(head))
    rows = []
    for line in lines[start + 1 :]:
        if not line.startswith("|"):
            if rows:
                break
            continue
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return rows


PUBLISHED = [  # in protocols.toml, to more digits at times
    *("0.0536", "0.0545", "0.0569", "0.0561", "0.0570", "0.1219", "0.1206", "0.1450", "0.1496", "0.1134", "1165"),
    *("74.5", "27.8"),
]
MEASURED = ["2.4e-13", "3.3e-12", "1.1e-8", "3.4e-3", "101"]  # by tests/lab/torch_lbfgs.py, which needs PyTorch


def last_losses(column):
    """Mean over the seeds of the last loss in a column of the table of mini-batch L-BFGS."""
    rows = table(TEXTS["results"], "| seed |")[1:]
    return np.mean([float(row[column].split(", ")[-1]) for row in rows])


def harder_split():
    """Validation minus test loss, with cross-entropy, averaged over the methods."""
    _, _, *rows = table(TEXTS["results"], "`sven-ref reproduce mnist-ce`")
    rows = [row for row in rows if row[0] != "L-BFGS, mini-batch"]
    assert len(rows) == 7
    return np.mean([float(row[2].split()[0]) - float(row[4]) for row in rows])


def published_split():
    """The same of the published figures for these seven."""
    methods = protocols.read()[1]["mnist-ce"].methods
    figures = [method.published["2026-09"] for name, method in methods.items() if name not in ("hig", "lbfgs")]
    assert len(figures) == 7
    return np.mean([published.val[0] - published.test for published in figures])


SCALES = {
    n: lambda: has("tests/test_solvers_and_pinv.py", "[1e-200, 1e-150, 1e150, 1e200]") for n in ("1e-200", "1e200")
}
NUMBERS = {
    "add_one": SCALES,
    "cost": {"593": lambda: sr.MLP((1, 16, 16, 16, 1)).n_params == 593},
    "design": {
        "141": lambda: streams.CLOSED == 141,
        "6260": lambda: steps_of_the_demo() == 6260,
        "100": lambda: auto.DIGITS == 100 and has("tests/conformance/test_mutants.py", ".units > 100"),
        "1.5e-8": lambda: near("1.5e-8", math.sqrt(EPS)),
        "3e-4": lambda: near("3e-4", math.sqrt(EPS32)),
        "1e-3": lambda: pinv.CANCELLATION == 1e-3,
        "0.12": lambda: near("0.12", EPS32 * 1e6),
        "1e-4": lambda: one_matrix.INEXACT == 1e-4,
        "1e-11": lambda: adjoint.door(EPS) == 1e-11 and adjoint.door(EPS32) == 16 * EPS32,
        "1e-200": lambda: tiny_loss()[0] < 1e-199 and tiny_loss()[1] < 1e-12,
        "1e3": lambda: any_case("Condition1e3"),
        "1e6": lambda: any_case("Condition1e6"),
        "1e-12": lambda: True,  # a constant that was not taken
    },
    "laboratory": {
        "256": lambda: has("sven_ref/lab/training/checkpoint.py", "hashlib.sha256"),
        "2026": lambda: "2026-09" in protocols.read()[0],
        "640": lambda: protocols.read()[1]["mnist-ce"].batch_size * bench_sharded.MNIST_NET[-1] == 640,
    },
    "results": {
        **{str(P): lambda P=P, sizes=sizes: sr.MLP(sizes).n_params == P for P, sizes in SIZES.items()},
        **{n: lambda n=n: has("sven_ref/lab/paper/protocols.toml", n) for n in PUBLISHED},
        "60000": lambda: True,  # MNIST's training images; the file is checked in tests/lab
        "10000": lambda: N_VAL == 10_000,
        "640": lambda: 64 * 10 == 640,  # outputs of a batch
        "3286": lambda: has("docs/results.md", "`sven-ref reproduce mnist-lr`"),  # seconds of its run of HIG
        "210": lambda: math.comb(6 + 4, 4) == 210,
        **{n: lambda: has("docs/results.md", "`python tests/lab/torch_lbfgs.py`") for n in MEASURED},
        "3.3e-3": lambda: near("3.3e-3", last_losses(1)),
        "3.7e-3": lambda: near("3.7e-3", last_losses(2)),
        "0.010": lambda: round(harder_split(), 3) == 0.010,
        "0.003": lambda: round(published_split(), 3) == 0.003,
        "0.0544": lambda: has("sven_ref/lab/paper/protocols.toml", "test = 0.05439"),
    },
    "scale": {
        "784": lambda: bench_sharded.MNIST_NET == (784, 32, 32, 32, 10),
        "1e14": lambda: MACHINE.flops == 1e14,
        "1e12": lambda: MACHINE.lapack == 1e12 and not layers_fit(1e12, 64) and layers_fit(1e12, 128),
        "6.5e10": lambda: near("6.5e10", MACHINE.lapack / ratio_of_lapack()),
        "0.011": lambda: MACHINE.trip == 0.011,
        "0.006": lambda: MACHINE.hop == 0.006,
        "0.00025": lambda: MACHINE.task == 0.00025,
        "200": lambda: has("sven_ref/lab/scale/tables.py", 'add_argument("--pairs", type=int, default=200'),
        "5e9": lambda: near("5e9", MACHINE.memory / 4 / MACHINE.word),
        "1e10": lambda: {tables.cell(s, 1e2, 1e10, 64, 200, MACHINE) for s in tables.SOLVERS[:5]} == {"θ"},
        "4.5e4": lambda: near("4.5e4", math.sqrt(MACHINE.memory / 40)),
        "1e4": lambda: 9 * 1e4**3 / MACHINE.lapack == 9,
        "1e5": lambda: 9 * 1e5**3 / MACHINE.lapack == 2.5 * 3600,
        "2080": lambda: step_cost.operations(1, 1e6, MACHINE)["J J^T"].tasks == 2080,
        "1e6": lambda: near("28", cost("svds", 1e4, 1e6).seconds(MACHINE)),
        "222": lambda: (of_gram_matvec().tasks, of_gram_matvec().levels) == (222, 13),
        "1e9": lambda: near("418", svds_seconds()[0]) and near("384", svds_seconds()[1]),
        "7e7": lambda: near("7e7", MACHINE.memory / (4 * 74 * MACHINE.word)),
        "1e11": lambda: layers_fit(1e11, 64),
        "5e4": lambda: near("5e4", breaks_even()),
        "1e+04": lambda: tables.POINT == (1e4, 1e9),
        "1e+09": lambda: tables.POINT == (1e4, 1e9),
        "3e-4": lambda: near("3e-4", math.sqrt(EPS32)),
    },
    "spec": {
        **SCALES,
        "100": lambda: auto.DIGITS == 100,
        "1e-11": lambda: adjoint.door(EPS) == 1e-11 and adjoint.door(EPS32) == 16 * EPS32,
        "1e-10": lambda: True,  # the released code's atol, a fact of that code
    },
    "verify": {
        "250": lambda: 245 <= len(loader.load().cases) <= 255,
        "100": lambda: has("tests/conformance/tolerance.py", "100"),
    },
}


@pytest.mark.parametrize("page", [p for p in TEXTS if p not in ("exercises", "faq", "play", "claims")])
def test_numbers_are_in_a_table_or_computed(page):
    """Exponents of docs/cost.md have a test of their own below; numbers of clauses and public issues are no claims."""
    lines = TEXTS[page].splitlines()
    rows = "\n".join(line for line in lines if line.startswith("|"))
    prose = "\n".join(
        re.sub(r"exponents of.*|^7\.\d+ |[\w-]+/[\w-]+#\d+", "", line) for line in lines if not line.startswith("|")
    )
    found = pages.unsupported_numbers(f"{prose}\n\n```text\n{rows}\n```\n")
    if page == "cost":  # rounded from a row that is named beside them
        assert near("0.64", 0.638)
        assert near("2.05", 2.052)
        found = [n for n in found if n not in ("0.64", "2.05")]
    assert set(found) == set(NUMBERS.get(page, {})) - ({"1e-10"} - set(found))
    for number in found:
        assert NUMBERS[page][number](), number


def test_sizes_gates_and_verdicts_of_the_steps():
    """docs/cost.md against the cases of the benchmark: P, B, the gates, and who met them."""
    source = ast.parse((ROOT / "tests" / "benchmarks" / "bench_steps.py").read_text(encoding="utf-8"))
    (cases,) = [
        ast.literal_eval(node.value)
        for node in source.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "CASES"
    ]
    for name, (sizes, B, *_, gates) in cases.items():
        assert name.endswith(f"P = {sr.MLP(sizes).n_params:,}, B = {B}")
        rows = {row[0]: row[1:] for row in table(TEXTS["cost"], f"**{name}**")[2:]}
        assert gates.keys() == {peer for peer, row in rows.items() if row[2]}
        for peer, gate in gates.items():
            middle = float(rows[peer][1].split(", ")[1])
            assert rows[peer][2] == f"≤ {gate:g}: {'met' if middle <= gate else '**missed**'}"


@pytest.mark.parametrize("sweep", ["k", "B", "P", "depth"])
def test_exponents_of_the_sweeps(sweep):
    """From the last three points of the table, whose times have three digits."""
    head = f"Against {sweep}; exponents of the last three points: "
    (line,) = [line for line in TEXTS["cost"].splitlines() if line.startswith(head)]
    stated = dict(pair.split() for pair in line.removeprefix(head).rstrip(".").split(", "))
    _, _, *rows = table(TEXTS["cost"], head)
    for column, solver in enumerate(("gram", "svds", "tsqr"), 2):
        points = [(float(r[0].replace(",", "")), float(r[column].split()[0])) for r in rows if r[column] != "—"][-3:]
        slope, _ = np.polyfit(*np.log(np.transpose(points)), 1)
        assert float(stated[solver]) == pytest.approx(slope, abs=0.011)


def test_the_formulas_of_the_bytes():
    """Every row of the table of bytes has what the formulas give."""
    _, _, *rows = table(TEXTS["scale"], "`python tests/benchmarks/bench_sharded.py bytes`")
    nets = {sr.MLP(sizes).n_params: sizes for sizes in ((64, 32, 32, 10), (64, 256, 256, 10))}
    for M, P, n, S, operation, _, _, client, _, workers in rows:
        M, P, n, S = (int(cell.replace(",", "")) for cell in (M, P, n, S))
        expected = bench_sharded.expected(nets[P], M, n, S, 2)[operation]
        assert (client, workers) == tuple(f"{b / 1e6:.2f}" for b in expected), (M, P, n, S, operation)


def test_speed_ups_are_ratios_of_the_seconds():
    _, _, *rows = table(TEXTS["scale"], "`python tests/benchmarks/bench_sharded.py scaling`")
    for _, _, one, two, half, strong, weak in rows:
        one, two, half = map(float, (one, two, half))
        assert float(strong) == pytest.approx(one / two, rel=0.02)
        assert float(weak) == pytest.approx(half / two, rel=0.02)


def test_whole_steps_are_near_the_model():
    """The model's columns are computed again from the rates; ratios are those of the seconds, within what is said."""
    text = TEXTS["scale"]
    _, _, *rates = table(text, "`python tests/benchmarks/bench_sharded.py model`")
    names = ("flops", "lapack", "panel", "network", "trip", "hop", "task")
    machines = {
        int(N): step_cost.Machine(**dict(zip(names, map(float, row), strict=True)), nodes=int(N)) for N, *row in rates
    }
    _, *rows = table(text, "| N | solver | M | P | k |")
    for N, solver, M, P, k, trips, trips_model, moved, moved_model, seconds, model, ratio in rows:
        m, M, P = machines[int(N)], int(M.replace(",", "")), int(P.replace(",", ""))
        w = round((math.sqrt(1 + P / 6) - 1) / 2)
        assert 24 * w * (w + 1) == P
        pairs = int(trips) - 4 if solver == "svds" else 0
        rounds = (int(trips) - 6) // 2 if solver == "randomized" else 0
        c = step_cost.cost(solver, M, P, int(k), m, pairs=pairs, rounds=rounds, W=24 * (2 * w + 1))
        assert int(trips) == int(trips_model) == c.trips
        assert near(moved_model, c.moved / 1e6)
        assert float(moved) == pytest.approx(float(moved_model), rel=0.2)
        assert float(model) == pytest.approx(c.seconds(m), rel=0.02)
        assert float(ratio) == pytest.approx(float(seconds) / float(model), rel=0.02)
        assert 0.4 < float(ratio) < 2.3


def test_memory_beside_the_model():
    """The model's columns are computed again; what was measured is within a third, or a few MB."""
    _, _, *rows = table(TEXTS["scale"], "resident MiB gained")
    assert len(rows) == 4
    for M, P, solver, worker, worker_model, client, client_model in rows:
        M, P = int(M.replace(",", "")), int(P.replace(",", ""))
        w = round((math.sqrt(1 + P / 6) - 1) / 2)
        c = step_cost.cost(solver, M, P, 4, step_cost.Machine(nodes=2), W=24 * (2 * w + 1))
        for measured, model, value in ((worker, worker_model, c.node), (client, client_model, c.client)):
            assert int(model) == round(value / 2**20)
            assert float(measured) == pytest.approx(float(model), rel=0.34, abs=10)


def test_the_step_of_mnist_by_the_model():
    seconds, products = mnist_by_the_model()
    assert near("18", seconds)
    assert 0.4 < 1 - products / seconds < 0.5  # nearly half


def test_the_memory_of_factors_and_of_J():
    ((M, width, factors),) = re.findall(r"M = ([\d,]+), width (\d+): factors (\d+) MiB a worker", TEXTS["scale"])
    net = sr.MLP(bench_sharded.MNIST_NET)
    assert int(width) == sum(i + 1 + o for i, o in net.shapes[::2])
    assert near(factors, int(M.replace(",", "")) / 2 * int(width) * 4 / 2**20)
    sizes = [rows * net.n_params * 4 / 1e9 for rows in (60_000, 600_000)]
    assert f"J would be {sizes[0]:.1f} GB and {sizes[1]:.0f} GB" in TEXTS["scale"]
