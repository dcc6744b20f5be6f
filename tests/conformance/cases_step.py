"""Inputs of step: clauses 4.1 and 5.1."""

from build import diagonal, dyadic, scaled, with_sigma

# a case reads as one line, or two
# fmt: off


ROWS = [[3.0, 0.0, 0.0, 4.0], [0.0, 2.0, 0.0, 0.0]]
RTOL = 2.0**-10


def steps(cases):
    def add(
        name,
        clause,
        flags,
        comment,
        J,
        R=None,
        theta=None,
        lr=0.5,
        k=None,
        rtol=RTOL,
        atol=0.0,
        columns=None,
        level="core",
        **options,
    ):
        R = dyadic(name, len(J)) if R is None else R
        theta = dyadic(f"{name} theta", len(J[0])) if theta is None else theta
        subset = {} if columns is None else {"columns": columns}
        cases.add("step", name, clause, flags, comment, level, options or None, theta=theta, R=R, J=J, lr=lr, k=k,
            rtol=rtol, atol=atol, **subset)

    ones = [1.0, 1.0, 1.0, 1.0]
    add("hand", "4.1", "HandCheckable Wide", "x = (1.2, 3, 0, 1.6)", ROWS, [10.0, 6.0], ones)
    add("hand-k1", "4.1", "HandCheckable Wide Truncated", "x = (1.2, 0, 0, 1.6)", ROWS, [10.0, 6.0], ones, k=1)
    add("hand-lr-1", "4.1", "HandCheckable Square", "θ lands where J = I asks", diagonal(2, 2, [1, 1]), [3.0, -1.0],
        [3.0, -1.0], 1.0)
    add("lr-0", "4.1", "Wide LearningRateZero", "θ stays", dyadic("lr0", 3, 5), lr=0.0)
    add("lr-tenth", "4.1", "Wide", "a learning rate that is not exact in binary", dyadic("lr.1", 3, 5), lr=0.1)
    for name, M, P in (("wide", 4, 8), ("tall", 8, 4), ("square", 5, 5)):
        J = dyadic(f"step {name}", M, P)
        add(name, "4.1", name.title(), f"{M} x {P}", J)
        add(f"{name}-k2", "4.1", f"{name.title()} Truncated", f"{M} x {P}, k = 2", J, k=2)
    add("row", "4.1", "Wide BatchOfOne", "one row", dyadic("step row", 1, 5))
    add("rtol-cut", "4.1", "Wide RtolCut", "σ = 8, 4, 2, 1 above 1.5", with_sigma(4, 6, [8, 4, 2, 1]), rtol=0.1875)
    add("duplicate-rows", "4.1", "Wide DuplicateRows RankDeficient RtolCut", "a sample twice",
        dyadic("sd", 2, 5) + dyadic("sd", 2, 5)[:1], [1.0, 2.0, 1.0])
    add("zero-jacobian", "3.4", "Wide ZeroJacobian", "θ stays, rank 0", diagonal(2, 4, []))
    add("zero-residual", "4.1", "Wide ZeroResidual", "θ stays, rank 3", dyadic("szr", 3, 5), [0.0, 0.0, 0.0])
    add("cut-in-cluster", "3.5", "Wide CutInCluster Truncated", "σ = 4, 2, 2, 1 with k = 2",
        with_sigma(4, 7, [4, 2, 2, 1]), k=2)
    add("at-threshold", "3.1", "Square RtolCut AtThreshold", "2 is not above 0.5 · 4", diagonal(3, 3, [4, 2, 1]),
        rtol=0.5, level="strict", structural=True)
    add("condition-1e3", "3.7", "Wide Condition1e3", "σ falls by 2^-10",
        with_sigma(4, 8, [1, 2.0**-3, 2.0**-6, 2.0**-10]), rtol=0.0)
    add("condition-1e6", "3.7", "Wide Condition1e6", "σ falls by 2^-20",
        with_sigma(4, 8, [1, 2.0**-7, 2.0**-14, 2.0**-20]), rtol=0.0, level="strict")
    c = 2.0**498
    add("huge", "3.8", "Wide HugeScale", "J and R of size 1e150", scaled(dyadic("sh", 3, 5), c),
        scaled(dyadic("shr", 3), c))
    add("tiny", "3.8", "Wide TinyScale", "J and R of size 1e-150", scaled(dyadic("st", 3, 5), 1 / c),
        scaled(dyadic("str", 3), 1 / c))

    J, R, theta = dyadic("subset", 3, 8), dyadic("subset R", 3), dyadic("subset theta", 8)
    for name, columns, comment in (
        ("scattered", [1, 4, 6, 7], "four scattered parameters"),
        ("first", [0, 1, 2, 3], "the first four"),
        ("last", [5, 6, 7], "the last three"),
        ("one", [3], "one parameter of eight"),
        ("all", list(range(8)), "all: the same as no subset"),
    ):
        add(f"subset-{name}", "5.1", "Wide Subset", comment, J, R, theta, columns=columns)
    add("subset-k1", "5.1", "Wide Subset Truncated", "the largest σ of the subset, not of J", J, R, theta, k=1,
        columns=[0, 2, 5])
    add("subset-rtol", "5.1", "Square Subset RtolCut", "σ_1 of the subset, 4, sets the threshold 1",
        diagonal(4, 4, [16, 4, 2, 0.5]), [1.0] * 4, [1.0] * 4, rtol=0.25, columns=[1, 2, 3])
    add("subset-zero", "5.1", "Wide Subset ZeroJacobian", "no condition depends on the subset", diagonal(2, 4, [1, 2]),
        columns=[2, 3])
