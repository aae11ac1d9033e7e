"""Series of the UCR/UEA archive as pairs of their past and their future."""

import chainer
import numpy as np

from chainer_sdtw.datasets import get_ucr


def split(series):
    """Return the first 60 % of a series and the rest, ``(length, d)``."""
    n_past = len(series) * 6 // 10
    return series[:n_past], series[n_past:]


def load(name, root):
    """Return pairs to train with, pairs to test, and the test set itself.

    All channels are shifted and scaled to mean 0 and standard deviation 1
    over the training set.
    """
    train, test = get_ucr(name, root)
    values = np.concatenate(list(train.series))
    mean, std = values.mean(axis=0), values.std(axis=0)
    std[std == 0] = 1
    pairs = [
        chainer.datasets.TupleDataset(
            *zip(*(split((s - mean) / std) for s in data.series))
        )
        for data in (train, test)
    ]
    if not all(len(part) for data in pairs for pair in data for part in pair):
        raise ValueError(f"{name} has a series that is too short to be split")
    return (*pairs, test)


@chainer.dataset.converter()
def convert(batch, device):
    """Make arrays ``(B, m, d)`` if the lengths are equal, else lists."""
    return tuple(
        device.send(
            np.stack(part) if len({len(s) for s in part}) == 1 else list(part)
        )
        for part in zip(*batch)
    )
