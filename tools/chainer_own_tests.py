#!/usr/bin/env python
"""Runs Chainer's own tests on an old and on a new stack and compares them.

Usage::

    git clone --branch v7.8.1 https://github.com/chainer/chainer
    python tools/chainer_own_tests.py --tests chainer/tests \\
        OLD_PYTHON NEW_PYTHON [AREA ...]

``OLD_PYTHON`` is the interpreter of an environment where Chainer works as it
is (say Python 3.9, NumPy 1.23, setuptools < 81), ``NEW_PYTHON`` one where it
needs :mod:`chainer_sdtw.compat` (say Python 3.13, NumPy 2); both need
Chainer, ``mock``, ``scipy``, ``h5py`` and the same ``pytest < 8``, the new
one chainer_sdtw, too.  The old one runs without compat.

Every test starts from a seed made of its name, so that both stacks see the
same random numbers.  Tests of GPUs, iDeep, ChainerX and Theano and those
marked slow are left out; of parametrized tests, a set that covers each pair
of parameters is run (Chainer's own switch), or all with ``--all``.

Of the tests that fail on the new stack only, the table tells those where the
test itself uses a removed name of NumPy (the exception is raised in a file of
the tests, and says so) and those that rely on something else that NumPy has
changed (``RELIANT``) from all others, which are listed.  With ``--mend``,
these names are replaced in a copy of the tests first, so that what such a
test would find is not lost.  With ``--dtypes``, the types of what every
function and every optimizer computes during the tests are recorded, too, and
those that only one stack computes from the same types are listed: a test may
pass although NumPy now promotes to another type.
"""

import argparse
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import typing as tp
import zlib

MARKS = " and ".join(
    "not " + mark
    for mark in (
        "gpu",
        "multi_gpu",
        "cudnn",
        "ideep",
        "chainerx",
        "theano",
        "slow",
    )
)

AREAS = {
    "variable": ["test_variable.py"],
    "function node": [
        "test_function_node.py",
        "test_function.py",
        "test_backprop.py",
        "test_function_and_function_node.py",
        "test_backprop_utils.py",
        "test_function_hook.py",
        "test_gradient_check.py",
    ],
    "link": [
        "test_link.py",
        "test_sequential.py",
        "test_link_hook.py",
        "test_chainer_objects.py",
        "test_init.py",
        "test_init_docstring.py",
        "link_hooks_tests",
        "function_hooks_tests",
    ],
    "optimizer": [
        "test_optimizer.py",
        "optimizers_tests",
        "optimizer_hooks_tests",
    ],
    "functions/loss": ["functions_tests/loss_tests"],
    "functions/array": ["functions_tests/array_tests"],
    "functions/rnn": ["functions_tests/rnn_tests"],
    "functions/math": ["functions_tests/math_tests"],
    "functions/activation": ["functions_tests/activation_tests"],
    "functions/connection": ["functions_tests/connection_tests"],
    "functions/evaluation": ["functions_tests/evaluation_tests"],
    "functions/noise": ["functions_tests/noise_tests"],
    "functions/normalization": ["functions_tests/normalization_tests"],
    "functions/pooling": ["functions_tests/pooling_tests"],
    "functions/util": ["functions_tests/util_tests"],
    "links/loss": ["links_tests/loss_tests"],
    "links/rnn": ["links_tests/rnn_tests"],
    "links/connection": ["links_tests/connection_tests"],
    "links/other": [
        "links_tests/activation_tests",
        "links_tests/normalization_tests",
        "links_tests/model_tests",
        "links_tests/test_link_docs.py",
    ],
    "serializers": ["serializers_tests"],
    "iterators": ["iterators_tests"],
    "training": ["training_tests", "test_reporter.py"],
    "datasets": ["dataset_tests", "datasets_tests"],
    "initializers": ["initializer_tests", "test_initializer.py"],
    "backends, utils": [
        "backends_tests",
        "test_backend.py",
        "utils_tests",
        "test_configuration.py",
        "test_computational_graph.py",
        "test_runtime_info.py",
        "graph_optimization_tests",
    ],
    "distributions": ["distributions_tests"],
    "testing": ["testing_tests"],
}

REMOVED = re.compile(
    r"module '?numpy[\w.]*'? has no attribute|was removed in the NumPy 2|"
    r"numpy[\w.]*' has no attribute|deprecated alias for the builtin|"
    r"No module named 'numpy\.|cannot import name .* from 'numpy"
)


