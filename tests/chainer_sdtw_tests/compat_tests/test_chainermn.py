"""ChainerMN in processes that mpiexec starts."""

import os

import pytest
from interpreters import root
from under_mpi import check, run

from chainer_sdtw.compat import _environment


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


def test_observed_variable():
    out = check("""
        import types
        import chainer, chainermn, numpy
        comm = chainermn.create_communicator("naive")
        aggregator = chainermn.extensions.ObservationAggregator(
            comm, "loss", comm_trigger=(2, "iteration")
        )
        updater = types.SimpleNamespace(iteration=0)
        trainer = types.SimpleNamespace(updater=updater)
        for updater.iteration in (1, 2):
            loss = numpy.array(comm.rank + updater.iteration, "f")
            trainer.observation = dict(loss=chainer.Variable(loss))
            aggregator(trainer)
        print(float(trainer.observation["loss"].array))
    """)
    assert out == "2.0\n" * 2


def test_long_of_32_bits():
    """As on Windows."""
    out = check(
        """
        import functools
        import mpi4py.MPI, numpy
        mpi4py.MPI._typedict["l"] = mpi4py.MPI.INT32_T
        numpy.random.randint = functools.partial(
            numpy.random.randint, dtype=numpy.int32
        )
        import chainer, chainermn
        comm = chainermn.create_communicator("naive")
        x = numpy.array([1, 2**40], numpy.int64)
        (y,) = comm.gather(x)
        assert y.tolist() == x.tolist()
        chainermn.iterators.create_synchronized_iterator(
            chainer.iterators.SerialIterator(x, 2), comm
        )
        print("done")
        """,
        n=1,
    )
    assert out == "done\n"


def test_enabled_in_the_environment(tmp_path):
    """Chainer is repaired without chainer_sdtw in all processes."""
    (tmp_path / "sitecustomize.py").write_text(_environment.CONTENT)
    result = run(
        """
        import sys, chainermn
        comm = chainermn.create_communicator("naive")
        names = [n for n in sys.modules if n.startswith("chainer_sdtw")]
        print(comm.size, "chainer_sdtw.compat" in names)
        """,
        path=os.pathsep.join([str(tmp_path), root()]),
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout == "2 True\n" * 2


@pytest.mark.parametrize(
    "starter,failure",
    [
        ("chainermn.global_except_hook.add_hook()", "1 / 0"),
        ("", "sys.exit(3)"),
    ],
)
def test_failure_of_one_process_ends_all(starter, failure):
    """By ChainerMN's hook, or by python -m mpi4py, which sees exits, too."""
    result = run(
        f"""
        import chainer_sdtw.compat
        import sys, chainermn, numpy
        {starter}
        comm = chainermn.create_communicator("naive")
        if comm.rank == 1:
            {failure}
        comm.allreduce(numpy.ones(3, "f"))  # waits for the other
        """,
        options=() if starter else ("-m", "mpi4py"),
    )
    assert result.returncode == (1 if starter else 3)
    text = "ChainerMN:\n   Uncaught exception on rank 1." if starter else ""
    assert text in result.stderr
