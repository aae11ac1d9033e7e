"""The UCR/UEA time series classification archive as Chainer datasets."""

from __future__ import annotations

import difflib
import os
import re
import tempfile
import typing as tp

import chainer
import numpy as np
from chainer.datasets import TupleDataset

ROOT_VARIABLE = "CHAINER_SDTW_UCR_ROOT"
"""Environment variable that stands in for the argument ``root``."""

CACHE_NAME = "chainer_sdtw/ucr"
"""Where downloads go, below Chainer's own dataset directory."""

_SPLITS = ("TRAIN", "TEST")
_SUFFIXES = (".tsv", "", ".ts")  # in the order in which they are looked for
_GAPS = ("", "?")
_NO_AEON = (
    "{} needs aeon, an optional dependency: pip install 'chainer-sdtw[ucr]'"
)

_Label = tp.Union[int, float, str]
# The series of a split, each (length, d) in float64, and their labels.
_Split = tuple[list[np.ndarray], list[_Label]]


class UCRDataset(TupleDataset):
    """One half of a data set: tuples of a series and a label.

    A :class:`chainer.datasets.TupleDataset` that remembers where its labels
    come from.

    Attributes:
        name (str): Name of the data set in the archive.
        split (str): ``'TRAIN'`` or ``'TEST'``.
        classes (tuple): The archive's own labels, sorted: the example with
            label ``k`` is of the class that the archive calls
            ``classes[k]``.  Integers where the archive writes integers,
            floats or strings otherwise.  The same for both halves, also if
            a class is absent from one of them.
        series: Array of shape ``(N, length, d)``, or a list of ``N`` arrays
            of shape ``(length, d)`` if their lengths differ.
        labels (numpy.ndarray): int32 array of shape ``(N,)``.

    """

    def __init__(
        self,
        name: str,
        split: str,
        classes: tuple[_Label, ...],
        series: np.ndarray | list[np.ndarray],
        labels: np.ndarray,
    ) -> None:
        super().__init__(series, labels)
        self.name = name
        self.split = split
        self.classes = classes
        self.series = series
        self.labels = labels


