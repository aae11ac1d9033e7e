"""A case: a call of a public function that is drawn, run and judged."""

import chainer_sdtw  # isort: skip  # noqa: F401  (before chainer)

import contextlib
import copy
import inspect
import linecache
import re
import traceback
import warnings
from dataclasses import dataclass
from pathlib import Path

import chainer
import numpy as np
from chainer import Variable
from chainer.utils.type_check import InvalidType
from sklearn.exceptions import ConvergenceWarning, DataConversionWarning

import sdtw_cpu
from fuzz import hostile
from fuzz.draw import Draw
from fuzz.hostile import EITHER, ERROR, SAME, Change
from fuzz.pairs import Wrong, demand
from fuzz.targets import BY_NAME, DOMAINS, KINDS, TARGETS

# What is raised on purpose, and the modules that do.
DOCUMENTED = (
    *(TypeError, ValueError, InvalidType),
    FloatingPointError,  # of objectives beyond the range
    FileNotFoundError,  # of paths in the place of series
)
RAISE_ON_PURPOSE = re.compile(
    r"(chainer_sdtw|sdtw_cpu|sklearn/utils|joblib|chainer/utils/type_check)[./\w]*$"
)

# What its tests of estimators demand, and what it leaves to NumPy.
BY_SKLEARN = re.compile(r"float\(\) argument must be|Seed must be")


@dataclass
class Case:
    """A call that is to be made.

    Attributes:
        target: What is called.
        arguments: Valid ones.
        changes: What is put in the place of some.
    """

    target: object
    arguments: dict
    changes: list

    def describe(self):
        changes = "; ".join(f"{c.name}: {c.label}" for c in self.changes)
        return f"{self.target.name} with {changes or 'valid arguments'}"


def draw_case(seed, number, only=None, keep=None):
    """Draw a case.

    Args:
        seed: Of the whole run.
        number: Of the case.
        only: The name of a function, None for any.
        keep: The indexes of the changes to keep, None for all.
    """
    draw = Draw(seed, number)
    weighted = [t for t in TARGETS for _ in range(t.weight)]
    target = BY_NAME[only] if only else draw.one(weighted)
    arguments = target.draw(draw)
    names = [
        name
        for name, value in arguments.items()
        for _ in range(3 if isinstance(value, np.ndarray) else 1)
    ]
    count = draw.one((0, 1, 1, 1, 1, 2, 2, 3))
    chosen = [draw.one(names) for _ in range(count)]
    changes = {}
    for name in chosen:
        change = draw_change(draw, target, name, arguments[name])
        if change is not None:
            changes[name] = change
    changes = list(changes.values())
    if keep is not None:
        changes = [c for i, c in enumerate(changes) if i in keep]
    return Case(target, arguments, changes)


def draw_change(draw, target, name, value):
    """Draw something in the place of an argument."""
    kind = target.kinds.get(name) or KINDS.get(name)
    if isinstance(value, np.ndarray):
        kind = {"b": "booleans", "f": "array"}.get(value.dtype.kind, kind)
        if value.dtype.kind in "iu" and kind != "labels":
            kind = "integers"
    elif isinstance(value, str):
        kind = "name"
    elif isinstance(value, float):
        kind = "number"
    elif isinstance(value, int) and kind != "small":
        kind = "integer"
    default = np.array({"integers": [1, 2], "booleans": [[True]]}.get(kind, 0))
    made = value if isinstance(value, np.ndarray) else default
    if kind == "array":
        array = made if made.ndim else np.ones(3)
        change = hostile.change_array(draw, name, array)
    elif kind == "labels":
        change = hostile.change_integers(draw, name, made)
        change.verdict, change.plain = EITHER, None
    elif kind == "integers":
        change = hostile.change_integers(draw, name, made)
    elif kind == "booleans":
        change = hostile.change_booleans(draw, name, made)
    elif kind == "number":
        change = hostile.change_number(draw, name, DOMAINS.get(name))
    elif kind in ("integer", "small"):
        domain = kind if kind == "small" else None
        change = hostile.change_integer(draw, name, domain)
    else:
        change = hostile.change_name(draw, name)
    of_no_size = not isinstance(value, np.ndarray) and change.verdict == SAME
    if of_no_size and kind in ("array", "integers", "booleans"):
        change.verdict, change.harmless = EITHER, False  # it fits nothing
    if change.label == "None" and is_optional(target, name):
        change.verdict = EITHER
    if f"{name}: {change.label}" in target.takes:
        change.verdict = EITHER
    return change


def is_optional(target, name):
    """Whether None may be given."""
    if name in (
        "max_no_improvement",
        "grad",
        "seed",
        "grad_tangent",
        "path",
        "n_jobs",
        "labels",
    ):
        return True
    parameters = inspect.signature(target.function).parameters
    if name not in parameters:
        return name in KINDS
    return parameters[name].default is None


def run_case(case):
    """Run a case; raise ``Wrong`` with what is wrong."""
    given = dict(case.arguments)
    plain = dict(case.arguments)
    for change in case.changes:
        given[change.name] = change.given
        plain[change.name] = change.plain
    before = {name: contents(value) for name, value in given.items()}
    error, results = outcome(case, given)
    after = {name: contents(value) for name, value in given.items()}
    for name in given:
        demand(same_contents(before[name], after[name]), f"{name} was changed")
    verdicts = {change.verdict for change in case.changes}
    if error is not None:
        check_error(case, error)
        demand(
            not all(change.harmless for change in case.changes)
            or isinstance(error, FloatingPointError),
            f"valid arguments were refused: {error!r}",
        )
    elif ERROR in verdicts:
        wrong = [c for c in case.changes if c.verdict == ERROR]
        raise Wrong(f"was accepted: {wrong[0].name}, {wrong[0].label}")
    else:
        check_apart(results, given)
    if verdicts <= {SAME}:
        fresh = {k: copy.deepcopy(v) for k, v in plain.items()}
        again, expected = outcome(case, fresh)
        check_same(error, results, again, expected)
        if error is None and case.target.answer is not None:
            if "gamma" in plain:
                plain["gamma"] = sdtw_cpu.check_gamma(plain["gamma"])
            case.target.answer(plain, results)