MENDED = {
    "bool": "bool_",
    "complex_": "complex128",
    "float": "float64",
    "int": "int_",
    "object": "object_",
    "product": "prod",
}


# Name of the test, file that raises the exception, message
RELIANT = [
    # float(array) of an array of one element and one dimension
    (
        r"::DetFunctionTest\w*::test_det_scaling_cpu$",
        "test_det.py",
        "only 0-dimensional arrays can be converted to Python scalars",
    ),
    # numpy.uint8(-1)
    (
        r"::TestPadSequence\w*::test_forward_cpu$",
        "test_pad_sequence.py",
        "Python integer -1 out of bounds",
    ),
    # The expected value is a sum that starts as 0.0, to which numpy.float16
    # is added: that was of Python's precision and is of float16 now (NEP 50).
    (
        r"::TestSoftmaxCrossEntropy\w*::test_forward$",
        "function_link.py",
        r"ACTUAL: array\([\d.]+, dtype=float16\)\s+"
        r"DESIRED: array\((nan|inf), dtype=float16\)",
    ),
]


# The pytest plugin, which runs in either stack


def _name(nodeid: str) -> str:
    # Parameters have different reprs on different stacks; their number is
    # enough.
    return re.sub(r"_\{.*\}", "", nodeid, flags=re.DOTALL)


def _seed(nodeid: str) -> None:
    import random

    import numpy

    seed = zlib.crc32(_name(nodeid).encode())
    random.seed(seed)
    numpy.random.seed(seed)  # noqa: NPY002


def _root(longrepr: tp.Any) -> tuple[str, str]:
    # The exception where it all began, and the last line of its traceback
    # that is not NumPy's own.
    try:
        traceback, crash = longrepr.chain[0][:2]
        wheres = [entry.reprfileloc for entry in traceback.reprentries]
        wheres = [
            f"{os.path.abspath(w.path)}:{w.lineno}"
            for w in wheres
            if w is not None
        ]
        outside = [w for w in wheres if "/numpy/" not in w] or wheres
        return outside[-1], crash.message
    except (AttributeError, IndexError, TypeError):
        # A module that cannot be imported
        text = str(longrepr)
        outside = [
            w
            for w in re.findall(r"^(\S+:\d+): in ", text, re.M)
            if "/numpy/" not in w
        ]
        where = os.path.abspath(outside[-1]) if outside else ""
        return where, text[-3000:]


class _Recorder:
    def __init__(self) -> None:
        self.tests: dict[str, list[str]] = {}

    def pytest_collectstart(self, collector: tp.Any) -> None:
        _seed(collector.nodeid)

    def pytest_runtest_setup(self, item: tp.Any) -> None:
        _seed(item.nodeid)

    def pytest_runtest_logreport(self, report: tp.Any) -> None:
        self._log(report)

    def pytest_collectreport(self, report: tp.Any) -> None:
        if report.failed:
            self._log(report)

    def _log(self, report: tp.Any) -> None:
        name = _name(report.nodeid)
        if report.failed:
            self.tests[name] = ["failed", *_root(report.longrepr)]
        elif report.skipped:
            self.tests.setdefault(name, ["skipped"])
        elif getattr(report, "when", None) == "call":
            self.tests[name] = ["passed"]

    def pytest_sessionfinish(self) -> None:
        path = os.environ["CHAINER_OWN_TESTS_RESULT"]
        with open(path, "w") as f:
            json.dump(self.tests, f, indent=0)


class _DtypeRecorder:
    def __init__(self) -> None:
        from chainer import FunctionNode, UpdateRule

        self.seen: dict[str, str] = {}
        self.test = ""
        apply, update = FunctionNode.apply, UpdateRule.update

        def dtypes(arrays: tp.Iterable[tp.Any]) -> str:
            return ", ".join(
                str(getattr(a, "dtype", type(a).__name__)) for a in arrays
            )

        def record(function: tp.Any, inputs: str, outputs: str) -> None:
            cls = type(function)
            if cls.__module__.startswith("chainer."):
                self.seen.setdefault(
                    f"{cls.__module__}.{cls.__name__}: {inputs} -> {outputs}",
                    self.test,
                )

        def recording_apply(function: tp.Any, inputs: tp.Any) -> tp.Any:
            outputs = apply(function, inputs)
            record(function, dtypes(inputs), dtypes(outputs))
            return outputs

        def recording_update(rule: tp.Any, param: tp.Any) -> None:
            inputs = dtypes([param])
            update(rule, param)
            state = [value for _, value in sorted((rule.state or {}).items())]
            record(rule, inputs, dtypes([param, *state]))

        FunctionNode.apply = recording_apply
        UpdateRule.update = recording_update

    def pytest_runtest_setup(self, item: tp.Any) -> None:
        self.test = _name(item.nodeid)

    def pytest_sessionfinish(self) -> None:
        path = os.environ["CHAINER_OWN_TESTS_DTYPES"]
        with open(path, "w") as f:
            json.dump(self.seen, f, indent=0)


