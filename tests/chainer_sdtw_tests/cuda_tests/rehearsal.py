"""A device without kernels: each launch is checked and leaves marks.

Where a kernel would read, there must be the marks of those that had to run
before; where one finds zeros, there must be zeros.
"""

import ctypes

import numpy as np

from chainer_sdtw.cuda._plan import (
    CELL_SEGMENTS,
    COST_GRADIENT_TILES,
    GRADIENT_FEATURES,
    ROWS,
    STEPS,
    Turn,
    column_tiles,
)


class Rehearsal:
    """A device whose kernels do nothing but look at memory and mark it.

    Args:
        free: Bytes that can be allocated.
        is_wide: Tells of a pair whether float arrays of it are swept in
            float64.

    Attributes:
        launches: Names, types, and arguments, of all launches.
    """

    xp = np

    def __init__(self, free=80 * 10**9, is_wide=lambda b: b % 3 == 1):
        self.free = free
        self.is_wide = is_wide
        self.launches = []
        self.asked = 0

    def address(self, array):
        return array.ctypes.data

    def free_memory(self):
        self.asked += 1
        return self.free

    def kernel(self, name, options):
        found = dict(option[2:].split("=") for option in options)
        types = found["SDTW_IN"], found["SDTW_T"]

        def launch(blocks, threads, record, arrays):
            record = record.copy()
            self.launches.append((name, types[1], record))
            launched = Launch(self, types, found, record, arrays)
            assert 1 <= blocks < 2**31 and threads % 32 == 0
            launched.check_pointers()
            getattr(launched, name)(blocks, threads)

        return launch

    def count(self, name):
        return sum(launch[0] == name for launch in self.launches)


