"""The scaling model, and what measures its rates."""

import math

import pytest

pytest.importorskip("rich")

RATES = {"rate": 1e9, "task": 1e-3, "disk": 1e9}


@pytest.fixture
def model(load_benchmark):
    return load_benchmark("scaling_model")


@pytest.fixture
def link(model):
    return model.Link(latency=1e-5, bandwidth=1e9)


def test_link(link):
    assert link.seconds(2e9) == pytest.approx(2 + 1e-5)
    assert link.seconds(0, messages=3) == pytest.approx(3e-5)


def test_the_longer_of_what_happens_at_once_counts(model):
    time = model.Time(compute=2.0, send=1.0, schedule=3.0)
    assert time.total == 4.0
    assert time.limit == "scheduling"
    assert model.Time(compute=2.0).limit == "computing"
    assert model.Time(compute=2.0, send=2.5).limit == "sending"


def test_training(model, link):
    job = model.Training(
        batch=100, fixed=1e-3, per_series=1e-4, parameters=10**6, messages=2
    )
    alone = job.time(1, link)
    assert alone.send == 0
    assert alone.total == pytest.approx(0.011)
    seven = job.time(7, link)
    assert seven.compute == pytest.approx(1e-3 + 15e-4)  # 100 = 6 x 15 + 10
    # 3 steps there and 3 back, for each of two messages.
    assert seven.send == pytest.approx(12e-5 + 12 / 7 * 1e-3)


def test_matrix(model, link):
    job = model.Matrix(series=2500, length=100, rows=1000)
    assert job.tiles == 6
    assert job.cells == 2500 * 2501 / 2 * 10**4
    one = job.time(1, link, **RATES)
    assert one.compute == pytest.approx(job.cells / 1e9 + 0.05)
    assert one.schedule == pytest.approx(6e-3)
    # Four workers have two of the six tiles at most.
    four = job.time(4, link, **RATES)
    assert four.compute == pytest.approx(one.compute / 3)
    assert four.send == pytest.approx(3 * (1e-5 + 2e-3))
    # No number of workers is faster than one tile.
    assert job.time(1000, link, **RATES).compute == four.compute / 2


def test_k_means(model, link):
    job = model.KMeans(
        series=1000, length=100, clusters=5, blocks=10, read=8 * 10**5
    )
    assert job.own_cells == 10**7
    assert job.centers_size == 4000
    rates = {**RATES, "gradient_rate": 2.5e8}
    time = job.time(4, link, **rates)
    assert time.compute == pytest.approx(0.3 * (0.05 + 0.04 + 8e-4))
    assert time.send == pytest.approx(2e-5 + 8e-5)
    assert time.schedule == pytest.approx(0.01)
    step = model.KMeans(1000, 100, 5, 10, assigned=False)
    step = step.time(1, link, **rates)
    assert step.compute == pytest.approx(0.04)
    both = time + step * 2
    assert both.compute == pytest.approx(time.compute + 0.08)
    assert both.total == pytest.approx(both.compute + 3 * time.send)


def test_fit_line(model):
    fixed, slope = model.fit_line([1, 2, 4], [0.3, 0.4, 0.6])
    assert fixed == pytest.approx(0.2)
    assert slope == pytest.approx(0.1)
    assert model.fit_line([1, 2], [1, 3])[0] == 0  # never below nothing


def test_rates_of_this_machine(load_benchmark):
    probes = load_benchmark("scaling_probes")
    problem = load_benchmark("problems").Problem(4, 20, 20)
    for gradient in (False, True):
        rate = probes.cells_per_second(problem, gradient, 1, seconds=0.01)
        assert 1e5 < rate < 1e12
    assert 1e5 < probes.disk_rate(size=2**16) < math.inf


def test_link_from_exchanges(load_benchmark):
    probes = load_benchmark("scaling_probes")
    link = probes.link_of(lambda size: 2e-6 + size / 5e9)
    assert link.latency == pytest.approx(2e-6)
    assert link.bandwidth == pytest.approx(5e9)
