"""What a release takes for granted: citation, changes and workflows."""

import re
from pathlib import Path

import pytest

import chainer_sdtw

ROOT = Path(__file__).resolve().parents[1]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
PINNED = re.compile(r"uses: [\w./-]+@[0-9a-f]{40} # v\d+(\.\d+)+$")


def content(path):
    yaml = pytest.importorskip("yaml")
    if not path.exists():
        pytest.skip("the sources are not beside the tests")
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def jobs():
    """The jobs of all workflows, by the names of workflow and job."""
    if not WORKFLOWS:
        pytest.skip("the workflows are not beside the tests")
    return {
        (path.stem, name): job
        for path in WORKFLOWS
        for name, job in content(path)["jobs"].items()
    }


def test_citation_is_of_this_version_and_names_the_paper():
    citation = content(ROOT / "CITATION.cff")
    assert citation["version"] == chainer_sdtw.__version__
    (paper,) = citation["references"]
    names = [author["family-names"] for author in paper["authors"]]
    assert (names, paper["year"]) == (["Cuturi", "Blondel"], 2017)


def test_changes_begin_with_this_version():
    if not (ROOT / "CHANGELOG.md").exists():
        pytest.skip("the sources are not beside the tests")
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    heading = re.search(r"^## (.+)$", text, re.M).group(1)
    version = chainer_sdtw.__version__
    if ".dev" in version:
        assert heading == "[Unreleased]"
    else:
        date = r"\d{4}-\d{2}-\d{2}"
        assert re.fullmatch(rf"\[{re.escape(version)}\] - {date}", heading)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_workflow_names_actions_by_commits(path):
    lines = path.read_text(encoding="utf-8").splitlines()
    uses = [line for line in lines if "uses: " in line]
    assert uses
    assert not [line for line in uses if not PINNED.search(line)]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_workflow_may_read_and_nothing_else(path):
    workflow = content(path)
    assert workflow["permissions"] == {"contents": "read"}
    for job in workflow["jobs"].values():
        assert job["name"]
        for step in job["steps"]:
            if step.get("uses", "").startswith("actions/checkout@"):
                assert step["with"]["persist-credentials"] is False


def test_only_the_publication_of_a_tag_may_more():
    more = {key: job for key, job in jobs().items() if "permissions" in job}
    assert list(more) == [("wheels", "publish")]
    publish = more["wheels", "publish"]
    assert publish["permissions"] == {
        "attestations": "write",
        "id-token": "write",
    }
    assert publish["environment"] == "pypi"
    assert publish["needs"] == ["sdist", "wheels"]
    assert publish["if"] == "github.event_name == 'push'"
    # "on" is True in YAML 1.1.
    (wheels,) = (path for path in WORKFLOWS if path.stem == "wheels")
    assert content(wheels)[True]["push"] == {"tags": ["v*"]}
