"""The UCR/UEA time series classification archive as Chainer datasets."""

from __future__ import annotations

import difflib
import importlib.util
import os
import re
import tempfile
from collections.abc import Iterable
from typing import Literal, get_args

import chainer
import numpy as np

from chainer_sdtw._engine.optional import import_error
from chainer_sdtw._engine.types import DtypeSpec
from chainer_sdtw.datasets import _files, _text
from chainer_sdtw.datasets._dataset import UCRDataset

ROOT_VARIABLE = "CHAINER_SDTW_UCR_ROOT"
"""The environment variable that is read if ``root`` is None."""

CACHE_NAME = "chainer_sdtw/ucr"
"""The folder of downloads in Chainer's dataset directory."""

_SPLITS = ("TRAIN", "TEST")
_Missing = Literal["raise", "interpolate"]


def get_ucr(
    name: str,
    root: str | os.PathLike[str] | None = None,
    *,
    normalize: bool = False,
    dtype: DtypeSpec | None = None,
    missing: _Missing = "raise",
    encoding: str = "utf-8",
) -> tuple[UCRDataset, UCRDataset]:
    """Get a data set of the UCR/UEA time series classification archive.

    With ``root``, or the environment variable ``CHAINER_SDTW_UCR_ROOT`` in
    its place, the data set is read from a local copy of the archive, and
    nowhere else. The files are looked for in this order:

    =============================  ========================================
    ``ROOT/NAME/NAME_TRAIN.tsv``   layout of 2018: tabs, label first
    ``ROOT/NAME/NAME_TRAIN``       layout of 2015: commas, label first
    ``ROOT/NAME/NAME_TRAIN.ts``    layout of aeon, also for several channels
    ``ROOT/NAME/NAME_TRAIN.txt``   blanks, label first
    ``ROOT/NAME/NAME_TRAIN.arff``  layout of Weka, also for several channels
    =============================  ========================================

    (and the same for ``TEST``). Where the label is first, tabs, commas or
    blanks separate it and the values, whatever the file is called.

    Without ``root``, GunPoint, ItalyPowerDemand, ArrowHead, OSULeaf, ACSF1,
    BasicMotions, JapaneseVowels and, for regression, Covid3Month and
    CardanoSentiment come with aeon. All others are downloaded by aeon once
    into Chainer's dataset directory
    (``$CHAINER_DATASET_ROOT/chainer_sdtw/ucr``, by default
    ``~/.chainer/dataset/chainer_sdtw/ucr``). A data set appears there only
    once it is complete and can be read.

    aeon is an optional dependency: ``pip install aeon``. It works with some
    releases of NumPy only, so pip may replace the installed NumPy by an older
    or a newer one. ``pip install --no-deps aeon`` leaves NumPy as it is, and
    is enough for the data sets that come with aeon. To download others, aeon
    must be importable. Local files do not need aeon.

    A series always has the shape ``(length, d)``; a univariate one has
    ``d == 1``. :func:`chainer_sdtw.soft_dtw` takes a batch of series of equal
    length as a stacked array ``(B, m, d)``, and series of different lengths
    as a list.

    Labels are as the file writes them, but ``1``, ``1.0`` and ``1.0e+00``
    are the same integer. A data set for regression (``@targetLabel true``
    in a ``.ts`` file, a numeric last attribute in an ``.arff`` file) has
    targets in float64 instead, and no classes. A loss such as
    :func:`chainer.functions.mean_squared_error` needs targets in the data
    type of the prediction: ``t.astype(y.dtype)``.

    The layout of 2018 pads shorter series with NaN at the end. In all
    layouts, NaN in all channels at the end of a series counts as such padding
    and is cut off. So does ``?`` in an ``.arff`` file, which has no NaN. NaN
    anywhere else is a missing value, as is a ``?`` or an empty cell anywhere
    in other layouts. Missing values are an error unless ``missing`` is
    ``'interpolate'``.

    The time stamps of a ``.ts`` file must be evenly spaced and are dropped.
    Comments of ``.ts`` and ``.arff`` files may be in any encoding. A file
    that was cut off is recognized by its incomplete last line, so not if it
    ends between two lines or within the last number of one.

    Values have the units of the archive. Most of its univariate data sets are
    z-normalized, many newer and most multivariate ones are not.

    Args:
        name (str): Name of the data set, as the archive spells it.
        root (path-like): Folder with a folder for each data set.
        normalize (bool): If ``True``, every channel of every series is
            shifted and scaled to mean 0 and standard deviation 1 (a constant
            channel to 0).
        dtype: Data type of the series. ``chainer.config.dtype`` (float32,
            unless changed; float32 for ``mixed16`` too) by default.
        missing (str): What to do about missing values: ``'raise'`` an error,
            or ``'interpolate'`` linearly between the values before and after
            in the same channel. Before the first value of a channel and
            after its last one, that value is repeated.
        encoding (str): Encoding of the files. A byte order mark is never
            read as part of a label.

    Returns:
        A pair of datasets, training and test. Each is a
        :class:`chainer.datasets.TupleDataset` of ``(series, label)``:
        ``series`` of shape ``(length, d)``, ``label`` an int32 from ``0`` to
        ``K - 1``, or for regression the target in float64. The attribute
        ``classes`` has the archive's label of each class; see
        :class:`UCRDataset`.

    Raises:
        ValueError: If the archive has no data set ``name`` (the message has
            similar names), values are missing or beyond the range of
            ``dtype``, an argument is none of those above, or a file is
            malformed or in another encoding. The message names the file
            and, where possible, the line.
        FileNotFoundError: If ``root`` or one of the files does not exist.
        ImportError: If aeon is needed and cannot be imported. The message
            has the reason.
        ConnectionError: If the download fails, or what it brings cannot be
            read, which is then not kept.

    .. admonition:: Example

        >>> train, test = chainer_sdtw.datasets.get_ucr('GunPoint')
        >>> train
        <UCRDataset GunPoint TRAIN: 50 series of shape (150, 1), float32,
         2 classes>
        >>> train.classes
        (1, 2)
        >>> series, label = train[0]
        >>> series.shape, series.dtype, int(label)
        ((150, 1), dtype('float32'), 1)

    See: H. A. Dau et al., *The UCR Time Series Archive*, IEEE/CAA Journal of
    Automatica Sinica 6(6), 2019; A. Bagnall et al., *The UEA multivariate
    time series classification archive, 2018*; C. W. Tan et al., *Time series
    extrinsic regression*, Data Mining and Knowledge Discovery 35, 2021.

    """
    if not isinstance(name, str) or not re.fullmatch(r"[\w-]{1,200}", name):
        raise ValueError(f"name must be the name of a data set: {name!r:.60}")
    floats = np.dtype(chainer.get_dtype(dtype, map_mixed16=np.float32))
    if floats.kind != "f":
        raise ValueError(f"dtype must be a floating-point type: {floats}")
    if missing not in get_args(_Missing):
        raise ValueError(
            f"missing must be 'raise' or 'interpolate': {missing!r}"
        )
    try:
        "".encode(encoding)
    except (LookupError, TypeError, ValueError) as e:
        raise ValueError(
            f"encoding must be the name of an encoding: {encoding!r:.60}"
        ) from e

    if root is None:
        root = os.environ.get(ROOT_VARIABLE) or None
    if root is not None:
        splits = _load(os.fspath(root), name, encoding, missing)
    else:
        splits = _find(name, encoding, missing)

    channels = {s.shape[1] for split in splits for s in split.series}
    if len(channels) > 1:
        raise ValueError(
            f"{name}: all series must have the same number of channels, "
            f"but they have {sorted(channels)}"
        )
    if splits[0].regression != splits[1].regression:
        raise ValueError(
            f"{name}: one half has class labels and the other targets"
        )
    classes: tuple[_text.Label, ...] = ()
    if not splits[0].regression:
        classes = _text.sort_labels({y for s in splits for y in s.labels})
    codes = {y: k for k, y in enumerate(classes)}
    train, test = (
        UCRDataset(
            name,
            half,
            classes,
            _pack(
                [_z_normalize(s) if normalize else s for s in split.series],
                floats,
                f"{name}_{half}",
            ),
            np.array([codes[y] for y in split.labels], dtype=np.int32)
            if classes
            else np.array(split.labels, dtype=np.float64),
        )
        for half, split in zip(_SPLITS, splits)
    )
    return train, test


