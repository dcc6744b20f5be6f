"""Inputs of jacobian and trajectory: clauses 2.1 to 2.8 and 4.1. Networks are as in schema.json."""

from itertools import pairwise

from build import dyadic

# a case reads as one line, or two
# fmt: off


RTOL = 2.0**-10


def model(sizes, activation):
    return {"sizes": sizes, "activation": activation}


def parameters(sizes):
    return sum((a + 1) * b for a, b in pairwise(sizes))


def inputs(name, sizes, activation, B, labels=None):
    """model, θ, x, y: a small θ keeps the activations away from saturation."""
    theta = [t / 2 for t in dyadic(f"{name} theta", parameters(sizes))]
    y = dyadic(f"{name} y", B, sizes[-1]) if labels is None else labels
    return {"model": model(sizes, activation), "theta": theta, "x": dyadic(f"{name} x", B, sizes[0]), "y": y}


def jacobians(cases):
    def add(name, clause, flags, comment, data, kappa=1, rows="unsigned", loss="squared_error", micro_batch=1):
        how = {"loss": loss, "kappa": kappa, "rows": rows, "micro_batch": micro_batch}
        cases.add("jacobian", name, clause, flags, comment, "autodiff", **data, **how)

    # by hand: f = 2x + 1 at x = 1, 3 with y = 2, 4, so r = 1, 3
    line = {"model": model([1, 1], "identity"), "theta": [2.0, 1.0], "x": [[1.0], [3.0]], "y": [[2.0], [4.0]]}
    add("hand-signed", "2.2", "HandCheckable KappaOne", "f = 2x + 1: R = 1, 3 and rows (x, 1)", line, rows="signed")
    add("hand-kappa-2", "2.1", "HandCheckable KappaTwo", "R = r² = 1, 9 and rows 2r (x, 1)", line, 2)
    layout = {"model": model([2, 2], "identity"), "theta": [1.0, 2.0, 4.0, 8.0, 16.0, 32.0]}
    add("hand-layout", "1", "HandCheckable Layout KappaOne", "W row by row, then b: f = (1 - 4 + 16, 2 - 8 + 32)",
        {**layout, "x": [[1.0, -1.0]], "y": [[0.0, 0.0]]}, rows="per_output")

    for activation in ("tanh", "relu", "gelu", "sine", "identity"):
        data = inputs(activation, [2, 3, 1], activation, 3)
        add(activation, "1", f"KappaOne {activation.title()}", f"2-3-1 {activation}", data, rows="signed")
    add("deep", "1", "KappaOne Tanh", "1-2-2-2-1 tanh", inputs("deep", [1, 2, 2, 2, 1], "tanh", 3), rows="signed")
    add("batch-of-one", "1", "KappaOne BatchOfOne Gelu", "one sample", inputs("one", [2, 2, 1], "gelu", 1),
        rows="signed")
    add("tall", "1", "KappaOne Tall Tanh", "eight samples, four parameters", inputs("tall", [1, 1, 1], "tanh", 8),
        rows="signed")

    data = inputs("kappa", [2, 3, 1], "tanh", 4)
    for name, kappa, flag in (
        ("1", 1, "KappaOne"),
        ("2", 2, "KappaTwo"),
        ("1.4", 1.4, "KappaOther"),
        ("3", 3, "KappaOther"),
        ("0.5", 0.5, "KappaOther"),
    ):
        id = name.replace(".", "-")
        add(f"unsigned-kappa-{id}", "2.1", f"{flag} Unsigned", f"R = ℓ^(κ/2), κ = {name}", data, kappa)
        if kappa != 1:
            add(f"signed-kappa-{id}", "2.2", f"{flag} SignedEqualsUnsigned", f"R = sign(r)|r|^κ, κ = {name}", data,
                kappa, "signed")
    add("signed-kappa-1", "2.2", "KappaOne SignedEqualsUnsigned", "R = r", data, 1, "signed")

    two = inputs("two", [2, 2, 2], "tanh", 3)
    add("per-output", "2.3", "KappaOne PerOutput", "row αC + c, sample-major", two, rows="per_output")
    add("outputs-kappa-2", "2.1", "KappaTwo Outputs", "ℓ sums over the outputs", two, 2)
    add("outputs-kappa-1", "2.1", "KappaOne Outputs", "R = ‖r‖", two, 1)

    labels = inputs("labels", [2, 2, 3], "tanh", 4, [0, 2, 1, 2])
    add("label-regression-kappa-2", "2.8", "KappaTwo LabelRegression", "no softmax", labels, 2, loss="label_regression")
    add("label-regression-per-output", "2.3", "KappaOne LabelRegression PerOutput", "f - one-hot", labels, 1,
        "per_output", "label_regression")
    for name, kappa, flag in (("2", 2, "KappaTwo"), ("1", 1, "KappaOne"), ("1.4", 1.4, "KappaOther")):
        add(f"cross-entropy-kappa-{name.replace('.', '-')}", "2.8", f"{flag} CrossEntropy", f"R = ℓ^(κ/2), κ = {name}",
            labels, kappa, loss="cross_entropy")

    batch = inputs("micro", [2, 3, 1], "tanh", 6)
    for name, kappa, flag in (("2", 2, "KappaTwo"), ("1", 1, "KappaOne"), ("1.4", 1.4, "KappaOther")):
        add(f"micro-batch-2-kappa-{name.replace('.', '-')}", "2.4", f"{flag} MicroBatch",
            f"three rows of two samples, κ = {name}", batch, kappa, micro_batch=2)
    add("micro-batch-all", "2.4", "KappaOne MicroBatch", "one row: the root of the mean loss", batch, 1, micro_batch=6)
    add("micro-batch-cross-entropy", "2.4", "KappaOne MicroBatch CrossEntropy", "two rows of two samples", labels, 1,
        loss="cross_entropy", micro_batch=2)

    # satisfied conditions: the first sample's error is exactly 0
    zero = {**line, "y": [[3.0], [4.0]]}
    for name, kappa, flag in (
        ("2", 2, "KappaTwo"),
        ("1", 1, "KappaOne"),
        ("1.4", 1.4, "KappaOther"),
        ("3", 3, "KappaOther"),
    ):
        add(f"satisfied-kappa-{name.replace('.', '-')}", "2.5", f"{flag} Satisfied Unsigned",
            f"ℓ_1 = 0, κ = {name}: R_1 = 0 and a row of zeros", zero, kappa)
    add("satisfied-signed-kappa-1", "2.2", "KappaOne Satisfied", "r_1 = 0 at κ = 1 keeps its row (x, 1)", zero, 1,
        "signed")
    add("satisfied-signed-kappa-0-5", "2.5", "KappaOther Satisfied", "r_1 = 0 at κ = 0.5: a row of zeros", zero, 0.5,
        "signed")
    add("satisfied-signed-kappa-1-4", "2.2", "KappaOther Satisfied", "r_1 = 0 at κ = 1.4: a row of zeros", zero, 1.4,
        "signed")
    add("satisfied-micro-batch", "2.5", "KappaOne Satisfied MicroBatch", "one of two is 0, their mean is not", zero, 1,
        micro_batch=2)
    both = {**line, "y": [[3.0], [7.0]]}
    add("satisfied-all", "2.5", "KappaOne Satisfied Unsigned", "every loss is 0", both, 1)
    add("satisfied-all-micro-batch", "2.5", "KappaOne Satisfied MicroBatch", "a mean of zeros", both, 1, micro_batch=2)


