"""Training with soft-DTW on a GPU."""

import chainer_sdtw  # isort: skip  # noqa: F401  (before chainer)

import chainer
import chainer.links as L
import numpy as np
import pytest
from chainer.testing import attr

from chainer_sdtw import soft_dtw

GPU = "@cupy:0"


class Linear(chainer.Chain):
    def __init__(self):
        super().__init__()
        with self.init_scope():
            self.layer = L.Linear(24, 16)

    def forward(self, past):
        return self.layer(past)[:, :, None]


class GRU(chainer.Chain):
    def __init__(self):
        super().__init__()
        with self.init_scope():
            self.encoder = L.NStepGRU(1, 1, 24, 0)
            self.output = L.Linear(24, 16)

    def forward(self, past):
        h, _ = self.encoder(None, list(past[:, :, None]))
        return self.output(h[0])[:, :, None]


def train(model, device, steps):
    """The losses while a model learns to complete waves."""
    phases = np.random.default_rng(0).uniform(0, np.pi, (32, 1))
    waves = np.sin(phases + np.arange(40) / 5).astype(np.float32)
    device = chainer.get_device(device)
    device.use()
    past, future = device.send(waves[:, :24]), device.send(waves[:, 24:])
    model.to_device(device)
    optimizer = chainer.optimizers.Adam(0.01).setup(model)
    losses = []
    for _ in range(steps):
        loss = soft_dtw(model(past), future[:, :, None], gamma=0.1)
        model.cleargrads()
        loss.backward()
        optimizer.update()
        losses.append(float(loss.array))
    return losses


@attr.gpu
@pytest.mark.parametrize("model", [Linear, GRU])
def test_training(model):
    np.random.seed(0)  # noqa: NPY002  (Chainer's own)
    network = model()
    other = network.copy(mode="copy")
    losses = train(network, GPU, 60)
    assert losses[-1] < losses[0] - 0.5 * abs(losses[0])
    # Small differences grow from step to step.
    expected = train(other, "@numpy", 5)
    np.testing.assert_allclose(losses[:5], expected, rtol=1e-2)
