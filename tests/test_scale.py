"""The page of costs past one machine is what its command prints."""

from pathlib import Path

from sven_ref.lab import scale


def test_the_page_has_what_the_command_prints(capsys):
    scale.main([])
    page = (Path(__file__).parent.parent / "docs" / "scale.md").read_text().splitlines()
    rows = [line for line in capsys.readouterr().out.splitlines() if line.startswith("|")]
    assert len(rows) > 60
    assert not [row for row in rows if row not in page]


def test_a_gram_step_of_few_rows_costs_what_a_gradient_does():
    m = scale.Machine(nodes=1)
    c = scale.cost("gram", 100, 1e9, 16, 0, m)
    assert c.flops <= 1.02 * 6 * 100 * 1e9
    assert scale.cost("svds", 100, 1e9, 16, 50, m).flops > 30 * c.flops


def test_memory_and_time_stop_a_solver():
    m = scale.Machine()
    assert scale.cell("gram", 1e5, 1e6, 64, 200, m, 3600) == "client"
    assert scale.cell("svds", 1e2, 1e12, 64, 200, m, 3600) == "θ"
    assert scale.cell("tsqr", 1e4, 1e9, 64, 200, m, 3600).endswith(" h")
