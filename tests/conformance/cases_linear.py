"""Inputs of matvec, rmatvec and natural_gradient."""

from build import diagonal, dyadic, scaled, with_sigma

# a case reads as one line, or two
# fmt: off


ROWS = [[3.0, 0.0, 0.0, 4.0], [0.0, 2.0, 0.0, 0.0]]
HUGE, TINY = 2.0**498, 2.0**-498


def products(cases):
    """J v and Jᵀ u, of the same matrices."""
    table = [
        ("hand-wide", "HandCheckable Wide", "rows with two entries and with one", ROWS),
        ("hand-tall", "HandCheckable Tall", "a matrix and its transpose differ in shape", [[1.0], [2.0], [4.0]]),
        ("hand-square", "HandCheckable Square", "transposing changes the product", [[1.0, 2.0], [0.0, 4.0]]),
        ("wide", "Wide", "4 x 7", dyadic("w", 4, 7)),
        ("tall", "Tall", "7 x 4", dyadic("t", 7, 4)),
        ("square", "Square", "5 x 5", dyadic("s", 5, 5)),
        ("one-row", "BatchOfOne Wide", "a single condition", dyadic("r", 1, 6)),
        ("one-column", "OneParameter Tall", "a single parameter", dyadic("c", 6, 1)),
        ("zero", "ZeroJacobian Wide", "J = 0", diagonal(2, 3, [])),
        ("huge", "HugeScale Wide", "J of size 1e150", scaled(dyadic("h", 3, 5), HUGE)),
        ("tiny", "TinyScale Tall", "J of size 1e-150", scaled(dyadic("i", 5, 3), TINY)),
    ]
    for op, name, side in (("matvec", "v", 1), ("rmatvec", "u", 0)):
        for id, flags, comment, J in table:
            n = len(J[0]) if side else len(J)
            x = [float(i + 1) for i in range(n)] if "hand" in id else dyadic(f"{op} {id}", n)
            cases.add(op, id, "1", flags, comment, J=J, **{name: x})
        J = dyadic("z", 3, 4)
        cases.add(op, "zero-vector", "1", "ZeroVector Wide", "a product with 0", J=J,
            **{name: [0.0] * (4 if side else 3)})


def natural_gradients(cases):
    table = [
        ("hand", "HandCheckable Tall", "F = diag(1, 5)", [*diagonal(2, 2, [1, 1]), [0.0, 2.0]], [1.0, 2.0, 4.0]),
        ("hand-square", "HandCheckable Square", "J = diag(2, 4): twice R/2 and R/4", diagonal(2, 2, [2, 4]),
            [2.0, 4.0]),
        ("hand-consistent", "HandCheckable Tall", "R = J (1, 1): twice (1, 1)", [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]],
            [3.0, 7.0, 11.0]),
        ("tall", "Tall", "7 x 4", dyadic("nt", 7, 4), dyadic("ntr", 7)),
        ("square", "Square", "5 x 5", dyadic("ns", 5, 5), dyadic("nsr", 5)),
        ("one-column", "OneParameter Tall", "a single parameter", dyadic("nc", 6, 1), dyadic("ncr", 6)),
        ("condition-1e2", "Tall", "F of condition 1e4", with_sigma(8, 4, [64, 16, 4, 0.5]), dyadic("n2", 8)),
        ("zero-residual", "ZeroResidual Tall", "R = 0", dyadic("nz", 4, 3), [0.0] * 4),
        ("orthogonal-residual", "ZeroGradient Tall", "R is orthogonal to the columns of J", [[1.0], [1.0]],
            [1.0, -1.0]),
    ]
    for id, flags, comment, J, R in table:
        cases.add("natural_gradient", id, "6.1", f"KappaOne {flags}", comment, J=J, R=R)
