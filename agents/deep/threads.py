"""One thread for what an update computes: sums in another order are other bits, and small products lose by sharing."""

import contextlib
from collections.abc import Iterator

from threadpoolctl import threadpool_limits


@contextlib.contextmanager
def one_blas_thread() -> Iterator[None]:
    """Matrix products of NumPy's on one thread, whatever the process was started with."""
    with threadpool_limits(limits=1, user_api="blas"):
        yield


@contextlib.contextmanager
def one_torch_thread() -> Iterator[None]:
    """torch's too."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
