import json

import pytest

pytest.importorskip("rich")


@pytest.mark.slow
def test_one_process_and_two(load_benchmark, tmp_path):
    pytest.importorskip("mpi4py")
    out = tmp_path / "mpi.json"
    mpi = load_benchmark("mpi")
    arguments = ["--repeats", "1", "--epochs", "2", "--problem", "9,8,4,3"]
    status = mpi.main([*arguments, "--json", str(out), "--check"])
    if isinstance(status, str):
        pytest.skip(status)
    assert status == 0
    (result,) = json.loads(out.read_text())["suites"]["training"]
    alone, threads, two = result["rows"].values()
    assert [row["processes"] for row in (alone, threads, two)] == [1, 1, 2]
    # 4 to 3 to 4 units: weights and biases in float32.
    assert two["sent_bytes"] == 4 * (4 * 3 + 3 + 3 * 4 + 4)
    assert two["arrays"] == 4
    assert two["allreduce_s"] > 0
    assert two["allreduce_share"] == pytest.approx(
        two["allreduce_s"] * two["iterations"] / two["median_s"]
    )
    # 9 series in batches of 4.
    assert two["iterations"] == 2
    assert two["speedup"] == alone["median_s"] / two["median_s"]
    assert len(two["samples_s"]) == 2
