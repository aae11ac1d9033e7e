# cython: language_level=3, boundscheck=False, wraparound=False
# cython: embedsignature=True
# distutils: language=c++
"""Thin layer over the C++; arguments are checked by the callers."""
from cpython.buffer cimport (
    PyBUF_STRIDED_RO, PyBuffer_Release, PyObject_GetBuffer,
)
from libc.stddef cimport ptrdiff_t
from libc.stdint cimport int32_t, int64_t
from libcpp cimport bool as cbool
from libcpp.memory cimport unique_ptr
from libcpp.string cimport string
from libcpp.vector cimport vector

import os
import threading


cdef extern from "batch.hpp" namespace "sdtw" nogil:
    enum class CostKind:
        kExplicit

    CostKind cost_kind(const string& name) except +

    enum class Direction:
        kNone, kExplicit, kCost, kSeries

    cdef cppclass Input:
        cbool is_double
        CostKind cost
        Direction direction
        int64_t batch, m, n, d
        const char* x
        const char* y
        const char* c
        const char* z
        const char* dx
        const char* dy
        ptrdiff_t* x_stride
        ptrdiff_t* y_stride
        ptrdiff_t* c_stride
        ptrdiff_t* z_stride
        ptrdiff_t* dx_stride
        ptrdiff_t* dy_stride
        const int64_t* x_length
        const int64_t* y_length
        const int32_t* band
        ptrdiff_t band_stride
        double gamma

    cdef cppclass Batch:
        Batch(const Input&, cbool) except +
        void value(double*, double*) except +
        void adjoint(
            const double*, const double*, void*, void*, void*
        ) except +
        size_t tape_bytes()
        int64_t swept_back()

cdef extern from "isa.hpp" nogil:
    vector[const char*] c_levels "sdtw::levels"() except +
    const char* c_level "sdtw::level"() except +
    cbool c_set_level "sdtw::set_level"(const char*) except +

cdef extern from "memory.hpp" nogil:
    void c_empty_pool "sdtw::MemoryPool::get().clear"()

cdef extern from "threads.hpp" nogil:
    int c_num_threads "sdtw::num_threads"()
    void c_set_num_threads "sdtw::set_num_threads"(int)
    void c_set_own_threads "sdtw::set_own_threads"(int)
    void c_set_interrupted "sdtw::set_interrupted"(cbool (*)() noexcept nogil)

cdef extern from "Python.h":
    int PyErr_CheckSignals() noexcept
    unsigned long PyThread_get_thread_ident() noexcept nogil

cdef unsigned long main_thread


def find_main_thread():
    global main_thread
    main_thread = threading.main_thread().ident


find_main_thread()
if hasattr(os, "register_at_fork"):
    # In the child it is the thread that forked.
    os.register_at_fork(after_in_child=find_main_thread)


cdef cbool interrupted() noexcept nogil:
    """Run the handlers of signals; what they raise ends the sweep.

    Handlers run in the main thread: others need not wait for the interpreter.
    """
    if PyThread_get_thread_ident() != main_thread:
        return False
    with gil:
        return PyErr_CheckSignals() != 0


c_set_interrupted(interrupted)


def isa_levels():
    names = []
    for name in c_levels():
        names.append(name.decode())
    return names


def isa():
    return c_level().decode()


def set_isa(str name):
    return c_set_level(name.encode())


def empty_pool():
    """Give the memory that is kept for the next calls back to the system."""
    c_empty_pool()


def num_threads():
    return c_num_threads()


def set_num_threads(int n):
    c_set_num_threads(n)


def set_own_threads(int n):
    c_set_own_threads(n)


cdef void* address(a, ptrdiff_t* strides=NULL) except? NULL:
    """Return where an array begins, and write the strides of its three axes.

    It may be read only after this if the caller keeps the array.
    """
    cdef Py_buffer view
    if a is None:
        return NULL
    PyObject_GetBuffer(a, &view, PyBUF_STRIDED_RO)
    if strides:
        for i in range(3):
            strides[i] = view.strides[i]
    PyBuffer_Release(&view)
    return view.buf


