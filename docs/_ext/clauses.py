"""Which test and which conformance cases check each clause of docs/spec.md.

    python docs/_ext/clauses.py        the table, as the site shows it

`CHECKS` is kept by hand, since a test may rest on several clauses; tests/test_docs.py holds it to the tree: every
clause of the page is listed, every test exists. Cases of the vectors name their clause themselves; for a clause that
none names, `SHOWN` has cases of other clauses that show it, or `NO_CASE` the reason why there is none.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
CLAUSE = re.compile(r"^(?:(\d\.\d+) |## (1|7a|8)\. )", re.MULTILINE)

LAWS, RESIDUALS, SOLVERS, STEP = (f"test_{name}.py" for name in ("laws", "residuals", "solvers_and_pinv", "step"))
CHECKS: dict[str, dict[str, list[str]]] = {
    "1": {"test_flat_and_mlp.py": ["test_layout_is_weights_row_by_row_then_bias"]},
    "2.1": {RESIDUALS: ["test_residuals_and_jacobian_agree_with_the_oracle", "test_kappa_never_changes_the_loss"]},
    "2.2": {RESIDUALS: ["test_signed_rows_at_kappa_1_stay_where_the_residual_is_zero"]},
    "2.3": {RESIDUALS: ["test_per_output_rows_are_sample_major"]},
    "2.4": {RESIDUALS: ["test_micro_batches_average_consecutive_losses_before_the_power"]},
    "2.5": {RESIDUALS: ["test_a_satisfied_condition_is_a_zero_row"], STEP: ["test_at_zero_loss_nothing_moves"]},
    "2.6": {RESIDUALS: ["test_conditions_of_ones_own"], "test_docs.py": ["test_the_default_kappa"]},
    "2.7": {
        "test_users_functions.py": [
            "test_residuals_off_the_tape_are_never_silent",
            "test_a_zero_jacobian_on_the_tape_is_no_accident",
        ]
    },
    "2.8": {
        RESIDUALS: ["test_residuals_and_jacobian_agree_with_the_oracle", "test_cross_entropy_is_exact_where_it_is_tiny"]
    },
    "3.1": {SOLVERS: ["test_at_the_threshold_a_singular_value_is_dropped", "test_update_rank_and_values"]},
    "3.2": {SOLVERS: ["test_update_rank_and_values", "test_larger_matrices_with_a_decaying_spectrum"]},
    "3.3": {SOLVERS: ["test_k_at_and_above_the_smaller_dimension"]},
    "3.4": {
        SOLVERS: ["test_a_zero_jacobian_gives_a_zero_update"],
        STEP: ["test_a_zero_jacobian_moves_nothing_and_says_so"],
    },
    "3.5": {SOLVERS: ["test_update_rank_and_values", "test_repeated_singular_values_are_all_found"]},
    "3.6": {SOLVERS: ["test_update_rank_and_values"]},
    "3.7": {
        SOLVERS: [
            "test_below_its_floor_a_squaring_solver_refuses",
            "test_at_its_floor_svds_hands_over_to_what_squares_nothing",
            "test_a_sigma_that_is_not_there_is_never_kept",
            "test_long_sums_of_equal_terms_leave_no_sigma",
            "test_rank_deficiency_with_no_cut_is_refused_not_guessed",
            "test_unsquared_solvers_take_noise_for_zero",
        ],
        "test_layered.py": ["test_tsqr_is_as_exact_as_a_dense_svd"],
    },
    "3.8": {
        SOLVERS: ["test_scales_from_1e_minus_200_to_1e200", "test_powers_of_two_change_no_bit_of_any_product"],
    },
    "4.1": {STEP: ["test_the_step_agrees_with_the_oracle", "test_the_step_is_five_lines"]},
    "4.2": {LAWS: ["test_the_prediction_is_right_to_first_order"]},
    "4.3": {STEP: ["test_a_step_that_raises_changes_nothing"]},
    "5.1": {
        STEP: [
            "test_only_the_subset_moves_and_as_the_dense_form_says",
            "test_elementwise_takes_exactly_the_floor",
            "test_every_coordinate_has_its_chance",
        ]
    },
    "5.2": {STEP: ["test_rows_take_a_units_weights_and_bias_together"]},
    "6.1": {
        LAWS: [
            "test_natural_gradient_is_recovered_in_the_under_parametrized_limit",
            "test_natural_gradient_is_recovered_along_five_steps",
        ]
    },
    "6.2": {LAWS: ["test_natural_gradient_is_not_recovered_for_other_kappa"]},
    "6.3": {
        LAWS: [
            "test_kappa_rescales_the_step_iff_full_row_rank_and_no_cut",
            "test_kappa_does_not_rescale_the_step_once_something_is_cut",
        ]
    },
    "6.4": {LAWS: ["test_damped_primal_is_damped_dual", "test_damped_forms_tend_to_the_pseudoinverse"]},
    "7.1": {LAWS: ["test_adjoint", "test_linearity", "test_finite_differences_agree_with_products"]},
    "7.2": {LAWS: ["test_moore_penrose_conditions_of_the_kept_part", "test_the_step_is_the_shortest_with_its_effect"]},
    "7.3": {LAWS: ["test_the_step_projects_the_residuals", "test_more_triplets_never_leave_more_residual"]},
    "7.4": {LAWS: ["test_scaling_the_jacobian_divides_the_step", "test_rotations_of_rows_and_columns"]},
    "7.5": {LAWS: ["test_scaling_the_loss_leaves_the_kappa_2_step_and_adding_a_constant_does_not"]},
    "7.6": {LAWS: ["test_one_micro_batch_is_a_polyak_step"]},
    "7.7": {LAWS: ["test_residuals_decay_exactly"]},
    "7.8": {LAWS: ["test_one_step_lands_on_least_squares"]},
    "7.9": {LAWS: ["test_parameter_space_and_sample_space_give_the_same_five_steps"]},
    "7.10": {LAWS: ["test_duplicating_a_sample_changes_nothing"]},
    "7.11": {LAWS: ["test_reparametrisation"]},
    "7a": {
        "test_one_matrix.py": [
            "test_whatever_the_vjp_is_written_in",
            "test_a_vjp_that_is_no_linear_map_is_refused",
            "test_a_wrong_pair_is_refused_by_everything",
        ]
    },
    "8": {
        "test_demo.py": ["test_divergence_is_a_result_with_a_reason", "test_ten_times_the_untrained_loss_is_divergence"]
    },
}


SHOWN = {
    "3.6": ["pinv-apply-tie-all"],
    "7.1": ["matvec-hand-square", "rmatvec-hand-square"],
    "7.2": ["pinv-apply-wide"],
    "7.4": ["pinv-apply-rows-signed", "pinv-apply-rows-flipped"],
    "7.6": ["trajectory-batch-of-one"],
    "7.7": ["trajectory-hand"],
    "7.8": ["pinv-apply-tall"],
    "7.10": ["pinv-apply-duplicate-rows", "step-duplicate-rows"],
}
RELATION = "it relates two answers, and a case asks for one"
NO_CASE = {
    "2.6": "each states its κ",
    "2.7": "a case asks for products, and not how they are derived",
    "4.2": "the record is no part of an answer",
    "5.2": "each is given its columns, as in 5.1",
    "6.2": RELATION,
    "6.3": RELATION,
    "6.4": "nothing damped is asked for",
    "7.3": RELATION,
    "7.5": RELATION,
    "7.9": RELATION,
    "7.11": RELATION,
    "7a": "a case gives J as a matrix, or the network it is of",
    "8": "it is about runs",
}


def clauses(text: str) -> list[str]:
    """The numbers of the clauses of the page, in order."""
    return [m[1] or m[2] for m in CLAUSE.finditer(text)]


def vectors() -> dict[str, list[str]]:
    """Ids of the conformance cases that name each clause; empty where the package has no vectors."""
    found: dict[str, list[str]] = {}
    for path in sorted((ROOT / "sven_ref" / "conformance" / "vectors").glob("*.json")):
        for case in json.loads(path.read_text(encoding="utf-8"))["cases"]:
            found.setdefault(case["clause"], []).append(case["id"])
    return found


def annotated(text: str) -> str:
    """The page with an anchor before each clause, and after it what checks it."""
    cases, heads = vectors(), list(CLAUSE.finditer(text))
    ends = [m.start() for m in heads[1:]] + [len(text)]
    for m, end in reversed(list(zip(heads, ends, strict=True))):
        number = m[1] or m[2]
        sections = [s.start() for s in re.finditer(r"^## ", text[m.start() + 1 : end], re.MULTILINE)]
        end = m.start() + 1 + sections[0] if sections else end
        body = text[m.start() : end].strip()
        if m[1]:
            body = f"**{number}** {body[len(number) + 1 :]}"
        note = "\n\n".join(checked_by(number, cases))
        text = f"{text[: m.start()]}(spec-{number})=\n\n{body}\n\n{note}\n\n{text[end:]}"
    return text


def checked_by(number: str, cases: dict[str, list[str]]) -> Iterator[str]:
    """A line for the tests of a clause, and a fold for its cases."""
    tests = "; ".join(f"`tests/{file}`: {', '.join(f'`{t}`' for t in names)}" for file, names in CHECKS[number].items())
    yield f"{{.checked}}\nChecked by {tests}."
    if ids := cases.get(number):
        summary = f"and by {len(ids)} {'case' if len(ids) == 1 else 'cases'} of the vectors"
        listing = ", ".join(f"`{i}`" for i in ids)
        yield f'<details class="checked"><summary>{summary}</summary>\n\n{listing}\n\n</details>'
    elif number in SHOWN:
        yield f"{{.checked}}\nShown by the vectors {' and '.join(f'`{i}`' for i in SHOWN[number])}."
    else:
        yield f"{{.checked}}\nNo vector has it: {NO_CASE[number]}."


if __name__ == "__main__":
    for clause, files in CHECKS.items():
        for file, names in files.items():
            print(f"{clause:5} {file}: {', '.join(names)}")
