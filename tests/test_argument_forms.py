"""What is not an array of real numbers, and the forms of series."""

import re
import warnings

import chainer_sdtw  # isort: skip

import numpy as np
import pytest
import reference
from argument_series import COST, SET, X, Y, k_means, loss
from chainer import Parameter, Variable
from chainer.utils.type_check import InvalidType

import sdtw_cpu
from chainer_sdtw import links
from sdtw_cpu.barycenter import sdtw_barycenter
from sdtw_cpu.distance import SquaredEuclidean

pytest.importorskip("sklearn")
estimators = chainer_sdtw.estimators


def kernels(**options):
    return sdtw_cpu.adjoint(sdtw_cpu.value(X, Y, tape=True)[1], **options)


def drawn(**options):
    parts = {"x": SET[0], "y": SET[1], "alignment": np.eye(3), **options}
    return chainer_sdtw.plot_alignment(**parts)


# Each takes an array in the place of one of these, whose name is in errors.
ENTRIES = {
    "soft_dtw x": (lambda a: chainer_sdtw.soft_dtw(a, Y), "x", X),
    "soft_dtw y": (lambda a: chainer_sdtw.soft_dtw(X, a), "y", Y),
    "soft_dtw of a list": (
        lambda a: chainer_sdtw.soft_dtw([X[0], a], list(Y)),
        "x[1]",
        X[1],
    ),
    "soft_dtw of a variable": (
        lambda a: chainer_sdtw.soft_dtw(Variable(a), Y),
        "x",
        X,
    ),
    "divergence": (
        lambda a: chainer_sdtw.soft_dtw_divergence(a, Y),
        "x",
        X,
    ),
    "y_term": (
        lambda a: chainer_sdtw.sharp_soft_dtw_divergence(X, Y, y_term=a),
        "y_term",
        np.ones(2),
    ),
    "mean_cost": (lambda a: chainer_sdtw.mean_cost(a, Y), "x", X),
    "dilate_loss": (lambda a: chainer_sdtw.dilate_loss(X, a), "y", Y),
    "soft_alignment": (lambda a: chainer_sdtw.soft_alignment(X, a), "y", Y),
    "alignment_path": (lambda a: chainer_sdtw.alignment_path(a, Y), "x", X),
    "distortion": (
        lambda a: chainer_sdtw.temporal_distortion_index(a, Y),
        "x",
        X,
    ),
    "cost_matrix": (lambda a: chainer_sdtw.cost_matrix(a, Y), "x", X),
    "from_cost": (
        lambda a: chainer_sdtw.soft_dtw_from_cost(a),
        "cost",
        COST,
    ),
    "gamma": (lambda a: loss(gamma=a), "gamma", np.array(1.0)),
    "pairwise": (
        lambda a: chainer_sdtw.pairwise_soft_dtw(SET, a),
        "Y",
        SET,
    ),
    "pairwise list": (
        lambda a: chainer_sdtw.pairwise_soft_dtw([SET[0], a]),
        "X[1]",
        SET[1],
    ),
    "barycenter": (lambda a: chainer_sdtw.barycenter(a), "series", SET),
    "barycenter init": (
        lambda a: chainer_sdtw.barycenter(SET, init=a),
        "init",
        SET[0],
    ),
    "barycenter weights": (
        lambda a: chainer_sdtw.barycenter(SET, weights=a),
        "weights",
        np.ones(2),
    ),
    "link": (lambda a: links.Barycenter(a), "init", SET[0]),
    "link's series": (
        lambda a: links.Barycenter(SET[0])(a),
        "series",
        SET,
    ),
    "link's weights": (
        lambda a: links.Barycenter(SET[0])(SET, a),
        "weights",
        np.ones(2),
    ),
    "link of a loss": (lambda a: links.SoftDTWLoss()(a, Y), "x", X),
    "k-means": (
        lambda a: estimators.SoftDTWKMeans(2, max_iter=1).fit(a),
        "X",
        SET,
    ),
    "k-means' init": (
        lambda a: estimators.SoftDTWKMeans(2, init=a, max_iter=1).fit(SET),
        "init",
        SET,
    ),
    "k-means' weights": (
        lambda a: k_means(sample_weight=a),
        "sample_weight",
        np.ones(2),
    ),
    "centroid": (
        lambda a: estimators.SoftDTWNearestCentroid().fit(a, [0, 1]),
        "X",
        SET,
    ),
    "neighbors": (
        lambda a: estimators.SoftDTWKNeighborsClassifier(1).fit(a, [0, 1]),
        "X",
        SET,
    ),
    "plot x": (lambda a: drawn(x=a), "x", SET[0]),
    "plot alignment": (lambda a: drawn(alignment=a), "alignment", np.eye(3)),
    "value": (lambda a: sdtw_cpu.value(a, Y), "x", X),
    "value_from_cost": (
        lambda a: sdtw_cpu.value_from_cost(a),
        "cost",
        COST,
    ),
    "tangent": (
        lambda a: sdtw_cpu.tangent(X, Y, a),
        "direction",
        COST,
    ),
    "adjoint": (lambda a: kernels(grad=a), "grad", np.ones(2)),
    "SoftDTW": (lambda a: sdtw_cpu.SoftDTW(a), "D", COST[0]),
    "SquaredEuclidean": (lambda a: SquaredEuclidean(X[0], a), "Y", Y[0]),
    "jacobian_product": (
        lambda a: SquaredEuclidean(X[0], Y[0]).jacobian_product(a),
        "E",
        COST[0],
    ),
    "sdtw_barycenter": (
        lambda a: sdtw_barycenter([X[0], a], X[0]),
        "X[1]",
        X[1],
    ),
    "sdtw_barycenter's init": (
        lambda a: sdtw_barycenter(X, a),
        "barycenter_init",
        X[0],
    ),
}
BOOLEANS = {
    "mask": (lambda a: loss(mask=a), "mask", np.ones((3, 4), bool)),
    "band_from_mask": (
        lambda a: sdtw_cpu.band_from_mask(a),
        "mask",
        np.ones((1, 3, 4), bool),
    ),
}
INTEGERS = {
    "x_length": (lambda a: loss(x_length=a), "x_length", np.array([3, 2])),
    "y_length": (
        lambda a: chainer_sdtw.soft_dtw_from_cost(COST, y_length=a),
        "y_length",
        np.array([3, 2]),
    ),
    "bandwidth": (lambda a: loss(bandwidth=a), "bandwidth", np.array([1, 2])),
    "one bandwidth": (
        lambda a: chainer_sdtw.barycenter(SET, bandwidth=a),
        "bandwidth",
        np.array(2),
    ),
    "prior": (
        lambda a: chainer_sdtw.diagonal_prior(3, 4, x_length=a),
        "x_length",
        np.array([3, 2]),
    ),
    "band": (
        lambda a: sdtw_cpu.value(X, Y, band=a),
        "band",
        np.array([[[0, 4]] * 3]),
    ),
    "labels": (
        lambda a: estimators.SoftDTWNearestCentroid().fit(SET, a),
        "y",
        np.array([0, 1]),
    ),
}


