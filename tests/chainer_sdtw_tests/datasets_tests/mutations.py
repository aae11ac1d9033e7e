"""Damaged files of series: what reading them must and must not do.

``python tests/chainer_sdtw_tests/datasets_tests/mutations.py`` tries many.
"""

import chainer_sdtw  # isort: skip  # noqa: F401  (before chainer)

import argparse
import codecs
import os
import re
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
from file_texts import STAMPS, TEXTS

from chainer_sdtw.datasets import get_ucr, ucr

REAL = ("GunPoint", "BasicMotions", "JapaneseVowels", "Covid3Month")
KEPT = 2500  # characters of a line of a real file, and of its data
CELLS = [
    b"", b"?", b"NaN", b"-inf", b"1e400", b"-1e308", b"1e-320", b"0x1p3",
    b"1_0", b"1,5", b"\0", b"\xff", b"\xe9", b"\xd9\xa1", b"--1", b"1e", b"'",
    b'"', b"{", b"\\n", b":", b"(", b"),(", b"%", b"#", b"&#128;", b" ",
    b"\t", b"\r", b"\n", b"\x1a", b"\x85", b"\xc2\xa0", codecs.BOM_UTF8,
    b"@data", b"@end x", b"9" * 5000, b"0." + b"3" * 5000, b"x" * 5000,
    b"\x80\x04cos\nsystem\n", b"PK\x03\x04", b"\x1f\x8b\x08",
]  # fmt: skip
HEADERS = [
    b"@univariate false", b"@equalLength false", b"@timeStamps true",
    b"@classLabel true", b"@classLabel false", b"@targetLabel true",
    b"@dimensions 0", b"@dimensions " + b"9" * 5000, b"@seriesLength -1",
    b"@seriesLength " + b"9" * 5000, b"@attribute a numeric",
    b"@attribute b date 'yyyy'", b"@attribute c {a,a}", b"@relation",
    b"@attribute d relational", b"@attribute e string", b"@", b"@missing",
]  # fmt: skip
ENCODINGS = ["utf-16", "utf-16-le", "utf-32", "latin-1", "utf-7", "cp037"]