def pytest_configure(config: tp.Any) -> None:
    """Registers the plugins (pytest calls this)."""
    config.pluginmanager.register(_Recorder())
    if "CHAINER_OWN_TESTS_DTYPES" in os.environ:
        config.pluginmanager.register(_DtypeRecorder())


# The tool


def _run(
    python: str,
    tests: pathlib.Path,
    area: str,
    result: pathlib.Path,
    is_new: bool,
    options: argparse.Namespace,
) -> dict[str, list[str]]:
    environ = dict(
        os.environ,
        CHAINER_OWN_TESTS_RESULT=str(result),
        OMP_NUM_THREADS="1",
        OPENBLAS_NUM_THREADS="1",
        MPLBACKEND="Agg",
        CHAINER_TEST_PAIRWISE_PARAMETERIZATION=(
            "never" if options.all else "always"
        ),
        PYTHONPATH=os.pathsep.join(
            filter(
                None,
                [
                    str(pathlib.Path(__file__).resolve().parent),
                    os.environ.get("PYTHONPATH"),
                ],
            )
        ),
    )
    if options.dtypes:
        environ["CHAINER_OWN_TESTS_DTYPES"] = str(
            result.with_suffix(".dtypes")
        )
    ini = result.with_suffix(".ini")
    ini.write_text("[pytest]\n")
    command = [python]
    if is_new:
        command += ["-m", "chainer_sdtw.compat"]
    command += [
        "-m",
        "pytest",
        "-q",
        "-c",
        str(ini),
        "--rootdir",
        str(tests),
        "-p",
        "chainer_own_tests",
        "-p",
        "no:cacheprovider",
        "--continue-on-collection-errors",
        "-W",
        "ignore",
        "--tb=short",
        "-m",
        MARKS,
    ]
    command += [
        path
        for path in (str(tests / "chainer_tests" / p) for p in AREAS[area])
        if os.path.exists(path)
    ]
    with open(result.with_suffix(".log"), "w") as log:
        try:
            subprocess.run(
                command,
                env=environ,
                stdout=log,
                stderr=log,
                cwd=str(result.parent),
                timeout=options.timeout,
            )
        except subprocess.TimeoutExpired:
            print(f"{area}: not done in {options.timeout} s", file=sys.stderr)
    if not result.exists():
        return {}
    with open(str(result)) as f:
        return json.load(f)


def _mend(tests: pathlib.Path, out: pathlib.Path) -> pathlib.Path:
    # Returns a copy of the tests without removed names.
    copy = out / "tests"
    if copy.exists():
        shutil.rmtree(str(copy))
    shutil.copytree(str(tests), str(copy))
    names = re.compile(r"\b(np|numpy)\.(" + "|".join(MENDED) + r")\b")
    for path in copy.rglob("*.py"):
        old = path.read_text(encoding="utf-8")
        new = names.sub(lambda m: f"{m.group(1)}.{MENDED[m.group(2)]}", old)
        if new != old:
            path.write_text(new, encoding="utf-8")
    return copy


def _is_removed_name(failure: list[str], tests: pathlib.Path) -> bool:
    _, where, message = failure
    return where.startswith(str(tests)) and bool(REMOVED.search(message))


def _is_reliant(name: str, failure: list[str]) -> bool:
    _, where, message = failure
    file = os.path.basename(where.rpartition(":")[0])
    return any(
        re.search(names, name)
        and file == files
        and re.search(messages, message)
        for names, files, messages in RELIANT
    )


def _print_dtypes(out: pathlib.Path) -> None:
    old, new = (
        {
            dtypes: test
            for path in sorted(out.glob(pattern))
            for dtypes, test in json.loads(path.read_text()).items()
        }
        for pattern in ("*-old.dtypes", "*-new.dtypes")
    )
    print(f"\nTypes: {len(set(old) & set(new))} on both stacks")
    for title, one, other in (("old", old, new), ("new", new, old)):
        print(f"Only on the {title} stack:")
        for dtypes in sorted(set(one) - set(other)):
            print(f"  {dtypes}\n    in {one[dtypes]}")


