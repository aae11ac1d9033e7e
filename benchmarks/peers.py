"""The contestants: this library and the others that compute soft-DTW.

Each gets its best use: the batch interface where it has one, its own threads
where it has them, compilation outside the timing. All are asked for the same:
the values of a batch of pairs under the squared Euclidean cost and the
gradient of their sum with respect to ``x``; ``computes`` says how each one
comes to it. A contestant is only imported, from wherever Python finds it.
"""

from __future__ import annotations

import abc
import importlib

import numpy as np
from harness import OURS, one_line
from machine import version


class Contestant(abc.ABC):
    """One implementation.

    Attributes:
        name: Name in tables and on the command line.
        distribution: Distribution to ask for a version.
        project: Where it comes from.
        computes: What exactly is run and timed.
        parallel: How it uses several threads.
        gradient: Whether it gives a gradient.
        compiles: Whether its first call compiles.
    """

    name = ""
    distribution = ""
    project = ""
    computes = ""
    parallel = "none"
    gradient = True
    compiles = False

    @abc.abstractmethod
    def load(self):
        """Import it; whatever this raises makes it not importable."""

    @abc.abstractmethod
    def prepare(self, x, y, gamma):
        """Return a function that returns the values and the gradient.

        What it returns are NumPy arrays; the gradient is None where there is
        none to be had.
        """

    def set_threads(self, count):  # noqa: B027  (most have none)
        """Let it use this many threads."""

    @property
    def version(self):
        """Version of the installed distribution, None where unknown."""
        return version(self.distribution) if self.distribution else None


class Ours(Contestant):
    """This library."""

    name = OURS
    distribution = "chainer-sdtw"
    project = "this library"
    computes = "batch; value with tape, adjoint for x"
    parallel = "its own threads"

    def load(self):
        self.module = importlib.import_module("sdtw_cpu")

    def prepare(self, x, y, gamma, *, both=False):
        sdtw_cpu = self.module

        def call():
            value, tape = sdtw_cpu.value(x, y, gamma, tape=True)
            gx, gy = sdtw_cpu.adjoint(tape, x=True, y=both)
            return (value, gx, gy) if both else (value, gx)

        return call

    def set_threads(self, count):
        self.module.set_num_threads(count)


class OursOnOneThread(Ours):
    """This library, kept to one thread."""

    name = "chainer-sdtw, 1 thread"
    parallel = "one thread"

    def prepare(self, x, y, gamma):
        call = super().prepare(x, y, gamma)
        return with_threads(self.module, 1, call)

    def set_threads(self, count):
        pass


def with_threads(sdtw_cpu, count, call):
    """Return the call, made with this number of threads of ours."""

    def limited():
        before = sdtw_cpu.get_num_threads()
        sdtw_cpu.set_num_threads(count)
        try:
            return call()
        finally:
            sdtw_cpu.set_num_threads(before)

    return limited


class PairPeer(Contestant):
    """A peer that takes one pair at a time."""

    @abc.abstractmethod
    def pair(self, x, y, gamma):
        """Return value and gradient of one pair."""

    def prepare(self, x, y, gamma):
        def call():
            values, gradients = [], []
            for one, other in zip(x, y):
                value, gradient = self.pair(one, other, gamma)
                values.append(value)
                gradients.append(gradient)
            if not self.gradient:
                return np.array(values), None
            return np.array(values), np.array(gradients)

        return call


class SoftDTW(PairPeer):
    """The implementation of the paper's authors."""

    name = "mblondel/soft-dtw"
    project = "github.com/mblondel/soft-dtw"
    computes = (
        "pair by pair; SquaredEuclidean, SoftDTW.compute, .grad, "
        "jacobian_product"
    )

    def load(self):
        self.module = importlib.import_module("sdtw")
        self.distance = importlib.import_module("sdtw.distance")
        _need(self.module, "SoftDTW")
        _need(self.distance, "SquaredEuclidean")

    def pair(self, x, y, gamma):
        cost = self.distance.SquaredEuclidean(x, y)
        sdtw = self.module.SoftDTW(cost, gamma=gamma)
        value = sdtw.compute()
        return value, cost.jacobian_product(sdtw.grad())


class Divergences(PairPeer):
    """The implementation beside the paper on soft-DTW divergences.

    Its cost is half the squared distance, so that the series are scaled by
    the square root of two before, and the gradient after.
    """

    name = "sdtw_div"
    project = "github.com/google-research/soft-dtw-divergences"
    computes = "pair by pair; sdtw_value_and_grad (Numba)"
    compiles = True

    def load(self):
        module = importlib.import_module("sdtw_div.numba_ops")
        self.value_and_grad = module.sdtw_value_and_grad

    def prepare(self, x, y, gamma):
        scale = x.dtype.type(np.sqrt(2))
        scaled = super().prepare(scale * x, scale * y, gamma)

        def call():
            value, gradient = scaled()
            return value, scale * gradient

        return call

    def pair(self, x, y, gamma):
        return self.value_and_grad(x, y, gamma)


class Tslearn(PairPeer):
    """tslearn on NumPy arrays."""

    name = "tslearn"
    distribution = "tslearn"
    project = "tslearn"
    computes = (
        "pair by pair; metrics.soft_dtw_alignment (Numba), then the "
        "gradient from its matrix in NumPy"
    )
    compiles = True

    def load(self):
        metrics = importlib.import_module("tslearn.metrics")
        self.soft_dtw_alignment = metrics.soft_dtw_alignment

    def pair(self, x, y, gamma):
        alignment, value = self.soft_dtw_alignment(x, y, gamma=gamma)
        weight = alignment.sum(axis=1, keepdims=True)
        return value, 2 * (weight * x - alignment @ y)


