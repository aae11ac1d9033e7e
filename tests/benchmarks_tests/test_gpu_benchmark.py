"""benchmarks/gpu.py without a GPU, on stubs and on executed kernels."""

import argparse
import json
import os
import subprocess
import sys
import time
import types
from pathlib import Path

import numpy as np
import pytest
from ptx_on_cpu.sweeps import unsupported

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

    class Machine(module.Executor):
        device = None

        def __init__(self, peers=None):
            self.peers = peers

    monkeypatch.setattr(module, "Executor", Machine)
    return module


def options_of(gpu, *arguments):
    parser = gpu.harness.make_parser(gpu.Benchmark, gpu.__doc__)
    return parser.parse_args(["--seconds", "1e-6", *arguments])


def run_main(gpu, target, *arguments):
    status = gpu.main(
        ["--dry-run", "--seconds", "1e-6", "--json", str(target), *arguments]
    )
    return status, json.loads(target.read_text())


@pytest.mark.slow
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
    rates, *problems = document["suites"]["kernels"]
    assert rates["rates"]["fma_per_s"] > 0
    assert len(problems) == len(gpu.gpu_kernels.SERIES) + 2
    for result in problems:
        assert result["flags"] == []
        # No kernels: sdtw_cpu stands in for the sweeps.
        assert result["rows"]["whole call"]["over_floor"] > 0
    for row in document["suites"]["queue"]:
        assert 0 < row["queue_s"] <= row["end_s"]
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


def test_kernels_are_timed_by_name(gpu):
    """Those of one call, of each type; what else a device has is there."""
    now = [0.0]
    events = []

    class Device:
        xp = np

        def kernel(self, name, options):
            def launch(*arguments):
                now[0] += 2.0
                events.append((name, *arguments))

            return launch

    class Machine(gpu.Executor):
        def mark(self):
            now[0] += 0.5
            return now[0]

    timer = gpu.gpu_kernels.KernelTimer(Machine(), Device())
    assert timer.xp is np
    for number in ("float", "double"):
        options = ("-DSDTW_IN=float", f"-DSDTW_T={number}", "-DSDTW_ROWS=32")
        timer.kernel("soft_dtw_value", options)(8, 32, number)
    assert events == [
        ("soft_dtw_value", 8, 32, "float"),
        ("soft_dtw_value", 8, 32, "double"),
    ]
    found = [(label, end - start) for label, start, end in timer.marks]
    assert found == [("value", 2.5), ("value (wide pairs)", 2.5)]


def test_the_model_is_that_of_the_documentation(gpu):
    text = (ROOT / "docs" / "gpu.md").read_text(encoding="utf-8")
    kernels = gpu.gpu_kernels
    for what, problems in (
        ("series", kernels.SERIES),
        ("cost matrices", kernels.MATRICES),
    ):
        for problem, modelled in problems.items():
            if problem.gamma != 1:
                assert modelled == {}
                continue
            sizes = problem.sizes
            gradients = "gradients"
            if what == "cost matrices":
                sizes = sizes.replace(", d=1", "")
                gradients = "cost_gradient"
            labels = "cells", "value", "adjoint", gradients, kernels.CALL
            figures = [str(modelled.get(label, "-")) for label in labels]
            assert f"| {' | '.join([f'{what} {sizes}', *figures])} |" in text


def test_floors(gpu):
    rates = {"copy_bytes_per_s": 1e12, "fma_per_s": 1e13}
    floor_of = gpu.gpu_kernels.floor_of
    cells = 32 * 512 * 512
    assert floor_of(gpu.HEADLINE, True, rates) == 5 * 64 * cells / 1e13
    assert floor_of(gpu.HEADLINE, False, rates) == 8 * cells / 1e12
    many = gpu.Problem(512, 4, 4, 1, "float32")
    assert floor_of(many, True, {**rates, "fma_per_s": 1e15}) == (
        2 * 512 * 8 * 4 / 1e12
    )


def test_a_peer_that_takes_too_long_to_load(gpu, monkeypatch):
    peers = gpu.gpu_peers

    class Slow(peers.TorchPeer):
        name = "slow"

        def import_loss(self):
            time.sleep(5)

        def loss(self, gamma):
            raise AssertionError

    monkeypatch.setitem(sys.modules, "torch", types.ModuleType("torch"))
    monkeypatch.setattr(peers, "LOAD_SECONDS", 0.05)
    begin = time.monotonic()
    with pytest.raises(TimeoutError, match=r"longer than 0\.05 s"):
        Slow(gpu.Executor()).load()
    assert time.monotonic() - begin < 4


def make_contestant(gpu, name, prepare):
    class Stub(gpu.gpu_peers.Contestant):
        def load(self):
            pass

        def peak(self, call):
            return None

        def prepare(self, x, y, gamma):
            return prepare(x, y, gamma)

    Stub.name = name
    return Stub(gpu.Executor())


def benchmark_with(gpu, *stubs, arguments=(), judge=True):
    """A Benchmark of this library and of stubs."""
    machine = gpu.Executor()
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


def test_memory_is_that_of_the_limit(load_benchmark, capsys):
    """Of the shape at which it is held, in the table that is printed."""
    module = load_benchmark("gpu_memory")
    given = ["32,2048,2048,64"]
    sizes = []
    for more in ["--limit", "150"], ["--free", "1"], ["--bandwidth", "64"], []:
        module.main([*given, *more])
        lines = [
            line.replace("│", "|").split("|")
            for line in capsys.readouterr().out.splitlines()
            if "float32" in line
        ]
        ((*_, tape, values, _),) = lines
        sizes.append([float(a.split()[0]) for a in (tape, values)])
    assert max(sizes[0]) <= 150
    assert max(sizes[1]) <= 2**28 / 1e6
    assert max(sizes[2]) < max(sizes[1]) < min(sizes[3])
    with pytest.raises(SystemExit):
        module.main(["32,2048,2048"])
    assert "not B,M,N,D: '32,2048,2048'" in capsys.readouterr().err


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
def test_the_executed_kernels_run(tmp_path):
    """As --dry-run does it; the first time, the kernels are compiled."""
    if unsupported():
        pytest.skip(unsupported())
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
