"""The inputs of all cases, by operation."""


def cases():
    out = {
        op: []
        for op in ("matvec", "rmatvec", "pinv_apply", "step", "natural_gradient", "jacobian", "trajectory", "reject")
    }
    A = [[3.0, 0.0, 0.0, 4.0], [0.0, 2.0, 0.0, 0.0]]
    net = {
        "model": {"sizes": [2, 3, 1], "activation": "tanh"},
        "theta": [0.5, -0.25, 0.75, 0.125, 0.5, -0.5, 0.25, -0.125, 0.0625, 0.75, -0.5, 0.25, 0.125],
    }
    x, y = [[0.5, -0.25], [0.75, 0.5], [-0.5, 0.25]], [[0.5], [-0.25], [0.125]]
    loss = {"loss": "squared_error", "kappa": 1, "rows": "signed", "micro_batch": 1}

    def add(op, id, clause, flags, level, comment, **input):
        out[op].append({"id": id, "clause": clause, "flags": flags, "level": level, "comment": comment, "input": input})

    add(
        "matvec",
        "matvec-hand-1",
        "1",
        ["HandCheckable", "Wide"],
        "core",
        "12 = 3 + 2·0 + …",
        J=A,
        v=[1.0, 2.0, 3.0, 4.0],
    )
    add("rmatvec", "rmatvec-hand-1", "1", ["HandCheckable", "Wide"], "core", "rows 3, 4 and 2", J=A, u=[1.0, 2.0])
    add(
        "pinv_apply",
        "pinv-apply-hand-1",
        "3.1",
        ["HandCheckable", "Truncated"],
        "core",
        "rows orthogonal with norms 5 and 2",
        J=A,
        R=[10.0, 6.0],
        k=1,
        rtol=0.0,
        atol=0.0,
    )
    add(
        "step",
        "step-hand-1",
        "4.1",
        ["HandCheckable", "Truncated"],
        "core",
        "rows orthogonal with norms 5 and 2",
        theta=[1.0, 1.0, 1.0, 1.0],
        J=A,
        R=[10.0, 6.0],
        lr=0.5,
        k=1,
        rtol=0.0,
        atol=0.0,
    )
    add(
        "pinv_apply",
        "pinv-apply-cut-in-cluster-1",
        "3.5",
        ["CutInCluster"],
        "core",
        "one of two equal σ is kept",
        J=[[3.0, 0.0, 0.0], [0.0, 2.0, 0.0], [0.0, 0.0, 2.0]],
        R=[3.0, 2.0, 4.0],
        k=2,
        rtol=0.0,
        atol=0.0,
    )
    add(
        "natural_gradient",
        "natural-gradient-hand-1",
        "6.1",
        ["HandCheckable", "Tall"],
        "core",
        "F = diag(1, 5)",
        J=[[1.0, 0.0], [0.0, 1.0], [0.0, 2.0]],
        R=[1.0, 2.0, 4.0],
    )
    add("jacobian", "jacobian-tanh-1", "2.2", ["KappaOne"], "autodiff", "2-3-1 tanh", **net, x=x, y=y, **loss)
    add(
        "trajectory",
        "trajectory-tanh-1",
        "4.1",
        ["KappaOne"],
        "trajectory",
        "2-3-1 tanh, three steps",
        **net,
        batches=[{"x": x, "y": y}],
        **loss,
        lr=0.5,
        k=None,
        rtol=0.0009765625,
        atol=0.0,
        steps=3,
    )
    add(
        "reject",
        "reject-pinv-apply-nan-1",
        "4.3",
        ["NonFiniteInput"],
        "core",
        "NaN in J",
        call="pinv_apply",
        input={"J": [[1.0, "NaN"], [0.0, 1.0]], "R": [1.0, 1.0], "k": None, "rtol": 0.0, "atol": 0.0},
    )
    return out