def get_ucr(
    name: str,
    root: str | os.PathLike[str] | None = None,
    *,
    normalize: bool = False,
    dtype: tp.Any = None,
) -> tuple[UCRDataset, UCRDataset]:
    """Gets a data set of the UCR/UEA time series classification archive.

    With ``root``, or the environment variable ``CHAINER_SDTW_UCR_ROOT`` in
    its place, the data set is read from a local copy of the archive, and
    nowhere else.  The files are looked for in this order:

    ============================  =========================================
    ``ROOT/NAME/NAME_TRAIN.tsv``  layout of 2018: tabs, label first
    ``ROOT/NAME/NAME_TRAIN``      layout of 2015: commas, label first
    ``ROOT/NAME/NAME_TRAIN.ts``   layout of aeon, also for several channels;
                                  read by aeon
    ============================  =========================================

    (and the same for ``TEST``).  Without ``root``, aeon's loaders find the
    data set: GunPoint, ItalyPowerDemand, ArrowHead, OSULeaf, ACSF1,
    BasicMotions and JapaneseVowels come with aeon, all others are downloaded
    once into Chainer's dataset directory
    (``$CHAINER_DATASET_ROOT/chainer_sdtw/ucr``, by default
    ``~/.chainer/dataset/chainer_sdtw/ucr``).  A data set appears there only
    once it is complete.  aeon is an optional dependency:
    ``pip install 'chainer-sdtw[ucr]'``.

    A series always has the shape ``(length, d)``; a univariate one has
    ``d == 1``.  A batch of equal length, stacked, is thus what
    :func:`chainer_sdtw.soft_dtw` takes as ``(B, m, d)``, and series of
    different lengths are what it takes as a list.

    The layout of 2018 pads shorter series with NaN at the end.  In all
    layouts, NaN in all channels at the end of a series is taken for such
    padding and cut off.  NaN anywhere else, a ``?`` or an empty cell is a
    missing value and an error.

    A file that was cut off is found out by its last line, so not if the cut
    is between two lines or within the last number of one.

    Values come in the units of the archive.  Most univariate sets there are
    z-normalized, many newer and most multivariate ones are not.

    Args:
        name (str): Name of the data set, as the archive spells it.
        root (path-like): Folder that holds a folder per data set.
        normalize (bool): If ``True``, every channel of every series is
            shifted and scaled to mean 0 and standard deviation 1 (a constant
            channel to 0).
        dtype: Data type of the series.  ``chainer.config.dtype`` (float32,
            unless changed; float32 for ``mixed16`` too) by default.

    Returns:
        A pair of datasets, training and test.  Each is a
        :class:`chainer.datasets.TupleDataset` of ``(series, label)``:
        ``series`` of shape ``(length, d)``, ``label`` an int32 from ``0`` to
        ``K - 1``.  Attribute ``classes`` of either maps the labels back to
        the archive's own; see :class:`UCRDataset`.

    Raises:
        ValueError: The archive has no data set ``name`` (the message has
            the names that are near), values are missing, or a file is
            malformed, as one that was cut off while it was written.
        FileNotFoundError: ``root`` or one of the files does not exist.
        ImportError: aeon is needed and is not installed.
        ConnectionError: The download failed.

    .. admonition:: Example

        >>> train, test = chainer_sdtw.datasets.get_ucr('GunPoint')
        >>> len(train), len(test), train.classes
        (50, 150, (1, 2))
        >>> series, label = train[0]
        >>> series.shape, series.dtype, int(label)
        ((150, 1), dtype('float32'), 1)

    See: H. A. Dau et al., *The UCR Time Series Archive*, IEEE/CAA Journal of
    Automatica Sinica 6(6), 2019; A. Bagnall et al., *The UEA multivariate
    time series classification archive, 2018*.

    """
    if not isinstance(name, str) or not re.fullmatch(r"[\w-]+", name):
        raise ValueError(f"name must be the name of a data set: {name!r}")
    dtype = np.dtype(chainer.get_dtype(dtype, map_mixed16=np.float32))
    if dtype.kind != "f":
        raise ValueError(f"dtype must be a floating-point type: {dtype}")

    if root is None:
        root = os.environ.get(ROOT_VARIABLE) or None
    if root is not None:
        splits = _load_local(os.fspath(root), name)
    else:
        splits = _load_aeon(name)

    channels = {s.shape[1] for series, _ in splits for s in series}
    if len(channels) > 1:
        raise ValueError(
            f"{name}: all series must have the same number of channels, "
            f"but they have {sorted(channels)}"
        )
    classes = _sorted_labels({y for _, labels in splits for y in labels})
    codes = {y: k for k, y in enumerate(classes)}
    train, test = (
        UCRDataset(
            name,
            split,
            classes,
            _pack(
                [_z_normalize(s) if normalize else s for s in series], dtype
            ),
            np.array([codes[y] for y in labels], dtype=np.int32),
        )
        for split, (series, labels) in zip(_SPLITS, splits)
    )
    return train, test


def _sorted_labels(labels: set[_Label]) -> tuple[_Label, ...]:
    # Strings, if there are any, after numbers.
    return tuple(
        sorted(
            labels,
            key=lambda y: (1, 0, y) if isinstance(y, str) else (0, y, ""),
        )
    )


def _pack(
    series: list[np.ndarray], dtype: np.dtype
) -> np.ndarray | list[np.ndarray]:
    if len({len(s) for s in series}) == 1:
        return np.stack(series).astype(dtype)
    return [s.astype(dtype) for s in series]


def _z_normalize(series: np.ndarray) -> np.ndarray:
    constant = np.ptp(series, axis=0) == 0
    series = series - series.mean(axis=0)
    series[:, constant] = 0
    return series / np.where(constant, 1, series.std(axis=0))


def _near(name: str, names: tp.Iterable[str]) -> str:
    # The archive has GunPoint, its version of 2015 has Gun_Point.
    def plain(s: str) -> str:
        return re.sub(r"[\W_]", "", s).lower()

    spelled: dict[str, list[str]] = {}
    for candidate in sorted(names):
        spelled.setdefault(plain(candidate), []).append(candidate)
    matches = difflib.get_close_matches(plain(name), spelled, n=4)
    near = [candidate for key in matches for candidate in spelled[key]]
    return f"names near: {', '.join(near)}" if near else "no name is near"


