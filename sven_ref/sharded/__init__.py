"""A problem with its samples on many processes or machines, held by the workers of Dask (extra `dask`).

    with connect(workers=2) as client:
        theta, info = sr.step(ShardedProblem(problem, client), theta, batch, lr=0.1)

`problem` cuts a batch and puts J together, `operator` is J as the client sees it, `shard` what a worker holds; the
rest is the cluster: `workers` sends and waits, `cluster` starts it, `coupling` looks for samples that are coupled.
"""

from ..errors import ClusterError
from .cluster import connect
from .operator import ShardedLinearOperator
from .problem import ShardedProblem, Shards

__all__ = ["ClusterError", "ShardedLinearOperator", "ShardedProblem", "Shards", "connect"]
