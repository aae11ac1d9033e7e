import json

import pytest

pytest.importorskip("rich")
pytest.importorskip("sklearn")

import memory_calls
from memory_growth import Call, unsupported

pytestmark = pytest.mark.skipif(
    bool(unsupported()), reason=unsupported() or ""
)


@pytest.fixture
def growth(load_benchmark):
    return load_benchmark("growth")


@pytest.fixture
def run(growth, load_benchmark):
    def run(*arguments):
        harness = load_benchmark("harness")
        return harness.main(growth.Benchmark, "Growth.", arguments)

    return run


def test_flat(run, tmp_path, capsys):
    out = tmp_path / "growth.json"
    only = ("--only", "sdtw_cpu.value", "--only", "cuda.memory_limit")
    calls = ("--calls", "40", "--check", "--json", str(out))
    assert run("--suite", "all", *only, *calls) == 0
    assert "sdtw_cpu.value_from_cost" in capsys.readouterr().out
    suites = json.loads(out.read_text())["suites"]
    assert [len(rows) for rows in suites.values()] == [2, 2, 1]
    for row in suites["functions"]:
        assert row["calls"] == 40 and row["cycles"] == 0


@pytest.mark.parametrize("fault", ["memory", "cycle"])
def test_growth_is_found(run, monkeypatch, fault, capsys):
    kept = []

    def leaking():
        kept.append(bytearray(10**5))

    def cyclic():
        made = []
        made.append(made)

    call = Call(leaking if fault == "memory" else cyclic)
    monkeypatch.setattr(memory_calls, "of_cases", lambda: {"call": call})
    options = ("--suite", "functions", "--calls", "200")
    assert run(*options, "--check") == 1
    assert run(*options) == 0
    assert "FAILED" in capsys.readouterr().out