# Local copies


def _load_local(root: str, name: str) -> list[_Split]:
    if not os.path.isdir(root):
        raise FileNotFoundError(
            f"no folder {root!r} to look for the data set {name!r} in "
            f"(argument root or environment variable {ROOT_VARIABLE})"
        )
    folder = os.path.join(root, name)
    wanted = [f"{name}_TRAIN{suffix}" for suffix in _SUFFIXES]
    if not os.path.isdir(folder):
        names = [
            f for f in os.listdir(root) if os.path.isdir(os.path.join(root, f))
        ]
        hint = _near(name, names)
        if any(os.path.isfile(os.path.join(root, f)) for f in wanted):
            hint = (
                "root must be the folder that holds the folder of the "
                f"data set: {os.path.dirname(os.path.abspath(root))!r}?"
            )
        raise ValueError(
            f"no data set {name!r} in {root!r}: looked for one of "
            f"{', '.join(wanted)} in its folder {name!r}; {hint}"
        )

    incomplete = None
    for suffix in _SUFFIXES:
        paths = [
            os.path.join(folder, f"{name}_{split}{suffix}")
            for split in _SPLITS
        ]
        there = [os.path.isfile(path) for path in paths]
        if all(there):
            read = _read_ts if suffix == ".ts" else _read_table
            return [read(path) for path in paths]
        if any(there) and incomplete is None:
            incomplete = paths[there.index(False)], paths[there.index(True)]
    if incomplete is not None:
        raise FileNotFoundError(
            f"{name}: no file {incomplete[0]!r} beside {incomplete[1]!r}"
        )
    raise FileNotFoundError(
        f"{name}: none of {', '.join(wanted)} in {folder!r}"
    )


def _read_table(path: str) -> _Split:
    """Reads a .tsv file of 2018 or a comma-separated one of 2015."""
    series: list[np.ndarray] = []
    labels: list[_Label] = []
    columns = 0
    with open(path, encoding="utf-8", errors="replace") as file:
        lines = file.read().splitlines()
    while lines and not lines[-1].strip():
        lines.pop()
    separator = "," if lines and "," in lines[0] else "\t"
    for number, line in enumerate(lines, start=1):
        where = f"{path}, line {number}"
        label, *cells = line.split(separator)
        columns = columns or len(cells)
        if not cells:
            raise ValueError(
                f"{where}: expected a label and values, separated by commas "
                f"or tabs, but read {line[:40]!r}"
            )
        if len(cells) != columns:
            raise ValueError(
                f"{where}: {len(cells)} values where line 1 has {columns}; "
                "is the file complete?"
            )
        gaps = [i for i, cell in enumerate(cells) if cell.strip() in _GAPS]
        if gaps:
            raise _missing_values(where, len(gaps), columns, gaps[0])
        values = np.empty((columns, 1))
        for i, cell in enumerate(cells):
            try:
                values[i] = float(cell)
            except ValueError:
                raise ValueError(
                    f"{where}, value {i + 1}: not a number: {cell[:40]!r}"
                ) from None
        series.append(_cut_padding(values, where))
        labels.append(_to_label(label, where))
    if not series:
        raise ValueError(f"{path}: the file is empty")
    return series, labels


def _read_ts(path: str) -> _Split:
    """Reads a .ts file, with aeon's parser."""
    try:
        from aeon.datasets import load_from_ts_file
    except ImportError as e:
        raise ImportError(_NO_AEON.format(f"reading {path!r}")) from e
    try:
        cases, labels, meta = load_from_ts_file(path, return_meta_data=True)
    except Exception as e:  # it raises whatever the malformed line leads to
        raise ValueError(
            f"{path}: not a complete .ts file: {type(e).__name__}: {e}"
        ) from e
    return _from_ts(path, cases, labels, meta)


