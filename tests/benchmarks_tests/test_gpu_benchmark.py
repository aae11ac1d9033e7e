"""benchmarks/gpu.py without a GPU, on stubs and emulated."""

import argparse
import json
import os
import subprocess
import sys
import time
import types
from pathlib import Path

import cuda_on_cpu
import numpy as np
import pytest

import sdtw_cpu

pytest.importorskip("rich")

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "benchmarks"
LIBRARY = str(Path(sdtw_cpu.__file__).parents[1])


@pytest.fixture
def gpu(load_benchmark, monkeypatch):
    """The benchmark as a module, its machine one on the CPU.

    sdtw_cpu stands in for the CUDA sweeps, so that nothing is compiled.
    """
    module = load_benchmark("gpu")

    def on_the_cpu(sweep):
        def run(*arrays, device=None, **options):
            return sweep(*arrays, **options)

        return run

    sweeps = types.SimpleNamespace(
        value=on_the_cpu(sdtw_cpu.value),
        value_from_cost=on_the_cpu(sdtw_cpu.value_from_cost),
        adjoint=sdtw_cpu.adjoint,
    )
    monkeypatch.setattr(module.gpu_peers, "import_sweeps", lambda: sweeps)

    class Machine(module.Emulator):
        device = None

        def __init__(self, peers=None):
            self.peers = peers

    monkeypatch.setattr(module, "Emulator", Machine)
    return module


def options_of(gpu, *arguments):
    parser = gpu.harness.make_parser(gpu.Benchmark, gpu.__doc__)
    return parser.parse_args(["--seconds", "1e-6", *arguments])


def run_main(gpu, target, *arguments):
    status = gpu.main(
        ["--dry-run", "--seconds", "1e-6", "--json", str(target), *arguments]
    )
    return status, json.loads(target.read_text())


def test_all_suites_print_tables_and_write_json(gpu, tmp_path, capsys):
    target = tmp_path / "gpu.json"
    status, document = run_main(
        gpu, target, "--suite", "all", "--only", "pysdtw", "--check"
    )
    assert status == 0  # a dry run judges nothing
    assert document["complete"]
    assert document["dry_run"]
    assert document["environment"]["cpus_available"] >= 1
    assert set(document["suites"]) == set(gpu.SUITES)
    for result in document["suites"]["grid"]:
        row = result["rows"]["chainer-sdtw"]
        assert row["flags"] == []
        assert row["median_s"] > 0
        assert row["repeats"] >= 5
        assert row["p10_s"] <= row["median_s"] <= row["p90_s"]
        assert row["peak_bytes"] >= 0
        assert row["ratio"] == 1
        for key in ("value_error", "gx_error", "gy_error"):
            assert row[key] < 1e-4
        assert result["reference_error"] < 1e-12
    rates, *cells = document["suites"]["roofline"]
    assert rates["rates"]["fma_per_s"] > 0
    for cell in cells:
        for row in cell["rows"].values():
            assert row["over_floor"] > 0
    for result in document["suites"]["dtype"]:
        assert result["ratio"] > 0
    axes = [row["axis"] for row in document["suites"]["scaling"]]
    assert axes == ["batch", "batch", "length", "length"]
    accuracy = document["suites"]["accuracy"]
    assert {row["gamma"] for row in accuracy} == {1, 0.1, 0.01, 0.001}
    assert max(row["gx"] for row in accuracy) < 1e-5
    assert len(document["suites"]["cost"]) == 3
    assert all(check["passed"] is None for check in document["checks"])
    printed = capsys.readouterr().out
    assert "not judged: dry run" in printed.replace("\n", " ")
    assert not list(tmp_path.glob("*.part"))


def make_contestant(gpu, name, prepare):
    class Stub(gpu.gpu_peers.Contestant):
        def load(self):
            pass

        def peak(self, call):
            return None

        def prepare(self, x, y, gamma):
            return prepare(x, y, gamma)

    Stub.name = name
    return Stub(gpu.Emulator())


def benchmark_with(gpu, *stubs, arguments=(), judge=True):
    """A Benchmark of this library and of stubs."""
    machine = gpu.Emulator()
    machine.dry = not judge
    ours = gpu.gpu_peers.Ours(machine)
    ours.load()
    console = gpu.harness.make_console()
    return gpu.Benchmark(
        options_of(gpu, *arguments), console, machine, [ours, *stubs]
    )


