"""What the networks are trained with: losses, and what is reported."""

# Before Chainer, which may need repairs.
from chainer_sdtw import (  # isort: skip
    dilate_loss,
    sharp_soft_dtw,
    sharp_soft_dtw_divergence as sharp_divergence,
    soft_dtw,
    soft_dtw_divergence,
)

import chainer
import chainer.functions as F


def mean_squared_error(x, y):
    """Return the mean over series, in an array or a list, of their errors."""
    if isinstance(y, (list, tuple)):
        errors = [F.mean_squared_error(*pair) for pair in zip(x, y)]
        return F.mean(F.stack(errors))
    return F.mean_squared_error(x, y)


# What to train with: titles, colors and functions.
LOSSES = {
    "soft_dtw": ("soft-DTW", "#0072b2", soft_dtw),
    "divergence": ("soft-DTW divergence", "#009e73", soft_dtw_divergence),
    "sharp": ("sharp soft-DTW", "#e69f00", sharp_soft_dtw),
    "sharp_divergence": ("sharp divergence", "#56b4e9", sharp_divergence),
    "dilate": ("DILATE", "#cc79a7", dilate_loss),
    "mse": ("MSE", "#d55e00", mean_squared_error),
}


class Completion(chainer.Chain):
    """A network, the loss that it is trained with, and what is reported."""

    def __init__(self, predictor, loss):
        super().__init__()
        with self.init_scope():
            self.predictor = predictor
            self.loss = loss

    def predict(self, past, future):
        return self.predictor(past, [len(y) for y in future])

    def forward(self, past, future):
        y = self.predict(past, future)
        loss = self.loss(y, future)
        chainer.report({"loss": loss}, self)
        if not chainer.config.train:
            mse = mean_squared_error(y, future)
            dtw = soft_dtw(y, future, gamma=0)
            chainer.report({"mse": mse, "dtw": dtw}, self)
        return loss