class Launch:
    """One launch of a kernel."""

    def __init__(self, device, types, options, record, arrays):
        self.device = device
        self.wide = types[1] == "double"
        self.itemsize = {"float": 4, "double": 8}[types[0]]
        self.mixed = types == ("float", "double") or types[1] == "float"
        self.cell_bytes = int(options["SDTW_CELL_BYTES"])
        self.dual = int(options["SDTW_DUAL"])
        self.explicit = options["SDTW_COST"] == "Explicit"
        self.arrays = arrays
        self.r = {name: record[name].item() for name in record.dtype.names}
        r = self.r
        self.strips = r["strip_end"] - r["strip_begin"]
        words = (2 if self.wide else 1) + self.dual
        entries = r["segments"] * STEPS
        self.edge = entries * 8 * words
        self.states = r["strip_states"] * 8 * words
        twice = self.wide and (self.dual or not self.cell_bytes)
        self.masses = entries * 8 * (1 + twice)
        self.slab = r["strip_begin"] // max(r["slab_strips"], 1)

    def check_pointers(self):
        """All pointers are null or point into an array."""
        ranges = [(a.ctypes.data, a.nbytes) for a in self.arrays]
        for name, (dtype, _) in self.r_fields():
            if dtype == np.uint64 and self.r[name]:
                assert any(
                    a <= self.r[name] < a + size for a, size in ranges
                ), name

    def r_fields(self):
        from chainer_sdtw.cuda._arguments import ARGUMENTS

        return ARGUMENTS.fields.items()

    def memory(self, address, size, dtype=np.int32):
        """The numbers at an address, which must be inside of an array."""
        assert any(
            a.ctypes.data <= address
            and address + size <= a.ctypes.data + a.nbytes
            for a in self.arrays
        ), "outside of all arrays"
        room = (ctypes.c_char * size).from_address(address)
        return np.frombuffer(room, dtype)

    def of_pair(self, name, place, size, dtype=np.int32):
        """Numbers of a pair in a part of memory that has some for each."""
        stride = self.r[f"pair_{name}"]
        assert size <= stride
        return self.memory(self.r[name] + stride * place, size, dtype)

    def pairs(self):
        """The pairs that are swept, and their places in the launch."""
        for place in range(self.r["pairs"]):
            b = self.r["pair_begin"] + place
            if not self.mixed or self.device.is_wide(b) == self.wide:
                yield b, place

    def mark(self, b, alignment=False):
        """What cells and states of a pair in this slab are marked with."""
        return (1 + b + 1000 * (1 + self.slab) + 10**6 * (1 + self.wide)) * (
            -1 if alignment else 1
        )

    def cells(self, place):
        size = self.strips * self.r["segments"] * STEPS * ROWS
        size *= self.cell_bytes
        return self.memory(self.r["cells"] + size * place, size)

    def live(self, place):
        size = 4 * self.strips * self.r["segments"]
        return self.memory(self.r["live"] + size * place, size)

    def check_strips(self, blocks, threads):
        r = self.r
        assert 0 <= r["strip_begin"] < r["strip_end"]
        assert self.strips <= r["slab_strips"]
        assert r["strip_begin"] % r["slab_strips"] == 0
        assert r["strip_end"] <= -(-r["m"] // ROWS)
        assert blocks == r["pairs"] * self.strips and threads == 32

    def draw(self):
        ticket = self.memory(self.r["ticket"], 4)
        assert ticket[0] == 0
        ticket[0] = self.r["pairs"] * self.strips

    # --- Kernels ---

    def soft_dtw_survey_series(self, blocks, threads):
        r = self.r
        assert blocks % r["pairs"] == 0 and threads == 256
        size = r["pairs"] * 4 * (2 + r["d"] * self.itemsize)
        assert not self.memory(r["ticket"], size).any()
        self.bounds(0)

    def soft_dtw_survey_cost(self, blocks, threads):
        assert blocks % self.r["pairs"] == 0 and threads == 256
        self.bounds(0)

    def bounds(self, before):
        size = self.r["pairs"]
        assert (self.memory(self.r["cost_bounds"], 24 * size) == before).all()
        assert not self.memory(self.r["noted"], 4 * size).any()
        assert not self.memory(self.r["counts"], 8).any()
        self.memory(self.r["cost_bounds"], 24 * size)[:] = 1

    def soft_dtw_cells(self, blocks, threads):
        assert self.cell_bytes and threads == 128
        each = -(-self.r["segments"] // CELL_SEGMENTS)
        assert blocks == self.r["pairs"] * self.strips * each
        places = dict(self.pairs())
        if not self.wide:  # also of those that float64 will sweep
            first = self.r["pair_begin"]
            places = {first + k: k for k in range(self.r["pairs"])}
        for b, place in places.items():
            self.cells(place)[:] = self.mark(b)

    def soft_dtw_clear(self, blocks, threads):
        self.check_strips(blocks, threads)
        name, row = "edges", self.edge
        if self.r["masses"]:
            name, row = "masses", self.masses
        for _, place in self.pairs():
            self.of_pair(name, place, self.strips * row)[:] = 0

    def soft_dtw_value(self, blocks, threads):
        r = self.r
        self.check_strips(blocks, threads)
        assert not r["masses"]
        self.draw()
        for b, place in self.pairs():
            if self.cell_bytes:
                assert (self.cells(place) == self.mark(b)).all()
            if r["turn"] == Turn.ONLY_NOTED:
                # The device has noted none.
                continue
            edges = self.of_pair("edges", place, self.strips * self.edge)
            assert not edges.any(), "edges must be zeros"
            edges[:] = 7
            if r["states"]:
                size = self.strips * self.states
                self.of_pair("states", place, size)[:] = self.mark(b)
            size = (self.slab + 1) * self.edge
            rows = self.of_pair("slab_edges", place, size)
            rows = rows.reshape(self.slab + 1, -1)
            below = np.arange(self.slab) + 1 + 1000 * (b + 1)
            assert (rows[:-1] == below[:, None]).all(), "edges of slabs"
            rows[-1] = self.slab + 1 + 1000 * (b + 1)
            if r["strip_end"] == -(-r["m"] // ROWS):
                value = self.memory(
                    r["value"], (b + 1) * self.itemsize, f"f{self.itemsize}"
                )
                result = self.memory(r["result"], 8 * (b + 1), "f8")
                value[b] = result[b] = 100 + b

    def soft_dtw_adjoint(self, blocks, threads):
        r = self.r
        self.check_strips(blocks, threads)
        assert r["turn"] == Turn.AS_NOTED
        self.draw()
        for b, place in self.pairs():
            assert self.memory(r["result"], 8 * (b + 1), "f8")[b] == 100 + b
            states = self.of_pair("states", place, self.strips * self.states)
            assert (states == self.mark(b)).all(), "states of this slab"
            masses = self.of_pair("masses", place, self.strips * self.masses)
            assert not masses.any(), "masses must be zeros"
            masses[:] = 7
            slabs = -(-r["m"] // (ROWS * r["slab_strips"]))
            last = self.of_pair("slab_masses", place, self.masses)
            if self.slab < slabs - 1:
                assert (last == self.slab + 2 + 1000 * (b + 1)).all()
            last[:] = self.slab + 1 + 1000 * (b + 1)
            if self.cell_bytes:
                cells = self.cells(place)
                assert (cells == self.mark(b)).all()
                cells[:] = self.mark(b, True)
                live = self.live(place)
                assert not live.any(), "no segment is live yet"
                live[:] = 1
            else:
                self.write_univariate(b)

    def rows(self, name, b, count, width):
        """The numbers of a pair in a gradient."""
        size = count * width * self.itemsize
        start = self.r[name] + b * size
        return self.memory(start, size, f"f{self.itemsize}").reshape(
            count, width
        )

    def row_slice(self):
        return slice(self.r["strip_begin"] * ROWS, self.r["strip_end"] * ROWS)

    def write_univariate(self, b):
        r = self.r
        if r["gx"]:
            self.rows("gx", b, r["m"], 1)[self.row_slice()] = b + 1
        if r["gy"] and r["strip_begin"] == 0:
            self.rows("gy", b, r["n"], 1)[:] = b + 1

    def check_alignment(self):
        r = self.r
        assert self.wide == (self.itemsize == 8)
        for place in range(r["pairs"]):
            b = r["pair_begin"] + place
            assert self.live(place).all()
            self.wide = self.device.is_wide(b) or self.itemsize == 8
            assert (self.cells(place) == self.mark(b, True)).all()
            yield b

    def soft_dtw_gradients(self, blocks, threads):
        r = self.r
        tiles = self.strips if r["gx"] else 0
        tiles += column_tiles(r["n"]) if r["gy"] else 0
        chunks = -(-r["d"] // GRADIENT_FEATURES)
        assert blocks == r["pairs"] * tiles * chunks and threads == 128
        for b in self.check_alignment():
            if r["gx"]:
                self.rows("gx", b, r["m"], r["d"])[self.row_slice()] = b + 1
            if r["gy"]:
                gy = self.rows("gy", b, r["n"], r["d"])
                last = r["strip_end"] == -(-r["m"] // ROWS)
                gy[:] = self.strips if last else gy + self.strips

    def soft_dtw_cost_gradient(self, blocks, threads):
        r = self.r
        tiles = -(-column_tiles(r["n"]) // COST_GRADIENT_TILES)
        assert blocks == r["pairs"] * self.strips * tiles and threads == 128
        for b in self.check_alignment():
            names = ["gx"] + ["alignment"] * bool(r["alignment"])
            for name in names:
                self.rows(name, b, r["m"], r["n"])[self.row_slice()] = b + 1
