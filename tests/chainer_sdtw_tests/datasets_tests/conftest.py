import chainer_sdtw  # isort: skip  # noqa: F401  (before chainer)

import chainer
import numpy as np
import pytest

from chainer_sdtw.datasets import get_ucr, ucr


@pytest.fixture(autouse=True)
def no_root(monkeypatch):
    monkeypatch.delenv(ucr.ROOT_VARIABLE, raising=False)


@pytest.fixture
def cache(monkeypatch, tmp_path):
    monkeypatch.setattr(
        chainer.dataset.download, "_dataset_root", str(tmp_path / "cache")
    )
    return tmp_path / "cache" / "chainer_sdtw" / "ucr"


@pytest.fixture
def load(tmp_path):
    """Writes both halves, of which the second may be another, and reads."""

    def load(layout, train, test=None, *, dtype=np.float64, **options):
        (tmp_path / "Toy").mkdir(exist_ok=True)
        test = train if test is None else test
        for split, content in ("TRAIN", train), ("TEST", test):
            if isinstance(content, str):
                content = content.encode()
            path = tmp_path / "Toy" / f"Toy_{split}{layout}"
            path.write_bytes(content)
        return get_ucr("Toy", tmp_path, dtype=dtype, **options)

    return load


@pytest.fixture
def refuses(load, tmp_path):
    """Checks that the first half is refused, and with which words."""

    def refuses(layout, train, message, line=None, **options):
        with pytest.raises(ValueError) as e:
            load(layout, train, **options)
        where = str(tmp_path / "Toy" / f"Toy_TRAIN{layout}")
        where += f", line {line}" if line else ""
        assert str(e.value).startswith(where), str(e.value)
        assert message in str(e.value)

    return refuses
