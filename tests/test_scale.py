"""The page of costs past one machine is what its command prints, and the model what it says."""

import csv
import math
from pathlib import Path

import pytest

from sven_ref.lab.scale import step_cost, tables
from sven_ref.lab.scale.step_cost import Machine, cost, operations

M64 = Machine()


def test_the_page_has_what_the_command_prints(capsys):
    tables.main([])
    page = (Path(__file__).parent.parent / "docs" / "scale.md").read_text().splitlines()
    rows = [line for line in capsys.readouterr().out.splitlines() if line.startswith("|")]
    assert len(rows) > 80
    assert not [row for row in rows if row not in page]


def test_every_cell_as_csv(capsys):
    """The grid's words and seconds are those of the rows."""
    tables.main(["--csv"])
    rows = list(csv.DictReader(capsys.readouterr().out.splitlines()))
    assert len(rows) == 6 * 7 * 5
    for row in rows:
        M, P = float(row["M"]), float(row["P"])
        shown = tables.cell(row["solver"], M, P, 64, 200, M64)
        assert shown == row["stopped_by"] or float(row["seconds"]) == pytest.approx(
            float(shown.removesuffix(" h").replace(",", "")) * (3600 if shown.endswith("h") else 1), rel=0.051, abs=1800
        )


def closed_forms(M, P, k, p):
    """The table of docs/scale.md: flops, in one process, numbers on the longest path, at the client, on a node."""
    N, D, n = 64, 6, k + 10
    w = math.sqrt(P / 24)
    W = 48 * w
    held = M * W / N
    qr = 4 * (M + P) * n**2
    return {
        "gram": (
            6 * M * P + 2 * M**2 * W,
            9 * M**3,
            (3 + 2 * D) * P + M * W / 2 + M**2,
            max(4 * P, 10 * M**2),
            max(4 * P + held, P + 2 * held + (N + 7) * M**2 / N**2),
        ),
        "svds": (
            10 * M * P + 4 * p * M * P,
            0,
            (6 + 4 * D) * P + 2 * p * D * P,
            max(8 * P, (2 * k + 3) * M),
            max(4 * P + held, P + 2 * held),
        ),
        "tsqr": (
            6 * M * P,
            4 * M**2 * 24 * min(w, M) ** 2,
            (3 + 2 * D) * P + M * W,
            max(4 * P, 6 * M**2 + 3 * M * W),
            max(4 * P + held, P + 2 * held),
        ),
        "randomized": (
            (6 * k + 50) * M * P,
            qr,
            (5 + 3 * D) * P + (3 + 2 * D) * n * P + (2 + D) * (k + 1) * P,
            4 * n * P,
            (3 * n + 1) * P + held,
        ),
        "dense": (
            4 * M * P + 2 * M**2 * P,
            8 * M**2 * P,
            (2 + D) * P + (1 + D) * M * P,
            3 * M * P,
            (3 * M + 1) * P + held,
        ),
    }


@pytest.mark.parametrize("solver", step_cost.SOLVERS[:5])
@pytest.mark.parametrize(("M", "P"), [(1e3, 1e9), (1e4, 1e9), (1e4, 1e8), (1e5, 1e7)])
def test_the_formulas_of_the_page(solver, M, P):
    """Up to what R, blocks of outputs and the like add: a twentieth."""
    c = cost(solver, M, P, 64, M64, pairs=200)
    ours = c.flops, c.lapack + c.panel, c.path / 4, c.client / 4, c.node / 4
    assert ours == pytest.approx(closed_forms(M, P, 64, 200)[solver], rel=0.05)


def test_costs_add_up_and_memory_is_the_largest():
    one = operations(100, 1e6, M64)
    both = one["J V"] + one["J^T U"]
    assert both.flops == one["J V"].flops + one["J^T U"].flops
    assert (both.trips, both.node) == (2, one["J^T U"].node)
    assert (3 * both).seconds(M64) == pytest.approx(3 * both.seconds(M64))
    assert (3 * both).client == both.client


def test_one_node_sends_nothing_to_another():
    """θ, v and u twice, by the scheduler; R, products and the Gram matrix in float64 back."""
    M, P, W = 100, 1e6, 48 * math.sqrt(1e6 / 24)
    numbers = {"J": 2 * P + M, "J V": 2 * P + M, "J^T U": 2 * M + P, "J J^T u": 3 * M, "J J^T": M**2, "factors": M * W}
    assert {name: c.path / 4 for name, c in operations(M, P, Machine(nodes=1)).items()} == pytest.approx(numbers)


def test_a_gram_step_of_few_rows_costs_what_a_gradient_does():
    c = cost("gram", 100, 1e9, 16, Machine(nodes=1))
    assert c.flops <= 1.02 * 6 * 100 * 1e9
    assert cost("svds", 100, 1e9, 16, Machine(nodes=1), pairs=50).flops > 30 * c.flops


def test_memory_and_time_stop_a_solver():
    assert tables.cell("gram", 1e5, 1e6, 64, 200, M64) == "client"
    assert tables.cell("svds", 1e2, 1e12, 64, 200, M64) == "θ"
    assert tables.cell("randomized", 1e2, 1e8, 64, 200, M64) == "node"
    assert tables.cell("tsqr", 1e4, 1e9, 64, 200, M64).endswith(" h")


def test_what_has_no_formula():
    with pytest.raises(ValueError, match=r"solver = 'svds': has no formula for M = 1000 and P = 10"):
        cost("svds", 1e3, 10, 4, M64)


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["--nodes", "0"], "--nodes: 0: must be > 0 and finite"),
        (["--memory", "nan"], "--memory: nan: must be > 0 and finite"),
        (["--k", "-1"], "--k: -1: must be > 0 and finite"),
        (["--word", "3"], "--word: 3: must be 4 or 8"),
    ],
)
def test_options_that_can_not_be(options, why, capsys):
    with pytest.raises(SystemExit):
        tables.main(options)
    out, err = capsys.readouterr()
    assert not out
    assert why in err
