"""The processes that compute the cases of the paper's experiments."""

from __future__ import annotations

import argparse
import concurrent.futures
import contextlib
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Iterator
from multiprocessing.connection import wait
from typing import Any

from paper_experiments import Shape, compute, plan
from paper_store import Results
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TimeElapsedColumn

import sdtw_cpu


def start_worker() -> None:
    """Leave Ctrl-C to the parent, and end with it, however it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    # The example prints.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    sdtw_cpu.set_num_threads(1)
    sentinel = multiprocessing.parent_process().sentinel

    def watch() -> None:
        wait([sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def stop(*_: Any) -> None:
    """End as by Ctrl-C."""
    raise KeyboardInterrupt


@contextlib.contextmanager
def workers(jobs: int) -> Iterator[concurrent.futures.Executor]:
    """Processes of one thread each, all ended in the end."""
    for name in (
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "MKL_NUM_THREADS",
        "NUMBA_NUM_THREADS",
    ):
        os.environ[name] = "1"
    pool = concurrent.futures.ProcessPoolExecutor(
        jobs, multiprocessing.get_context("spawn"), start_worker
    )
    handler = signal.signal(signal.SIGTERM, stop)
    try:
        yield pool
    except BaseException:
        running = multiprocessing.active_children()
        pool.shutdown(wait=False, cancel_futures=True)
        for process in running:
            process.terminate()
        for process in running:
            process.join()
        raise
    finally:
        signal.signal(signal.SIGTERM, handler)
    pool.shutdown()


def run_all(
    results: dict[str, Results],
    args: argparse.Namespace,
    pool: concurrent.futures.Executor,
    shapes: dict[str, Shape],
) -> int:
    """Compute what is not in the files; return how many cases failed."""
    waiting = {}
    finished = failed = 0
    # Those that take long first, so that no process has one at the end.
    for name in sorted(shapes, key=lambda name: -shapes[name].length):
        for experiment in args.experiment:
            for case in plan(experiment, name, shapes[name], args):
                if case.key in results[experiment].rows:
                    finished += 1
                    continue
                future = pool.submit(compute, experiment, case, args)
                waiting[future] = experiment, case
    total = finished + len(waiting)
    if finished:
        print(f"{finished} of {total} cases are finished.", file=sys.stderr)
    console = Console(stderr=True)
    columns = [
        *Progress.get_default_columns(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    ]
    with Progress(
        *columns, console=console, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task("cases", total=total, completed=finished)
        for future in concurrent.futures.as_completed(waiting):
            experiment, case = waiting[future]
            try:
                values = future.result()
            except (Exception, SystemExit) as error:
                if isinstance(
                    error, concurrent.futures.process.BrokenProcessPool
                ):
                    raise
                failed += 1
                bar.console.print(
                    f"{experiment}, {case}: FAILED: "
                    f"{type(error).__name__}: {error}",
                    markup=False,
                )
                continue
            results[experiment].add(case, values)
            finished += 1
            bar.update(task, completed=finished, description=case.dataset)
            if not console.is_terminal:
                print(
                    f"{finished}/{total} {experiment}, {case}: "
                    f"{values['seconds']:.3g} s",
                    file=sys.stderr,
                    flush=True,
                )
    return failed
