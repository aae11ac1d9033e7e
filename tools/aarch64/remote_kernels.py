"""The kernels of ``sdtw_cpu`` in a process of their own, for pytest.

As a plug-in (``pytest -p remote_kernels``) this module takes the place of
``sdtw_cpu._kernels``, whose interface it has, before any test is imported.
The environment variable ``SDTW_KERNEL_SERVER`` is the command that starts
``server.cpp``, for example under QEMU.
"""

from __future__ import annotations

import ctypes
import itertools
import os
import shlex
import struct
import subprocess
import sys
import threading
from collections import deque

import numpy as np
import pytest

LEVELS, MAKE, VALUE, ADJOINT, COUNTS, DROP = range(6)
NO_DIRECTION, EXPLICIT, COST, SERIES = range(4)  # of costs.hpp

_server = subprocess.Popen(
    shlex.split(os.environ["SDTW_KERNEL_SERVER"]),
    stdin=subprocess.PIPE,
    stdout=subprocess.PIPE,
)
_lock = threading.Lock()
_ids = itertools.count()
_dropped: deque[int] = deque()  # sweeps that Python has no more
_threads = 1
_own = threading.local()  # threads of calls of this thread alone


def _receive() -> bytes:
    size = _server.stdout.read(8)
    payload = _server.stdout.read(*struct.unpack("q", size)) if size else b""
    if not size:
        raise RuntimeError(
            f"{shlex.join(_server.args)} has ended ({_server.wait()})"
        )
    return payload


def _call(request: int, *fields: object) -> bytes:
    """Send a request of integers, floats, texts and arrays; return bytes."""
    _server.stdin.write(struct.pack("q", request))
    for field in fields:
        _server.stdin.write(_encoded(field))
    _server.stdin.flush()
    error, result = _receive(), _receive()
    if error:
        raise RuntimeError(error.decode())
    return result


def _ask(request: int, index: int, *fields: object) -> bytes:
    """Send a request about a sweep."""
    with _lock:
        while _dropped:
            _call(DROP, _dropped.popleft(), 1)
        return _call(request, index, num_threads(), *fields)


def _encoded(field: object) -> bytes:
    if field is None:
        return struct.pack("q", -1)
    if isinstance(field, np.ndarray):
        return _encoded_array(field)
    if isinstance(field, str):
        return struct.pack("q", len(field)) + field.encode()
    return struct.pack("d" if isinstance(field, float) else "q", field)


def _encoded_array(a: np.ndarray) -> bytes:
    """Return an array as it lies in memory, whatever its strides."""
    ends = [(size - 1) * step for size, step in zip(a.shape, a.strides)]
    before = -sum(end for end in ends if end < 0)
    after = sum(end for end in ends if end > 0) + a.itemsize
    size = before + after if a.size else 0
    strides = (*a.strides, 0, 0)[:3]
    header = struct.pack("qqqqq", size, before, *strides)
    return header + ctypes.string_at(a.ctypes.data - before, size)


_levels = _call(LEVELS).decode().split()
_level = _levels[-1]


def isa_levels() -> list[str]:
    return list(_levels)


def isa() -> str:
    return _level


def set_isa(name: str) -> bool:
    global _level
    if name in _levels:
        _level = name
    return name in _levels


def num_threads() -> int:
    return getattr(_own, "threads", 0) or _threads


def set_num_threads(n: int) -> None:
    global _threads
    _threads = n


def set_own_threads(n: int) -> None:
    _own.threads = n


class Sweep:
    """What the class of this name in ``sdtw_cpu/_kernels.pyx`` is."""

    def __init__(
        self, x, y, cost, gamma, x_length, y_length, band, tape, direction=None
    ):
        self.x, self.y = x, y
        self.x_length, self.y_length = x_length, y_length
        self.band, self.direction = band, direction
        self.fused = y is not None
        kind, explicit, of_x, of_y = COST, None, None, None
        if direction is None:
            kind = NO_DIRECTION
        elif isinstance(direction, tuple):
            kind, (of_x, of_y) = SERIES, direction
        elif not isinstance(direction, str):
            kind, explicit = EXPLICIT, direction
        batch, m, last = x.shape
        self._id = next(_ids)
        _ask(
            MAKE,
            self._id,
            _level,
            tape,
            x.itemsize == 8,
            batch,
            m,
            y.shape[1] if self.fused else last,
            last if self.fused else 0,
            float(gamma),
            cost or "",
            kind,
            x if self.fused else None,
            y,
            None if self.fused else x,
            explicit,
            of_x,
            of_y,
            x_length,
            y_length,
            np.broadcast_to(band, (batch, m, 2)) if band is not None else None,
        )

    def __del__(self):
        _dropped.append(self._id)

    def value(self, out, tangent=None):
        results = np.frombuffer(_ask(VALUE, self._id))
        with np.errstate(over="ignore"):  # in float32
            out[:] = results[: len(out)]
            if tangent is not None:
                tangent[:] = results[len(out) :]

    def adjoint(self, grad_value, grad_tangent, gx, gy, e):
        sizes = [0 if a is None else a.nbytes for a in (gx, gy, e)]
        result = _ask(ADJOINT, self._id, grad_value, grad_tangent, *sizes)
        for a in (gx, gy, e):
            if a is not None:
                a.ravel()[:] = np.frombuffer(result[: a.nbytes], a.dtype)
                result = result[a.nbytes :]

    def _counts(self):
        return np.frombuffer(_ask(COUNTS, self._id), np.int64).tolist()

    @property
    def tape_bytes(self):
        return self._counts()[0]

    @property
    def swept_back(self):
        return self._counts()[1]


def pytest_report_header(config):
    return f"kernels: {shlex.join(_server.args)} ({', '.join(_levels)})"


def pytest_collection_modifyitems(items):
    for item in items:
        if item.get_closest_marker("native"):
            item.add_marker(pytest.mark.skip(reason="kernels are remote"))


def pytest_unconfigure(config):
    _server.stdin.close()
    _server.wait(timeout=60)


sys.modules["sdtw_cpu._kernels"] = sys.modules[__name__]
