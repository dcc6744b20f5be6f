"""What the claims from training share: arms, tables, the kept file, selection, comparisons."""

import json
from dataclasses import replace

import numpy as np
import pytest

from sven_ref import MLP, Problem
from sven_ref.lab.claims.arms import KEPT, Arm, Damped, after, best, curve, last, noisy, shifted, tables, train_arm
from sven_ref.lab.claims.claim import Effort
from sven_ref.lab.claims.comparisons import decades, judged, typical
from sven_ref.lab.claims.training.beats_adam_at_equal_budget import expected, optimism
from sven_ref.lab.claims.training.implicit_regularisation import equally_fitted, test_at
from sven_ref.lab.claims.training.micro_batch import polyak
from sven_ref.lab.claims.training.trust import probe
from sven_ref.lab.optimizers.full_batch import lbfgs
from sven_ref.lab.tasks import TASKS
from sven_ref.lab.training.execution import execute
from sven_ref.lab.training.run import Run
from sven_ref.step import step

test_at.__test__ = False  # a function's name, not a test
RUN = Run("toy", "sven", {"lr": 0.02, "rtol": 0.1}, epochs=2, task_options={"n_train": 128, "n_val": 64, "n_test": 64})


@pytest.fixture(autouse=True)
def forget():
    KEPT.clear()


def test_an_arm_is_the_laboratorys_run():
    ours, theirs = train_arm(Arm(RUN)), execute(RUN)
    for split in ("val", "test", "train"):
        assert ours[split][-1] == theirs["final"][split]["loss"]
    assert len(ours["val"]) == 3
    assert ours["distance"][0] == 0 < ours["distance"][-1]
    assert ours["diverged"] is None
    assert ours["n_params"] == 593


def test_arms_are_trained_once_and_kept_by_their_settings(tmp_path):
    effort, arm = Effort(out=tmp_path), Arm(replace(RUN, epochs=1))
    first = tables(effort, {"a": arm}, 2, 2)
    file = tmp_path / "trained.jsonl"
    assert (
        len(file.read_text().splitlines())
        == len({r["key"] for r in map(json.loads, file.read_text().splitlines())})
        == 4
    )
    KEPT.clear()
    file.write_text(file.read_text() + '{"key": "cut sho')
    assert tables(effort, {"a": arm}, 2, 2) == first
    assert first["a"][0][0]["val"] != first["a"][0][1]["val"] != first["a"][1][1]["val"]


def test_shifted_moves_the_seeds_and_nothing_else():
    arm = shifted(Arm(RUN, damping=0.1), 2, 1)
    assert (arm.run.seed, arm.run.data_seed, arm.damping) == (1, 2, 0.1)
    assert replace(arm, run=replace(arm.run, seed=0, data_seed=0)) == Arm(RUN, damping=0.1)


def test_every_change_is_in_the_key():
    changes = ({}, {"hidden": 4}, {"noise": ("normal", 0.5)}, {"damping": 0.1}, {"iterations": 5})
    assert len({Arm(RUN, **c).key() for c in changes}) == len(changes)


def test_hidden_and_iterations():
    assert train_arm(Arm(RUN, hidden=4))["n_params"] == 8 + 20 + 20 + 5
    result = train_arm(Arm(RUN, iterations=20))
    problem, theta, _, task = RUN.build()
    theta, info = lbfgs(problem, theta, task.train, max_iter=20)
    assert len(result["train"]) == 3
    assert len(info.losses) == 21
    assert result["train"][-1] == pytest.approx(info.losses[-1], rel=1e-4)  # measured in float32


def test_noise_has_its_mean_and_spread_and_leaves_held_out_targets():
    task = TASKS["toy"](0)
    for law, skew in (("normal", 0), ("exponential", 2)):
        changed = noisy(task, law, 0.5, 3)
        e = (changed.train[1] - task.train[1]).ravel() / 0.5
        n = len(e)
        assert abs(e.mean()) < 5 / n**0.5
        assert abs(e.std() - 1) < 10 / n**0.5
        assert abs((e**3).mean() - skew) < 0.5
        assert changed.val is task.val
        assert changed.test is task.test


