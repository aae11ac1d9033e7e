"""The lists of places in docs/contributing.md are complete."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "contributing.md"
SOURCES = (".py", ".pyx", ".hpp", ".cpp", ".cu", ".cuh")
CODE = ("chainer_sdtw", "sdtw_cpu", "setup.py")

pytestmark = pytest.mark.skipif(
    not PAGE.exists() or not all((ROOT / part).exists() for part in CODE),
    reason="the sources are not beside the tests",
)

# One of each kind that has a list, by the name that the code has for it.
EXAMPLES = {
    "A new cost": "huber",
    "A new loss": "sharp_soft_dtw_divergence",
    "A new instruction set": "avx2",
}


def listed(title, name):
    """The files of code in the first column of a section's table."""
    text = PAGE.read_text(encoding="utf-8")
    section = text.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (`.*?) \|", section, re.M)
    paths = [path for row in rows for path in re.findall("`(.*?)`", row)]
    paths = [path.replace("NAME", name) for path in paths]
    assert all((ROOT / path).is_file() for path in paths), paths
    return {path for path in paths if path.startswith(CODE)}


def code(path):
    """The text of a file without comments and docstrings."""
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".py":
        return re.sub("//.*", "", text)
    tree = ast.parse(text)
    documented = ast.FunctionDef, ast.ClassDef, ast.Module
    for node in ast.walk(tree):
        if isinstance(node, documented) and ast.get_docstring(node):
            node.body[0] = ast.Pass()
    return ast.unparse(tree)


@pytest.mark.parametrize("title", EXAMPLES)
def test_places(title):
    name = EXAMPLES[title]
    files = [
        path
        for part in CODE
        for path in (ROOT / part, *(ROOT / part).rglob("*"))
        if path.suffix in SOURCES
    ]
    assert len(files) > 100
    naming = {
        path.relative_to(ROOT).as_posix()
        for path in files
        if name in path.name or name in code(path).lower()
    }
    assert naming == listed(title, name)
