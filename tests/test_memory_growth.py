"""Memory that is in use after calls of everything public."""

import ctypes
import gc
import json
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("sklearn")

from memory_calls import APART, public_callables
from memory_growth import KEEPS_MEMORY, Call, leak, unsupported
from memory_others import all_calls, in_folder

pytestmark = [
    pytest.mark.native,
    pytest.mark.skipif(bool(unsupported()), reason=unsupported() or ""),
]

# Few, in a process where nothing else is going on.
SCRIPT = """
import gc, json, sys, warnings
import chainer_sdtw, sdtw_cpu
from memory_growth import leak
from memory_others import all_calls, in_folder

warnings.simplefilter("ignore")
sdtw_cpu.set_num_threads(1)
gc.freeze()
with in_folder(all_calls) as calls:
    leaks = {
        name: leak(call, max(20 // 10**call.slow, 4))
        for name, call in calls.items()
        if not call.cycles
    }
print(json.dumps({name: found for name, found in leaks.items() if found}))
"""


def test_everything_is_called():
    with in_folder(all_calls) as calls:
        shown = {value for call in calls.values() for value in call.shows}
    names = public_callables()
    left = {name for value, name in names.items() if value not in shown}
    assert left == set(APART)


@pytest.mark.skipif(bool(KEEPS_MEMORY), reason=KEEPS_MEMORY or "")
def test_nothing_is_left():
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        capture_output=True,
        check=False,
        cwd=Path(__file__).parent,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads(done.stdout.splitlines()[-1]) == {}


@pytest.fixture
def frozen():
    """Nothing for the garbage collector to look through."""
    gc.freeze()
    yield
    gc.unfreeze()


def test_planted_leaks(frozen):
    kept = []
    malloc = ctypes.CDLL(None).malloc

    def cycle():
        made = []
        made.append(made)

    assert leak(Call(lambda: kept.append(object())), 50, 1).blocks >= 50
    assert leak(Call(lambda: malloc(100)), 50, 1).allocated >= 5000
    assert leak(Call(cycle), 50, 1).cycles >= 50
    assert leak(Call(list), 50) is None