@pytest.mark.parametrize("name", [*ENTRIES, *BOOLEANS, *INTEGERS])
def test_masked_arrays(name):
    if name.startswith("plot"):
        pytest.importorskip("matplotlib")
    call, argument, a = {**ENTRIES, **BOOLEANS, **INTEGERS}[name]
    masked = np.ma.array(a, mask=False)
    call(masked)
    masked[(-1,) * a.ndim] = np.ma.masked
    with pytest.raises(ValueError, match=r"has masked elements") as caught:
        call(masked)
    message = str(caught.value)
    assert message.startswith(f"{argument} has masked elements")
    assert "np.ma.filled" in message
    # Only what can be a batch of series can be padded.
    assert ("they pad series" in message) == (a.ndim > 1)


@pytest.mark.parametrize("value", [10**30, -(10**30)])
@pytest.mark.parametrize(
    "call",
    [
        lambda value: loss(bandwidth=value),
        lambda value: loss(bandwidth=[1, value]),
        lambda value: loss(x_length=[value, 1]),
        lambda value: sdtw_cpu.sakoe_chiba_band(3, 4, value),
        lambda value: sdtw_cpu.value(X, Y, band=[[[0, value]] * 3]),
        lambda value: chainer_sdtw.barycenter(SET, weights=[1, value]),
    ],
)
def test_integers_beyond_all_types(call, value):
    with pytest.raises(ValueError, match=f"too large for 64 bits: {value}$"):
        call(value)