def trajectories(cases):
    def add(
        name,
        clause,
        flags,
        comment,
        data,
        kappa=1,
        rows="unsigned",
        loss="squared_error",
        micro_batch=1,
        lr=0.5,
        k=None,
        rtol=RTOL,
        steps=4,
        batches=1,
    ):
        size = len(data["x"]) // batches
        parts = [{n: data[n][i * size : (i + 1) * size] for n in "xy"} for i in range(batches)]
        how = {"loss": loss, "kappa": kappa, "rows": rows, "micro_batch": micro_batch}
        cuts = {"lr": lr, "k": k, "rtol": rtol, "atol": 0.0, "steps": steps}
        cases.add("trajectory", name, clause, flags, comment, "trajectory", model=data["model"], theta=data["theta"],
            batches=parts, **how, **cuts)

    line = {"model": model([1, 1], "identity"), "theta": [2.0, 1.0], "x": [[1.0], [3.0]], "y": [[2.0], [4.0]]}
    add("hand", "7", "HandCheckable KappaOne Identity", "linear, full rank: r halves at each step", line, rows="signed")
    data = inputs("path 9", [2, 2, 1], "tanh", 4)
    add("signed", "2.2", "KappaOne SignedEqualsUnsigned Tanh", "2-2-1 tanh, signed rows", data, rows="signed")
    add("unsigned", "2.2", "KappaOne SignedEqualsUnsigned Tanh", "the same thetas from unsigned rows", data)
    add("kappa-2", "4.1", "KappaTwo Tanh", "κ = 2", data, 2)
    add("kappa-1-4", "4.1", "KappaOther Tanh", "κ = 1.4", data, 1.4)
    add("truncated", "4.1", "KappaOne Truncated Tanh", "k = 2 of 4", data, k=2)
    add("truncated-kappa-2", "4.1", "KappaTwo Truncated Tanh", "k = 2 of 4, κ = 2", data, 2, k=2)
    add("rtol-cut", "3.1", "KappaOne RtolCut Tanh", "rtol = 0.125", data, rtol=0.125)
    add("mini-batches", "4.1", "KappaOne MiniBatches Gelu", "two batches in turn",
        inputs("turns", [1, 3, 1], "gelu", 6), batches=2, lr=0.25)
    add("micro-batch", "2.4", "KappaTwo MicroBatch Tanh", "three rows of two samples",
        inputs("rows", [2, 2, 1], "tanh", 6), 2, micro_batch=2)
    add("tall", "4.1", "KappaOne Tall Sine", "seven samples, four parameters",
        inputs("overdetermined", [1, 1, 1], "sine", 7), rows="signed", lr=0.25)
    add("per-output", "2.3", "KappaOne PerOutput Tanh", "two outputs", inputs("outputs", [1, 2, 2], "tanh", 2),
        rows="per_output")
    labels = inputs("classes", [2, 2, 3], "tanh", 3, [2, 0, 1])
    add("label-regression", "2.8", "KappaTwo LabelRegression Tanh", "κ = 2", labels, 2, loss="label_regression")
    add("cross-entropy", "2.8", "KappaTwo CrossEntropy Tanh", "κ = 2", labels, 2, loss="cross_entropy", lr=0.25)
    add("batch-of-one", "4.1", "KappaTwo BatchOfOne Relu", "one row: half of a Polyak step",
        inputs("polyak", [2, 2, 1], "relu", 1), 2)
