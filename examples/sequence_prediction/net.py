"""Networks that predict the future of series from their past.

Both take the past of a batch of series and how many steps to predict for each
of them, and return the future.
"""

import chainer
import chainer.functions as F
import chainer.links as L
import numpy as np


class MLP(chainer.Chain):
    """One hidden layer, all steps at once; for series of equal length.

    Args:
        n_past (int): Length of the past.
        n_future (int): Length of the future.
        n_channel (int): Number of channels of a series.
        n_unit (int): Size of the hidden layer.

    """

    def __init__(self, n_past, n_future, n_channel, n_unit):
        super().__init__()
        self.shape = n_future, n_channel
        with self.init_scope():
            self.hidden = L.Linear(n_past * n_channel, n_unit)
            self.output = L.Linear(n_unit, n_future * n_channel)

    def forward(self, past, n_future):
        h = F.sigmoid(self.hidden(past))  # (B, n_past, d) to (B, n_unit)
        return F.reshape(self.output(h), (len(past), *self.shape))


class LSTM(chainer.Chain):
    """Encoder and decoder; the lengths of the series may differ.

    At each step the decoder reads the last known value of the series and how
    far into the future the step is, from 0 to 1.

    Args:
        n_channel (int): Number of channels of a series.
        n_unit (int): Size of the state.

    """

    def __init__(self, n_channel, n_unit):
        super().__init__()
        with self.init_scope():
            self.encoder = L.NStepLSTM(1, n_channel, n_unit, 0)
            self.decoder = L.NStepLSTM(1, n_channel + 1, n_unit, 0)
            self.output = L.Linear(n_unit, n_channel)

    def forward(self, past, n_future):
        xp = self.xp
        h, c, _ = self.encoder(None, None, list(past))
        steps = [
            xp.concatenate(
                [
                    xp.tile(series[-1:], (n, 1)),
                    xp.linspace(0, 1, n, dtype=series.dtype)[:, None],
                ],
                axis=1,
            )
            for series, n in zip(past, n_future)
        ]
        _, _, hs = self.decoder(h, c, steps)
        y = self.output(F.concat(hs, axis=0))
        if len(set(n_future)) == 1:
            return F.reshape(y, (len(past), n_future[0], -1))
        return F.split_axis(y, np.cumsum(n_future)[:-1], axis=0)
