"""A problem with its samples in parts, each with a worker of Dask.

Rows of J are samples, so with a batch cut into parts i = 1 … S, each with its own J_i,

    J v  = [J_1 v; …; J_S v]          Jᵀ u = (J_1ᵀu_1 + J_2ᵀu_2) + (J_3ᵀu_3 + …)          (J Jᵀ)_ij = J_i J_jᵀ

A worker makes J_i from θ and its samples and keeps it: for an MLP as factors (`factored`),
M_i × width numbers, else as autograd's tape. θ is sent once a step. Everything a task needs is in Dask's graph: θ, the
samples, the factors. So what a lost worker held is made again, by Dask and from its recipe; nothing here schedules,
moves or retries.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from itertools import islice, pairwise
from typing import Any

import numpy as np

from ..arguments import check_integer, check_theta
from ..errors import ArgumentError, IndependentOfThetaWarning, ShapeError
from ..nets.mlp import MLP
from ..problem import Problem
from ..residuals import Residuals
from . import shard as on_worker
from .cluster import dask_extra
from .cluster_errors import check_sent
from .coupling import check_apart, coupled, excerpt, keeps_apart
from .operator import ShardedLinearOperator, operator
from .workers import Workers


class Shards:
    """A batch that the workers hold, made by `ShardedProblem.scatter`."""

    def __init__(self, futures: Sequence[Any]) -> None:
        self.futures = futures

    def __len__(self) -> int:
        return len(self.futures)


class ShardedProblem(Residuals):
    """A `Problem`, or `Conditions`, whose R and J are made by Dask's workers; `step` and `Sven` take it as it is.

    Parameters
    ----------
    problem : Problem or Conditions
        Sent to the workers, with a model or loss of one's own by cloudpickle. Both must treat samples one by one, which
        is checked with every J, R and ℓ (`check_apart`).
    client : distributed.Client, see `connect`
    n_shards : into how many parts a batch is cut, at most one a row
        None: as many as workers were asked for, where the client started them, else as many as there are now.

    A batch (x, y) is cut into parts that are equal to within one row and sent with every call. One that is used again
    is handed over once, by `scatter`.

    Attributes
    ----------
    round_trips : how often the client has waited for results
    """

    def __init__(self, problem: Residuals, client: Any, n_shards: int | None = None) -> None:
        if not isinstance(problem, Residuals) or isinstance(problem, ShardedProblem):
            raise ArgumentError(f"problem is a {type(problem).__name__}: must be a Problem of one process")
        dask_extra()
        for name, attribute in (("model", "model"), ("loss", "loss"), ("residuals", "fun")):
            check_sent(name, getattr(problem, attribute, None))
        check_sent("problem", problem)
        self.problem, self.workers = problem, Workers(client)
        self.n_shards = self.workers.asked if n_shards is None else check_integer("n_shards", n_shards)

    @property
    def model(self) -> Any:
        """The problem's."""
        return self.problem.model

    @property
    def kappa(self) -> float:  # type: ignore[override]  # a property in place of the class's number
        """The problem's."""
        return float(self.problem.kappa)

    def describe(self) -> str:
        """What messages call the functions that R is made by."""
        return self.problem.describe()

    def residual_function(self, batch: Any) -> Any:
        """Refused: R is made by the workers, and here is no function of θ that autograd could follow."""
        raise ArgumentError(
            "problem is a ShardedProblem: must be the Problem that it was made of, for a function of theta"
        )

    @property
    def round_trips(self) -> int:
        """How often the client has waited for results."""
        return self.workers.round_trips

    def scatter(self, parts: Any) -> Shards:
        """A batch (x, y), or a list of parts, that stays with the workers and is given to `step` as the batch.

        A part is a batch (x, y) itself (of `Conditions`, whatever that function takes), or a function of no arguments
        that returns one: then a worker loads it, and no sample is sent. It is called anew at every θ, and where the
        part of a lost worker is made again, so it must return the same every time.
        """
        self.workers.look()
        if not isinstance(parts, tuple | list):
            raise ArgumentError(f"parts is a {type(parts).__name__}: must be a batch (x, y) or a list of parts")
        parts = self._cut(parts, np.zeros(1, np.float32)) if isinstance(parts, tuple) else parts
        if not parts:
            raise ShapeError("parts = []: must be at least one part of a batch")
        for i, part in enumerate(parts):
            if self.model is not None and not (callable(part) or (isinstance(part, tuple | list) and len(part) == 2)):
                kind = type(part).__name__
                raise ArgumentError(f"parts[{i}] is a {kind}: must be a pair (x, y), or a function that returns one")
            check_sent(f"parts[{i}]", part)
        futures = self.workers.map(on_worker.held, parts)
        self.workers.settle(futures)  # from here on the caller may overwrite his arrays
        return Shards(futures)

    def linearise(self, theta: Any, batch: Any) -> tuple[Any, ShardedLinearOperator]:
        """R of shape (M,), and J of shape (M, P), its shards made and held by the workers; one round trip."""
        theta = check_theta(theta)
        shards, excerpts = self._on_parts("linearise", theta, batch)
        facts, excerpts = self._fetch(self.workers.map(on_worker.facts, shards), excerpts)
        check_apart(self.problem, "linearise", theta, excerpts)
        for i, shard in enumerate(facts):
            for message in shard.warned:
                warnings.warn(f"shard {i} of {len(facts)}: {message}", IndependentOfThetaWarning, stacklevel=2)
        if len(shards) > 1 and type(self.model) is MLP and not all(f.factored for f in facts):
            raise coupled(self.problem)  # its loss, found out by `factored_jacobian`
        R = np.concatenate([f.R for f in facts])
        return R, operator(self.workers, shards, facts)

    def residuals(self, theta: Any, batch: Any) -> Any:
        """R of shape (M,) at θ; one round trip."""
        return self._values("residuals", theta, batch)

    def losses(self, theta: Any, batch: Any) -> Any:
        """ℓ of shape (B,) at θ; one round trip."""
        return self._values("losses", theta, batch)

    def loss_and_gradient(self, theta: Any, batch: Any) -> tuple[float, Any]:
        """L and ∇L of shape (P,): the parts' own, each by how many losses it has; one round trip."""
        theta = check_theta(theta)
        made, excerpts = self._fetch(*self._on_parts("losses_and_gradient", theta, batch))
        check_apart(self.problem, "losses", theta, excerpts)
        total = sum(len(losses) for losses, _ in made)
        loss = sum(float(np.sum(losses, dtype=np.float64)) for losses, _ in made) / total
        gradient = sum(len(losses) / total * gradient for losses, gradient in made)
        return loss, np.asarray(gradient, theta.dtype)

    def _values(self, method: str, theta: Any, batch: Any) -> Any:
        theta = check_theta(theta)
        values, excerpts = self._fetch(*self._on_parts(method, theta, batch))
        check_apart(self.problem, method, theta, excerpts)
        return np.concatenate(values)

    def _on_parts(self, method: str, theta: Any, batch: Any) -> tuple[list[Any], list[Any]]:
        """Futures of problem.method(θ, part), one a part, and where samples may be coupled of an `Excerpt` of each."""
        parts = batch.futures if isinstance(batch, Shards) else self._cut(batch, theta)
        self.workers.look()
        S = len(parts)
        sent = self.workers.submit(0, on_worker.held, theta.copy())  # once, whatever the number of shards
        problems, copies = [self.problem] * S, self.workers.everywhere(sent, S)
        made = self.workers.map(on_worker.on_part, problems, [method] * S, copies, parts)
        if S == 1 or keeps_apart(self.problem):
            return made, []
        return made, self.workers.map(excerpt, problems, copies, parts, made)

    def _fetch(self, *futures: list[Any]) -> list[list[Any]]:
        """Results of some lists of futures, in one round trip."""
        results = iter(self.workers.fetch([future for some in futures for future in some]))
        return [list(islice(results, len(some))) for some in futures]

    def _cut(self, batch: Any, theta: Any) -> list[Any]:
        """(x, y) in parts of whole micro-batches, checked as the problem checks them and sent as they are."""
        problem = self.problem
        if not isinstance(problem, Problem):
            raise ArgumentError("batch: conditions of one's own can't be cut; give scatter(...) a list of parts")
        problem.arrays(theta, batch)
        x, y = map(np.asarray, batch)
        n, left_over = divmod(len(x), problem.micro_batch)
        if left_over:
            raise ArgumentError(f"micro_batch = {problem.micro_batch}: must divide the batch size B = {len(x)}")
        edges = np.linspace(0, n, min(self.n_shards, n) + 1).astype(int) * problem.micro_batch
        return [(x[a:b], y[a:b]) for a, b in pairwise(edges)]