def nested(depth):
    a = 1.0
    for _ in range(depth):
        a = [a]
    return a


def test_lists_within_each_other():
    endless = [1.0]
    endless += [endless, endless]
    for a in (endless, nested(100), nested(5000)):
        for call in (
            lambda a: chainer_sdtw.soft_dtw(a, Y),
            lambda a: chainer_sdtw.soft_dtw(X, Y, x_length=a),
            lambda a: links.Barycenter(a),
            lambda a: sdtw_cpu.value(X, a),
        ):
            message = "must not have more than 64 lists within each other"
            with pytest.raises(ValueError, match=message):
                call(a)
    assert chainer_sdtw.soft_dtw(nested(3), [[[1.0]]]).array == 0


class Unreadable:
    def __array__(self, dtype=None, copy=None):
        raise TypeError("there are no numbers here")


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("x", lambda a: chainer_sdtw.soft_dtw(a, Y)),
        ("y", lambda a: chainer_sdtw.cost_matrix(X, a)),
        ("series", lambda a: chainer_sdtw.barycenter(a)),
        ("x", lambda a: sdtw_cpu.value(a, Y)),
        ("direction", lambda a: sdtw_cpu.tangent(X, Y, a)),
    ],
)
def test_what_numpy_cannot_read(name, call):
    message = f"^{name} must be .*, got Unreadable: there are no numbers here"
    with pytest.raises(TypeError, match=message):
        call(Unreadable())


def test_masked_elements_in_lists():
    masked = np.ma.array(X[0], mask=X[0] > 2)
    for call in (
        lambda: sdtw_cpu.value([masked], Y[:1]),
        lambda: SquaredEuclidean([masked[2]], Y[0]),
        lambda: chainer_sdtw.barycenter(SET, weights=[np.ma.masked, 1]),
        lambda: k_means(sample_weight=[np.ma.masked, 1]),
        lambda: loss(x_length=[np.ma.masked, 1]),
    ):
        with pytest.raises(ValueError, match="has masked elements"):
            call()


@pytest.mark.parametrize("dtype", ["c16", "O", "U3", "M8[s]", "m8[s]"])
@pytest.mark.parametrize("name", ENTRIES)
def test_what_is_not_real_numbers(name, dtype):
    if name.startswith("plot"):
        pytest.importorskip("matplotlib")
    call, argument, a = ENTRIES[name]
    if dtype == "O":
        a = np.full(a.shape, None)
    elif dtype[0] in "Mm":
        a = a.astype("i8")
    with warnings.catch_warnings():
        warnings.simplefilter(
            "error", getattr(np, "exceptions", np).ComplexWarning
        )
        with pytest.raises((TypeError, ValueError, InvalidType)) as caught:
            call(a.astype(dtype))
    # scikit-learn's messages speak of data.
    words = rf"\b{re.escape(argument.split('[')[0])}\b|[Dd]ata|convert|type"
    assert re.search(words, str(caught.value))


