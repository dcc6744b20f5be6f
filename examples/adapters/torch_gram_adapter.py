"""PyTorch: a Sven step in the Gram form, G = JJᵀ from hooks on the linear layers; J is never made.

Forward hooks keep each layer's input x and output z; one backward pass of ΣR gives g = ∂ΣR/∂z; then

    G = Σ_l (g gᵀ) ∘ (x xᵀ + 1)          δ = Jᵀw with w = U S⁻² UᵀR, one more backward pass of ⟨w, R⟩

in float64. Rows of several samples are pooled in blocks, cross terms included. G squares the condition number: at
condition 1e6 most digits are gone, and where a σ that may have to be kept lies below FLOOR σ_1 the case is skipped.
"""

import operator
from itertools import pairwise

import torch
from serve import serve
from torch import nn
from torch_jacrev_adapter import PHI, batch, rows_of, tensor

FLOOR = 1e-7


def solve(G, R, n, k, rtol, atol):
    """w = U S⁻² UᵀR and the kept σ, in float64; n = min(M, P) is how many σ there are."""
    k = n if k is None else operator.index(k)
    if k < 1 or not 0 <= rtol < 1 or not atol >= 0:
        raise ValueError(f"k = {k}, rtol = {rtol}, atol = {atol}")
    eigenvalues, U = torch.linalg.eigh(G)
    s, U = eigenvalues.clamp(min=0).sqrt().flip(0), U.flip(1)
    if s[0] == 0:
        return torch.zeros_like(R), s[:0]
    cut = max(rtol * float(s[0]), atol)
    q = min(k, int((s > max(cut, FLOOR * float(s[0]))).sum()))
    if q < min(k, n) and cut < FLOOR * float(s[0]):
        raise NotImplementedError(f"a singular value below {FLOOR} σ_1 may have to be kept")
    return U[:, :q] @ (U.T[:q] @ R / s[:q] ** 2), s[:q]


def pinv_apply(J, R, k, rtol, atol):
    """J⁺R for a J that is given, divided by a power of two first, so that no square overflows."""
    c = 2.0 ** torch.frexp(abs(J).max())[1].item() if J.any() else 1.0
    A = J.double() / c
    w, s = solve(A @ A.T, R.double(), min(J.shape), k, rtol, atol / c)
    return (A.T @ w / c).to(J.dtype), (s * c).to(J.dtype)


class Network(nn.Module):
    """z = xW + b, layer by layer; `tape` holds (x, z) of every layer of the last forward pass."""

    def __init__(self, model, dtype):
        super().__init__()
        self.phi, self.tape = PHI[model["activation"]], []
        self.layers = nn.ModuleList(nn.Linear(*widths, dtype=dtype) for widths in pairwise(model["sizes"]))
        for layer in self.layers:
            layer.register_forward_hook(lambda _, args, z: self.tape.append((args[0], z)))

    def load(self, theta):
        start = 0
        for layer in self.layers:
            end = start + layer.weight.numel()
            layer.weight.data = theta[start:end].reshape(layer.in_features, -1).T
            layer.bias.data = theta[end : end + layer.out_features]
            start = end + layer.out_features

    def forward(self, x):
        self.tape.clear()
        for layer in self.layers[:-1]:
            x = self.phi(layer(x))
        return self.layers[-1](x)


def update(net, i, x, y):
    """J⁺R at the parameters of the network."""
    R = rows_of(net(x), i, y)
    if len(R) * i["micro_batch"] != len(x):
        raise NotImplementedError("one row per output")
    signals = torch.autograd.grad(R.sum(), [z for _, z in net.tape], retain_graph=True)
    inputs = [x.detach().double() for x, _ in net.tape]
    K = sum((g @ g.T) * (x @ x.T + 1) for x, g in zip(inputs, (g.double() for g in signals), strict=True))
    m = i["micro_batch"]
    G = K.reshape(len(R), m, len(R), m).sum((1, 3))
    parameters = list(net.parameters())  # W, b, W, b, …
    n = min(len(R), sum(p.numel() for p in parameters))
    w, _ = solve(G, R.detach().double(), n, i["k"], i["rtol"], i["atol"])
    slopes = torch.autograd.grad(R @ w.to(R.dtype), parameters)
    return torch.cat([g.T.reshape(-1) for g in slopes])


def run(op, dtype, i):
    dtype = getattr(torch, dtype)
    theta = tensor(i["theta"], dtype) if "theta" in i else None
    if op == "trajectory":
        batches, net, thetas = [batch({**i, **b}, dtype) for b in i["batches"]], Network(i["model"], dtype), []
        for t in range(i["steps"]):
            net.load(theta)
            theta = theta - i["lr"] * update(net, i, *batches[t % len(batches)])
            thetas.append(theta.tolist())
        return {"thetas": thetas}
    J, R = tensor(i["J"], dtype), tensor(i["R"], dtype)
    S = torch.tensor(i.get("columns", range(J.shape[1])))
    delta, s = pinv_apply(J[:, S], R, i["k"], i["rtol"], i["atol"])
    if op == "pinv_apply":
        return {"update": delta, "rank": len(s), "singular_values": s}
    theta[S] -= i["lr"] * delta
    return {"theta": theta, "rank": len(s), "singular_values": s}


if __name__ == "__main__":
    torch.set_num_threads(1)
    serve("torch gram with hooks", torch.__version__, run, ["pinv_apply", "step", "trajectory"])