def main(args: tp.Optional[list[str]] = None) -> int:
    """Runs the tests and prints the table.

    Args:
        args: Command line arguments.

    Returns:
        The number of tests that fail on the new stack only and do not use a
        removed name themselves, at most 1.
    """
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--tests",
        required=True,
        type=pathlib.Path,
        help="the directory 'tests' of Chainer's repository",
    )
    parser.add_argument(
        "--out",
        type=pathlib.Path,
        default=pathlib.Path("chainer-own-tests"),
        help="directory for results and logs",
    )
    parser.add_argument(
        "--all", action="store_true", help="run all combinations of parameters"
    )
    parser.add_argument(
        "--mend",
        action="store_true",
        help="replace removed names in a copy of the tests",
    )
    parser.add_argument(
        "--dtypes", action="store_true", help="compare types of results, too"
    )
    parser.add_argument(
        "--timeout",
        type=float,
        default=3600,
        help="seconds for one area on one stack",
    )
    parser.add_argument(
        "--reuse",
        action="store_true",
        help="do not run again what is in --out",
    )
    parser.add_argument("old", help="the python of the old stack")
    parser.add_argument("new", help="the python of the new stack")
    parser.add_argument(
        "areas", nargs="*", metavar="AREA", help="one of: " + "; ".join(AREAS)
    )
    options = parser.parse_args(args)
    tests = options.tests.resolve()
    out = options.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    if options.mend:
        tests = _mend(tests, out)
    unknown = set(options.areas) - set(AREAS)
    if unknown:
        parser.error("no such area: " + ", ".join(sorted(unknown)))

    head = (
        "area",
        "tests",
        "passed old",
        "passed new",
        "failed both",
        "failed old only",
        "failed new only",
        "removed name",
        "reliant",
        "other",
    )
    rows = []
    others = []
    for area in options.areas or AREAS:
        stacks = []
        for is_new, python in enumerate((options.old, options.new)):
            stack = "new" if is_new else "old"
            name = re.sub(r"\W+", "-", area)
            result = out / f"{name}-{stack}.json"
            if options.reuse and result.exists():
                with open(str(result)) as f:
                    stacks.append(json.load(f))
                continue
            if result.exists():
                result.unlink()
            stacks.append(
                _run(python, tests, area, result, bool(is_new), options)
            )
        old, new = (
            {
                name: outcome
                for name, outcome in stack.items()
                if outcome[0] != "skipped"
            }
            for stack in stacks
        )
        old_failed, new_failed = (
            {name for name, outcome in stack.items() if outcome[0] == "failed"}
            for stack in (old, new)
        )
        # A test that the new stack does not reach (its module cannot be
        # imported, say) is as bad as a failure.
        for name in set(old) - set(stacks[1]):
            new[name] = new.get(
                name.partition("::")[0], ["failed", "", "did not run"]
            )
            new_failed.add(name)
        new_only = sorted(new_failed - old_failed)
        removed = [n for n in new_only if _is_removed_name(new[n], tests)]
        reliant = [n for n in new_only if _is_reliant(n, new[n])]
        other = sorted(set(new_only) - set(removed) - set(reliant))
        others += [(n, new[n]) for n in other]
        rows.append(
            (
                area,
                len(set(old) | set(new)),
                len(old) - len(old_failed),
                len(new) - len(new_failed),
                len(old_failed & new_failed),
                len(old_failed - new_failed),
                len(new_only),
                len(removed),
                len(reliant),
                len(other),
            )
        )
        print(*rows[-1], sep="\t", file=sys.stderr, flush=True)
    rows.append(("all", *tuple(sum(c) for c in list(zip(*rows))[1:])))

    widths = [
        max(len(str(cell)) for cell in column) for column in zip(head, *rows)
    ]
    for row in [head, *rows]:
        print(
            "  ".join(
                str(cell).rjust(width) if i else str(cell).ljust(width)
                for i, (cell, width) in enumerate(zip(row, widths))
            )
        )
    for name, (_, where, message) in others:
        message = message.strip().replace("\n", "\n  ")
        print(f"\n{name}\n  at {where}\n  {message}")
    if options.dtypes:
        _print_dtypes(out)
    return int(bool(others))


if __name__ == "__main__":
    sys.exit(main())
