"""ChainerMN in processes that mpiexec starts."""

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
