"""The executor finds synchronisation that is taken out of the PTX."""

import re

import numpy as np
import ptx_on_cpu
import pytest
from executed import KINDS, check, swept
from ptx_on_cpu.sweeps import PTXDevice, unsupported
from reference import make

from chainer_sdtw.cuda import _modules

if unsupported():
    pytest.skip(str(unsupported()), allow_module_level=True)

# What synchronises, and what takes its place.
SYNCHRONISATION = {
    "a warp": (r"bar\.warp\.sync\s+-1;", ""),
    "a block": (r"bar\.sync\s+0;", ""),
}

# Barriers that the sweeps below do without: those before memory is used again
# that is not.
MOST_UNSEEN = {"a warp": 8, "a block": 4}


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
    assert reached >= 1
    assert len(unseen) <= MOST_UNSEEN[what], f"PTX lines {unseen}"


@pytest.mark.parametrize("access", ["ld", "st"])
@pytest.mark.parametrize("kind", KINDS)
def test_words_must_be_single_accesses(rng, kind, access):
    """Those that strips hand to each other."""

    def change(text):
        assert f"{access}.volatile.global" in text
        return text.replace(f"{access}.volatile.global", f"{access}.global")

    d = 1 if kind == "univariate" else 3
    arrays = make(rng, kind, 2, 100, 100, d, np.float32)
    with pytest.raises(ptx_on_cpu.RaceError):
        swept(arrays, 1.0, device=PTXDevice(resident=8, change=change))


# Kind of cost, part of the kernels' text, and what takes its place. A word
# that is read before it is written is no race: it makes wrong numbers.
WAIT = "while (__any_sync(kAllLanes, needed && !here()))"
ALL_HERE = "return __all_sync(kAllLanes, here());"
EDGE = "kRows - 1 - first * kSteps"
COLUMN = "s.y[within(first + kRows, s.n)]"
FAULTS = {
    "no wait": (AssertionError, "univariate", WAIT, "while (false)"),
    "taken for complete": (
        AssertionError,
        "multivariate",
        ALL_HERE,
        "return true;",
    ),
    "another step": (
        AssertionError,
        "multivariate",
        EDGE,
        f"{EDGE} - 1",
    ),
    "beyond shared memory": (
        ptx_on_cpu.OutOfBoundsError,
        "explicit",
        "kSharePlanes * kPlane) *",
        "(kSharePlanes - 1) * kPlane) *",
    ),
    "beyond a series": (
        ptx_on_cpu.OutOfBoundsError,
        "univariate",
        COLUMN,
        "s.y[first + kRows]",
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
        check(arrays, 1.0, device=device)
