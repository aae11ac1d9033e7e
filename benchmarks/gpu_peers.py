"""The contestants on a GPU: this library and the others' CUDA kernels.

All are asked for the same: the values of a batch of pairs under the squared
Euclidean cost, and the gradients of their sum with respect to both series.
The peers are folders of source, not packages: ``load`` takes the folder with
their clones, named as the repositories, and puts those on the path; what is
on the path already needs no folder. On a machine without a GPU (a dry run)
they run on the CPU, where they can.
"""

from __future__ import annotations

import abc
import contextlib
import gc
import importlib
import importlib.util
import signal
import sys
import types

import numpy as np
import peers
from harness import OURS
from machine import version

LOAD_SECONDS = 60
"""What it may take to import a peer and to compile its kernels."""


@contextlib.contextmanager
def time_limit(seconds):
    """Raise a TimeoutError in a block that takes longer.

    Only in the main thread, and where the system has such alarms.
    """
    if not hasattr(signal, "setitimer"):
        yield
        return

    def stop(number, frame):
        raise TimeoutError(f"took longer than {seconds:g} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


class Contestant(abc.ABC):
    """One implementation.

    Attributes:
        name: Name in tables and on the command line.
        project: Where it comes from.
        folder: Name of its clone.
        computes: What exactly is run and timed.
        longest: The longest series that it takes, or None.
    """

    name = ""
    project = "this library"
    folder = ""
    computes = ""
    longest = None

    def __init__(self, machine):
        self.machine = machine

    @abc.abstractmethod
    def load(self):
        """Import it; whatever this raises makes it not importable."""

    @abc.abstractmethod
    def prepare(self, x, y, gamma):
        """Return a function that returns the value and both gradients.

        It takes arrays of NumPy; what the function returns stays where it
        was computed.
        """

    @abc.abstractmethod
    def peak(self, call):
        """Return the most bytes that a call takes beyond what was there.

        What it returns is in there. None where this cannot be told.
        """

    def host(self, answer):
        """Return what a call returned as arrays of NumPy."""
        return tuple(self.machine.host(a) for a in answer)

    def clean(self):
        """Give back memory."""
        gc.collect()
        self.machine.free()

    def limit(self, problem):
        """Return why it cannot compute a problem, or None if it can."""
        longest = max(problem.m, problem.n)
        if self.longest is not None and longest > self.longest:
            return f"longer than {self.longest}"
        return None

    @property
    def version(self):
        """Version, None where unknown."""
        return version("chainer-sdtw")


def import_sweeps():
    """Return ``chainer_sdtw.cuda``, which needs no Chainer itself."""
    known = "chainer_sdtw" in sys.modules
    if not known and importlib.util.find_spec("chainer") is None:
        # The package without what its __init__ imports.
        spec = importlib.util.find_spec("chainer_sdtw")
        package = types.ModuleType("chainer_sdtw")
        package.__path__ = list(spec.submodule_search_locations)
        sys.modules["chainer_sdtw"] = package
    return importlib.import_module("chainer_sdtw.cuda")


class Ours(Contestant):
    """The sweeps of this library."""

    name = OURS
    computes = "cuda.value with tape, cuda.adjoint for x and y"

    def load(self):
        self.module = import_sweeps()
        self.compiled = set()

    def compile(self, dtype, d=None):
        """Have the kernels compiled, once; without ``d`` for matrices."""
        key = np.dtype(dtype), None if d is None else min(d, 2)
        if key in self.compiled:
            return
        self.compiled.add(key)
        shapes = [(1, 2, 2)] if d is None else [(1, 2, key[1])] * 2
        arrays = [self.machine.array(np.ones(s, dtype)) for s in shapes]
        _, tape = self.value(*arrays, gamma=1.0)
        self.module.adjoint(tape)
        self.machine.synchronize()

    def value(self, *arrays, gamma, device=None):
        """Return value and tape of series, or of cost matrices."""
        device = device or self.machine.device
        if len(arrays) == 1:
            sweep = self.module.value_from_cost
        else:
            sweep = self.module.value
        return sweep(*arrays, gamma, tape=True, device=device)

    def prepare(self, x, y, gamma, device=None):
        """As for any contestant, on another device than the machine's."""
        x, y = self.machine.array(x), self.machine.array(y)
        self.compile(x.dtype, x.shape[2])

        def call():
            value, tape = self.value(x, y, gamma=gamma, device=device)
            return (value, *self.module.adjoint(tape))

        return call

    def prepare_cost(self, cost, gamma, device=None):
        """As ``prepare``, for cost matrices; there is one gradient."""
        cost = self.machine.array(cost)
        self.compile(cost.dtype)

        def call():
            value, tape = self.value(cost, gamma=gamma, device=device)
            return value, self.module.adjoint(tape)

        return call

    def peak(self, call):
        return self.machine.peak(call)


class OursInChainer(Contestant):
    """The function of this library, with Chainer's graph around it."""

    name = "chainer-sdtw, in Chainer"
    computes = "chainer_sdtw.soft_dtw, backward for x and y"

    def load(self):
        if importlib.util.find_spec("chainer") is None:
            raise ImportError("no Chainer")
        self.soft_dtw = importlib.import_module("chainer_sdtw").soft_dtw
        self.chainer = importlib.import_module("chainer")

    def prepare(self, x, y, gamma):
        x, y = self.machine.array(x), self.machine.array(y)
        ones = self.machine.array(np.ones(len(x), x.dtype))

        def call():
            a, b = self.chainer.Variable(x), self.chainer.Variable(y)
            value = self.soft_dtw(a, b, gamma, reduce="no")
            value.grad = ones
            value.backward()
            return value.array, a.grad, b.grad

        return call

    def peak(self, call):
        return self.machine.peak(call)


class TorchPeer(Contestant):
    """A loss of PyTorch, with the backward pass of autograd."""

    def load(self):
        folder = self.machine.peers
        if folder is not None and (folder / self.folder).is_dir():
            path = str((folder / self.folder).resolve())
            if path not in sys.path:
                sys.path.insert(0, path)
        with time_limit(LOAD_SECONDS):
            self.torch = importlib.import_module("torch")
            if self.machine.dry:
                self.device = "cpu"
            elif self.torch.cuda.is_available():
                self.device = "cuda"
            else:
                raise ImportError("torch sees no GPU")
            self.import_loss()
            self.warm_up()

    @abc.abstractmethod
    def import_loss(self):
        """Import what ``loss`` needs."""

    @abc.abstractmethod
    def loss(self, gamma):
        """Return the loss, which takes two batches."""

    def warm_up(self):
        """Compile: both the kernels for short series and for long ones."""
        lengths = (8,) if self.machine.dry or self.longest else (8, 1040)
        for length in lengths:
            x = np.random.default_rng(0).standard_normal((2, length, 2))
            x = x.astype(np.float32)
            self.prepare(x, x[::-1].copy(), 1.0)()
        self.machine.synchronize()

    def prepare(self, x, y, gamma):
        torch = self.torch
        loss = self.loss(gamma)
        x = torch.from_numpy(x).to(self.device)
        y = torch.from_numpy(y).to(self.device)
        ones = torch.ones(len(x), dtype=x.dtype, device=self.device)

        def call():
            a = x.detach().requires_grad_()
            b = y.detach().requires_grad_()
            value = loss(a, b)
            return (value.detach(), *torch.autograd.grad(value, (a, b), ones))

        return call

    def host(self, answer):
        return tuple(a.cpu().numpy() for a in answer)

    def peak(self, call):
        if self.device == "cpu":
            return None
        cuda = self.torch.cuda
        cuda.synchronize()
        cuda.reset_peak_memory_stats()
        before = cuda.memory_allocated()
        answer = call()
        cuda.synchronize()
        peak = cuda.max_memory_allocated() - before
        del answer
        return peak

    def clean(self):
        super().clean()
        if self.device == "cuda":
            with contextlib.suppress(RuntimeError):
                self.torch.cuda.empty_cache()

    @property
    def version(self):
        return None


class Unfused(TorchPeer):
    """sdtw-cuda-torch with a cost matrix."""

    name = "sdtw-cuda-torch, unfused"
    project = "github.com/BGU-CS-VIL/sdtw-cuda-torch"
    folder = "sdtw-cuda-torch"
    computes = "SoftDTW(fused=False) and autograd"
    fused = False

    def import_loss(self):
        self.module = importlib.import_module("softdtw_cuda").SoftDTW

    def loss(self, gamma):
        return self.module(gamma=gamma, fused=self.fused)


class Fused(Unfused):
    """sdtw-cuda-torch without one: a launch per anti-diagonal."""

    name = "sdtw-cuda-torch, fused"
    computes = "SoftDTW(fused=True) and autograd"
    fused = True

    def limit(self, problem):
        if self.device == "cpu":
            return "needs a GPU"
        return super().limit(problem)

    def warm_up(self):
        if self.device != "cpu":
            super().warm_up()


class Maghoumi(TorchPeer):
    """The PyTorch module whose kernels many others took over.

    Beyond 1024 steps it goes to the CPU.
    """

    name = "pytorch-softdtw-cuda"
    project = "github.com/Maghoumi/pytorch-softdtw-cuda"
    folder = "pytorch-softdtw-cuda"
    computes = "SoftDTW(use_cuda=True) and autograd"
    longest = 1024

    def import_loss(self):
        self.module = importlib.import_module("soft_dtw_cuda").SoftDTW

    def loss(self, gamma):
        return self.module(self.device == "cuda", gamma=gamma)


class Pysdtw(TorchPeer):
    """pysdtw."""

    name = "pysdtw"
    project = "github.com/toinsson/pysdtw"
    folder = "pysdtw"
    computes = "SoftDTW(use_cuda=True) and autograd"

    def import_loss(self):
        self.module = importlib.import_module("pysdtw").SoftDTW

    def loss(self, gamma):
        return self.module(gamma=gamma, use_cuda=self.device == "cuda")


CLASSES = (Ours, OursInChainer, Unfused, Fused, Maghoumi, Pysdtw)


def load(machine, only=None):
    """Import the contestants, see ``peers.load``."""
    return peers.load(only, CLASSES, machine)
