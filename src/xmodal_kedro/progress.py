"""How far long work is: a bar on a terminal, and elsewhere a line of the log now and then."""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from tqdm.std import tqdm

logger = logging.getLogger(__name__)

Item = TypeVar("Item")

LINE_EVERY_S = 30.0
"""Time from one line to the next where there is no terminal, seconds."""
REFRESH_EVERY_S = 1.0
LINE = "{desc}: {percentage:.0f} %, {n_fmt} of {total_fmt} {unit}, {rate_fmt}, {elapsed} so far, {remaining} left"
BYTES_LINE = "{desc}: {percentage:.0f} %, {n_fmt}B of {total_fmt}B, {rate_fmt}, {elapsed} so far, {remaining} left"


class ProgressBar(tqdm):
    """A bar of tqdm on standard error, with rate and time left.

    If standard error is no terminal, a line of the log takes its place every `LINE_EVERY_S` seconds. Work that is
    finished before the first line leaves none.

    Attributes:
        draws: whether there is a terminal to draw the bar on.
    """

    def __init__(self, iterable: Iterable[Any] | None = None, **options: Any) -> None:
        options.pop("name", None)  # huggingface_hub passes one, which tqdm refuses
        options["file"] = sys.stderr
        options["disable"] = options.get("disable") is True
        self.draws = sys.stderr.isatty()
        self._line_at = time.monotonic()
        if not self.draws:
            form = BYTES_LINE if options.get("unit") == "B" else LINE
            options |= {"bar_format": form, "mininterval": LINE_EVERY_S, "maxinterval": 2 * LINE_EVERY_S}
            options |= {"miniters": 1, "leave": False, "delay": LINE_EVERY_S}
        super().__init__(iterable, **options)

    def __bool__(self) -> bool:
        return True  # tqdm asks for a length, which is not known before a download has begun

    def display(self, msg: str | None = None, pos: int | None = None) -> None:
        """Draw the bar, or log a line."""
        if self.draws:
            super().display(msg, pos)
            return
        now = time.monotonic()
        unfinished = self.total is None or self.n < self.total
        if unfinished and now - self._line_at >= LINE_EVERY_S:
            self._line_at = now
            logger.info("%s", str(self))

    def clear(self, nolock: bool = False) -> None:
        """Take the bar off the terminal."""
        if self.draws:
            super().clear(nolock)


@contextmanager
def refreshed(bar: ProgressBar) -> Iterator[None]:
    """Draw a bar, or log its lines, while nothing of the work is finished too."""
    ended = threading.Event()

    def refresh() -> None:
        while not ended.wait(REFRESH_EVERY_S):
            bar.refresh()

    thread = threading.Thread(target=refresh, name="progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def watched(items: Iterable[Item], description: str, *, total: int, unit: str) -> Iterator[Item]:
    """The items, while a bar or lines of the log say how many have been worked on.

    Args:
        description: what is done.
        total: number of items.
        unit: what an item is, in the plural.
    """
    with ProgressBar(desc=description, total=total, unit=unit) as bar:
        for item in items:
            yield item
            bar.update()