def test_wrong_and_failing_peers_are_flagged(gpu):
    def wrong(x, y, gamma):
        return lambda: (np.zeros(len(x)), 0 * x, np.full_like(y, np.nan))

    def fails(x, y, gamma):
        raise RuntimeError("out of order")

    class OutOfMemoryError(Exception):
        pass

    def large(x, y, gamma):
        raise OutOfMemoryError("of 1 TB")

    def slow(x, y, gamma):
        return lambda: time.sleep(0.3)

    stubs = [
        make_contestant(gpu, "wrong", wrong),
        make_contestant(gpu, "fails", fails),
        make_contestant(gpu, "large", large),
        make_contestant(gpu, "slow", slow),
    ]
    stubs[0].longest = 50
    benchmark = benchmark_with(gpu, *stubs, arguments=("--cap", "0.2"))
    rows = benchmark.compare_all(gpu.HEADLINE, 0)["rows"]
    assert rows["wrong"]["flags"] == ["WRONG value", "WRONG gx", "WRONG gy"]
    assert rows["wrong"]["ratio"] > 0
    assert rows["fails"]["flags"] == ["FAILED: RuntimeError: out of order"]
    assert rows["large"]["flags"] == ["out of memory"]
    assert "stopped: the first call took" in rows["slow"]["flags"][0]
    assert "median_s" not in rows["slow"]
    assert benchmark.broken is None
    problem = gpu.Problem(1, 51, 5)
    assert stubs[0].limit(problem) == "longer than 50"


def test_a_suite_that_fails_loses_nothing(gpu, tmp_path, monkeypatch, capsys):
    def fails(self, cell, number):
        if number == 1:
            raise RuntimeError("out of order")
        return compare(self, cell, number)

    compare = gpu.Benchmark.compare_all
    monkeypatch.setattr(gpu.Benchmark, "compare_all", fails)
    status, document = run_main(
        gpu, tmp_path / "gpu.json", "--suite", "grid", "--suite", "dtype"
    )
    assert status == 1
    assert not document["complete"]
    assert len(document["suites"]["grid"]) == 1
    assert len(document["suites"]["dtype"]) == 3
    assert "failed: grid" in capsys.readouterr().out


def test_what_was_measured_is_judged(gpu):
    benchmark = benchmark_with(gpu)
    for error in 1e-10, 1e-8, None:
        benchmark.results["grid"] = [{"reference_error": error}] * bool(error)
        assert list(benchmark.compare_cells("grid", [])) == []
    passed = [check.passed for check in benchmark.checks]
    assert passed == [True, False, None]


def test_the_grid_is_the_published_one(gpu):
    assert len(set(gpu.GRID)) == len(gpu.GRID) == 16
    assert gpu.GRID[0] == gpu.HEADLINE
    assert gpu.LARGEST in gpu.GRID
    assert {cell.dtype for cell in gpu.GRID} == {"float32"}


def test_a_lost_device_ends_the_run(gpu):
    def fails(x, y, gamma):
        raise RuntimeError("illegal address")

    stubs = [make_contestant(gpu, name, fails) for name in ("one", "two")]
    benchmark = benchmark_with(gpu, *stubs)
    x, y = gpu.Problem(1, 5, 5).arrays()
    benchmark.machine.array = lambda host: fails(host, None, 1.0)
    rows = [benchmark.measure(s, gpu.HEADLINE, x, y, None) for s in stubs]
    assert rows[0]["flags"] == ["FAILED: RuntimeError: illegal address"]
    assert benchmark.broken == "the device is lost: illegal address"
    assert rows[1]["flags"] == [benchmark.broken]
    assert (
        benchmark.compare_all(gpu.HEADLINE, 0)["skipped"] == benchmark.broken
    )


@pytest.mark.parametrize("text", ["1,2", "1,2,3,4", "0,1,1", "a,1,1"])
def test_a_case_that_is_none_is_refused(gpu, text, capsys):
    with pytest.raises(SystemExit):
        options_of(gpu, "--case", text)
    assert "--case" in capsys.readouterr().err
    with pytest.raises((argparse.ArgumentTypeError, ValueError)):
        gpu.case(text)


def run_script(folder, *arguments):
    environment = dict(os.environ, PYTHONIOENCODING="utf-8")
    environment["PYTHONPATH"] = os.pathsep.join([str(folder), LIBRARY])
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        timeout=300,
    )


def test_without_a_gpu_it_says_so(tmp_path):
    (tmp_path / "cupy.py").write_text("raise ImportError('none on purpose')")
    target = tmp_path / "gpu.json"
    done = run_script(tmp_path, FOLDER / "gpu.py", "--json", target)
    assert done.returncode == 2
    assert "No GPU to run on: none on purpose" in done.stdout
    assert "--dry-run" in done.stdout
    assert not target.exists()


@pytest.mark.slow
def test_the_emulated_kernels_run(tmp_path):
    """As --dry-run does it; the first time, the kernels are compiled."""
    reason = cuda_on_cpu.unsupported()
    if reason:
        pytest.skip(f"the emulator {reason}")
    target = tmp_path / "gpu.json"
    done = run_script(
        tmp_path,
        FOLDER / "gpu.py",
        "--dry-run",
        "--case",
        "2,8,1",
        "--check",
        "--only",
        "pysdtw",
        "--seconds",
        "1e-6",
        "--json",
        target,
    )
    assert done.returncode == 0, done.stdout
    (result,) = json.loads(target.read_text())["suites"]["grid"]
    row = result["rows"]["chainer-sdtw"]
    assert row["gx_error"] < 1e-5
    assert result["reference_error"] < 1e-12