class TorchPeer(Contestant):
    """A loss of PyTorch, with the backward pass of autograd."""

    parallel = "Numba threads over the batch"
    compiles = True

    def load(self):
        self.torch = importlib.import_module("torch")
        self.numba = importlib.import_module("numba")
        self.import_loss()

    @abc.abstractmethod
    def import_loss(self):
        """Import what ``loss`` needs."""

    @abc.abstractmethod
    def loss(self, gamma):
        """Return the loss, which takes two batches."""

    def prepare(self, x, y, gamma):
        torch = self.torch
        loss = self.loss(gamma)
        x, y = torch.from_numpy(x), torch.from_numpy(y)

        def call():
            leaf = x.detach().requires_grad_()
            value = loss(leaf, y)
            (gradient,) = torch.autograd.grad(value.sum(), leaf)
            return value.detach().numpy(), gradient.numpy()

        return call

    def set_threads(self, count):
        self.torch.set_num_threads(count)
        limit = self.numba.config.NUMBA_NUM_THREADS
        self.numba.set_num_threads(min(count, limit))


class TslearnTorch(TorchPeer):
    """tslearn's loss for PyTorch."""

    name = "tslearn-torch"
    distribution = "tslearn"
    project = "tslearn"
    computes = "batch; metrics.SoftDTWLossPyTorch and autograd"

    def import_loss(self):
        metrics = importlib.import_module("tslearn.metrics")
        self.module = metrics.SoftDTWLossPyTorch

    def loss(self, gamma):
        return self.module(gamma=gamma)


class Pysdtw(TorchPeer):
    """pysdtw."""

    name = "pysdtw"
    distribution = "pysdtw"
    project = "pysdtw, github.com/toinsson/pysdtw"
    computes = "batch; SoftDTW(use_cuda=False) and autograd"

    def import_loss(self):
        self.module = importlib.import_module("pysdtw").SoftDTW

    def loss(self, gamma):
        return self.module(gamma=gamma, use_cuda=False)


class SoftDTWCuda(TorchPeer):
    """The PyTorch module whose kernels many others took over."""

    name = "soft_dtw_cuda"
    project = "github.com/Maghoumi/pytorch-softdtw-cuda"
    computes = "batch; SoftDTW(use_cuda=False) and autograd"

    def import_loss(self):
        self.module = importlib.import_module("soft_dtw_cuda").SoftDTW

    def loss(self, gamma):
        return self.module(use_cuda=False, gamma=gamma)


class Aeon(PairPeer):
    """aeon, which has no gradient."""

    name = "aeon"
    distribution = "aeon"
    project = "aeon"
    computes = "pair by pair; distances.soft_dtw_distance, the value only"
    gradient = False
    compiles = True

    def load(self):
        distances = importlib.import_module("aeon.distances")
        self.soft_dtw_distance = distances.soft_dtw_distance

    def prepare(self, x, y, gamma):
        # Its series are (d, length).
        return super().prepare(
            np.ascontiguousarray(x.swapaxes(1, 2)),
            np.ascontiguousarray(y.swapaxes(1, 2)),
            gamma,
        )

    def pair(self, x, y, gamma):
        return self.soft_dtw_distance(x, y, gamma=gamma), None


CLASSES = (
    Ours,
    OursOnOneThread,
    SoftDTW,
    Divergences,
    Tslearn,
    TslearnTorch,
    Pysdtw,
    SoftDTWCuda,
    Aeon,
)


def _need(module, name):
    """Say so where a module of the right name is another project's."""
    if not hasattr(module, name):
        raise ImportError(f"{module.__name__} has no {name}")


def load(only=None, classes=CLASSES, *arguments):
    """Import the contestants.

    Args:
        only: Names to try; all of them where None. The first class, this
            library, is always among them.
        classes: The contestants.
        arguments: What they are made with.

    Returns:
        The list of those that can be imported, and a dictionary from the
        names of the others to the reason.
    """
    loaded, missing = [], {}
    ours = classes[0]
    for cls in classes:
        if only is not None and cls is not ours and cls.name not in only:
            continue
        contestant = cls(*arguments)
        try:
            contestant.load()
        except Exception as error:
            if cls is ours:
                raise
            missing[cls.name] = one_line(error, 300)
        else:
            loaded.append(contestant)
    return loaded, missing


def describe(contestants, missing):
    """Return a dictionary of each contestant and of each that is missing."""
    keys = "name", "version", "project", "computes", "parallel", "gradient"
    result = []
    for contestant in contestants:
        row = {key: getattr(contestant, key, None) for key in keys}
        row["threads"] = row.pop("parallel")
        result.append({**row, "importable": True})
    for name, reason in missing.items():
        result.append({"name": name, "importable": False, "reason": reason})
    return result


def add_option(parser, classes):
    """Add the option that chooses contestants."""
    names = [cls.name for cls in classes]
    parser.add_argument(
        "--only",
        action="append",
        choices=names,
        metavar="NAME",
        help="leave out all contestants but this library and NAME, may be "
        "given several times: " + ", ".join(map(repr, names)),
    )
