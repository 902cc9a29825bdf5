"""LAPACK's Cholesky solver without Python's lock.

SciPy's own wrapper holds the lock while it solves, so that threads would wait for each other. The
routine is taken from what SciPy offers to compiled code, `scipy.linalg.cython_lapack`.
"""

import ctypes
import functools
from collections.abc import Callable

import numpy as np
import scipy.linalg.cython_lapack


@functools.cache
def _sposv() -> Callable[..., None]:
    """sposv(char *uplo, int *n, int *nrhs, float *a, int *lda, float *b, int *ldb, int *info)."""
    capsule = scipy.linalg.cython_lapack.__pyx_capi__["sposv"]
    name, pointer = ctypes.pythonapi.PyCapsule_GetName, ctypes.pythonapi.PyCapsule_GetPointer
    name.argtypes, name.restype = [ctypes.py_object], ctypes.c_char_p
    pointer.argtypes, pointer.restype = [ctypes.py_object, ctypes.c_char_p], ctypes.c_void_p
    return ctypes.CFUNCTYPE(None, *8 * [ctypes.c_void_p])(pointer(capsule, name(capsule)))


def solve_positive(matrix: np.ndarray, right: np.ndarray) -> bool:
    """Solves `matrix @ x = right` in place: x takes the place of `right`.

    Args:
        matrix: (k, k) float32, contiguous, symmetric and positive definite; its upper triangle is
            overwritten by Cholesky's factor.
        right: (k,) float32, contiguous.

    Returns:
        Whether it could be solved; False where the matrix is not positive definite.
    """
    for array in (matrix, right):
        assert array.dtype == np.float32 and array.flags.c_contiguous and array.flags.writeable
    k, one, info = ctypes.c_int(len(matrix)), ctypes.c_int(1), ctypes.c_int()
    size = ctypes.byref(k)
    _sposv()(
        ctypes.c_char_p(b"L"),  # of the transpose, as Fortran sees it; "U" takes twice the time
        size,
        ctypes.byref(one),
        matrix.ctypes.data,
        size,
        right.ctypes.data,
        size,
        ctypes.byref(info),
    )
    return info.value == 0
