"""K-means on a cluster of two processes, of which one is killed."""

import chainer_sdtw  # isort: skip  # noqa: F401  (makes Chainer work)

import os
import signal

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="needs scikit-learn")
dask = pytest.importorskip("dask")
distributed = pytest.importorskip("distributed")

from chainer_sdtw.distributed import Blocks  # noqa: E402
from chainer_sdtw.estimators import SoftDTWKMeans  # noqa: E402

LIMIT = 60  # seconds, for what takes one


@pytest.fixture
def client():
    options = {
        "distributed.scheduler.allowed-failures": 10,
        "distributed.comm.timeouts.connect": LIMIT,
    }
    with (
        dask.config.set(options),
        distributed.LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            memory_limit="1GiB",
            host="127.0.0.1",
            dashboard_address=None,
        ) as cluster,
        distributed.Client(cluster, timeout=LIMIT) as connected,
    ):
        connected.wait_for_workers(2, timeout=LIMIT)
        yield connected


def block(seed):
    """Load a block of series of different lengths."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(15, 20, 20)
    return [rng.standard_normal((n, 2)).cumsum(axis=0) for n in lengths]


@pytest.mark.slow
def test_lost_worker_changes_nothing(client, monkeypatch):
    seeds = range(8)
    options = {"max_iter": 1, "max_iter_barycenter": 5, "random_state": 0}
    everything = [series for seed in seeds for series in block(seed)]
    model = SoftDTWKMeans(3, **options).fit(everything)

    pids = client.run(os.getpid)
    assert len(set(pids.values())) == 2
    passes = []
    original = Blocks.map

    def killing(blocks, function, *shared, each=None):
        passes.append(function.__name__)
        if len(passes) == 4:  # in the midst of a search
            function = kills_its_process(function, min(pids.values()))
        return original(blocks, function, *shared, each=each)

    monkeypatch.setattr(Blocks, "map", killing)
    tasks = [dask.delayed(block)(seed) for seed in seeds]
    other = SoftDTWKMeans(3, **options).fit(tasks)
    assert passes[3] == "_block_evaluated"
    assert len(passes) > 5
    # The nanny has started another process instead.
    client.wait_for_workers(2, timeout=LIMIT)
    alive = set(client.run(os.getpid).values())
    assert min(pids.values()) not in alive
    for name in ("cluster_centers_", "labels_", "inertia_", "n_iter_"):
        value = getattr(model, name)
        np.testing.assert_array_equal(value, getattr(other, name))


def kills_its_process(function, pid):
    """The function, which the process of this number does not survive."""

    def run(*arguments):
        result = function(*arguments)
        if os.getpid() == pid:
            os.kill(pid, getattr(signal, "SIGKILL", signal.SIGTERM))
        return result

    return run
