"""Progress bars, for those who ask for them."""

from __future__ import annotations

from typing import Any

from chainer_sdtw._engine.optional import import_error


class _Quiet:
    """A bar that shows nothing."""

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
    **options: Any,
) -> Any:
    """Return a bar of tqdm, or one that shows nothing.

    Args:
        enabled: Whether to show it.
        total: Number of steps.
        desc: What is being done.
        options: Other arguments of tqdm.

    Raises:
        ImportError: If it is to be shown and tqdm cannot be imported.
    """
    if not enabled:
        return _Quiet()
    try:
        from tqdm.auto import tqdm
    except Exception as e:
        raise import_error("a progress bar", "tqdm", "tqdm", "learn", e) from e
    return tqdm(total=total, desc=desc, **options)


def converged(bar: Any, remaining: int = 0) -> None:
    """Let a bar end where a search has ended before its last iteration.

    Args:
        bar: A bar that has been told of each of the search's iterations.
            Nothing is done if they were as many as its total allows.
        remaining: The steps of other searches to come.
    """
    if bar.disable or bar.total == bar.n + remaining:
        return
    done, start, text = bar.n, bar.start_t, bar.postfix
    # Notebooks would not show a total that is set as an attribute.
    bar.reset(total=done + remaining)
    bar.start_t = start
    bar.set_postfix_str(f"{text}, converged" if text else "converged", False)
    bar.update(done)
