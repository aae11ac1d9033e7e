"""Types of arguments and results, for type checkers and editors."""

from __future__ import annotations

import os
from collections.abc import MutableMapping, Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any, Callable, Literal, Protocol, Union

import chainer.variable
import numpy as np
from chainer._backend import Device
from numpy.typing import NDArray

from sdtw_cpu.costs import CostName as SweepCostName
from sdtw_cpu.types import FloatArray, HasArray, Integer, Integers, Reals

if TYPE_CHECKING:
    from chainer.types import NdArray

    from chainer_sdtw.distributed.blocks import Blocks

    # The losses return variables of Chainer. Chainer announces types, but
    # most of its methods have none, and its operators are added at run time:
    # for a checker the gradient of a loss would be unknown and its sum with
    # another one an error. So these classes, which exist for checkers only,
    # state what a variable has; being Chainer's, they go wherever one of
    # Chainer's is wanted.
    #
    # Arrays are NumPy's here. Those of CuPy, on a GPU, have the same methods
    # and in most releases no types to tell them apart.

    class Variable(chainer.variable.Variable):
        @property
        def array(self) -> FloatArray: ...
        @array.setter
        def array(self, d: NdArray | None) -> None: ...
        @property
        def data(self) -> FloatArray: ...
        @data.setter
        def data(self, d: NdArray) -> None: ...
        @property
        def grad(self) -> FloatArray | None: ...
        @grad.setter
        def grad(self, g: NdArray | None) -> None: ...
        @property
        def grad_var(self) -> Variable | None: ...
        @grad_var.setter
        def grad_var(self, g: chainer.variable.Variable | None) -> None: ...
        @property
        def device(self) -> Device: ...
        @property
        def xp(self) -> ModuleType: ...
        @property
        def dtype(self) -> np.dtype[np.floating[Any]]: ...
        @property
        def shape(self) -> tuple[int, ...]: ...
        @property
        def ndim(self) -> int: ...
        @property
        def size(self) -> int: ...
        @property
        def requires_grad(self) -> bool: ...
        @property
        def T(self) -> Variable: ...
        def __len__(self) -> int: ...
        def __getitem__(self, x: object) -> Variable: ...
        def __pos__(self) -> Variable: ...
        def __neg__(self) -> Variable: ...
        def __abs__(self) -> Variable: ...
        def __add__(self, other: Operand) -> Variable: ...
        def __radd__(self, other: Operand) -> Variable: ...
        def __sub__(self, other: Operand) -> Variable: ...
        def __rsub__(self, other: Operand) -> Variable: ...
        def __mul__(self, other: Operand) -> Variable: ...
        def __rmul__(self, other: Operand) -> Variable: ...
        def __truediv__(self, other: Operand) -> Variable: ...
        def __rtruediv__(self, other: Operand) -> Variable: ...
        def __floordiv__(self, other: Operand) -> Variable: ...
        def __rfloordiv__(self, other: Operand) -> Variable: ...
        def __pow__(self, other: Operand) -> Variable: ...
        def __rpow__(self, other: Operand) -> Variable: ...
        def __matmul__(self, other: Operand) -> Variable: ...
        def __rmatmul__(self, other: Operand) -> Variable: ...
        def backward(
            self,
            retain_grad: bool = False,
            enable_double_backprop: bool = False,
            loss_scale: float | None = None,
        ) -> None: ...
        def cleargrad(self) -> None: ...
        def unchain(self) -> None: ...
        def unchain_backward(self) -> None: ...
        def to_cpu(self) -> None: ...
        def to_gpu(self, device: int | None = None) -> None: ...
        def item(self) -> float: ...
        def mean(
            self,
            axis: int | tuple[int, ...] | None = None,
            *,
            weights: Array | None = None,
            keepdims: bool = False,
        ) -> Variable: ...
        def reshape(self, *shape: int | tuple[int, ...]) -> Variable: ...
        def transpose(self, *axes: int | tuple[int, ...]) -> Variable: ...

    class Parameter(Variable, chainer.variable.Parameter): ...
else:
    Variable = chainer.variable.Variable
    Parameter = chainer.variable.Parameter


class GpuArray(Protocol):
    """An array of CuPy."""

    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def dtype(self) -> np.dtype[Any]: ...
    @property
    def nbytes(self) -> int: ...
    def get(self) -> NDArray[np.generic]: ...


class ZarrArray(Protocol):
    """An array of Zarr."""

    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def chunks(self) -> tuple[int, ...]: ...
    @property
    def attrs(self) -> MutableMapping[str, Any]: ...
    def __getitem__(self, selection: Any, /) -> Any: ...
    def __setitem__(self, selection: Any, value: Any, /) -> None: ...


class DaskArray(Protocol):
    """An array of Dask."""

    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def chunks(self) -> tuple[tuple[int, ...], ...]: ...
    def __dask_graph__(self) -> Any: ...
    def compute(self) -> Any: ...


class DaskClient(Protocol):
    """A client of a cluster of Dask."""

    @property
    def submit(self) -> Callable[..., Any]: ...
    @property
    def compute(self) -> Callable[..., Any]: ...


class Dataset(Protocol):
    """What Chainer's iterators take: lists, arrays, data sets."""

    def __len__(self) -> int: ...
    def __getitem__(self, index: int, /) -> object: ...


class Communicator(Protocol):
    """What connects the processes of ChainerMN."""

    @property
    def rank(self) -> int: ...
    @property
    def size(self) -> int: ...
    @property
    def mpi_comm(self) -> Any: ...


Array = Union[chainer.variable.Variable, GpuArray, HasArray]
ArrayLike = Union[Array, Reals]
Operand = Union[Array, float]
# Lengths and bandwidths: one for all pairs or one for each.
Counts = Union[Integer, chainer.variable.Variable, GpuArray, Integers]
Mask = Union[chainer.variable.Variable, GpuArray, Integers]
# A batch or a set of series in any of its forms.
Series = Union[
    Array,
    Sequence[Union[Array, float, Sequence[Union[float, Sequence[float]]]]],
]

# A set of series larger than memory, as chainer_sdtw.distributed takes it.
Collection = Union["Blocks", DaskArray, ZarrArray, str, "os.PathLike[str]"]
# Where a matrix larger than memory goes.
MatrixStore = Union[ZarrArray, str, "os.PathLike[str]"]

# What a divergence does about the term of y with itself.
YTerm = Union[Literal["skip"], Array, Sequence[float]]
CostName = Literal[SweepCostName, "cosine"]
CostFunction = Callable[[Variable, Variable], chainer.variable.Variable]
Cost = Union[CostName, CostFunction]
LossName = Literal[
    "soft_dtw",
    "soft_dtw_divergence",
    "sharp_soft_dtw",
    "sharp_soft_dtw_divergence",
    "mean_cost",
    "mean_cost_divergence",
    # Their aliases.
    "divergence",
    "sharp",
    "sharp_divergence",
]
LossFunction = Callable[..., chainer.variable.Variable]
LossSpec = Union[LossName, LossFunction]
Reduce = Literal["mean", "sum", "no"]
DtypeSpec = Union[
    str, type[float], type[np.floating[Any]], np.dtype[np.floating[Any]]
]
# Classes of series: strings or numbers.
Labels = Union[HasArray, Sequence[str], Sequence[float]]
DeviceSpec = Union[
    str, tuple[str, int], ModuleType, tuple[ModuleType, int], Device
]
