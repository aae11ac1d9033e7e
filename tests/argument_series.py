"""Series for the tests of arguments, and calls that take one argument more."""

import chainer_sdtw  # isort: skip  (before chainer)

import numpy as np

X = np.array([[[0.0], [1], [3]], [[2], [2], [1]]])
Y = np.array([[[1.0], [1], [2], [0]], [[2], [3], [1], [1]]])
SET = X[:, :, 0]
COST = np.ones((2, 3, 4))


def loss(**options):
    return chainer_sdtw.soft_dtw(X, Y, **options)


def k_means(**options):
    model = chainer_sdtw.estimators.SoftDTWKMeans(2, max_iter=1)
    return model.fit(SET, **options)
