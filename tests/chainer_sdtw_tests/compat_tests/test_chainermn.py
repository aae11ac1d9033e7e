"""ChainerMN in processes that mpiexec starts."""

import pytest
from mpi import check


def test_multi_node_iterator():
    out = check("""
        import chainermn, chainer, numpy
        comm = chainermn.create_communicator("naive")
        dataset = numpy.arange(6, dtype=numpy.float32)
        iterator = chainermn.iterators.create_multi_node_iterator(
            chainer.iterators.SerialIterator(dataset, 2), comm
        )
        batches = [iterator.next() for _ in range(3)]
        assert sorted(sum(batches, [])) == dataset.tolist()
        assert iterator.is_new_epoch and iterator.epoch_detail == 1
        assert comm.bcast_obj(batches if comm.rank == 0 else None) == batches
        print("done")
    """)
    assert out == "done\n" * 2


@pytest.mark.parametrize("interval", [1, 2])
def test_observed_variable(interval):
    out = check(f"""
        import types
        import chainer, chainermn, numpy
        comm = chainermn.create_communicator("naive")
        aggregator = chainermn.extensions.ObservationAggregator(
            comm, "loss", comm_trigger=({interval}, "iteration")
        )
        updater = types.SimpleNamespace(iteration=0)
        trainer = types.SimpleNamespace(updater=updater)
        for updater.iteration in (1, 2):
            loss = numpy.array(comm.rank + updater.iteration, "f")
            trainer.observation = dict(loss=chainer.Variable(loss))
            aggregator(trainer)
        print(float(trainer.observation["loss"].array))
    """)
    mean = 2.5 if interval == 1 else 2.0
    assert out == f"{mean}\n" * 2
