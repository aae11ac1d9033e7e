"""The executor finds synchronisation that is taken out of the PTX."""

import re

import numpy as np
import nvrtc
import ptx_on_cpu
import pytest
from emulated import KINDS, swept
from reference import make

from chainer_sdtw.cuda import _modules

if ptx_on_cpu.unsupported() or not nvrtc.libraries():
    pytest.skip("no compiler or no NVRTC", allow_module_level=True)

from ptx_on_cpu.sweeps import PTXDevice

# What synchronises, and what takes its place.
SYNCHRONISATION = {
    "release": (r"st\.release\.gpu", "st.relaxed.gpu"),
    "acquire": (r"ld\.acquire\.gpu", "ld.relaxed.gpu"),
    "warp": (r"bar\.warp\.sync\s+-1;", ""),
    "block": (r"bar\.sync\s+0;", ""),
}

# Barriers that the sweeps below do without: those of a survey that has no
# second round, and those before memory is used again that is not.
MOST_UNSEEN = {"release": 0, "acquire": 0, "warp": 8, "block": 2}


class Text:
    """The PTX of the kernels that compute in float32, and changes of it."""

    def __init__(self, arrays, source=None):
        self.arrays = arrays
        self.source = source
        device = PTXDevice(source=source)
        swept(arrays, 1.0, device=device)
        (options,) = (o for o in device.modules if "-DSDTW_T=float" in o)
        self.ptx = device.library.ptx(
            device.source, device.arch, options, ptx_on_cpu.cache()
        )

    def error_of(self, begin, end, new, seed=0):
        """Return what sweeps report with another text in a place, or None."""
        changed = self.ptx[:begin] + new + self.ptx[end:]
        device = PTXDevice(
            seed, change=lambda text: changed if text == self.ptx else text
        )
        try:
            swept(self.arrays, 1.0, device=device)
        except ptx_on_cpu.PTXError as error:
            return error
        return None


@pytest.fixture(scope="module")
def texts():
    rng = np.random.default_rng(0)
    return {
        kind: Text(
            make(
                rng,
                kind,
                2,
                100,
                100,
                1 if kind == "univariate" else 5,
                np.float32,
            )
        )
        for kind in KINDS
    }


@pytest.mark.slow
@pytest.mark.parametrize("what", SYNCHRONISATION)
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_missing_is_found(texts, kind, what):
    """Every instruction that synchronises, where sweeps come to it."""
    text = texts[kind]
    pattern, new = SYNCHRONISATION[what]
    reached, unseen = 0, []
    for place in re.finditer(pattern, text.ptx):
        statement = text.ptx.index(";", place.start()) + 1
        error = text.error_of(place.start(), statement, "trap;")
        if error is None:
            continue
        assert ": trap (" in str(error)
        reached += 1
        error = text.error_of(*place.span(), new)
        if error is None:
            unseen.append(text.ptx.count("\n", 0, place.start()) + 1)
        else:
            assert isinstance(
                error,
                (
                    ptx_on_cpu.RaceError,
                    ptx_on_cpu.UninitializedError,
                    ptx_on_cpu.DivergenceError,
                ),
            )
    assert reached >= 2
    assert len(unseen) <= MOST_UNSEEN[what], f"PTX lines {unseen}"


# Kind of cost, part of the kernels' text, and what takes its place.
ABOVE = "q + 2 < segments_above ? q + 2 : segments_above);"
BELOW = "progress_below(args, s, q - 1));"
COLUMNS = "progress_below(args, s, half ? q : q - 1, true));"
EDGE = "if (columns.has(j)) edge[j - columns.begin] = below[lane];"
FAULTS = {
    "waits too little": (
        ptx_on_cpu.RaceError,
        "univariate",
        ABOVE,
        ABOVE.replace("q + 2", "q"),
    ),
    "waits too little, backwards": (
        ptx_on_cpu.RaceError,
        "univariate",
        BELOW,
        BELOW.replace("q - 1", "q"),
    ),
    "waits too little for gradients": (
        ptx_on_cpu.RaceError,
        "multivariate",
        COLUMNS,
        COLUMNS.replace("? q : q - 1", "? q + 1 : q"),
    ),
    "beyond an edge": (
        ptx_on_cpu.OutOfBoundsError,
        "univariate",
        EDGE,
        EDGE.replace("columns.has(j)", "j < columns.end"),
    ),
    "beyond a series": (
        ptx_on_cpu.OutOfBoundsError,
        "univariate",
        "s.y[within(column + i + threadIdx.x, s.n)]",
        "s.y[column + i + threadIdx.x]",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_in_the_source_is_found(rng, fault):
    found, kind, old, new = FAULTS[fault]
    source = _modules.source()
    pattern = r"\s+".join(map(re.escape, old.split()))
    assert re.search(pattern, source)
    # With all blocks at work: one after the other, nobody has to wait.
    device = PTXDevice(
        resident=8, source=re.sub(pattern, lambda _: new, source)
    )
    d = 1 if kind == "univariate" else 3
    arrays = make(rng, kind, 2, 100, 100, d, np.float32)
    with pytest.raises(found):
        swept(arrays, 1.0, device=device)
