"""Progress bars, for those who ask for them."""

from __future__ import annotations

from typing import Any

from chainer_sdtw._engine.optional import import_error


class _Quiet:
    """What a bar that nobody asked for does."""

    disable = True

    def __enter__(self) -> _Quiet:
        return self

    def __exit__(self, *_: Any) -> None:
        pass

    def update(self, n: int = 1) -> None:
        pass

    def set_postfix_str(self, text: str, refresh: bool = True) -> None:
        pass


def progress(
    enabled: bool,
    total: Any = None,
    desc: str | None = None,
    **more: Any,
) -> Any:
    """A bar of tqdm, or something that takes its calls and shows nothing.

    Args:
        enabled: Whether to show it.
        total: Number of steps.
        desc: What is being done.
        more: More for tqdm.

    Raises:
        ImportError: If it is to be shown and tqdm cannot be imported.
    """
    if not enabled:
        return _Quiet()
    try:
        from tqdm.auto import tqdm
    except Exception as e:
        raise import_error("a progress bar", "tqdm", "tqdm", "learn", e) from e
    return tqdm(total=total, desc=desc, **more)


def converged(bar: Any, left: int = 0) -> None:
    """Complete the part of a bar that a search had no need of.

    Args:
        bar: A bar, told of each of the search's iterations. Nothing is done
            if they were as many as its total allows.
        left: The steps of other searches to come.
    """
    if bar.disable or bar.total == bar.n + left:
        return
    done, begun, text = bar.n, bar.start_t, bar.postfix
    # Not by setting the total, which notebooks would not show.
    bar.reset(total=done + left)
    bar.start_t = begun
    bar.set_postfix_str(f"{text}, converged" if text else "converged", False)
    bar.update(done)
