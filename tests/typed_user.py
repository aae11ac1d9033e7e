"""What a user of both packages may write under a strict type checker.

``test_typing.py`` has mypy and pyright check this file, and runs it. Lines
with ``type: ignore`` are mistakes that both must find.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Optional, Union

import chainer_sdtw  # isort: skip  (makes Chainer work)

import chainer
import numpy as np
from chainer.optimizer import GradientMethod
from chainer.variable import Variable as ChainerVariable
from numpy.typing import NDArray
from typing_extensions import assert_type

import sdtw_cpu
from chainer_sdtw._engine.types import GpuArray, Parameter, Variable
from chainer_sdtw.compat import REPAIRS
from sdtw_cpu.barycenter import sdtw_barycenter
from sdtw_cpu.distance import SquaredEuclidean

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Floats = NDArray[np.floating[Any]]
Float64s = NDArray[np.float64]
Integers = NDArray[np.intp]
Bands = NDArray[np.int32]
Label = Union[np.int32, np.float64]

X = np.random.RandomState(0).randn(3, 7, 2).astype(np.float32)
Y = np.random.RandomState(1).randn(3, 5, 2).astype(np.float32)


def sweeps() -> None:
    assert_type(sdtw_cpu.value(X, Y), Floats)
    values, tape = sdtw_cpu.value(X, Y, gamma=0.1, tape=True)
    assert_type(values, Floats)
    assert_type(tape, sdtw_cpu.SeriesTape)
    gx, gy = sdtw_cpu.adjoint(tape)
    assert_type((gx, gy), tuple[Floats, Floats])
    assert_type(sdtw_cpu.adjoint(tape, y=False), tuple[Floats, None])
    assert_type(sdtw_cpu.adjoint(tape, x=False), tuple[None, Floats])
    assert_type(tape.nbytes, int)

    cost = X[:, :2]
    assert_type(sdtw_cpu.value_from_cost(cost), Floats)
    _, cost_tape = sdtw_cpu.value_from_cost(cost.tolist(), 1, tape=True)
    assert_type(cost_tape, sdtw_cpu.CostTape)
    assert_type(sdtw_cpu.adjoint(cost_tape, [2.0, 1, 1]), Floats)

    assert_type(sdtw_cpu.tangent(X, Y, (X, None)), tuple[Floats, Floats])
    *_, tape = sdtw_cpu.tangent(X, Y, "cost", cost="manhattan", tape=True)
    assert_type(sdtw_cpu.adjoint_tangent(tape), tuple[Floats, Floats])
    _, _, cost_tape = sdtw_cpu.tangent_from_cost(cost, "cost", tape=True)
    assert_type(sdtw_cpu.adjoint_tangent(cost_tape), Floats)

    band = sdtw_cpu.sakoe_chiba_band(7, 5, np.int64(2), [7, 6, 5])
    assert_type(band, Bands)
    assert_type(sdtw_cpu.band_from_mask([[[True]]]), Optional[Bands])
    sdtw_cpu.value(X, Y, np.float32(1), band=band, x_length=[7, 6, 5])
    assert_type(sdtw_cpu.check_gamma(1), float)
    sdtw_cpu.set_num_threads(sdtw_cpu.get_num_threads())
    assert_type(sdtw_cpu.get_num_threads(), int)
    sdtw_cpu.set_isa(sdtw_cpu.isa())

    distance = SquaredEuclidean(X[0], [[1, 2], [3, 4]])
    soft_dtw = sdtw_cpu.SoftDTW(distance, gamma=1.0)
    assert_type(soft_dtw.compute(), float)
    assert_type(distance.jacobian_product(soft_dtw.grad()), Float64s)
    z = sdtw_barycenter(list(X), X[0], weights=[1, 2, 3], max_iter=2)
    assert_type(z, Float64s)


def tape_if(wanted: bool) -> None:
    result = sdtw_cpu.value(X, Y, tape=wanted)
    assert_type(result, Union[Floats, tuple[Floats, sdtw_cpu.SeriesTape]])


def losses() -> None:
    x = ChainerVariable(X)
    loss = chainer_sdtw.soft_dtw(x, Y, gamma=0.1)
    assert_type(loss, Variable)
    loss.backward()
    assert_type(loss.array, Floats)
    assert_type(loss.grad, Optional[Floats])
    assert_type(loss.dtype, np.dtype[np.floating[Any]])
    assert_type(float(loss.array), float)
    assert_type(loss.shape, tuple[int, ...])

    total = 0.5 * loss - loss / 2 + chainer_sdtw.mean_cost(x, Y)
    assert_type(total, Variable)
    assert_type(-(total[None] ** 2), Variable)
    assert_type(total.reshape(1, 1).T, Variable)
    assert_type(as_chainers(total), ChainerVariable)

    assert_type(chainer_sdtw.soft_dtw(list(X), [y[:4] for y in Y]), Variable)
    variables = [ChainerVariable(a) for a in X]
    assert_type(chainer_sdtw.soft_dtw(variables, list(Y)), Variable)
    each = chainer_sdtw.soft_dtw_divergence(x, Y, y_term="skip", reduce="no")
    assert_type(each, Variable)
    each = chainer_sdtw.sharp_soft_dtw_divergence(x, Y, y_term=each.array)
    assert_type(each, Variable)
    sharp = chainer_sdtw.sharp_soft_dtw(x, Y, cost=absolute_cost)
    assert_type(sharp, Variable)
    lengths = (X[:, 0, 0] > 0).astype(np.int64) + 3
    mean = chainer_sdtw.mean_cost_divergence(x, Y, x_length=lengths)
    assert_type(mean, Variable)
    assert_type(chainer_sdtw.dilate_loss(x, Y, alpha=0.5), Variable)
    mask = chainer_sdtw.itakura_mask(7, 5)
    assert_type(mask, NDArray[np.bool_])
    tdi = chainer_sdtw.temporal_distortion_index(x, Y, mask=mask)
    assert_type(tdi, Variable)
    cost = chainer_sdtw.cost_matrix(x, Y, "cosine")
    assert_type(cost, Variable)
    from_cost = chainer_sdtw.soft_dtw_from_cost(cost, bandwidth=[1, 2, 3])
    assert_type(from_cost, Variable)
    from_cost = chainer_sdtw.soft_dtw_from_cost([[0, 1.5], [2, 0]])
    assert_type(from_cost, Variable)
    assert_type(chainer_sdtw.soft_alignment(x, Y, bandwidth=2), Variable)
    paths = chainer_sdtw.alignment_path(X, Y)
    assert_type(paths, Union[Integers, list[Integers]])
    assert_type(chainer_sdtw.diagonal_prior(7, 5), Float64s)


def as_chainers(loss: Variable) -> ChainerVariable:
    return loss


def absolute_cost(x: ChainerVariable, y: ChainerVariable) -> ChainerVariable:
    return chainer_sdtw.cost_matrix(x, y, "manhattan") * 2


def on_a_gpu(x: GpuArray, y: Sequence[GpuArray]) -> None:
    assert_type(chainer_sdtw.soft_dtw(x, y), Variable)
    assert_type(chainer_sdtw.barycenter(y, weights=x), Floats)


def averages() -> None:
    def show(z: Floats, objective: float) -> None:
        print(z.shape, objective)

    z = chainer_sdtw.barycenter(
        list(X),
        gamma=0.1,
        weights=[1, 2, 3],
        init="medoid",
        length=np.int64(6),
        callback=show,
        max_iter=2,
    )
    assert_type(z, Floats)
    matrix = chainer_sdtw.pairwise_soft_dtw([[0, 1], [2.5]], loss="sharp")
    assert_type(matrix, Floats)
    sharp = chainer_sdtw.sharp_soft_dtw
    assert_type(chainer_sdtw.pairwise_soft_dtw(X, loss=sharp), Floats)
    assert_type(chainer_sdtw.pairwise_soft_dtw(X, Y, out=None), Floats)
    losses, indexes = chainer_sdtw.nearest_neighbors(X, Y, 2, loss=sharp)
    assert_type(losses, Floats)
    assert_type(indexes, NDArray[np.intp])


def matrices_larger_than_memory() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/matrix.zarr"
        store = chainer_sdtw.pairwise_soft_dtw(X, out=path, resume=True)
        assert_type(store.shape, tuple[int, ...])
        lazy = chainer_sdtw.pairwise_soft_dtw(path)
        assert_type(lazy.chunks, tuple[tuple[int, ...], ...])


def series_larger_than_memory() -> None:
    from chainer_sdtw.estimators import (
        SoftDTWKMeans,
        SoftDTWKNeighborsClassifier,
        SoftDTWNearestCentroid,
    )

    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/series.zarr"
        series = chainer_sdtw.pairwise_soft_dtw(X, out=path)
        model = SoftDTWKMeans(2, init="random", random_state=0).fit(path)
        assert_type(model.labels_, Integers)
        assert_type(model.predict(series).shape, tuple[int, ...])
        assert_type(model.transform(path).shape, tuple[int, ...])
        centroids = SoftDTWNearestCentroid(max_iter=2)
        assert_type(centroids.fit(series, [0, 0, 1]).centroids_, Floats)
        assert_type(centroids.predict(path).shape, tuple[int, ...])
        assert_type(centroids.score(path, [0, 0, 1]), float)
        neighbors = SoftDTWKNeighborsClassifier(1)
        neighbors.fit(np.eye(3), [0, 0, 1])
        assert_type(neighbors.predict(path).shape, tuple[int, ...])
        losses, indexes = neighbors.kneighbors(path)
        assert_type(losses.shape + indexes.shape, tuple[int, ...])


def average_by(optimizer: GradientMethod) -> None:
    z = chainer_sdtw.barycenter(X, optimizer=optimizer)
    assert_type(z, Floats)


def links() -> None:
    loss = chainer_sdtw.links.SoftDTWLoss(
        gamma=10, loss=chainer_sdtw.sharp_soft_dtw, prior=3, bandwidth=4
    )
    assert_type(loss(X, Y, reduce="sum"), Variable)
    assert_type(loss.alignment(X, Y), Variable)
    assert_type(loss.gamma, float)
    loss.gamma = 1

    loss.loss = chainer_sdtw.dilate_loss
    named = chainer_sdtw.links.SoftDTWLoss(loss="soft_dtw_divergence")
    assert_type(named(X, Y), Variable)

    link = chainer_sdtw.links.Barycenter(X[0], loss="divergence")
    assert_type(link(X, weights=[1, 2, 3], y_term="skip"), Variable)
    assert_type(link.barycenter, Parameter)
    assert_type(link.barycenter.array, Floats)

    training = chainer_sdtw.training
    training.AttributeShift("gamma", (10, 0.1), (10, 20), loss, "log")
    training.AlignmentPlot([(X[0], Y[0])], chainer_sdtw.cost_matrix, loss)
    settings = training.RunSettings({"gamma": loss.gamma, "seed": 0})
    assert_type(settings.find_snapshot("."), Optional[str])
    training.DurableWriter(print, end="")
    with tempfile.TemporaryDirectory() as folder:
        training.DurableWriter()("name", folder, loss)
    iterator = training.SeededIterator(X, 2, seed=0)
    assert_type(iterator.next(), list[object])
    assert_type(next(iterator), list[object])
    training.SeededIterator([(X[0], Y[0])], 1, seed=None, repeat=False)


def several_processes() -> None:
    training = chainer_sdtw.training
    communicator = training.create_communicator("naive")
    assert_type((communicator.rank, communicator.size), tuple[int, int])
    with training.abort_on_failure(communicator):
        pass
    iterator = training.SeededIterator(X, 2, seed=0)
    scattered = training.ScatteredIterator(iterator, communicator)
    assert_type(next(scattered), list[object])
    assert_type(scattered.weight, float)
    scattered.weigh(chainer_sdtw.links.SoftDTWLoss())


def figures() -> tuple[Figure, dict[str, Axes]]:
    e = chainer_sdtw.soft_alignment(X[0], Y[0])
    figure, axes = chainer_sdtw.plot_alignment(X[0], Y[0], e, path=[[0, 0]])
    axes["x"].set_axis_off()
    figure.clear()
    return chainer_sdtw.plot_alignment(X[0], Y[0], e.array, figure=figure)


def data() -> None:
    from chainer_sdtw.datasets import UCRDataset, get_ucr

    train, test = get_ucr("ItalyPowerDemand", dtype=np.float32)
    assert_type((train, test), tuple[UCRDataset, UCRDataset])
    series, label = train[0]
    assert_type(series, Floats)
    assert_type(label, Label)
    assert_type(train[:4], list[tuple[Floats, Label]])
    assert_type(train.series, Union[Floats, list[Floats]])
    assert_type(train.classes, tuple[Union[int, float, str], ...])
    z = chainer_sdtw.barycenter(train.series[:3], max_iter=2)
    assert_type(z, Floats)


def estimators() -> None:
    from chainer_sdtw.estimators import (
        SoftDTWKMeans,
        SoftDTWKNeighborsClassifier,
        SoftDTWMiniBatchKMeans,
        SoftDTWNearestCentroid,
    )

    model = SoftDTWKMeans(2, init="random", random_state=0)
    assert_type(model.fit(X), SoftDTWKMeans)
    assert_type(model.labels_, Integers)
    assert_type(model.cluster_centers_, Floats)
    assert_type(model.predict(list(X)), Integers)
    assert_type(model.fit_transform(X), Floats)
    assert_type(model.score(X), float)
    assert_type(model.score(X, sample_weight=0.5), float)
    batches = SoftDTWMiniBatchKMeans(2, batch_size=100)
    assert_type(batches.partial_fit(X), SoftDTWMiniBatchKMeans)
    assert_type(batches.fit(X).n_steps_, int)
    loss = chainer_sdtw.soft_dtw_divergence
    centroids = SoftDTWNearestCentroid(loss=loss)
    assert_type(centroids.fit(X, ["a", "a", "b"]).centroids_, Floats)
    assert_type(centroids.score(X, ["a", "a", "b"]), float)
    neighbors = SoftDTWKNeighborsClassifier(1, weights="uniform")
    neighbors.fit(X, [0, 0, 1])
    assert_type(neighbors.predict(X), NDArray[np.generic])
    assert_type(neighbors.predict_proba(X), Floats)
    assert_type(neighbors.kneighbors(X), tuple[Floats, Integers])
    assert_type(neighbors.kneighbors(X, return_distance=False), Integers)


def environment() -> None:
    for repair in REPAIRS:
        assert_type(repair.needed(), bool)
    assert_type(chainer.__version__ + os.sep, str)


def mistakes() -> None:
    loss = chainer_sdtw.soft_dtw(X, Y)
    number: int = loss  # type: ignore[assignment]
    print(number, loss.bakward())  # type: ignore[attr-defined]
    chainer_sdtw.soft_dwt(X, Y)  # type: ignore[attr-defined]
    chainer_sdtw.soft_dtw("x", Y)  # type: ignore[arg-type]
    chainer_sdtw.soft_dtw(X, None)  # type: ignore[arg-type]
    chainer_sdtw.soft_dtw(X, Y, gamma="1")  # type: ignore[arg-type]
    chainer_sdtw.soft_dtw(X, Y, cost="cosin")  # type: ignore[arg-type]
    chainer_sdtw.soft_dtw(X, Y, reduce="none")  # type: ignore[arg-type]
    chainer_sdtw.pairwise_soft_dtw(X, loss="dtw")  # type: ignore[call-overload]
    chainer_sdtw.barycenter(X, init="means")  # type: ignore[arg-type]
    chainer_sdtw.links.Barycenter(X, cost=1)  # type: ignore[arg-type]
    chainer_sdtw.links.SoftDTWLoss(loss="dtw")  # type: ignore[arg-type]
    sdtw_cpu.value(X, Y, cost="cosine")  # type: ignore[call-overload]
    sdtw_cpu.set_isa("mmx")  # type: ignore[arg-type]
