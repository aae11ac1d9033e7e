import json

import numpy as np
import pytest

pytest.importorskip("rich")
zarr = pytest.importorskip("zarr")


@pytest.fixture
def benchmark(tmp_path, load_benchmark):
    """The benchmark in this process, with the document that it writes."""
    clusters = load_benchmark("clusters")
    out = tmp_path / "clusters.json"

    def run(*arguments):
        status = clusters.main([*arguments, "--json", str(out)])
        return status, json.loads(out.read_text())

    return run


@pytest.mark.slow  # starts two processes
def test_a_matrix_that_is_killed_and_resumed(benchmark, tmp_path):
    status, document = benchmark(
        "--suite",
        "pairwise",
        "--series",
        "250",
        "--length",
        "150",
        "--kill-at",
        "0.1",
        "--max-bytes",
        "40000",
        "--store",
        str(tmp_path / "store"),
        "--check",
    )
    assert status == 0
    (row,) = document["suites"]["pairwise"]
    assert row["killed"]["seconds"] > 0
    assert row["resumed"]["seconds"] > 0
    assert 0 < row["peak_bytes"] < 1e9
    assert row["matrix_bytes"] == 250**2 * 4
    assert len(document["checks"]) == 3
    matrix = zarr.open_array(tmp_path / "store" / "matrix.zarr", mode="r")
    assert matrix.shape == (250, 250)
    assert not np.isnan(matrix[...]).any()
