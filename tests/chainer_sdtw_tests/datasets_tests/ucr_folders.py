"""Folders as get_ucr reads them, in every layout of the archive."""

import pytest

TRAIN = ([[1.5, -2.25, 0.125], [0.5, 0, 3], [7, 8, 9]], ["2", "1", "5"])
TEST = ([[4, 5, 6.5], [1, 1, 1]], ["5", "2"])


def table(series, labels, separator):
    return "".join(
        separator.join([label, *map(str, values)]) + "\n"
        for values, label in zip(series, labels)
    )


def ts(series, labels, classes=None, equal=True, univariate=True):
    # A series is a list of values or, if multivariate, of channels.
    classes = " ".join(sorted(set(classes or labels)))
    lines = [
        "# a comment",
        "@problemName Toy",
        "@timeStamps false",
        "@missing false",
        f"@univariate {str(univariate).lower()}",
        f"@equalLength {str(equal).lower()}",
        f"@classLabel true {classes}",
        "@data",
    ]
    for values, label in zip(series, labels):
        channels = [values] if univariate else values
        lines.append(
            ":".join([*(",".join(map(str, c)) for c in channels), label])
        )
    return "\n".join(lines) + "\n"


def arff(series, labels, classes=None, univariate=True):
    steps = len(series[0] if univariate else series[0][0])
    values = [f"@attribute t{i} numeric" for i in range(steps)]
    if not univariate:
        values = [
            "@attribute relationalAtt relational",
            *values,
            "@end relationalAtt",
        ]
    kind = "numeric"
    if classes != "targets":
        kind = "{" + ",".join(sorted(set(classes or labels))) + "}"
    lines = ["% a comment", "@relation Toy", *values]
    lines += [f"@attribute target {kind}", "", "@data"]
    for x, label in zip(series, labels):
        channels = [",".join(map(str, c)) for c in ([x] if univariate else x)]
        text = "\\n".join(channels)
        lines.append(f"{text},{label}" if univariate else f"'{text}',{label}")
    return "\n".join(lines) + "\n"


def write(root, train, test, suffix=".tsv", name="Toy"):
    folder = root / name
    folder.mkdir(exist_ok=True)
    for split, text in ("TRAIN", train), ("TEST", test):
        if text is not None:
            (folder / f"{name}_{split}{suffix}").write_text(text)
    return folder


def write_layout(root, layout, train=TRAIN, test=TEST):
    if layout == ".ts":
        classes = train[1] + test[1]
        write(root, ts(*train, classes), ts(*test, classes), ".ts")
    elif layout == ".arff":
        classes = train[1] + test[1]
        write(root, arff(*train, classes), arff(*test, classes), ".arff")
    else:
        separator = {"": ",", ".tsv": "\t", ".txt": "  "}[layout]
        write(root, table(*train, separator), table(*test, separator), layout)


layouts = pytest.mark.parametrize(
    "layout", [".tsv", "", ".ts", ".txt", ".arff"]
)
