"""What ends a run early, and what is left to go on from."""

import contextlib
import glob
import os
import signal
import sys


@contextlib.contextmanager
def explained(args):
    """Say in one line what ended a run early and how to go on.

    SIGTERM ends it as Ctrl-C does, at once.
    """

    def terminate(number, frame):
        raise KeyboardInterrupt(number)

    # To processes of its own mpiexec sends SIGTERM when one of them fails.
    alone = args.communicator is None
    handler = signal.signal(signal.SIGTERM, terminate) if alone else None
    go_on = "go on from the last snapshot, give the same command with"
    try:
        yield
    except KeyboardInterrupt as e:
        print(f"\nInterrupted. To {go_on} --autoload.", file=sys.stderr)
        sys.exit(128 + (*e.args, signal.SIGINT)[0])
    except OSError as e:
        sys.exit(
            f"Cannot write to {args.out}: {e}. When that is possible again, "
            f"to {go_on} --autoload."
        )
    finally:
        if alone:
            signal.signal(signal.SIGTERM, handler)


def check_snapshots(args, settings, out):
    """Exit if the snapshots to go on from are not of a run alike."""
    snapshots = [args.resume] if args.resume else []
    if args.autoload:
        saved = glob.glob(os.path.join(out, "snapshot_iter_*"))
        snapshots += sorted(saved, key=os.path.getmtime)[-1:]
    for path in snapshots:
        try:
            settings.check(path)
        except (OSError, ValueError) as e:
            sys.exit(f"Cannot go on from {path}: {e}")
        print(f"Going on from {path}")
