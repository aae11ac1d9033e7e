"""Series in Parquet files."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from chainer_sdtw._engine.optional import import_error
from chainer_sdtw.distributed.blocks import Blocks, import_dask
from chainer_sdtw.distributed.sources import from_delayed

__all__ = ["read_parquet"]


def read_parquet(
    path: str | os.PathLike[str],
    columns: str | Sequence[str] | None = None,
    name: str = "X",
) -> Blocks:
    """Return the series of a Parquet file, or of a folder of them, as blocks.

    Every row is a series, every row group a block.

    Args:
        path (str or path): The file or folder.
        columns (str or list of str): The columns with the series. Either
            columns of lists, each of them a feature of ``d``, whose lists of
            a row have the same length; or one column of lists of lists, which
            are series ``(length, d)``; or columns of numbers, each of them a
            step of univariate series of equal length. None: all columns of
            lists, or else all columns of numbers; without the index of a
            data frame of pandas.
        name (str): What messages call the series.

    Returns:
        Blocks: The series.

    Raises:
        FileNotFoundError: If there is nothing at the path.
        ImportError: If Dask or pyarrow is not installed.
        TypeError: If a column has neither numbers nor lists of them.
        ValueError: If a column is missing, the columns do not go together,
            or a value is missing.

    """
    arrow = import_arrow()
    dask = import_dask()
    path = os.fspath(path)
    if not os.path.exists(path):
        raise FileNotFoundError(f"{name}: there is nothing at {path}")
    try:
        dataset = arrow.dataset.dataset(path, format="parquet")
        groups = [
            group
            for file in dataset.get_fragments()
            for group in file.split_by_row_group()
        ]
    except arrow.ArrowInvalid as error:
        raise ValueError(
            f"{name}: {path} cannot be read as Parquet: {error}"
        ) from None
    if columns is None:
        chosen = _all_columns(arrow, dataset.schema)
    else:
        chosen = [columns] if isinstance(columns, str) else list(columns)
    for column in chosen:
        if column not in dataset.schema.names:
            raise ValueError(
                f"{name}: {path} has no column {column!r}, but "
                f"{', '.join(dataset.schema.names)}"
            )
    if not chosen:
        raise ValueError(
            f"{name}: {path} has no columns of numbers or of lists of them"
        )
    read = dask.delayed(_read, pure=False, traverse=False)
    return from_delayed([read(group, chosen) for group in groups], name)


def import_arrow() -> Any:
    """Import pyarrow.

    Raises:
        ImportError: If it is not installed, or cannot be imported.
    """
    try:
        import pyarrow
        import pyarrow.dataset
    except ImportError as error:
        raise import_error(
            "reading Parquet", "pyarrow", "pyarrow", "dask", error
        ) from error
    return pyarrow


def _is_list(arrow: Any, kind: Any) -> bool:
    types = arrow.types
    return (
        types.is_list(kind)
        or types.is_large_list(kind)
        or types.is_fixed_size_list(kind)
    )


def _is_number(arrow: Any, kind: Any) -> bool:
    types = arrow.types
    return types.is_integer(kind) or types.is_floating(kind)


def _all_columns(arrow: Any, schema: Any) -> list[str]:
    """Return the columns of lists, or else those of numbers."""
    index = (schema.pandas_metadata or {}).get("index_columns", ())
    fields = [field for field in schema if field.name not in index]
    for fits in (_is_list, _is_number):
        names = [field.name for field in fields if fits(arrow, field.type)]
        if names:
            return names
    return []


def _read(group: Any, columns: list[str]) -> Any:
    """Return the series of a row group."""
    arrow = import_arrow()
    table = group.to_table(columns=columns)
    if not len(table):
        return []
    kinds = [table.schema.field(column).type for column in columns]
    if all(_is_number(arrow, kind) for kind in kinds):
        return np.stack(
            [_numbers(column, table[column]) for column in columns], axis=1
        )
    if len(columns) == 1:
        return _series(arrow, columns[0], table[columns[0]])
    features = [_series(arrow, column, table[column]) for column in columns]
    rows = []
    for i, row in enumerate(zip(*features)):
        if len({series.shape for series in row}) > 1 or row[0].ndim > 1:
            raise ValueError(
                f"the lists of columns {', '.join(columns)} must have the "
                f"same lengths in each row, got shapes "
                f"{[series.shape for series in row]} in row {i} of a group"
            )
        rows.append(np.stack(row, axis=1))
    return rows


def _numbers(column: str, values: Any) -> np.ndarray:
    if values.null_count:
        raise ValueError(
            f"column {column!r} must not have missing values, got "
            f"{values.null_count}"
        )
    return values.to_numpy()


def _series(arrow: Any, column: str, values: Any) -> list[np.ndarray]:
    """Return the series of a column of lists, or of lists of lists."""
    if not _is_list(arrow, values.type):
        raise TypeError(
            f"column {column!r} must have lists of numbers, got {values.type}"
        )
    if values.null_count:
        raise ValueError(
            f"column {column!r} must not have missing lists, got "
            f"{values.null_count}"
        )
    values = values.combine_chunks()
    if isinstance(values, arrow.ChunkedArray):
        values = values.chunk(0)
    ends = np.cumsum(_lengths(values))
    inner = values.flatten()
    if _is_list(arrow, inner.type):
        features = np.unique(_lengths(inner))
        if inner.null_count or len(features) > 1:
            raise ValueError(
                f"the steps of column {column!r} must all have the same "
                "number of features"
            )
        flat = _numbers(column, inner.flatten())
        flat = flat.reshape(-1, *features)
    elif _is_number(arrow, inner.type):
        flat = _numbers(column, inner)
    else:
        raise TypeError(
            f"column {column!r} must have lists of numbers, got {values.type}"
        )
    return np.split(flat, ends[:-1])


def _lengths(lists: Any) -> np.ndarray:
    import pyarrow.compute

    return pyarrow.compute.list_value_length(lists).to_numpy()