class TestForms:
    """Lists of numbers and the like are series of the other's type."""

    @pytest.mark.parametrize(
        "form",
        [
            list,
            tuple,
            lambda a: np.array(a, object),
            lambda a: [int(x) for x in a],
            lambda a: [np.float32(x) for x in a],
            lambda a: [[x] for x in a] and np.array(a)[:, None],
        ],
    )
    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    def test_one_series(self, form, dtype):
        x, y = X[0, :, 0].tolist(), Y[0].astype(dtype)
        wanted = chainer_sdtw.soft_dtw(X[0].astype(dtype), y, 0.5)
        given = form(x)
        if isinstance(given, np.ndarray) and given.dtype != object:
            given = given.astype(dtype)
        actual = chainer_sdtw.soft_dtw(given, y, 0.5)
        assert actual.dtype == dtype and actual.shape == ()
        np.testing.assert_array_equal(actual.array, wanted.array)

    def test_lists_of_numbers_alone(self):
        value = chainer_sdtw.soft_dtw([0, 1, 3], [1, 1, 2, 0], gamma=0)
        expected, _ = reference.soft_dtw(
            np.subtract.outer([0, 1, 3.0], [1, 1, 2, 0]) ** 2, 0
        )
        assert value.dtype == np.float64 and value.array == expected
        path = chainer_sdtw.alignment_path([0, 1, 3], range(4))
        np.testing.assert_array_equal(path, [[0, 0], [1, 1], [1, 2], [2, 3]])

    def test_ranges(self):
        value = chainer_sdtw.soft_dtw(range(3), range(1, 4), gamma=0)
        assert value.array == 2

    def test_nested_lists(self):
        x, y = [[0, 1, 3], [2]], [[1, 1], [2, 3, 1]]
        values = chainer_sdtw.soft_dtw(x, y, 0.5, reduce="no")
        all_pairs = chainer_sdtw.pairwise_soft_dtw(x, y, 0.5)
        np.testing.assert_array_equal(values.array, np.diag(all_pairs))
        deep = chainer_sdtw.soft_dtw(X.tolist(), Y.tolist(), 0.5)
        wanted = chainer_sdtw.soft_dtw(X, Y, 0.5)
        np.testing.assert_array_equal(deep.array, wanted.array)

    def test_gradients_beside_lists_of_numbers(self):
        x = Variable(X[0].astype(np.float32))
        chainer_sdtw.soft_dtw(x, [1, 1, 2, 0], 0.5).backward()
        _, gx, _ = reference.batch(X[:1], Y[:1], 0.5)
        np.testing.assert_allclose(x.grad, gx[0], rtol=1e-5, atol=1e-6)

    def test_pandas(self):
        pd = pytest.importorskip("pandas")
        x, y = pd.Series([0, 1, 3]), pd.Series([1.0, 1, 2, 0])
        wanted = chainer_sdtw.soft_dtw(X[0], Y[0], 0.5).array
        assert chainer_sdtw.soft_dtw(x, y, 0.5).array == wanted
        x, y = pd.DataFrame({"a": x}), pd.DataFrame({"a": y})
        assert chainer_sdtw.soft_dtw(x, y, 0.5).array == wanted
        both = pd.Series([x["a"], y["a"]])
        matrix = chainer_sdtw.pairwise_soft_dtw(both, gamma=0.5)
        np.testing.assert_allclose(matrix[0, 1], wanted)

    def test_lists_beside_another_byte_order(self):
        wanted = chainer_sdtw.soft_dtw(X[0], Y[0], 0.5).array
        swapped, y = X[0, :, 0].astype(">f8"), Y[0, :, 0].tolist()
        assert chainer_sdtw.soft_dtw(swapped, y, 0.5).array == wanted
        assert chainer_sdtw.soft_dtw(y, swapped, 0.5).array == wanted

    def test_cost_matrices(self):
        value = chainer_sdtw.soft_dtw_from_cost([[1, 5], [5, 2]], gamma=0)
        assert value.array == 3

    @pytest.mark.parametrize(
        ("bad", "message"),
        [
            (None, "x must be series, got None"),
            ("abc", "x must be real numbers, got <U3"),
            ({1.0, 2.0}, "x must be real numbers, got object"),
            (map(abs, [1]), "x must be real numbers, got object"),
            ([[1.0], None], "x[1] must be series, got None"),
            ([[1.0], "a"], "x[1] must be real numbers, got <U1"),
            ([[1.0], [1j]], "x[1] must be real numbers, got complex128"),
            (Parameter(), "x is a parameter that has not been initialized"),
            ([Parameter()], "x[0] is a parameter that has not been init"),
        ],
    )
    def test_errors(self, bad, message):
        for call in (
            lambda: chainer_sdtw.soft_dtw(bad, Y),
            lambda: chainer_sdtw.cost_matrix(bad, Y),
        ):
            with pytest.raises(TypeError, match=re.escape(message)):
                call()
