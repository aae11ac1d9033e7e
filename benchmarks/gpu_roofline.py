"""Time on a GPU against what bytes and operations take at least."""

from __future__ import annotations

from harness import one_line
from tables import format_time

# Instructions of a thread per cell of the table. The value sweep of one
# feature: the cost, three mantissas brought to the largest of three
# exponents, their sum, the weight of the cost, the shuffles and the tape. The
# adjoint sweep does the value sweep's work once more from the tape, and the
# gradients' on top of that. Each feature adds a subtraction and a
# multiplication with addition (FMA) to the costs of both sweeps, and one FMA
# to each of the two gradients; slabs of a tape that is too long to be kept
# add another value sweep. Instructions are held against the FMA rate: no
# others are faster.
VALUE_INSTRUCTIONS = 45
ADJOINT_INSTRUCTIONS = 75
COST_PER_FEATURE = 2
GRADIENT_PER_FEATURE = 2


FORMATS = {
    "floor: bytes": ("bytes_floor_s", format_time),
    "floor: operations": ("operations_floor_s", format_time),
    "time/floor": ("over_floor", "{:.1f}".format),
}


def run_roofline(benchmark, cells):
    """Hold times against floors from measured rates.

    Yields:
        The rates, then a dictionary for each cell.
    """
    machine = benchmark.machine
    try:
        rates = machine.rates()
    except Exception as error:
        reason = f"{type(error).__name__}: {one_line(error)}"
        yield {"rates": None, "failure": reason}
        benchmark.fail({"flags": []}, error)
        benchmark.say(f"no rates: {reason}")
        return
    finally:
        benchmark.ours.clean()
    yield {"rates": rates}
    benchmark.say(
        f"copy {rates['copy_bytes_per_s'] / 1e12:.3g} TB/s (read and "
        f"written), {rates['fma_per_s'] / 1e12:.3g} T FMA/s, "
        f"{rates['int32_per_s'] / 1e12:.3g} T int32 operations/s"
    )
    table = {}
    for cell in cells:
        problem = machine.problem(cell)
        result = {"cell": cell, "problem": problem, "rows": {}, "flags": []}
        if not benchmark.skip(result, benchmark.broken):
            try:
                add_rows(benchmark, result, problem, rates)
            except Exception as error:
                benchmark.fail(result, error)
        benchmark.ours.clean()
        yield result
        for name, row in result["rows"].items():
            table[problem.sizes, name] = row
    benchmark.print_rows(
        "Time against its floors, float32",
        table,
        "",
        "sweep",
        "time",
        "floor: bytes",
        "floor: operations",
        "time/floor",
        formats=FORMATS,
    )


def add_rows(benchmark, result, problem, rates):
    """Time both sweeps of a problem and add rows to its result."""
    ours = benchmark.ours
    x, y = map(benchmark.machine.array, problem.arrays(benchmark.options.seed))
    ours.compile(x.dtype, problem.d)
    _, tape = ours.value(x, y, gamma=problem.gamma)
    tape_bytes = result["tape_bytes"] = ours.tape_bytes(tape)
    slabs = result["slabs"] = ours.slabs(tape)
    series = x.nbytes + y.nbytes
    values = problem.batch * x.itemsize
    features = problem.d if problem.d > 1 else 0
    value_count = VALUE_INSTRUCTIONS + COST_PER_FEATURE * features
    adjoint_count = (
        ADJOINT_INSTRUCTIONS
        + (COST_PER_FEATURE + GRADIENT_PER_FEATURE) * features
    )
    if slabs > 1:
        adjoint_count += value_count
    # With slabs a tape is written and read slab by slab; what is counted
    # then is less than what is moved.
    for name, call, moved, count in (
        (
            "value",
            lambda: ours.value(x, y, gamma=problem.gamma),
            series + values + tape_bytes,
            value_count,
        ),
        (
            "adjoint",
            lambda: ours.module.adjoint(tape),
            2 * series + values + tape_bytes,
            adjoint_count,
        ),
    ):
        row = benchmark.time_ours(problem, lambda call=call: call)
        row["bytes"] = moved
        row["instructions_per_cell"] = count
        row["bytes_floor_s"] = moved / rates["copy_bytes_per_s"]
        row["operations_floor_s"] = problem.cells * count / rates["fma_per_s"]
        if "median_s" in row:
            floor = max(row["bytes_floor_s"], row["operations_floor_s"])
            row["over_floor"] = row["median_s"] / floor
        result["rows"][name] = row