def _from_ts(
    where: str,
    cases: tp.Sequence[np.ndarray],  # each (d, length)
    labels: tp.Sequence[str],
    meta: dict[str, tp.Any],
) -> _Split:
    if not meta["classlabel"]:
        raise ValueError(
            f"{where}: the series have no class labels; only data sets for "
            "classification can be read"
        )
    if len(cases) == 0:
        raise ValueError(f"{where}: the file has no series")
    # The parser turns lines to lower case, and nan to NaN even in a label.
    labels = [str(label).strip().lower() for label in labels]
    declared = {str(value).strip().lower() for value in meta["class_values"]}
    for i, label in enumerate(labels):
        if label not in declared:
            raise ValueError(
                f"{where}, series {i + 1}: {label[:40]!r} is not among the "
                f"classes that the file declares, {sorted(declared)}; is the "
                "file complete?"
            )
    series = [
        _cut_padding(
            np.asarray(case, dtype=np.float64).T, f"{where}, series {i + 1}"
        )
        for i, case in enumerate(cases)
    ]
    return series, [_to_label(label, where) for label in labels]


def _cut_padding(series: np.ndarray, where: str) -> np.ndarray:
    """Cuts NaN off the end; (length, d) to (shorter length, d)."""
    missing = np.isnan(series)
    present = np.flatnonzero(~missing.all(axis=1))
    if len(present) == 0:
        raise ValueError(f"{where}: the series has no values")
    series = series[: present[-1] + 1]
    missing = missing[: present[-1] + 1]
    if missing.any():
        raise _missing_values(
            where, missing.sum(), missing.size, np.argwhere(missing)[0, 0]
        )
    if not np.isfinite(series).all():
        raise ValueError(f"{where}: the series has infinite values")
    return series


def _missing_values(
    where: str, n_missing: int, n_values: int, step: int
) -> ValueError:
    return ValueError(
        f"{where}: {n_missing} of {n_values} values are missing, the first "
        f"at time step {step + 1}; fill them in first (only NaN, and only at "
        "the end of a series, is allowed, as padding)"
    )


def _to_label(text: str, where: str) -> _Label:
    """Makes '1', '1.0' and '1.0000e+00' the same label."""
    text = str(text).strip()
    if text.lower() in (*_GAPS, "nan"):
        raise ValueError(f"{where}: the class label is missing")
    try:
        value = float(text)
    except ValueError:
        return text
    return int(value) if value.is_integer() else value


# aeon's loaders


def _load_aeon(name: str) -> list[_Split]:
    try:
        from aeon.datasets import load_classification, tsc_datasets
        from aeon.datasets.dataset_collections import (
            get_downloaded_tsc_tsr_datasets,
        )
    except ImportError as e:
        raise ImportError(
            _NO_AEON.format(
                f"finding the data set {name!r} without a local copy of the "
                f"archive (argument root, environment variable "
                f"{ROOT_VARIABLE})"
            )
        ) from e

    bundled = set(get_downloaded_tsc_tsr_datasets())
    if name in bundled:
        return [
            _from_ts(
                f"{name}_{split}.ts",
                *load_classification(
                    name,
                    split=split,
                    return_metadata=True,
                    load_equal_length=False,
                    load_no_missing=False,
                ),
            )
            for split in _SPLITS
        ]

    cache = chainer.dataset.get_dataset_directory(
        CACHE_NAME, create_directory=False
    )
    if not os.path.isdir(os.path.join(cache, name)):
        known = bundled.union(
            tsc_datasets.univariate, tsc_datasets.multivariate
        )
        if name not in known:
            raise ValueError(
                f"no data set {name!r}: looked for it among the {len(known)} "
                f"names that aeon knows and in {cache!r}; "
                f"{_near(name, known)}"
            )
        os.makedirs(cache, exist_ok=True)
        with tempfile.TemporaryDirectory(
            prefix=".download-", dir=cache
        ) as folder:
            try:
                for split in _SPLITS:
                    load_classification(
                        name,
                        split=split,
                        extract_path=folder,
                        load_equal_length=False,
                        load_no_missing=False,
                    )
            except Exception as e:  # of the network, the zip or the parser
                raise ConnectionError(
                    f"could not download the data set {name!r} (aeon says: "
                    f"{e}); if you have a copy, give the folder that holds "
                    "its folder as root or in the environment variable "
                    f"{ROOT_VARIABLE}"
                ) from e
            try:
                # All or nothing, and whoever comes first.
                os.rename(
                    os.path.join(folder, name), os.path.join(cache, name)
                )
            except OSError:
                if not os.path.isdir(os.path.join(cache, name)):
                    raise
    return _load_local(cache, name)
