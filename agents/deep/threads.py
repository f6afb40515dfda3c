"""Where updates are computed. On one thread: sums in another order are other bits, and small products lose by it."""

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


def check_cuda() -> None:
    """Raise where torch finds no GPU.

    Raises:
        ValueError: it finds none.
    """
    import torch

    if not torch.cuda.is_available():
        raise ValueError("device: expected 'cpu' where torch finds no CUDA device, got 'cuda'")
