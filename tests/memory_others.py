"""Calls of everything public, with tiny inputs."""

from __future__ import annotations

import contextlib
import pickle
import tempfile
from pathlib import Path
from types import SimpleNamespace

import chainer_sdtw  # isort: skip

import chainer
import numpy as np
from memory_calls import of_cases, of_errors, public_callables, quiet
from memory_growth import Call

import sdtw_cpu
from chainer_sdtw import compat, cuda, datasets, links, training
from sdtw_cpu import blas, checks, costs, search

RNG = np.random.default_rng(0)
SERIES = RNG.standard_normal((6, 9))
LABELS = np.array([1, 1, 7, 7, 7, 1])


@contextlib.contextmanager
def in_folder(make):
    """Make calls, with a folder for their files; a dictionary by name."""
    with tempfile.TemporaryDirectory() as name:
        yield dict(make(Path(name)))


def all_calls(folder):
    """Every call."""
    yield from of_cases()
    yield from of_errors()
    yield from of_others(folder)


def of_others(folder):
    """The calls of what has no tests of its arguments."""
    yield from of_estimators()
    yield from of_collections(folder)
    yield from of_training(folder)
    yield from of_kernels()


def of_estimators():
    """Calls of what estimators offer besides fitting."""
    kinds = chainer_sdtw.estimators
    few = {"max_iter": 2, "random_state": 0}
    k_means = kinds.SoftDTWKMeans(2, **few).fit(SERIES)
    mini = kinds.SoftDTWMiniBatchKMeans(2, **few)
    centroid = kinds.SoftDTWNearestCentroid(max_iter=2).fit(SERIES, LABELS)
    neighbors = kinds.SoftDTWKNeighborsClassifier(2).fit(SERIES, LABELS)
    runs = {
        "SoftDTWKMeans.predict": lambda: k_means.predict(SERIES),
        "SoftDTWKMeans.transform": lambda: k_means.transform(SERIES),
        "SoftDTWKMeans.score": lambda: k_means.score(SERIES),
        "SoftDTWMiniBatchKMeans.partial_fit": lambda: mini.partial_fit(SERIES),
        "SoftDTWNearestCentroid.predict": lambda: centroid.predict(SERIES),
        "SoftDTWKNeighborsClassifier.kneighbors": lambda: neighbors.kneighbors(
            SERIES, 2
        ),
        "SoftDTWKNeighborsClassifier.predict_proba": lambda: (
            neighbors.predict_proba(SERIES)
        ),
        "pickle of an estimator": lambda: pickle.loads(pickle.dumps(k_means)),
    }
    for name, run in runs.items():
        yield f"estimators.{name}", Call(quiet(run), slow=1)


def of_collections(folder):
    """Calls of collections in blocks, where Dask is there."""
    try:
        import dask.array
        import pyarrow
        import pyarrow.parquet
        import zarr  # noqa: F401
    except ImportError:
        return
    dask.config.set(scheduler="synchronous")
    distributed = chainer_sdtw.distributed
    array = dask.array.from_array(SERIES, chunks=(3, 9))
    blocks = distributed.as_blocks(array)
    path = str(folder / "series.parquet")
    pyarrow.parquet.write_table(
        pyarrow.table({"values": SERIES.tolist()}), path
    )
    graphs = {"slow": 1, "cycles": "graphs of Dask"}
    yield (
        "distributed.as_blocks",
        Call(
            lambda: distributed.as_blocks(array).gather([4, 0]),
            (distributed.as_blocks, distributed.Blocks),
            **graphs,
        ),
    )
    yield "distributed.Blocks.map", Call(lambda: blocks.map(len), **graphs)
    yield (
        "distributed.read_parquet",
        Call(
            lambda: distributed.read_parquet(path),
            (distributed.read_parquet,),
            **graphs,
        ),
    )
    yield (
        "distributed.is_collection",
        Call(
            lambda: distributed.is_collection(array),
            (distributed.is_collection,),
        ),
    )


def of_training(folder):
    """Calls of what training takes, and of data sets."""
    toy = folder / "Toy"
    toy.mkdir()
    for split in ("TRAIN", "TEST"):
        (toy / f"Toy_{split}.tsv").write_text("1\t0.5\t2\n2\t1\t0\n1\t3\t4\n")
    trainer = SimpleNamespace(
        out=str(folder), updater=SimpleNamespace(epoch=1, iteration=3)
    )
    loss = links.SoftDTWLoss(0.1)
    plot = training.AlignmentPlot([(SERIES[0], SERIES[1])], abs, loss)
    alone = SimpleNamespace(
        rank=0,
        size=1,
        mpi_comm=SimpleNamespace(allgather=lambda state: [state]),
    )
    train, _ = datasets.get_ucr("Toy", folder)

    def scattered():
        iterator = training.SeededIterator(range(7), 3, seed=0)
        iterator = training.ScatteredIterator(iterator, alone)
        return [next(iterator) for _ in range(3)]

    def settings():
        made = training.RunSettings({"gamma": 1.0})
        made(trainer)
        return made.find_snapshot(str(folder))

    def written():
        training.DurableWriter()("snapshot", str(folder), loss)

    def serialized():
        target = chainer.serializers.DictionarySerializer()
        target.save(loss)
        return target.target

    def guarded():
        with training.abort_on_failure(None):
            pass

    yield (
        "datasets.get_ucr",
        Call(
            lambda: datasets.get_ucr("Toy", folder),
            (datasets.get_ucr,),
            slow=1,
        ),
    )
    yield (
        "datasets.UCRDataset",
        Call(
            lambda: (train[0], train[:2], repr(train)), (datasets.UCRDataset,)
        ),
    )
    yield (
        "training.AlignmentPlot",
        Call(
            lambda: plot(trainer),
            (training.AlignmentPlot,),
            slow=3,
            cycles="figures of Matplotlib",
        ),
    )
    yield (
        "training.ScatteredIterator",
        Call(scattered, (training.ScatteredIterator,)),
    )
    yield (
        "training.RunSettings",
        Call(settings, (training.RunSettings,), slow=1),
    )
    yield (
        "training.DurableWriter",
        Call(written, (training.DurableWriter,), slow=1),
    )
    yield (
        "training.abort_on_failure",
        Call(guarded, (training.abort_on_failure,)),
    )
    yield "links.SoftDTWLoss, serialized", Call(serialized)


