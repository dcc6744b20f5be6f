"""All eigenvectors of a Gram matrix, or the k + 1 largest alone: seconds, least of three, one BLAS thread.

    env -u OPENBLAS_CORETYPE -u OPENBLAS_L2_SIZE OPENBLAS_NUM_THREADS=1 python tests/benchmarks/bench_eigenvectors.py

`solvers.gram` takes a part from n = 512 on, for k + 1 ≤ n/8. ARPACK on the matrix is quicker still for small k, but may
miss copies of a repeated eigenvalue.
"""

import time

import numpy as np
import scipy.linalg
import scipy.sparse.linalg


def least(call):
    times = []
    for _ in range(3):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times)


if __name__ == "__main__":
    rng = np.random.default_rng(0)
    print("    n    k      all     part   ARPACK")
    for n in (256, 512, 1024, 2000):
        A = rng.standard_normal((n, 400)) * np.geomspace(1, 1e-6, 400)
        G = A @ A.T
        whole = least(lambda G=G: np.linalg.eigh(G))
        for k in (16, 64, n // 4):
            part = least(lambda G=G, n=n, k=k: scipy.linalg.eigh(G, subset_by_index=(n - k - 1, n - 1)))
            arpack = least(lambda G=G, k=k: scipy.sparse.linalg.eigsh(G, k=k + 1, rng=0))
            print(f"{n:5d} {k:4d} {whole:8.4f} {part:8.4f} {arpack:8.4f}")
