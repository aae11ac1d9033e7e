"""Whether two runs of the example of training are the same."""

import json
import os

import numpy as np


def read_metrics(out):
    return json.loads((out / "metrics.json").read_text())


def without_times(text):
    """Return the entries of a log without what differs between runs."""
    log = json.loads(text)
    for entry in log:
        del entry["elapsed_time"]
    return log


def read_snapshot(folder):
    """Return all that the only snapshot of a folder has, but for times."""
    (path,) = folder.glob("snapshot_iter_*")
    with np.load(path) as file:
        content = {key: file[key] for key in file.files}
    content.pop("_snapshot_elapsed_time")
    log = without_times(str(content.pop("extensions/LogReport/_log")))
    return path.name, log, content


def assert_same_run(out, expected):
    assert read_metrics(out) == read_metrics(expected)
    assert sorted(os.listdir(out)) == sorted(os.listdir(expected))
    for loss in read_metrics(expected):
        folders = out / loss, expected / loss
        a, b = (sorted(os.listdir(folder)) for folder in folders)
        assert a == b
        a, b = (without_times((f / "log").read_text()) for f in folders)
        assert a == b
        (*a, content_a), (*b, content_b) = map(read_snapshot, folders)
        assert a == b
        assert content_a.keys() == content_b.keys()
        for key, value in content_a.items():
            np.testing.assert_array_equal(value, content_b[key], err_msg=key)
