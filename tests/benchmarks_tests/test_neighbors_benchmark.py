"""The benchmark of nearest neighbors, on a small data set."""

import json

import numpy as np
import pytest

pytest.importorskip("rich")
pytest.importorskip("scipy")


@pytest.fixture
def neighbors(load_benchmark):
    return load_benchmark("neighbors")


def test_all_without_peers(archive, tmp_path, neighbors, monkeypatch):
    monkeypatch.setattr(
        neighbors, "imported", lambda module, name: "not importable"
    )
    out = tmp_path / "neighbors.json"
    arguments = "--suite", "all", "--dataset", "Toy", "--size", "20,30"
    arguments += "--check", "--json", str(out)
    status = neighbors.harness.main(
        neighbors.Benchmark, neighbors.__doc__, arguments
    )
    assert status == 0
    document = json.loads(out.read_text())
    assert [len(rows) for rows in document["suites"].values()] == [2, 6]
    suites = document["suites"]
    for problem in suites["dtw"] + suites["gamma"]:
        rows = problem["rows"]
        assert rows["pairwise_soft_dtw"]["error"] == 0
        shares = [rows["chainer-sdtw"][name] for name in neighbors.BOUNDS]
        assert sum(shares) == pytest.approx(1)
    passed = [check["passed"] for check in document["checks"]]
    assert passed.count(True) == 8  # those of the matrix
    assert passed.count(None) == 4  # those of packages that are not there


def test_warped_series_are_normalized_and_differ(neighbors):
    source = np.sin(np.linspace(0, 9, 40))[None, :, None]
    series = neighbors.warped(source, 5)
    np.testing.assert_allclose(series.mean(axis=1), 0, atol=1e-12)
    np.testing.assert_allclose(series.std(axis=1), 1)
    assert np.ptp(series, axis=0).max() > 0.5


@pytest.mark.parametrize("bandwidth", [2, None])
@pytest.mark.parametrize("peer", ["tslearn", "aeon"])
def test_peers_find_the_same(neighbors, rng, peer, bandwidth):
    pytest.importorskip(peer)
    x, y = rng.standard_normal((3, 12, 1)), rng.standard_normal((9, 12, 1))
    call = getattr(neighbors, f"by_{peer}")(y, bandwidth)
    losses, indexes = call(x)
    expected = neighbors.by_matrix(x, y, gamma=0, bandwidth=bandwidth)
    np.testing.assert_allclose(losses, expected[0])
    np.testing.assert_array_equal(indexes, expected[1])
