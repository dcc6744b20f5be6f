"""Inputs of pinv_apply, clause by clause."""

from build import diagonal, dyadic, scaled, with_sigma

# a case reads as one line, or two
# fmt: off


ROWS = [[3.0, 0.0, 0.0, 4.0], [0.0, 2.0, 0.0, 0.0]]
MAGIC = [  # the first six columns of the 8 x 8 magic square, of rank 3
    [64, 2, 3, 61, 60, 6],
    [9, 55, 54, 12, 13, 51],
    [17, 47, 46, 20, 21, 43],
    [40, 26, 27, 37, 36, 30],
    [32, 34, 35, 29, 28, 38],
    [41, 23, 22, 44, 45, 19],
    [49, 15, 14, 52, 53, 11],
    [8, 58, 59, 5, 4, 62],
]
RTOL = 2.0**-10


def pinv_apply(cases):
    def add(name, clause, flags, comment, J, R=None, k=None, rtol=0.0, atol=0.0, level="core", **options):
        R = dyadic(name, len(J)) if R is None else R
        options = options or None
        cases.add("pinv_apply", name, clause, flags, comment, level, options, J=J, R=R, k=k, rtol=rtol, atol=atol)

    # 3.2, by hand
    add("hand-rows", "3.2", "HandCheckable Wide", "rows orthogonal with norms 5 and 2", ROWS, [10.0, 6.0])
    add("hand-rows-k1", "3.1", "HandCheckable Wide Truncated", "the row of norm 5 alone", ROWS, [10.0, 6.0], 1)
    add("hand-identity", "3.2", "HandCheckable Square DegenerateKept", "J = I", diagonal(3, 3, [1, 1, 1]),
        [1.0, -2.0, 3.0])
    add("hand-diagonal", "3.2", "HandCheckable Square", "diag(2, -4): R/2 and -R/4", diagonal(2, 2, [2, -4]),
        [1.0, 1.0])
    add("hand-column", "3.2", "HandCheckable Tall OneParameter", "J.R / J.J = 55/25", [[3.0], [4.0]], [5.0, 10.0])
    add("hand-row", "3.2", "HandCheckable Wide BatchOfOne", "R J / J.J = 10 (3, 4)/25", [[3.0, 4.0]], [10.0])
    add("hand-number", "3.2", "HandCheckable Square BatchOfOne OneParameter", "6/4", [[4.0]], [6.0])
    add("hand-ascending", "3.1", "HandCheckable Square Truncated Ascending", "diag(1, 2, 4, 8): the last two",
        diagonal(4, 4, [1, 2, 4, 8]), [1.0, 1.0, 1.0, 1.0], 2)
    add("known-3x2", "3.2", "KnownAnswer Tall", "(-32 -8 16; 26 8 -10)/24 is the inverse",
        [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], [1.0, 0.0, 0.0])
    magic = scaled(MAGIC, 1.0)
    add("known-magic", "3.2", "KnownAnswer Tall RankDeficient RtolCut",
        "six columns of the magic square: x = (15, 19, 18, 18, 19, 15)/13", magic, [260.0] * 8, rtol=RTOL)

    # 3.2, shapes
    for name, flags, M, P in (("wide", "Wide", 4, 7), ("tall", "Tall", 7, 4), ("square", "Square", 5, 5)):
        J = dyadic(f"pinv {name}", M, P)
        add(name, "3.2", flags, f"{M} x {P}, nothing cut", J)
        add(f"{name}-k2", "3.1", f"{flags} Truncated", "the two largest", J, k=2)
        add(f"{name}-k1", "3.1", f"{flags} Truncated", "the largest alone", J, k=1)
        add(f"{name}-k-min", "3.3", f"{flags} KEqualsMin", "k = min(M, P)", J, k=min(M, P))
        add(f"{name}-k-above", "3.3", f"{flags} KAboveMin", "k above min(M, P) means min(M, P)", J, k=max(M, P) + 3)
    add("wide-8x10", "3.2", "Wide", "8 x 10, nothing cut", dyadic("810", 8, 10))
    add("tall-10x8-k5", "3.1", "Tall Truncated", "10 x 8, the five largest", dyadic("108", 10, 8), k=5)
    add("row-k5", "3.3", "Wide BatchOfOne KAboveMin", "one row, k = 5", dyadic("row", 1, 6), k=5)
    add("ascending", "3.1", "Wide Truncated Ascending", "σ = 1, 2, 4, 8 in this order, the largest three",
        with_sigma(4, 8, [1, 2, 4, 8]), k=3)

    # 3.1, rtol and atol
    J = with_sigma(4, 6, [8, 4, 2, 1])
    add("rtol-cut", "3.1", "Wide RtolCut", "σ = 8, 4, 2, 1: 2 is above 8 · 0.1875, 2² not above 8² · 0.1875", J,
        rtol=0.1875)
    add("rtol-below", "3.1", "Wide RtolCut", "2 is just above the threshold", J, rtol=0.25 - RTOL)
    add("rtol-above", "3.1", "Wide RtolCut", "2 is just below the threshold", J, rtol=0.25 + RTOL)
    add("rtol-and-k", "3.1", "Wide RtolCut Truncated", "rtol leaves three, k two", J, k=2, rtol=0.1875)
    add("k-and-rtol", "3.1", "Wide RtolCut Truncated", "k leaves three, rtol two", J, k=3, rtol=0.375)
    add("rtol-tall", "3.1", "Tall RtolCut", "σ = 8, 4, 2, 1: above 1.5", with_sigma(7, 4, [8, 4, 2, 1]), rtol=0.1875)
    add("rtol-is-relative-1", "3.1", "Square RtolCut", "σ = 512, 128, 16: all are above 0.0625, not above 32",
        with_sigma(4, 4, [512, 128, 16]), rtol=0.0625)
    add("rtol-is-relative-2", "3.1", "Square RtolCut", "σ = 2^-8, 2^-9, 2^-12: none is above 0.25",
        with_sigma(4, 4, [2.0**-8, 2.0**-9, 2.0**-12]), rtol=0.25)
    add("atol-cut", "3.1", "Wide AtolCut", "σ = 8, 4, 2, 1: above 1.5", J, atol=1.5)
    add("atol-at-threshold", "3.1", "Square AtolCut AtThreshold", "σ = 4, 2: 2 is not above atol = 2",
        diagonal(2, 2, [4, 2]), [1.0, 1.0], atol=2.0, level="strict", structural=True)
    add("atol-and-rtol", "3.1", "Wide AtolCut RtolCut", "rtol leaves three, atol two", J, rtol=0.1875, atol=3.0)
    add("atol-all", "3.4", "Wide AtolCut", "nothing is above atol: x = 0", J, atol=16.0)
    J = diagonal(3, 3, [4, 2, 1])
    add("at-threshold-1", "3.1", "Square RtolCut AtThreshold", "σ = 4, 2, 1: 2 is not above 0.5 · 4", J,
        [1.0, 1.0, 1.0], rtol=0.5, level="strict", structural=True)
    add("at-threshold-2", "3.1", "Square RtolCut AtThreshold", "σ = 4, 2, 1: 1 is not above 0.25 · 4", J,
        [1.0, 1.0, 1.0], rtol=0.25, level="strict", structural=True)
    add("at-threshold-3", "3.1", "Wide RtolCut AtThreshold", "σ = 8, 1: 1 is not above 0.125 · 8",
        diagonal(2, 4, [8, 1]), [1.0, 1.0], rtol=0.125, level="strict", structural=True)
    rows = [[3.0, 4.0], [-2.0, 1.5]]
    add("at-threshold-rounded-1", "3.1", "Square RtolCut RoundingDecides", "σ = 5, 2.5 at rtol = 0.5, either way", rows,
        rtol=0.5, level="strict", either=[1, 2])
    add("at-threshold-rounded-2", "3.1", "Wide RtolCut RoundingDecides", "σ = 8, 4, 2, 1 at rtol = 0.25, either way",
        with_sigma(4, 6, [8, 4, 2, 1]), rtol=0.25, level="strict", either=[2, 3])
    add("at-threshold-rounded-3", "3.1", "Tall RtolCut RoundingDecides", "σ = 4, 2, 0.5 at rtol = 0.125, either way",
        with_sigma(7, 4, [4, 2, 0.5]), rtol=0.125, level="strict", either=[2, 3])

    # 3.2, ranks
    deficient = with_sigma(4, 7, [4, 2])
    add("rank-2-wide", "3.2", "Wide RankDeficient RtolCut", "σ = 4, 2, 0, 0", deficient, rtol=RTOL)
    add("rank-2-wide-rtol-0", "3.7", "Wide RankDeficient RtolZero", "σ = 4, 2, 0, 0: zero to working precision is zero",
        deficient, level="strict")
    add("rank-3-tall", "3.2", "Tall RankDeficient RtolCut", "σ = 4, 2, 1, 0", with_sigma(8, 4, [4, 2, 1]), rtol=RTOL)
    add("rank-3-tall-rtol-0", "3.7", "Tall RankDeficient RtolZero", "σ = 4, 2, 1, 0", with_sigma(8, 4, [4, 2, 1]),
        level="strict")
    a, b = dyadic("outer a", 4), dyadic("outer b", 5)
    add("rank-1", "3.2", "Wide RankDeficient RtolCut", "an outer product", [[x * y for y in b] for x in a], rtol=RTOL)
    add("rank-k", "3.2", "Wide RankDeficient Truncated", "rank 2 and k = 2", deficient, k=2)
    rows = dyadic("duplicate", 3, 6)
    add("duplicate-rows", "3.2", "Wide DuplicateRows RankDeficient RtolCut", "the first row twice, its residual twice",
        [*rows, rows[0]], [1.0, -0.5, 0.75, 1.0], rtol=RTOL)
    add("duplicate-rows-differ", "3.2", "Wide DuplicateRows RankDeficient RtolCut",
        "the first row twice, with residuals 1 and 2", [*rows, rows[0]], [1.0, -0.5, 0.75, 2.0], rtol=RTOL)
    add("duplicate-rows-rtol-0", "3.7", "Wide DuplicateRows RankDeficient RtolZero", "the first row twice",
        [*rows, rows[0]], [1.0, -0.5, 0.75, 1.0], level="strict")
    columns = [[*row, row[0]] for row in dyadic("columns", 6, 3)]
    add("duplicate-columns", "3.2", "Tall RankDeficient RtolCut", "two equal columns share the update", columns,
        rtol=RTOL)
    add("zero-row", "3.2", "Wide RankDeficient RtolCut", "a satisfied condition", [*rows[:2], [0.0] * 6],
        [1.0, 2.0, 0.0], rtol=RTOL)
    add("zero-column", "3.2", "Square RankDeficient RtolCut", "a parameter that nothing depends on",
        [[*row[:3], 0.0] for row in dyadic("zc", 4, 4)], rtol=RTOL)

    # 3.4, zeros
    add("zero-jacobian", "3.4", "Wide ZeroJacobian", "J = 0: x = 0 and rank 0", diagonal(2, 3, []), [1.0, 2.0],
        rtol=RTOL)
    add("zero-jacobian-tall", "3.4", "Tall ZeroJacobian RtolZero", "J = 0 at rtol = 0", diagonal(4, 2, []),
        [1.0, 2.0, 3.0, 4.0], k=1)
    add("zero-residual", "3.2", "Wide ZeroResidual", "R = 0: x = 0 at full rank", dyadic("zr", 3, 5), [0.0] * 3)
    add("orthogonal-residual", "3.2", "Tall ZeroGradient", "R is orthogonal to the columns of J", [[1.0], [1.0]],
        [1.0, -1.0])

    # 3.5, ties
    tied = with_sigma(4, 7, [4, 2, 2, 1])
    add("tie-kept", "3.5", "Wide DegenerateKept Truncated", "σ = 4, 2, 2, 1 with k = 3", tied, k=3)
    add("tie-kept-by-rtol", "3.5", "Tall DegenerateKept RtolCut", "σ = 4, 2, 2, 1 above 1.5",
        with_sigma(8, 4, [4, 2, 2, 1]), rtol=0.375)
    add("tie-all", "3.5", "Wide DegenerateKept", "σ = 2, 2, 2, 2", with_sigma(4, 8, [2, 2, 2, 2]))
    add("tie-dropped", "3.5", "Wide DegenerateKept Truncated", "σ = 4, 2, 1, 1 with k = 2",
        with_sigma(4, 7, [4, 2, 1, 1]), k=2)
    add("cut-in-cluster-1", "3.5", "Square CutInCluster Truncated", "σ = 3, 2, 2 with k = 2", diagonal(3, 3, [3, 2, 2]),
        [3.0, 2.0, 4.0], 2)
    add("cut-in-cluster-2", "3.5", "Wide CutInCluster Truncated", "σ = 4, 2, 2, 1 with k = 2", tied, k=2)
    add("cut-in-cluster-3", "3.5", "Tall CutInCluster Truncated", "σ = 2, 2, 2, 1 with k = 2",
        with_sigma(8, 4, [2, 2, 2, 1]), k=2)
    add("cut-in-cluster-4", "3.5", "Wide CutInCluster Truncated", "σ = 2, 2, 1 with k = 1", with_sigma(4, 8, [2, 2, 1]),
        k=1)

    # 3.7, condition
    for exponent, bits, level in ((3, 10, "core"), (6, 20, "strict"), (8, 27, "strict")):
        for name, M, P in (("wide", 4, 8), ("tall", 8, 4), ("square", 5, 5)):
            n = min(M, P)
            sigma = [2.0 ** -(bits * i // (n - 1)) for i in range(n)]
            add(f"condition-1e{exponent}-{name}", "3.7", f"{name.title()} Condition1e{exponent}",
                f"σ falls by 2^-{bits}", with_sigma(M, P, sigma), level=level)
    sigma = [1.0, 0.5, 2.0**-10, 2.0**-20]
    add("condition-1e6-k3", "3.7", "Wide Condition1e3 Truncated", "condition 1e6 before the cut, 1e3 after",
        with_sigma(4, 8, sigma), k=3)
    rows = dyadic("graded", 4, 7)
    add("graded-rows", "3.7", "Wide Condition1e3", "rows of sizes 1, 2^-3, 2^-6, 2^-9",
        [scaled(row, 8.0**-i) for i, row in enumerate(rows)])

    # 3.8, scale
    for name, flag, c in (("huge", "HugeScale", 2.0**498), ("tiny", "TinyScale", 2.0**-498)):
        for shape, M, P in (("wide", 4, 7), ("tall", 7, 4)):
            J = scaled(dyadic(f"{name} {shape}", M, P), c)
            add(f"{name}-{shape}", "3.8", f"{shape.title()} {flag}", f"J of size {c:.0e}", J, rtol=RTOL)
    for name, flag, c in (("huger", "HugeScale", 2.0**660), ("tinier", "TinyScale", 2.0**-660)):
        J = scaled(with_sigma(4, 7, [4, 2, 1, 0.25]), c)
        add(f"{name}-k2", "3.8", f"Wide {flag} Truncated", f"J and R of size {c:.0e}: squares leave the range", J,
            scaled(dyadic(name, 4), c), 2)
        add(f"{name}-rtol", "3.8", f"Wide {flag} RtolCut", f"J of size {c:.0e}, σ = 4, 2, 1, 0.25 above 0.5", J,
            rtol=0.125)
        add(f"{name}-tall", "3.8", f"Tall {flag}", f"J of size {c:.0e}", scaled(dyadic(name, 7, 4), c))
    for name, flag, c in (("large", "HugeScale", 2.0**64), ("small", "TinyScale", 2.0**-64)):
        J = scaled(dyadic(name, 4, 7), c)
        add(f"{name}-wide", "3.8", f"Wide {flag}", "squares leave the range of float32", J, rtol=RTOL)

    # 2.2, signs
    J, R = dyadic("signs", 4, 6), dyadic("signs R", 4)
    for name, flips in (("signed", (1, 1, 1, 1)), ("flipped", (1, -1, -1, 1))):
        J_flipped, R_flipped = (
            [scaled(row, float(s)) for row, s in zip(J, flips, strict=True)],
            [r * s for r, s in zip(R, flips, strict=True)],
        )
        add(f"rows-{name}", "2.2", "Wide SignedEqualsUnsigned Truncated",
            "rows and residuals 2, 3 with either sign: the same x", J_flipped, R_flipped, 3)
