"""The ledger of claims: page, numbers and verdicts agree, every row is settled, the algebra gives the same again."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sven_ref.errors import ArgumentError
from sven_ref.lab.claims import ledger, page, statistics
from sven_ref.lab.claims.claim import Claim, Effort, Verdict
from sven_ref.lab.claims.command import claims
from sven_ref.lab.claims.registry import CLAIMS, GROUPS, module
from sven_ref.lab.training.records import RecordError

DOCS = Path(__file__).parent.parent.parent / "docs"
RESULTS = ledger.read(DOCS / "claims.json")
EXACT = [name for name in CLAIMS if module(name).CLAIM.exact]


# ---- the page ------------------------------------------------------------------------------------------------------


def test_the_page_is_what_its_numbers_give():
    """Verdicts are computed anew from the stored numbers on the way."""
    assert (DOCS / "claims.md").read_text(encoding="utf-8") == page.render(RESULTS)


def test_every_claim_is_on_the_page():
    """One that has not been computed is open, with that as its reason."""
    text = (DOCS / "claims.md").read_text(encoding="utf-8")
    for name in CLAIMS:
        assert f"### {module(name).CLAIM.title}\n" in text
        assert name in RESULTS or ledger.verdict(name, RESULTS).word == "open"
    assert set(RESULTS) <= set(CLAIMS)
    folder = Path(page.__file__).parent
    found = {group: {p.stem for p in (folder / group).glob("*.py")} - {"__init__"} for group in GROUPS}
    assert found == {group: set(names) for group, names in GROUPS.items()}


def test_every_row_is_settled():
    asked = {f"{kind} {number}" for kind, rows in page.rows().items() for number in rows}
    assert asked == {f"criticism {i}" for i in range(1, 22)} | {f"claim {i}" for i in range(1, 15)}
    assert asked == {row for name in CLAIMS for row in module(name).CLAIM.settles}


def test_no_verdict_rests_on_one_draw_or_one_seed():
    for name, entry in RESULTS.items():
        assert entry["data"]["draws"] >= 2, name
        assert entry["data"]["seeds"] >= 2, name


@pytest.mark.parametrize("name", CLAIMS)
def test_a_claim_is_a_whole_one(name):
    claim = module(name).CLAIM
    assert isinstance(claim, Claim)
    assert module(name).__doc__
    assert module(name).verdict.__doc__
    for text in (claim.statement, claim.conditions):
        assert text.endswith("."), text
    assert ledger.verdict(name, RESULTS).line.endswith(".")
    if name in RESULTS:
        rows = module(name).table(RESULTS[name]["data"])
        assert rows
        assert all(row.keys() == rows[0].keys() for row in rows)


@pytest.mark.parametrize("name", list(RESULTS))
def test_its_figure_names_its_axes(name):
    figure = pytest.importorskip("matplotlib.figure", reason="figures need matplotlib: pip install '.[app]'")
    axes = figure.Figure().subplots()
    module(name).draw(axes, RESULTS[name]["data"])
    assert axes.get_ylabel()
    assert axes.get_xlabel() or axes.get_xticklabels()


@pytest.mark.parametrize("name", EXACT)
def test_algebra_gives_the_same_again(name):
    """In full: the page's verdict, and its numbers within `ledger`'s tolerances."""
    again = {name: ledger.run(name, Effort())}
    assert not ledger.changed_verdicts(RESULTS, again)
    assert not ledger.differences(RESULTS[name]["data"], again[name]["data"])


# ---- the machinery -------------------------------------------------------------------------------------------------


def test_the_command_writes_and_checks(tmp_path, capsys, monkeypatch):
    pytest.importorskip("rich", reason="tables need rich: pip install '.[app]'")
    monkeypatch.setattr("sven_ref.lab.claims.command.DOCS", DOCS)  # an installed package has no docs beside it
    assert claims(["minimum_norm"], quick=True, workers=0, out=tmp_path, check=True) == 0
    assert ledger.read(tmp_path / "claims.json").keys() == {"minimum_norm"}
    assert (tmp_path / "claims.md").read_text(encoding="utf-8").startswith("# The ledger of claims")
    assert (tmp_path / "figures" / "minimum_norm.svg").exists()
    assert "minimum_norm: holds if" in capsys.readouterr().out


def test_a_page_of_quick_numbers_is_refused(tmp_path):
    with pytest.raises(ArgumentError, match="write"):
        claims([], quick=True, write=True, out=tmp_path)
    with pytest.raises(ArgumentError, match="claim = 'nothing'"):
        claims(["nothing"], out=tmp_path)


@pytest.fixture
def told(monkeypatch):
    """Computations give what the page has; the names of those that were made."""
    pytest.importorskip("rich", reason="tables need rich: pip install '.[app]'")
    names = []

    def run(name, effort):
        names.append(name)
        return RESULTS[name] | ({"quick": True} if effort.quick else {})

    monkeypatch.setattr(ledger, "run", run)
    monkeypatch.setattr("sven_ref.lab.claims.command.save_figures", lambda figures: None)
    return names


A, B = "minimum_norm", "kappa_step"


def test_results_of_an_earlier_command_stay(tmp_path, told):
    claims([A, B], out=tmp_path)
    claims([A], out=tmp_path)
    assert ledger.read(tmp_path / "claims.json").keys() == {A, B}
    text = (tmp_path / "claims.md").read_text(encoding="utf-8")
    assert all(f"### {module(name).CLAIM.title}\n" in text for name in (A, B))


def test_a_quick_result_replaces_no_full_one(tmp_path, told):
    claims([A], quick=True, out=tmp_path)
    claims([A], out=tmp_path)  # the full one replaces it
    before = (tmp_path / "claims.json").read_bytes()
    with pytest.raises(ArgumentError, match=rf"out = .*: holds full results of {A}, which those of quick = True must"):
        claims([B, A], quick=True, out=tmp_path)
    assert told == [A, A]
    assert (tmp_path / "claims.json").read_bytes() == before
    claims([B], quick=True, out=tmp_path)
    assert [entry.get("quick", False) for entry in ledger.read(tmp_path / "claims.json").values()] == [False, True]
    text = (tmp_path / "claims.md").read_text(encoding="utf-8")
    assert f"`sven-ref claims {A}`, " in text
    assert f"`sven-ref claims {B} --quick`, " in text


def test_a_run_says_whether_it_was_quick():
    assert ledger.run(A, Effort(quick=True))["quick"] is True


DAMAGED = {
    "cut": "{",
    "a list": "[]",
    "no such claim": json.dumps({"nothing": RESULTS[A]}),
    "data of no claim": json.dumps({A: RESULTS[A] | {"data": []}}),
    "data of another": json.dumps({A: RESULTS["batch_size"]}),
    "data without draws": json.dumps({A: RESULTS[A] | {"data": {"values": RESULTS[A]["data"]["values"]}}}),
    "seconds": json.dumps({A: RESULTS[A] | {"seconds": "2"}}),
}


@pytest.mark.parametrize("text", DAMAGED.values(), ids=DAMAGED)
def test_results_that_are_damaged_are_refused_before_anything_is_computed(tmp_path, told, text, monkeypatch):
    """They were written over, or ended --check with a TypeError after its computations."""
    (tmp_path / "claims.json").write_text(text)
    with pytest.raises(RecordError, match=r"claims.json: is truncated, altered .*; restore it, or move it away"):
        claims([A], out=tmp_path)
    assert (tmp_path / "claims.json").read_text() == text
    (tmp_path / "conf.py").touch()
    monkeypatch.setattr("sven_ref.lab.claims.command.DOCS", tmp_path)
    for option in ("check", "write"):
        with pytest.raises(
            RecordError, match=r"claims.json: is truncated, altered .*; restore it from version control"
        ):
            claims([A], out=tmp_path / "out", **{option: True})
    assert told == []
    assert {p.name for p in tmp_path.iterdir()} == {"claims.json", "conf.py"}


def test_a_directory_in_the_place_of_results_is_refused(tmp_path, told):
    (tmp_path / "claims.json").mkdir()
    with pytest.raises(
        RecordError, match=r"claims.json: can't be read \(Is a directory\); restore it, or move it away"
    ):
        claims([A], out=tmp_path)
    assert told == []


def test_quick_results_do_not_go_to_the_page(tmp_path, told, monkeypatch):
    """`claims --quick --out docs` replaced the page's numbers and the page."""
    monkeypatch.setattr("sven_ref.lab.claims.command.DOCS", tmp_path)
    (tmp_path / "inner").mkdir()
    with pytest.raises(ArgumentError, match=r"out = .*inner/\.\.': must be another directory with quick = True"):
        claims([A], quick=True, out=f"{tmp_path}/inner/..")
    assert told == []
    assert [p.name for p in tmp_path.iterdir()] == ["inner"]


