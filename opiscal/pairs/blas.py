"""One BLAS thread at a time: the one door to threadpoolctl."""

from contextlib import AbstractContextManager
from functools import cache
from typing import Any

# The counting loops multiply by the BLAS that scipy brings; it must be there to be held back.
import scipy.linalg.cython_blas  # noqa: F401
from threadpoolctl import ThreadpoolController


@cache
def _controller() -> ThreadpoolController:
    return ThreadpoolController()


def one_blas_thread() -> AbstractContextManager[Any]:
    """Within it every product is worked off by the thread that asks for it.

    The counting threads share out the work themselves. Threads of a BLAS also go on turning for a
    while after a product, on the cores that the counting needs.
    """
    context: AbstractContextManager[Any] = _controller().limit(limits=1, user_api="blas")
    return context
