"""Calls that have no answer. An error is right, and nothing else."""

# a case reads as one line, or two
# fmt: off

J = [[1.0, 2.0, 0.0], [0.0, 1.0, -1.0]]
CUTS = {"k": None, "rtol": 0.0009765625, "atol": 0.0}
BOTH, DOUBLE = ["float64", "float32"], ["float64"]


def rejects(cases):
    def add(call, name, clause, flags, comment, dtypes=BOTH, **input):
        level = {"jacobian": "autodiff", "trajectory": "trajectory"}.get(call, "core")
        id = f"{call.replace('_', '-')}-{name}"
        cases.add("reject", id, clause, flags, comment, level, {"dtypes": dtypes}, call=call, input=input)

    add("matvec", "nan", "4.3", "NonFiniteInput", "NaN in J", J=[[1.0, "NaN"], [0.0, 1.0]], v=[1.0, 1.0])
    add("matvec", "infinity", "4.3", "NonFiniteInput", "infinity in v", J=J, v=[1.0, "Infinity", 1.0])
    add("matvec", "overflow", "4.3", "Overflow", "J v is not finite", DOUBLE, J=[[1e308, 1e308]], v=[2.0, 2.0])
    add("matvec", "shape", "1", "ShapeMismatch", "v of length M", J=J, v=[1.0, 1.0])
    add("rmatvec", "nan", "4.3", "NonFiniteInput", "NaN in u", J=J, u=["NaN", 1.0])
    add("rmatvec", "shape", "1", "ShapeMismatch", "u of length P", J=J, u=[1.0, 1.0, 1.0])

    def pinv(name, clause, flags, comment, **change):
        add("pinv_apply", name, clause, flags, comment, **{"J": J, "R": [1.0, 2.0], **CUTS, **change})

    pinv("nan", "4.3", "NonFiniteInput", "NaN in J", J=[[1.0, "NaN", 0.0], [0.0, 1.0, 1.0]])
    pinv("nan-tall", "4.3", "NonFiniteInput Tall", "NaN in J with M > P", J=[[1.0], ["NaN"], [1.0]], R=[1.0, 1.0, 1.0])
    pinv("infinity", "4.3", "NonFiniteInput", "-infinity in J", J=[[1.0, 2.0, 0.0], ["-Infinity", 1.0, 1.0]])
    pinv("nan-residual", "4.3", "NonFiniteInput", "NaN in R", R=["NaN", 1.0])
    pinv("shape", "1", "ShapeMismatch", "R of length P", R=[1.0, 2.0, 3.0])
    pinv("k-0", "3.3", "BadCut", "k = 0", k=0)
    pinv("k-fraction", "3.3", "BadCut", "k = 1.5", k=1.5)
    pinv("rtol-1", "3.3", "BadCut", "rtol = 1 keeps nothing", rtol=1.0)
    pinv("rtol-negative", "3.3", "BadCut", "rtol = -0.5", rtol=-0.5)
    pinv("rtol-nan", "3.3", "BadCut NonFiniteInput", "rtol = NaN: every comparison with it is false", rtol="NaN")
    pinv("atol-negative", "3.3", "BadCut", "atol = -1", atol=-1.0)

    def step(name, clause, flags, comment, dtypes=BOTH, **change):
        base = {"theta": [1.0, 1.0, 1.0], "R": [1.0, 2.0], "J": J, "lr": 0.5, **CUTS}
        add("step", name, clause, flags, comment, dtypes, **{**base, **change})

    step("nan-theta", "4.3", "NonFiniteInput", "NaN in θ", theta=[1.0, "NaN", 1.0])
    step("nan-residual", "4.3", "NonFiniteInput", "NaN in R", R=[1.0, "NaN"])
    step("nan-jacobian", "4.3", "NonFiniteInput", "NaN in J", J=[["NaN", 2.0, 0.0], [0.0, 1.0, -1.0]])
    step("overflow", "4.3", "Overflow", "θ - lr x is not finite", DOUBLE, R=[4.0, 4.0], lr=1e308)
    step("shape", "1", "ShapeMismatch", "θ of length M", theta=[1.0, 1.0])
    step("column-out-of-range", "5.1", "ShapeMismatch Subset", "column 3 of 0, 1, 2", columns=[0, 3])

    base = {
        "model": {"sizes": [1, 1], "activation": "identity"},
        "theta": [2.0, 1.0],
        "x": [[1.0], [2.0], [3.0]],
        "y": [[1.0], [1.0], [1.0]],
        "loss": "squared_error",
        "kappa": 2,
        "rows": "unsigned",
        "micro_batch": 1,
    }
    two = {**base, "model": {"sizes": [1, 2], "activation": "identity"}, "theta": [2.0, 1.0, 0.0, 1.0]}

    def jacobian(name, clause, flags, comment, start=base, **change):
        add("jacobian", name, clause, flags, comment, **{**start, **change})

    jacobian("micro-batch", "2.4", "MicroBatch", "three samples in rows of two", micro_batch=2)
    jacobian("nan-x", "4.3", "NonFiniteInput", "NaN in x", x=[[1.0], ["NaN"], [3.0]])
    jacobian("nan-theta", "4.3", "NonFiniteInput", "NaN in θ", theta=["NaN", 1.0])
    jacobian("kappa-0", "2.1", "BadKappa", "κ = 0", kappa=0)
    jacobian("shape-theta", "1", "ShapeMismatch", "θ of length 3 for two parameters", theta=[2.0, 1.0, 0.0])
    jacobian("shape-y", "2.8", "ShapeMismatch", "y with two columns for one output", y=[[1.0, 2.0]] * 3)
    jacobian("samples", "2.8", "ShapeMismatch", "two targets for three samples", y=[[1.0], [1.0]])
    jacobian("label", "2.8", "ShapeMismatch LabelRegression", "label 2 of two outputs", two, y=[0, 1, 2],
        loss="label_regression")
    jacobian("signed-outputs", "2.2", "ShapeMismatch Outputs", "signed rows with two outputs", two, y=[[1.0, 1.0]] * 3,
        rows="signed")

    run = {n: v for n, v in base.items() if n not in "xy"}
    run = {**run, "batches": [{n: base[n] for n in "xy"}], "lr": 0.5, **CUTS, "steps": 2}
    bad = [{"x": base["x"], "y": [[1.0], ["Infinity"], [1.0]]}]
    add("trajectory", "infinite-y", "4.3", "NonFiniteInput", "infinity in y", **{**run, "batches": bad})
    add("trajectory", "overflow", "4.3", "Overflow", "θ is not finite after a step", DOUBLE,
        **{**run, "lr": 1e308, "kappa": 1})
