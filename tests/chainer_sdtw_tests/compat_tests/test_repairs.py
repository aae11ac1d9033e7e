"""What Chainer's repaired functions compute."""

import chainer_sdtw  # noqa: F401  isort: skip  (makes Chainer work)

import chainer
import chainer.functions as F
import numpy
import pytest


def test_as_strided():
    x = chainer.Variable(numpy.arange(4, dtype=numpy.float32))
    y = F.as_strided(x, (3, 2), (1, 1), 0)
    y.grad = numpy.ones((3, 2), numpy.float32)
    y.backward()
    numpy.testing.assert_array_equal(x.grad, [1, 2, 2, 1])
    assert x.grad.dtype == numpy.float32


def test_as_strided_of_integers():
    y = F.as_strided(numpy.arange(4), (3, 2), (1, 1), 0)
    with pytest.raises(TypeError, match="Only float"):
        y.grad = numpy.ones((3, 2), int)
        y.creator_node.backward((0,), (chainer.Variable(y.grad),))


@pytest.mark.filterwarnings("ignore:.np.float. is a deprecated alias")
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"align_corners": False},
        {"mode": "nearest", "align_corners": False},
    ],
)
def test_resize_images(options):
    x = chainer.Variable(
        numpy.arange(4, dtype=numpy.float32).reshape(1, 1, 2, 2)
    )
    y = F.resize_images(x, (4, 4), **options)
    assert y.dtype == numpy.float32
    numpy.testing.assert_allclose(y.array.mean(), 1.5)
    numpy.testing.assert_allclose(y.array[0, 0, 0, 0], 0)
    F.sum(y).backward()
    numpy.testing.assert_allclose(x.grad.sum(), 16)


def test_debug_print():
    text = chainer.Variable(numpy.zeros(3, numpy.float32)).debug_print()
    assert "- device: CPU\n" in text
    parameter = chainer.Parameter()
    parameter.cleargrad()
    assert "- device: None\n" in parameter.debug_print()


@pytest.mark.filterwarnings("ignore:NumPy will stop allowing")
@pytest.mark.parametrize("dtype", [numpy.uint8, numpy.int16])
def test_negative_padding(dtype):
    xs = [numpy.ones(1, dtype), numpy.ones(2, dtype)]
    expect = numpy.array([[1, -1], [1, 1]]).astype(dtype)
    y = F.pad_sequence(xs, padding=-1)
    assert y.dtype == dtype
    numpy.testing.assert_array_equal(y.array, expect)
    y = chainer.dataset.concat_examples(xs, padding=-1)
    assert y.dtype == dtype
    numpy.testing.assert_array_equal(y, expect)


@pytest.mark.filterwarnings("ignore:NumPy will stop allowing")
def test_constant_out_of_bounds():
    x = chainer.Variable(numpy.array([1, 2], numpy.uint8))
    y = x + -1
    assert y.dtype == numpy.uint8
    numpy.testing.assert_array_equal(y.array, [0, 1])
    y = chainer.Variable(numpy.ones(2, numpy.float16)) * 2
    assert y.dtype == numpy.float16


def test_sparse_float16():
    pytest.importorskip("scipy")
    a = numpy.array([[1, 0, 2], [0, 0, 3]], numpy.float16)
    b = numpy.arange(6, dtype=numpy.float16).reshape(3, 2)
    y = F.sparse_matmul(chainer.utils.to_coo(a), b)
    assert y.dtype == numpy.float16
    numpy.testing.assert_array_equal(y.array, a.dot(b))