def _pack(
    series: list[np.ndarray], dtype: np.dtype, where: str
) -> np.ndarray | list[np.ndarray]:
    largest = np.array([abs(s).max() for s in series])
    beyond = largest > np.finfo(dtype).max
    if beyond.any():
        i = int(beyond.argmax())
        raise ValueError(
            f"{where}: series {i + 1} has the value {largest[i]:.3g}, which "
            f"is beyond the range of {dtype}: give a wider dtype, or "
            "normalize=True"
        )
    if len({len(s) for s in series}) == 1:
        return np.stack(series).astype(dtype)
    return [s.astype(dtype) for s in series]


def _z_normalize(series: np.ndarray) -> np.ndarray:
    constant = (series == series[0]).all(axis=0)
    # Powers of 2 change no digit, and keep squares within the range.
    _, exponents = np.frexp(abs(series).max(axis=0))
    series = np.ldexp(series, -exponents)
    series = series - series.mean(axis=0)
    series[:, constant] = 0
    return series / np.where(constant, 1, series.std(axis=0))


def _near(name: str, names: Iterable[str]) -> str:
    """Return a hint with names that are similar.

    The archive has GunPoint, its version of 2015 has Gun_Point.
    """

    def plain(s: str) -> str:
        return re.sub(r"[\W_]", "", s).lower()

    spelled: dict[str, list[str]] = {}
    for candidate in sorted(names):
        spelled.setdefault(plain(candidate), []).append(candidate)
    matches = difflib.get_close_matches(plain(name), spelled, n=4)
    near = [candidate for key in matches for candidate in spelled[key]]
    return f"names near: {', '.join(near)}" if near else "no name is near"