def test_damped_is_the_cut_step_where_damping_vanishes():
    problem = Problem(MLP((1, 8, 1)))
    rng = np.random.default_rng(0)
    theta = problem.model.init(0, np.float64)
    batch = rng.standard_normal((3, 1)), rng.standard_normal((3, 1))
    ours, info = Damped(0.5, 1e-14).step(problem, theta, batch)
    theirs, _ = step(problem, theta, batch, lr=0.5, rtol=0.0, solver="dense")
    np.testing.assert_allclose(ours, theirs, rtol=1e-6)
    assert info.loss == pytest.approx(np.mean(problem.losses(theta, batch)))


def result(val, test, diverged=None):
    return {"val": val, "test": test, "train": test, "diverged": diverged}


def test_selection_is_by_fewest_diverged_then_by_validation():
    found = {
        "unstable": [[result([9, 0.1], [9, 0.1]), result([9, 99], [9, 99], "diverged")]],
        "good": [[result([9, 2], [9, 8]), result([9, 2], [9, 8])]],
        "better on test": [[result([9, 3], [9, 1]), result([9, 3], [9, 1])]],
    }
    assert best(found, found) == "good"
    assert last(found["unstable"]) == [[0.1, None]]
    assert after(found["good"], 0) == [[9, 9]]
    assert after(found["good"], 5) == [[None, None]]
    assert curve(found["good"]) == [9, 8]
    assert curve(found["unstable"]) == [9, 0.1]


def test_the_expected_best_of_n_orders_by_validation_and_counts_test():
    settings = {"a": [[[1.0, 10.0]]], "b": [[[2.0, 1.0]]]}  # (validation, test) of one draw and seed
    assert expected(settings, 1) == [[5.5]]
    assert expected(settings, 2) == expected(settings, 8) == [[10.0]]
    assert optimism(settings) == 10.0


def test_equally_fitted_runs_are_compared_at_the_higher_of_their_training_losses():
    a = {"train": [1.0, 0.1, 0.01], "test": [1.0, 0.3, 0.2], "diverged": None}
    b = {"train": [1.0, 0.1], "test": [1.0, 0.5], "diverged": None}
    assert equally_fitted(a, b) == (0.3, 0.5, 0.1)
    assert test_at(a, 10**-0.5) == pytest.approx(0.3**0.5)
    assert equally_fitted(a, b | {"diverged": "x"}) == (None, None, None)


def test_comparisons_are_in_decades_and_need_two_draws():
    assert decades([[1.0], [1.0]], [[10.0], [10.0]]).mean == -1
    assert typical([[1.0], [100.0]]) == pytest.approx(10)
    assert typical([[1.0], [None]]) is None


@pytest.mark.parametrize(
    ("won", "lost", "word"),
    [
        (["a", "b"], [], "holds"),
        (["a"], ["b"], "holds if"),
        ([], ["a"], "does not hold"),
        ([], [], "open"),
        ([], None, "does not hold"),
    ],
)
def test_judged(won, lost, word):
    assert judged(won, ["a", "b"], "line.", "the task", lost).word == word


def test_one_row_is_polyaks_step():
    assert polyak(0, 0) < 1e-12


def test_a_small_step_gets_what_it_predicts():
    net = MLP((1, 8, 1))
    rng = np.random.default_rng(0)
    batch = rng.standard_normal((4, 1)), rng.standard_normal((4, 1))
    found = probe(Problem(net), net.init(0, np.float64), batch, 1e-6)
    assert found["trust"]["0.1"] == pytest.approx(1, rel=1e-3)
    assert 0 < found["kept of R"] <= 1
    assert sum(c * c for c in found["components"][0]) == pytest.approx(1)