def test_a_changed_verdict_is_found():
    wrong = json.loads(json.dumps({"minimum_norm": RESULTS["minimum_norm"]}))
    assert not ledger.changed_verdicts(RESULTS, wrong)
    wrong["minimum_norm"]["data"]["values"][0][0]["lagrange"] = 0.1
    assert ledger.changed_verdicts(RESULTS, wrong) == [
        "minimum_norm: the page says 'holds if', this run 'does not hold'"
    ]


def test_a_changed_number_is_found():
    assert not ledger.differences({"a": [1.0, None, "x"]}, {"a": [1.0005, None, "x"]})
    assert ledger.differences({"a": [1.0, None]}, {"a": [1.002, None]}) == ["data.a[0]: 1.0 and 1.002"]
    assert ledger.differences({"a": [1.0]}, {"a": [1.0, 2.0]})
    assert ledger.differences({"a": None}, {"a": 1.0})


def test_numbers_are_finite():
    assert ledger.rounded({1: (0.12345678, None, True, "x", 3)}) == {"1": [0.123457, None, True, "x", 3]}
    with pytest.raises(ArgumentError, match="nan"):
        ledger.rounded([float("nan")])


def test_a_verdict_has_one_of_four_words():
    with pytest.raises(ArgumentError, match="word"):
        Verdict("perhaps", "It may be.")