cdef class Sweep:
    """One batch: its arrays, and after ``value`` its tape.

    ``x`` and ``y`` are ``(B, m, d)`` and ``(B, n, d)`` with the name of a
    cost, or ``y`` and ``cost`` are None and ``x`` is a cost ``(B, m, n)``;
    float32 or float64, any strides. Lengths are contiguous int64 or None, the
    band contiguous int32 ``(B or 1, m, 2)`` or None. The direction is None,
    ``"cost"``, an array like costs, or a tuple of two like ``x`` and ``y``,
    either of which may be None. The arrays must not change until the tape is
    dropped.
    """
    cdef unique_ptr[Batch] batch
    cdef Input input
    cdef readonly object x, y, x_length, y_length, band, direction
    cdef readonly bint fused

    def __cinit__(
        self, x, y, cost, double gamma, x_length, y_length, band, cbool tape,
        direction=None,
    ):
        cdef Input* c = &self.input
        self.x, self.y = x, y
        self.x_length, self.y_length = x_length, y_length
        self.direction = direction
        self.band = band
        self.fused = y is not None
        c.is_double = x.dtype.itemsize == 8
        c.batch, c.m = x.shape[0], x.shape[1]
        if self.fused:
            c.cost = cost_kind(cost.encode())
            c.n, c.d = y.shape[1], x.shape[2]
            c.x = <const char*>address(x, c.x_stride)
            c.y = <const char*>address(y, c.y_stride)
        else:
            c.cost = CostKind.kExplicit
            c.n, c.d = x.shape[2], 0
            c.c = <const char*>address(x, c.c_stride)
        if direction is None:
            c.direction = Direction.kNone
        elif isinstance(direction, str):
            c.direction = Direction.kCost
        elif isinstance(direction, tuple):
            c.direction = Direction.kSeries
            c.dx = <const char*>address(direction[0], c.dx_stride)
            c.dy = <const char*>address(direction[1], c.dy_stride)
        else:
            c.direction = Direction.kExplicit
            c.z = <const char*>address(direction, c.z_stride)
        c.x_length = <const int64_t*>address(x_length)
        c.y_length = <const int64_t*>address(y_length)
        c.band = <const int32_t*>address(band)
        if band is not None and band.shape[0] > 1:
            c.band_stride = 2 * c.m
        c.gamma = gamma
        with nogil:
            self.batch.reset(new Batch(self.input, tape))

    def value(self, out, tangent=None):
        """Write the values ``(B,)``, in the arrays' type."""
        cdef void* outputs[2]
        cdef double* wide[2]
        cdef vector[double] buffer
        cdef int64_t batch = self.input.batch
        outputs[0], outputs[1] = address(out), address(tangent)
        wide[0], wide[1] = <double*>outputs[0], <double*>outputs[1]
        with nogil:
            if not self.input.is_double:
                buffer.resize(2 * batch)
                wide[0] = buffer.data()
                wide[1] = wide[0] + batch if outputs[1] else NULL
            self.batch.get().value(wide[0], wide[1])
            if not self.input.is_double:
                for i in range(2):
                    if outputs[i]:
                        for b in range(batch):
                            (<float*>outputs[i])[b] = <float>wide[i][b]

    def adjoint(self, grad_value, grad_tangent, gx, gy, e):
        """Add the gradients to zeros; grads are contiguous float64."""
        cdef double* first = <double*>address(grad_value)
        cdef double* second = <double*>address(grad_tangent)
        cdef void* pgx = address(gx)
        cdef void* pgy = address(gy)
        cdef void* pe = address(e)
        with nogil:
            self.batch.get().adjoint(first, second, pgx, pgy, pe)

    @property
    def tape_bytes(self):
        return self.batch.get().tape_bytes()

    @property
    def swept_back(self):
        """Cells that the last adjoint swept back, with those of padding."""
        return self.batch.get().swept_back()
