"""`sven-ref claims`: computes claims, prints the ledger, writes results, page and figures.

OUT/claims.json, claims.md, figures/NAME.svg        what was asked for, beside what was there
docs/claims.json, claims.md                         with --write, in a checkout; other claims' entries stay
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from ...arguments import check_choice, check_integer
from ...errors import ArgumentError
from ..arguments import Help, add_many_runs, one_of
from ..console import check_out, printer, require, rich_table, save_figures, writable, write_durably
from ..training.lock import alone
from ..training.run import use_data
from . import ledger, page
from .claim import Effort
from .registry import CLAIMS, module

DOCS = Path(__file__).parents[3] / "docs"
NO_RESULTS = "restore it, or move it away: its claims are then computed again when they are asked for"


def claims(
    names: Sequence[str] = (),
    *,
    quick: bool = False,
    workers: int = 2,
    data: str | None = None,
    out: str | Path | None = None,
    write: bool = False,
    check: bool = False,
    list: bool = False,
) -> int:
    """Compute the claims named, or all; 1 where `check` finds a verdict that is not the page's, else 0.

    Results that are in `out` stay beside the new ones; `quick` ones replace none of a full computation. `write` renders
    docs/claims.md anew; `quick` numbers are no page's, so the two exclude each other. `list` prints names and titles,
    and computes nothing.
    """
    for name in names:
        check_choice("claim", name, CLAIMS)
    check_integer("workers", workers, 0)
    if write and quick:
        raise ArgumentError("write = True: must go without quick, whose numbers are no page's")
    if quick and out and Path(out).resolve() == DOCS.resolve():
        raise ArgumentError(
            f"out = {str(out)!r}: must be another directory with quick = True, whose numbers are no page's"
        )
    if (write or check) and not (DOCS / "conf.py").exists():
        raise ArgumentError("write, check: must be in a checkout of the project, which has docs/")
    if list:
        for name in names or CLAIMS:
            print(f"{name:<30}  {module(name).CLAIM.title}")
        return 0
    require("matplotlib", "rich", purpose="claims")
    use_data(data)
    folder, console = check_out(out or ("sven-claims-quick" if quick else "sven-claims")), printer()
    stored = ledger.read(DOCS / "claims.json") if write or check else {}
    results: ledger.Results = {}
    figures: dict[Path, Callable[[], Any]] = {}
    with alone(writable(folder)):
        kept = ledger.read(folder / "claims.json", NO_RESULTS)
        if full := [name for name in names or CLAIMS if quick and name in kept and not kept[name].get("quick")]:
            raise ArgumentError(
                f"out = {str(folder)!r}: holds full results of {', '.join(full)}, which those of quick = True must not "
                "replace; choose another directory"
            )
        drawn, effort = writable(folder / "figures"), Effort(quick, workers, folder)
        for name in names or CLAIMS:
            results[name] = ledger.run(name, effort)
            ledger.write(folder / "claims.json", kept | results)
            figures[drawn / f"{name}.svg"] = partial(figure, name, results[name]["data"])
            if write:
                save(DOCS, ledger.read(DOCS / "claims.json") | {name: results[name]})
            judged = ledger.verdict(name, results)
            console.print(f"{name}: {judged.word}. {judged.line} ({results[name]['seconds']:g} s)")
        kept |= results
        write_durably(folder / "claims.md", page.render(kept, ledger.present(kept)).encode())
    verdicts = {name: ledger.verdict(name, results) for name in results}
    console.print(rich_table("The ledger", ["claim", "verdict"], [[n, v.word] for n, v in verdicts.items()]))
    console.print(f"{page.tally(verdicts).partition('.')[0]}; {folder}", soft_wrap=True)
    changed = ledger.changed_verdicts(stored, results) if check else []
    for line in changed:
        console.print(line)
    save_figures(figures)
    return int(bool(changed))


def figure(name: str, data: Any) -> Any:
    """The figure of a claim."""
    from matplotlib.figure import Figure

    fig = Figure(figsize=(5.2, 3.4), layout="constrained")
    module(name).draw(fig.subplots(), data)
    return fig


def save(folder: Path, results: ledger.Results) -> None:
    """Results and the page they make."""
    ledger.write(folder / "claims.json", results)
    write_durably(folder / "claims.md", page.render(results).encode())


def add_parser(commands: Any) -> None:
    """`claims`: its options."""
    p = commands.add_parser(
        "claims",
        help="what the paper claims and its reviewers asked, each settled by a computation",
        description="Computes claims, all or those named, and prints their verdicts. --list has their names.",
        epilog=EPILOG,
        formatter_class=Help,
    )
    p.add_argument(
        "names", nargs="*", type=one_of("claim", CLAIMS), metavar="NAME", help="only these; all where none is named"
    )
    p.add_argument("--list", action="store_true", help="print the names and what each claim is; compute nothing")
    add_many_runs(p, "fewer draws, seeds and epochs: a look, in minutes")
    p.add_argument(
        "--out",
        metavar="DIR",
        help="where results, page, figures and trained runs go; sven-claims, or sven-claims-quick with --quick",
    )
    p.add_argument("--write", action="store_true", help="write docs/claims.md and docs/claims.json of this checkout")
    p.add_argument("--check", action="store_true", help="exit with 1 where a verdict is not the one of docs/claims.md")
    p.set_defaults(command=claims, **(claims.__kwdefaults__ or {}))


EPILOG = """examples:
  sven-ref claims --list
  sven-ref claims minimum_norm kappa_step
  sven-ref claims --quick

exit status: 0; 1 after an error, or where --check finds another verdict"""