def outcome(case, arguments):
    """The error that a call raises, or its results as a flat list."""
    isa, threads = sdtw_cpu.isa(), sdtw_cpu.get_num_threads()
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            with chainer.using_config("dtype", np.float64):
                results = list(flat(case.target.run(**arguments)))
    except Exception as e:
        return e, None
    finally:
        sdtw_cpu.set_isa(isa)
        sdtw_cpu.set_num_threads(threads)
    finite = all(np.isfinite(a).all() for a in results)
    for warning in caught:
        own = re.search("chainer_sdtw|sdtw_cpu", warning.filename)
        if "overflow encountered in cast" in str(warning.message):
            own = None  # of results whose type has no larger numbers
        demand(
            issubclass(
                warning.category, (ConvergenceWarning, DataConversionWarning)
            )
            # Chainer's functions warn of what is out of range.
            or not (own or finite),
            f"a warning, {warning.category.__name__}: {warning.message} "
            f"({warning.filename}:{warning.lineno})",
        )
    return None, results


def flat(result):
    """The arrays of a result."""
    if isinstance(result, (tuple, list)):
        for part in result:
            yield from flat(part)
    elif isinstance(result, dict):
        yield from flat(list(result.values()))
    elif isinstance(result, Variable):
        yield result.array
    elif result is not None:
        with contextlib.suppress(ValueError, TypeError):
            array = np.asarray(result)
            if array.dtype.kind in "iufb":
                yield array


def check_error(case, error):
    """Demand that an error is one that tells what to do about it."""
    kind = type(error).__name__
    message = str(error)
    frames = traceback.extract_tb(error.__traceback__)
    last = frames[-1]
    where = f"{kind}: {message} ({Path(last.filename).name}:{last.lineno})"
    demand(isinstance(error, DOCUMENTED), f"an undocumented {where}")
    if isinstance(error, FloatingPointError) or BY_SKLEARN.match(message):
        return
    file = last.filename.replace("\\", "/").rpartition("site-packages/")[2]
    line = linecache.getline(last.filename, last.lineno).lstrip()
    demand(
        RAISE_ON_PURPOSE.search(file.rpartition(".py")[0])
        and (line.startswith("raise ") or "type_check" in file),
        f"an error from within, {where}",
    )
    words = [re.escape(word) for word in case.target.names()]
    if "sklearn" in file:
        words += ["Expected", "Found", "Input", "data", "sample", "labels?"]
    demand(
        re.search(rf"(?<!\w)({'|'.join(words)})(?!\w)", message),
        f"a message that names no argument, {where}",
    )


def check_apart(results, given):
    """Demand that no result shares memory with an argument."""
    arrays = [a for value in given.values() for a in arrays_in(value)]
    for result in results:
        for a in arrays:
            demand(
                not np.may_share_memory(result, a),
                "a result shares memory with an argument",
            )


def check_same(error, results, again, expected):
    """Demand the outcome that the plainest arguments have."""
    if error is not None or again is not None:
        demand(
            type(error) is type(again),
            f"{error!r}, but of plain arrays {again!r}",
        )
        return
    demand(len(results) == len(expected), "the number of results")
    for i, (a, b) in enumerate(zip(results, expected)):
        if a.shape == (0,):
            continue  # of what no variable holds there is no gradient
        demand(
            a.dtype == b.dtype and a.shape == b.shape,
            f"result {i} is {a.dtype} {a.shape}, but of plain arrays "
            f"{b.dtype} {b.shape}",
        )
        equal = np.array_equal(a, b, equal_nan=a.dtype.kind == "f")
        demand(equal, f"result {i} is {a}, but of plain arrays {b}")


def arrays_in(value, depth=4):
    """The arrays that an argument is made of, and what they are views of."""
    if isinstance(value, Variable):
        value = value.array
    if isinstance(value, np.ndarray):
        yield value
    elif isinstance(value, (list, tuple)) and depth:
        for part in value:
            yield from arrays_in(part, depth - 1)


def contents(value):
    """Copies of all that an argument is made of."""
    copies = []
    for a in arrays_in(value):
        base = a if not isinstance(a.base, np.ndarray) else a.base
        if base.dtype != object:
            copies.append(np.array(base, subok=True).tobytes())
        copies.append((a.shape, a.strides, a.dtype))
    return copies


def same_contents(before, after):
    return before == after


def check(seed, number, only=None, keep=None):
    """Draw and run a case; return what is wrong, or None."""
    case = draw_case(seed, number, only, keep)
    try:
        run_case(case)
    except Wrong as e:
        return f"{case.describe()}: {e}"
    return None


def fewest_changes(seed, number, only=None):
    """The indexes of the changes without which nothing is wrong."""
    keep = list(range(len(draw_case(seed, number, only).changes)))
    for i in list(keep):
        fewer = [k for k in keep if k != i]
        if check(seed, number, only, fewer) is not None:
            keep = fewer
    return keep


__all__ = ["Change", "check", "draw_case", "fewest_changes"]
