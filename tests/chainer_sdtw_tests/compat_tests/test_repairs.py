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


def test_second_derivative_of_convolution():
    x = chainer.Variable(numpy.ones((1, 1, 3, 3), numpy.float32))
    w = chainer.Variable(numpy.ones((1, 1, 2, 2), numpy.float32))
    y = F.convolution_2d(x**2, w)
    (gx,) = chainer.grad([y], [x], enable_double_backprop=True)
    F.sum(gx).backward()
    numpy.testing.assert_array_equal(
        x.grad.ravel(), [2, 4, 2, 4, 8, 4, 2, 4, 2]
    )
    numpy.testing.assert_array_equal(w.grad.ravel(), [8, 8, 8, 8])


@pytest.mark.parametrize("outsize", [None, (6, 7)])
def test_gradient_of_deconvolution_for_filters_alone(outsize):
    rng = numpy.random.RandomState(0)
    x = rng.randn(2, 3, 3, 3).astype(numpy.float64)
    w = chainer.Variable(rng.randn(3, 2, 2, 2))
    y = F.deconvolution_2d(x, w, stride=2, outsize=outsize)
    gy = y.grad = rng.randn(*y.shape)
    y.backward()
    # Each cell of a filter meets every second cell of the output.
    expect = numpy.zeros(w.shape)
    for i, j in numpy.ndindex(2, 2):
        part = gy[:, :, i : i + 6 : 2, j : j + 6 : 2]
        expect[:, :, i, j] = numpy.einsum("bchw,bdhw->cd", x, part)
    numpy.testing.assert_allclose(w.grad, expect, rtol=1e-12)


class Net(chainer.Chain):
    """What both Chainer's importer and exporter of Caffe models know."""

    def __init__(self):
        super().__init__()
        with self.init_scope():
            self.conv = chainer.links.Convolution2D(1, 2, 3, pad=1)
            self.fc = chainer.links.Linear(18, 4)

    def forward(self, x):
        return F.softmax(self.fc(F.relu(self.conv(x))))


def test_caffe_model_there_and_back(tmp_path):
    import chainer.exporters.caffe
    import chainer.links.caffe

    net = Net()
    x = numpy.random.RandomState(0).randn(2, 1, 3, 3).astype("f")
    with chainer.using_config("train", False):
        chainer.exporters.caffe.export(
            net, [chainer.Variable(x)], str(tmp_path)
        )
        path = tmp_path / "chainer_model.caffemodel"
        loaded = chainer.links.caffe.CaffeFunction(str(path))
        names = list(loaded.layers)
        (y,) = loaded(inputs={"data": x}, outputs=[names[-1][0]])
        numpy.testing.assert_array_equal(y.array, net(x).array)
    assert loaded[names[0][0]].W.shape == (2, 1, 3, 3)


def test_caffe_messages():
    from chainer.links.caffe.protobuf3 import caffe_pb2

    layer = caffe_pb2.LayerParameter()
    assert layer.phase == caffe_pb2.TRAIN == 0  # the default
    layer.pooling_param.pool = caffe_pb2.PoolingParameter.AVE
    copy = caffe_pb2.LayerParameter.FromString(layer.SerializeToString())
    assert copy.pooling_param.pool == 1
    assert caffe_pb2.V1LayerParameter.CONVOLUTION == 4
    assert caffe_pb2.Phase.Name(1) == "TEST"
    fields = caffe_pb2.BlobProto.DESCRIPTOR.fields_by_name
    assert fields["data"].GetOptions().packed