# Local copies


def _load(
    root: str, name: str, encoding: str, missing: str
) -> list[_text.Split]:
    if not os.path.isdir(root):
        raise FileNotFoundError(
            f"no folder {root!r} to look for the data set {name!r} in "
            f"(argument root or environment variable {ROOT_VARIABLE})"
        )
    folder = os.path.join(root, name)
    file_names = [f"{name}_TRAIN{suffix}" for suffix in _files.READERS]
    if not os.path.isdir(folder):
        names = [
            f for f in os.listdir(root) if os.path.isdir(os.path.join(root, f))
        ]
        hint = _near(name, names)
        if any(os.path.isfile(os.path.join(root, f)) for f in file_names):
            hint = (
                "root must be the folder that holds the folder of the "
                f"data set: {os.path.dirname(os.path.abspath(root))!r}?"
            )
        raise ValueError(
            f"no data set {name!r} in {root!r}: looked for one of "
            f"{', '.join(file_names)} in its folder {name!r}; {hint}"
        )

    incomplete = None
    for suffix in _files.READERS:
        paths = [
            os.path.join(folder, f"{name}_{split}{suffix}")
            for split in _SPLITS
        ]
        exists = [os.path.isfile(path) for path in paths]
        if all(exists):
            return [_files.read(path, encoding, missing) for path in paths]
        if any(exists) and incomplete is None:
            incomplete = paths[exists.index(False)], paths[exists.index(True)]
    if incomplete is not None:
        raise FileNotFoundError(
            f"{name}: no file {incomplete[0]!r} beside {incomplete[1]!r}"
        )
    raise FileNotFoundError(
        f"{name}: none of {', '.join(file_names)} in {folder!r}"
    )


# aeon's data sets


def _find(name: str, encoding: str, missing: str) -> list[_text.Split]:
    """Read a data set that comes with aeon, or download it once."""
    bundle = _bundle()
    if bundle and name in _complete_in(bundle):
        return _load(bundle, name, encoding, missing)
    cache = chainer.dataset.get_dataset_directory(
        CACHE_NAME, create_directory=False
    )
    if not os.path.isdir(os.path.join(cache, name)):
        _download(name, cache, encoding)
    return _load(cache, name, encoding, missing)


def _bundle() -> str | None:
    """Return the folder of the data sets that come with aeon, if any.

    This does not import aeon, which may need another NumPy.
    """
    spec = importlib.util.find_spec("aeon")
    if spec is None or not spec.submodule_search_locations:
        return None
    folder = os.path.join(
        spec.submodule_search_locations[0], "datasets", "data"
    )
    return folder if os.path.isdir(folder) else None


def _complete_in(root: str) -> set[str]:
    """Return the names of data sets in a folder that have both .ts files."""
    return {
        name
        for name in os.listdir(root)
        if all(
            os.path.isfile(os.path.join(root, name, f"{name}_{split}.ts"))
            for split in _SPLITS
        )
    }


def _download(name: str, cache: str, encoding: str) -> None:
    """Download a data set into the cache, unless a file of it is damaged."""
    try:
        from aeon.datasets import (
            load_classification,
            load_regression,
            tsc_datasets,
            tser_datasets,
        )
    except Exception as e:
        raise import_error(
            f"finding the data set {name!r} without a local copy of the "
            f"archive (argument root, environment variable {ROOT_VARIABLE})",
            "aeon",
            "aeon",
            "ucr",
            e,
        ) from e

    classes = {*tsc_datasets.univariate, *tsc_datasets.multivariate}
    targets = {*tser_datasets.tser_soton, *tser_datasets.tser_monash}
    known = classes | targets
    bundle = _bundle()
    if bundle:
        known |= _complete_in(bundle)
    if name not in classes | targets:
        raise ValueError(
            f"no data set {name!r}: looked for it among the {len(known)} "
            f"names that aeon knows and in {cache!r}; "
            f"{_near(name, known)}"
        )
    load = load_classification if name in classes else load_regression
    os.makedirs(cache, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".download-", dir=cache) as folder:
        try:
            for split in _SPLITS:
                load(
                    name,
                    split=split,
                    extract_path=folder,
                    load_equal_length=False,
                    load_no_missing=False,
                )
        except Exception as e:  # from the network, the zip file or the parser
            if name not in _complete_in(folder):
                raise ConnectionError(
                    f"could not download the data set {name!r} (aeon says: "
                    f"{e}); if you have a copy, give the folder that holds "
                    "its folder as root or in the environment variable "
                    f"{ROOT_VARIABLE}"
                ) from e
        try:
            _load(folder, name, encoding, "interpolate")
        except ValueError as e:
            raise ConnectionError(
                f"the data set {name!r} that was downloaded cannot be read "
                f"and is not kept: {e}"
            ) from e
        try:
            # A rename is atomic. Another process may have been faster.
            os.rename(os.path.join(folder, name), os.path.join(cache, name))
        except OSError:
            if not os.path.isdir(os.path.join(cache, name)):
                raise
