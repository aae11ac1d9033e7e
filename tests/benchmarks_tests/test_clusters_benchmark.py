import json

import numpy as np
import pytest

pytest.importorskip("rich")
zarr = pytest.importorskip("zarr")
# Counts what workers send.
pytest.importorskip("distributed", minversion="2022.9.1")


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


@pytest.mark.slow  # starts two clusters
def test_one_and_two_workers(benchmark):
    pytest.importorskip("distributed")
    status, document = benchmark(
        "--suite",
        "workers",
        "--worker-series",
        "150",
        "--length",
        "20",
        "--rounds",
        "1",
        "--check",
    )
    assert status == 0
    (rows,) = document["suites"]["workers"]
    assert list(rows) == ["1 worker", "2 workers"]
    for row in rows.values():
        assert row["median_s"] > 0
        assert 1e6 < row["peak_bytes"] < 1e10
        assert row["tile_bytes"] == 150**2 * 4
    # Results that are None; the series were sent by the scheduler.
    assert rows["1 worker"]["sent_bytes"] < 1000
    assert rows["2 workers"]["sent_bytes"] < 150 * 20 * 4 * 2 + 10_000
    assert [check["passed"] for check in document["checks"]] == [True, True]


@pytest.mark.slow  # starts clusters of one, two and two processes
def test_k_means_on_workers(benchmark):
    pytest.importorskip("distributed")
    pytest.importorskip("sklearn")
    status, document = benchmark(
        "--suite",
        "kmeans",
        "--clustered",
        "200",
        "--memory-limit",
        "1000",
        "--store-ratio",
        "0.005",
        "--check",
    )
    assert status == 0
    rows = document["suites"]["kmeans"]
    assert [row.get("passes", 0) > 2 for row in rows] == [False] + [True] * 3
    assert all(row["sent_bytes"] > 0 for row in rows[1:])
    assert len(document["checks"]) == 6
