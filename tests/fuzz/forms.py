"""An array in another form: its memory, its class, or its container.

Each function takes an array that owns its memory and returns something that
means the same, or, where that is the point of a form, other values of the
same shape: ``np.array`` of it tells which.
"""

import chainer_sdtw  # isort: skip  # noqa: F401  (before chainer)

import array
import tempfile

import numpy as np
from chainer import Parameter, Variable


class Subclass(np.ndarray):
    """A class of arrays that adds nothing."""


class Exporter:
    """What is no array, but gives one away."""

    def __init__(self, a):
        self._a = a

    def __array__(self, dtype=None, copy=None):
        return np.array(self._a, dtype)


def reversed_axes(a):
    flip = (slice(None, None, -1),) * a.ndim
    return a[flip].copy()[flip]


def transposed(a):
    return a.T.copy().T


def strided(a):
    room = np.zeros([2 * size + 1 for size in a.shape], a.dtype)
    view = room[(slice(1, None, 2),) * a.ndim]
    view[...] = a
    return view


def swapped_bytes(a):
    return a.astype(a.dtype.newbyteorder())


def misaligned(a):
    buffer = bytearray(1 + a.nbytes)
    made = np.frombuffer(buffer, a.dtype, a.size, offset=1)
    made = made.reshape(a.shape)
    made[...] = a
    return made


def read_only(a):
    made = a.copy()
    made.flags.writeable = False
    return made


def read_only_file(a):
    with tempfile.TemporaryFile() as file:
        file.write(a.tobytes())
        file.flush()
        return np.memmap(file, a.dtype, "r", shape=a.shape)


def nothing_masked(a):
    return np.ma.array(a.copy(), mask=False)


def subclass(a):
    return a.copy().view(Subclass)


def repeated(a):
    """One row for all, without strides."""
    return np.broadcast_to(a[:1].copy(), a.shape)


def overlapping(a):
    """Rows that share all elements but one."""
    room = np.resize(a, a.shape[0] + a[0].size)
    return np.lib.stride_tricks.as_strided(
        room, a.shape, (a.itemsize, *a[:1].strides[1:]), writeable=False
    )


def as_list(a):
    return a.tolist()


def as_tuple(a):
    return tuple(a)


def list_of_arrays(a):
    return list(a)


def of_objects(a):
    return a.astype(object)


def generator(a):
    return (part for part in a)


def variable(a):
    return Variable(a.copy())


def parameter(a):
    return Parameter(a.copy())


def exporter(a):
    return Exporter(a)


def memory_view(a):
    return memoryview(a.copy())


def standard_array(a):
    return array.array("d", a.ravel().tolist())


def other_type(dtype):
    def cast(a):
        with np.errstate(all="ignore"):
            return a.astype(dtype)

    cast.__name__ = f"astype_{np.dtype(dtype).name}"
    return cast


# Arrays of NumPy: they are as good as any other.
SAME = (
    reversed_axes,
    transposed,
    strided,
    swapped_bytes,
    misaligned,
    read_only,
    read_only_file,
    nothing_masked,
    subclass,
    repeated,
    overlapping,
)
# These mean the same, or are refused.
OTHER = (
    as_list,
    as_tuple,
    list_of_arrays,
    of_objects,
    generator,
    variable,
    parameter,
    exporter,
    memory_view,
    standard_array,
    *map(other_type, ("f2", "f4", "f8", "g", "i1", "u1", "i8", "u8", "?")),
)
# These are never numbers.
NO_NUMBERS = tuple(map(other_type, ("c16", "S8", "U8")))