def of_kernels():
    """Calls of the rest of ``sdtw_cpu``, of ``cuda`` and of ``compat``."""
    x, y = RNG.standard_normal((2, 2, 6, 1))
    lengths = np.array([5, 6])
    *_, tape = sdtw_cpu.value(x, y, tape=True)
    *_, dual = sdtw_cpu.tangent(x, y, "cost", tape=True)
    start = (x[0], 1.0, 2 * x[0])
    kinds = (costs.SqEuclidean, costs.Euclidean, costs.Manhattan, costs.Huber)

    def of_costs():
        for kind in kinds:
            cost = kind()
            cost.gradients(x, y, cost.matrix(x, y))

    def checked():
        checks.check_cost("huber")
        checks.check_array("x", x)
        checks.check_kind("x", x, "f", "floats")
        checks.check_unmasked("x", x)
        checks.check_series(x, y)
        checks.check_lengths_form("x_length", lengths, 2)
        checks.check_grad_shape(np.ones(2), 2)
        checks.check_weights_shape("weights", np.ones(2), 2)
        checks.check_direction("cost", (x, y), (2, 6, 6))
        checks.check_tape(tape, sdtw_cpu.Tape, tangent=False)
        checks.as_array("x", [1, 2])
        checks.as_lengths("x_length", [5, 6], 2, 6)
        checks.as_band([[[0, 6]] * 6], (2, 6, 6))
        checks.as_integer("n", 3, 1)
        checks.as_number("tol", 0.5)
        checks.as_nonnegative("tol", 0.5)
        checks.as_weights("weights", [1, 2], 2)

    def searched():
        search.check_method("method", "L-BFGS-B")
        return search.descend(
            lambda z: (float((z**2).sum()), 2 * z),
            start,
            "L-BFGS-B",
            1e-3,
            3,
            search.Units(search.power_of_two(1.0), 1.0),
        )

    def limited():
        with blas.single_threaded():
            pass

    def limited_on_a_gpu():
        cuda.set_memory_limit(None)
        with cuda.memory_limit(2**20):
            pass

    def instruction_sets():
        sdtw_cpu.set_isa(sdtw_cpu.isa_levels()[-1])
        return sdtw_cpu.isa(), sdtw_cpu.get_num_threads()

    yield (
        "sdtw_cpu.adjoint",
        Call(
            lambda: sdtw_cpu.adjoint(tape),
            (sdtw_cpu.adjoint, sdtw_cpu.Tape, sdtw_cpu.SeriesTape),
        ),
    )
    yield (
        "sdtw_cpu.adjoint_tangent",
        Call(
            lambda: sdtw_cpu.adjoint_tangent(dual), (sdtw_cpu.adjoint_tangent,)
        ),
    )
    yield (
        "sdtw_cpu.CostTape",
        Call(
            lambda: repr(
                sdtw_cpu.value_from_cost(np.ones((1, 3, 4)), tape=True)
            ),
            (sdtw_cpu.CostTape,),
        ),
    )
    yield (
        "sdtw_cpu.set_isa",
        Call(
            instruction_sets,
            (
                sdtw_cpu.set_isa,
                sdtw_cpu.isa,
                sdtw_cpu.isa_levels,
                sdtw_cpu.get_num_threads,
            ),
        ),
    )
    yield (
        "sdtw_cpu.checks",
        Call(
            checked,
            tuple(
                value
                for value, name in public_callables().items()
                if name.startswith("sdtw_cpu.checks.")
            ),
        ),
    )
    yield "sdtw_cpu.costs", Call(of_costs, (costs.Cost, *kinds))
    yield (
        "sdtw_cpu.search",
        Call(
            searched,
            (
                search.check_method,
                search.descend,
                search.Units,
                search.power_of_two,
            ),
        ),
    )
    yield "sdtw_cpu.blas", Call(limited, (blas.single_threaded,))
    yield (
        "cuda.memory_limit",
        Call(limited_on_a_gpu, (cuda.memory_limit, cuda.set_memory_limit)),
    )
    yield "compat.install", Call(compat.install, (compat.install,))
    yield (
        "compat.Repair",
        Call(lambda: compat.Repair("a", abs, "b", "c"), (compat.Repair,)),
    )
