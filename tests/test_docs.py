"""What docs/ shows is so: its code runs and prints what is stated, its formulas are checked, its links and paths exist.

What a page may contain is said in docs/_ext/pages.py. `nox -s docs browser` builds the site and tries it.
"""

import ast
import re
import shlex
import subprocess
import sys
from functools import cache
from itertools import pairwise, takewhile
from pathlib import Path

import autograd.numpy as anp
import numpy as np
import pytest
from autograd import value_and_grad

import sven_ref as sr
from sven_ref import cli
from sven_ref.conformance import loader

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
sys.path.insert(0, str(DOCS / "_ext"))

import arrows  # noqa: E402
import clauses  # noqa: E402
import pages  # noqa: E402

ALL = sorted(p for p in DOCS.rglob("*.md") if "built" not in p.parts)
PROSE = [*ALL, ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
TAUGHT = [p for p in ALL if p.parent.name == "lessons" or p.stem in ("exercises", "faq", "play")]
TOP = ("sven_ref/", "tests/", "docs/", "examples/")


def name(path):
    return str(path.relative_to(ROOT))


@pytest.fixture
def plt():
    plt = pytest.importorskip("matplotlib.pyplot", reason="figures need matplotlib: pip install '.[app]'")
    plt.switch_backend("agg")
    yield plt
    plt.close("all")


@pytest.mark.parametrize("path", ALL, ids=name)
def test_code_runs_and_prints_what_is_stated(path, plt):
    text, drawn = path.read_text(encoding="utf-8"), []
    printed = pages.run(text, name(path), lambda title, fig: drawn.append((title, fig)))
    for stated, output in pages.disagreements(text, printed):
        assert stated == output
    if elsewhere := pages.ELSEWHERE.search(text):
        assert path.name in (ROOT / elsewhere[2]).read_text(encoding="utf-8")
    for title, fig in drawn:
        assert not list(pages.unreadable(fig)), title
    for block in pages.blocks(text):
        if block.kind == "draw":
            assert block.options["caption"].endswith(".")
            assert block.options["alt"].endswith(".")


def test_a_page_is_taken_apart_by_the_command_of_the_lessons(tmp_path, capsys):
    """`--code` gives one script that runs alone; what it prints is what the page states."""
    (line,) = [
        line for line in (DOCS / "lessons" / "index.md").read_text(encoding="utf-8").splitlines() if "--code" in line
    ]
    _, script, *arguments = shlex.split(line.partition(">")[0])
    done = subprocess.run([sys.executable, script, *arguments], cwd=ROOT, capture_output=True, text=True, check=True)
    exec(compile(done.stdout, "lesson.py", "exec"), {"__name__": "__main__"})
    stated = [b.body for b in pages.blocks((ROOT / arguments[-1]).read_text(encoding="utf-8")) if b.kind == "text"]
    assert capsys.readouterr().out == "".join(stated)


@pytest.mark.parametrize("path", ALL, ids=name)
def test_displayed_formulas_are_checked_by_a_line_of_code(path):
    assert not pages.unchecked_formulas(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", TAUGHT, ids=name)
def test_numbers_of_the_prose_are_shown_by_code(path):
    text = path.read_text(encoding="utf-8")
    if path.stem != "play":  # its numbers are positions of sliders
        assert not pages.unsupported_numbers(text)


@cache
def definitions():
    """Names of all functions and classes of the tests and the package."""
    files = [*(ROOT / "tests").rglob("*.py"), *(ROOT / "sven_ref").rglob("*.py")]
    nodes = (node for path in files for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    return {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.ClassDef)}


@pytest.mark.parametrize("path", PROSE, ids=name)
def test_paths_and_tests_that_are_named_exist(path):
    text = path.read_text(encoding="utf-8")
    for code in re.findall(r"`([^`\n]+)`", pages.FENCE.sub("", text)):
        for word in code.split():
            if word.startswith(TOP) and "*" not in word:
                assert (ROOT / word).exists() or word.startswith("docs/built"), word
            if re.fullmatch(r"test_\w+", word):
                assert word in definitions(), word


@pytest.mark.parametrize("path", PROSE, ids=name)
def test_relative_links_lead_somewhere(path):
    text = pages.FENCE.sub("", path.read_text(encoding="utf-8"))
    for target in re.findall(r"\]\((?!https?://|#)([^)\s]+)\)", text):
        file, _, anchor = target.partition("#")
        where = path.parent / file
        assert where.exists(), target
        if anchor:
            heads = re.findall(r"^#+ (.*)$", where.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w\- ]", "", head).strip().lower().replace(" ", "-") for head in heads}, target


def test_links_to_other_pages_stay_and_those_out_of_the_site_become_paths():
    text = "[it](../exercises.md) and [this](../../examples/two_moons.py)"
    changed = pages.without_links_outside(text, DOCS / "lessons")
    assert changed == "[it](../exercises.md) and this (`examples/two_moons.py`)"
    assert pages.without_links_outside("[docs](../CHANGELOG.md)", DOCS) == "docs (`CHANGELOG.md`)"


def calls(line):
    """The arguments of each call of `sven-ref` on a line of shell."""
    try:
        words = shlex.split(line, comments=True)
    except ValueError:  # a drawing with an apostrophe in it
        return
    for i, word in enumerate(words):
        if word == "sven-ref" or words[max(0, i - 1) : i + 1] == ["-m", "sven_ref"]:
            yield list(takewhile(lambda word: word not in ("&&", "|", ">"), words[i + 1 :]))


@pytest.mark.parametrize("path", PROSE, ids=name)
def test_commands_that_are_shown_are_ones_there_are(path):
    """Files named in them exist; options of `sven-ref` are accepted."""
    for block in pages.blocks(path.read_text(encoding="utf-8")):
        if block.kind in ("sh", ""):
            for line in block.body.replace("\\\n", " ").splitlines():
                named = re.findall(rf"(?<![\w/])(?:{'|'.join(TOP)})[^\s\"'*]+(?=[\s\"']|$)", line)
                assert all((ROOT / word).exists() for word in named), line
                for arguments in filter(None, calls(line)):
                    cli.parser().parse_args(arguments)


def test_every_page_is_in_the_table_of_contents():
    listed = set()
    for path in ALL:
        for block in pages.blocks(path.read_text(encoding="utf-8")):
            if block.info == "{toctree}":
                entries = [re.sub(r".*<(.+)>", r"\1", entry) for entry in block.body.split("\n") if entry]
                listed |= {(path.parent / entry).with_suffix(".md") for entry in entries}
    assert set(ALL) <= listed | {DOCS / "index.md"}
    assert all(path.exists() or "built" in path.parts for path in listed)


# ---- the specification ---------------------------------------------------------------------------------------------


def test_every_clause_has_its_checks():
    text = (DOCS / "spec.md").read_text(encoding="utf-8")
    assert clauses.clauses(text) == list(clauses.CHECKS)
    for clause, files in clauses.CHECKS.items():
        for file, tests in files.items():
            source = (ROOT / "tests" / file).read_text(encoding="utf-8")
            assert all(f"def {test}(" in source for test in tests), clause


def test_cases_of_the_vectors_name_clauses_there_are():
    assert {clause.split(".")[0] for clause in clauses.vectors()} <= {c.split(".")[0] for c in clauses.CHECKS}
    assert {c for c in clauses.vectors() if "." in c} <= set(clauses.CHECKS)


def test_every_clause_has_cases_or_a_reason_for_none():
    named = set(clauses.vectors())
    assert {c for c in clauses.CHECKS if c not in named} == {*clauses.SHOWN, *clauses.NO_CASE}
    assert not clauses.SHOWN.keys() & clauses.NO_CASE.keys()


def test_the_cases_that_show_a_law_do():
    cases = {case.id: case for case in loader.load().cases}
    asked, answers = ({i: getattr(case, what) for i, case in cases.items()} for what in ("input", "expected"))
    shown = {law: [(asked[i], answers[i]) for i in ids] for law, ids in clauses.SHOWN.items()}

    def arrays(i, *names):
        return [np.array(i[name]) for name in names]

    ((i, _),) = shown["3.6"]
    (J,) = arrays(i, "J")
    assert np.ptp(np.linalg.svd(J, compute_uv=False)) < 1e-12  # any U will do
    (a, product), (b, back) = shown["7.1"]
    assert a["J"] == b["J"]
    assert np.dot(product["product"], b["u"]) == np.dot(a["v"], back["product"])
    ((i, answer),) = shown["7.2"]
    J, R = arrays(i, "J", "R")
    assert np.allclose(answer["update"], J.T @ np.linalg.solve(J @ J.T, R))
    (a, one), (b, two) = shown["7.4"]
    assert np.allclose(np.abs(a["R"]), np.abs(b["R"]))
    assert a["R"] != b["R"]
    assert np.allclose(one["update"], two["update"], rtol=1e-14)
    ((i, answer),) = shown["7.6"]
    net = sr.MLP(i["model"]["sizes"], i["model"]["activation"])
    batch = arrays(i["batches"][0], "x", "y")
    theta, after = np.array(i["theta"]), np.array(answer["thetas"][0])
    L, g = value_and_grad(lambda t: anp.sum((net(t, batch[0]) - batch[1]) ** 2))(theta)
    assert np.allclose(theta - after, i["lr"] * L * g / (g @ g))
    ((i, answer),) = shown["7.7"]
    residuals = [np.dot([[1, 1], [3, 1]], t) - [2, 4] for t in (i["theta"], *answer["thetas"])]
    assert i["lr"] == 0.5
    assert all(np.array_equal(b, a / 2) for a, b in pairwise(residuals))
    ((i, answer),) = shown["7.8"]
    J, R = arrays(i, "J", "R")
    assert np.abs(J.T @ (R - J @ answer["update"])).max() < 1e-12
    for i, answer in shown["7.10"]:
        J, R = arrays(i, "J", "R")
        kept = np.unique(np.column_stack([J, R]), axis=0)
        assert len(kept) == len(J) - 1
        delta = np.linalg.pinv(kept[:, :-1]) @ kept[:, -1]
        theirs = answer["update"] if "update" in answer else (np.array(i["theta"]) - answer["theta"]) / i["lr"]
        assert np.allclose(delta, theirs)


def test_clauses_that_are_referred_to_exist():
    known = {*clauses.CHECKS, *"1234567", "8"}
    for path in [*ALL, *(ROOT / "sven_ref").rglob("*.py"), *(ROOT / "tests").rglob("*.py")]:
        for number in re.findall(r"SPEC (\d(?:\.\d+)?)", path.read_text(encoding="utf-8")):
            assert number in known, f"{path}: SPEC {number}"


def test_the_default_kappa():
    """SPEC 2.6."""
    assert sr.Problem(sr.MLP((1, 1))).kappa == 2
    assert sr.Conditions(lambda theta, batch: theta).kappa == 1


def test_the_citation_names_this_version():
    text = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\nversion: {sr.__version__}\n" in text


# ---- the pages of the code -----------------------------------------------------------------------------------------


def test_every_public_name_is_on_the_api_page():
    text = (DOCS / "api.md").read_text(encoding="utf-8")
    for public in sr.__all__:
        assert re.search(rf"sven_ref\.{public}\b|sr\.{public}\b", text), public


def test_public_things_say_what_they_are():
    for module in (sr, sr.checks, sr.errors, sr.natural_gradient, sr.oracle, sr.solvers):
        for thing in vars(module).values():
            if getattr(thing, "__module__", "").startswith("sven_ref") and not getattr(
                thing, "__name__", "_"
            ).startswith("_"):
                assert thing.__doc__, thing


def test_the_arrows_that_are_drawn():
    graph, lab = arrows.rooms(), arrows.rooms(arrows.of_lab)
    assert graph["oracle"] == {"nets"}
    assert "pinv" in graph["step"]
    assert "operators" not in arrows.reduced(graph)["step"]
    level = arrows.levels(graph)
    above = {"sharded", *arrows.BESIDE}
    assert level["sharded"] > max(level[room] for room in graph.keys() - above)
    assert "training" in lab["paper"]
    assert {"claims/algebra", "claims/cost", "claims/training", "claims/measurement"} <= lab.keys()
    for rooms in (graph, lab):
        drawing = arrows.svg(rooms)
        assert all(f">{room}<" in drawing for room in rooms)


def test_the_arrows_are_those_that_the_fences_are_held_by():
    """The pages and tests/test_arrows.py read the imports by themselves, and agree; names of types are not drawn."""
    import test_arrows

    left_out = {"", "__main__", "aliases"}  # every room knows the names of types
    uses = {room: test_arrows.USES[room] - left_out for room in test_arrows.ROOMS if room not in left_out}
    assert arrows.rooms() == uses


def test_the_page_to_play_with_has_the_steps_of_the_library():
    """From its U, s, Vt and R the update is `sr.step`'s; what the browser makes of them is in tests/browser."""
    import play

    data = play.data()
    for moment, theta in zip(data["moments"], play.thetas(), strict=True):
        for kappa, row in zip(data["kappas"], moment["rows"], strict=True):
            U, s, Vt, R = (np.array(row[key]) for key in ("U", "s", "Vt", "R"))
            q = int(np.sum(s > 0.03 * s[0]))
            new, info = sr.step(play.problem(kappa), theta, play.batch(), lr=1.0, rtol=0.03, solver="dense")
            assert info.rank == q
            error = theta - new - Vt[:q].T @ ((U[:, :q].T @ R) / s[:q])
            assert np.linalg.norm(error) < 1e-5 * np.linalg.norm(R) / s[q - 1]  # eight digits are kept


def test_what_the_page_says_one_will_see():
    """The numbered suggestions of docs/play.md, by `sr.step`."""
    import play

    (untrained, _, trained), batch = play.thetas(), play.batch()

    def step(theta, kappa, lr, rtol, k=None):
        return sr.step(play.problem(kappa), theta, batch, lr=lr, rtol=rtol, k=k, solver="dense", actual=True)

    coarse, fine = (step(untrained, 1, 1.0, rtol)[1] for rtol in (0.3, 1e-4))  # 1
    assert fine.predicted_norm < coarse.predicted_norm < coarse.residual_norm
    assert fine.actual_norm > 10 * fine.residual_norm
    shorter = step(untrained, 1, 0.1, 1e-2)[1]  # 2
    assert abs(shorter.actual_norm - shorter.predicted_norm) < 0.05 * shorter.residual_norm
    assert step(trained, 1, 0.5, 0.03)[1].update_norm < 1e-6 < 0.1 < step(trained, 1, 0.5, 3e-3)[1].update_norm  # 3
    one, two = step(untrained, 1, 0.5, 1e-8)[0], step(untrained, 2, 1.0, 1e-8)[0]  # 4
    assert max(abs(one - two)) < 1e-6 * max(abs(one - untrained))
    one, two = step(untrained, 1, 0.5, 0.03)[0], step(untrained, 2, 1.0, 0.03)[0]
    assert max(abs(one - two)) > 0.01 * max(abs(one - untrained))
    assert step(untrained, 1, 0.5, 1e-8, k=1)[1].rank == 1  # 5


# ---- the checkers of the pages, tried on planted errors ------------------------------------------------------------


PAGE = """# A page

```python
print(1 + 1)
assert 1 + 1 == 2  # (1)
```

```text
2
```

$$
1 + 1 = 2
$$ (1)

It prints 2.
"""


def test_a_right_page_passes():
    assert not list(pages.disagreements(PAGE, pages.run(PAGE, "page")))
    assert not pages.unchecked_formulas(PAGE)
    assert not pages.unsupported_numbers(PAGE)
    assert pages.update(PAGE, "page") == PAGE


@pytest.mark.parametrize(
    ("right", "wrong", "check"),
    [
        ("```text\n2", "```text\n3", lambda p: list(pages.disagreements(p, pages.run(p, "page")))),
        ("```text\n2\n```", "", lambda p: list(pages.disagreements(p, pages.run(p, "page")))),
        ("assert 1 + 1 == 2  # (1)", "1 + 1 == 2  # (1)", pages.unchecked_formulas),
        ("$$ (1)", "$$ (2)", pages.unchecked_formulas),
        ("$$ (1)", "$$", pages.unchecked_formulas),
        ("It prints 2.", "It prints 2.718.", pages.unsupported_numbers),
        ("It prints 2.", "Less than 1e-5.", pages.unsupported_numbers),
    ],
)
def test_a_wrong_page_fails(right, wrong, check):
    assert check(PAGE.replace(right, wrong))


def test_wrong_code_fails():
    with pytest.raises(AssertionError):
        pages.run(PAGE.replace("== 2 ", "== 3 "), "page")
    with pytest.raises(AssertionError, match="not as in examples"):
        pages.run("```python\n# examples/natural_gradient.py\nnot_there = 1\n```\n", "page")