def sources():
    """Whole files by name: small ones of every layout, and real ones."""
    texts = {f"small{layout}": text.encode() for layout, text in TEXTS.items()}
    texts["stamps.ts"] = (STAMPS + "(0,-1),(1,2):a\n(5,3),(7,1):a\n").encode()
    folder = ucr._bundle()
    for name in REAL if folder else ():
        for path in sorted(Path(folder, name).glob(f"{name}_TRAIN.*")):
            lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
            data = 1 + max(
                i
                for i, line in enumerate(["@data", *lines])
                if line.strip().lower() == "@data"
            )
            end = data + max(2, KEPT // len(lines[data]))
            texts[path.name] = "".join(lines[:end]).encode()
    return texts


def mutate(rng, content):
    """Return the bytes of a file after one to three changes."""
    for _ in range(rng.integers(1, 4)):
        change = CHANGES[rng.integers(len(CHANGES))]
        content = change(rng, content)
    return content


def _place(rng, content):
    return int(rng.integers(len(content) + 1))


def _pick(rng, values):
    return values[rng.integers(len(values))]


def _truncate(rng, content):
    return content[: _place(rng, content)]


def _flip(rng, content):
    changed = bytearray(content)
    for i in rng.integers(0, len(content), 3) if content else ():
        changed[i] ^= 1 << rng.integers(8)
    return bytes(changed)


def _insert(rng, content):
    at = _place(rng, content)
    return content[:at] + _pick(rng, CELLS) + content[at:]


def _replace_cell(rng, content):
    cells = list(re.finditer(rb"[^,:\s()]+", content))
    if not cells:
        return content
    cell = _pick(rng, cells)
    return content[: cell.start()] + _pick(rng, CELLS) + content[cell.end() :]


def _cut_out(rng, content):
    begin, end = sorted(_place(rng, content) for _ in range(2))
    return content[:begin] + content[end:]


def _repeat(rng, content):
    begin, end = sorted(_place(rng, content) for _ in range(2))
    return content[:end] + content[begin:]


def _shuffle_lines(rng, content):
    lines = content.split(b"\n")
    i, j = rng.integers(len(lines), size=2)
    lines[i], lines[j] = lines[j], lines[i]
    return b"\n".join(lines)


def _drop_line(rng, content):
    lines = content.split(b"\n")
    del lines[rng.integers(len(lines))]
    return b"\n".join(lines)


def _put_header(rng, content):
    lines = content.split(b"\n")
    lines.insert(rng.integers(min(len(lines), 15)), _pick(rng, HEADERS))
    return b"\n".join(lines)


def _end_lines(rng, content):
    return content.replace(b"\n", _pick(rng, [b"\r\n", b"\r", b"\n\n", b""]))


def _recode(rng, content):
    text = content.decode("utf-8", errors="replace")
    return text.encode(_pick(rng, ENCODINGS), errors="ignore")


CHANGES = [
    _truncate, _flip, _insert, _replace_cell, _cut_out, _repeat,
    _shuffle_lines, _drop_line, _put_header, _end_lines, _recode,
]  # fmt: skip


class Watch:
    """Files opened for writing, and names that an unpickler looked up."""

    def __init__(self):
        self.seen = None
        sys.addaudithook(self._hook)

    def _hook(self, event, arguments):
        if self.seen is None:
            return
        writing = os.O_WRONLY | os.O_RDWR | os.O_CREAT
        if event == "open" and arguments[2] & writing:
            self.seen.append((event, arguments[0]))
        if event in ("pickle.find_class", "os.mkdir", "os.rename"):
            self.seen.append((event, arguments))

    def __enter__(self):
        self._writes_bytecode = sys.dont_write_bytecode
        sys.dont_write_bytecode = True
        self.seen = []
        return self.seen

    def __exit__(self, *_):
        self.seen = None
        sys.dont_write_bytecode = self._writes_bytecode


def numbers_of(text):
    """All that might be numbers in a text, as floats."""
    found = {np.nan}
    for cell in re.split(r"[\s,:()'\"]|\\n", text):
        try:
            found.add(float(cell))
        except ValueError:
            continue
    return found


def check_file(folder, name, content, watch, *, encoding="utf-8"):
    """Read a file as both halves: right, or an error that names it.

    Returns:
        Whether it was read.
    """
    layout = os.path.splitext(name)[1]
    paths = [folder / "Toy" / f"Toy_{half}{layout}" for half in HALVES]
    for path in paths:
        path.write_bytes(content)
    with watch as seen, warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            halves = get_ucr("Toy", folder, dtype="f8", encoding=encoding)
        except ValueError as e:
            halves = None
            message = str(e)
    for path in paths:
        assert path.read_bytes() == content
        path.unlink()
    assert seen == []
    assert list(folder.rglob("*")) == [folder / "Toy"]
    if halves is None:
        assert message.startswith((*map(str, paths), "Toy")), message
        assert len(message) < 1000
        return False
    text = content.decode(encoding, errors="surrogateescape")
    numbers = numbers_of(text.replace("\ufeff", ""))
    for half in halves:
        assert 0 < len(half) <= text.count("\n") + text.count("\r") + 1
        assert len(half.series) == len(half.labels)
        for series in half.series:
            assert series.ndim == 2
            assert series.size > 0
            assert np.isfinite(series).all()
            assert numbers.issuperset(series.ravel().tolist())
        if half.classes:
            assert len(set(half.classes)) == len(half.classes)
            assert half.labels.min() >= 0
            assert half.labels.max() < len(half.classes)
        else:
            assert numbers.issuperset(half.labels.tolist())
        assert repr(half).startswith("<UCRDataset Toy T")
    return True


HALVES = ("TRAIN", "TEST")


def check_many(folder, seeds, watch):
    """Check one mutation for each seed.

    Returns:
        Numbers of files that were read, and that were not.
    """
    (folder / "Toy").mkdir()
    files = sorted(sources().items())
    read = 0
    for seed in seeds:
        rng = np.random.default_rng(seed)
        name, content = _pick(rng, files)
        try:
            read += check_file(folder, name, mutate(rng, content), watch)
        except Exception as e:
            raise AssertionError(
                f"{name}, repeat with --seed {seed} --cases 1: "
                f"{type(e).__name__}: {e}"
            ) from e
    return read, len(seeds) - read


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=10000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    seeds = range(arguments.seed, arguments.seed + arguments.cases)
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        read, refused = check_many(Path(folder), seeds, Watch())
    seconds = time.perf_counter() - start
    print(f"{read} files read, {refused} refused in {seconds:.0f} s")


if __name__ == "__main__":
    main()