def test_results_come_in_order():
    assert Effort(workers=0).map(divmod, [(7, 2), (9, 4)]) == [(3, 1), (2, 1)]
    assert (Effort().choose(3, 2), Effort(quick=True).choose(3, 2)) == (3, 2)


# ---- statistics ----------------------------------------------------------------------------------------------------


def test_an_interval_by_hand():
    """Differences 1, 2, 3: mean 2, s = 1, t_{0.975, 2} = 4.302653 (tables), half-width t/√3."""
    found = statistics.paired_interval([[2, 4], [5, 5], [7, 7]], [[2, 2], [3, 3], [3, 5]])
    assert (found.mean, found.n) == (2, 3)
    assert found.high - 2 == pytest.approx(4.302653 / 3**0.5, rel=1e-6)
    assert found.sign == 0
    assert statistics.interval([1.0, 1.1]).sign == 1


def test_what_diverged_is_counted_and_leaves_its_pair():
    a, b = [[1.0, None], [2.0, 3.0]], [[0.0, 0.0], [1.0, None]]
    assert statistics.finished(a) == (3, 4)
    assert statistics.paired_interval(a, b).mean == 1
    assert statistics.log10([[100.0, None]]) == [[2.0, None]]


def test_one_draw_is_no_evidence():
    with pytest.raises(ArgumentError, match="two data draws"):
        statistics.mean_interval([[1.0, 2.0]])


@given(st.integers(0, 10))
def test_components_of_variance(seed):
    """Between 4, within 1, over 400 draws of 5 seeds: estimates within five of their standard deviations."""
    import numpy as np

    rng = np.random.default_rng(seed)
    values = 2 * rng.standard_normal((400, 1)) + rng.standard_normal((400, 5))
    found = statistics.components(values.tolist())
    assert abs(found.seeds - 1) < 5 * (2 / 1600) ** 0.5
    assert abs(found.draws - 4) < 5 * (2 / 399) ** 0.5 * 4.2
    with pytest.raises(ArgumentError, match="full table"):
        statistics.components([[1.0, None], [1.0, 2.0]])
