from __future__ import annotations

import threading
from collections.abc import Generator

import pytest

from xmodal_kedro.data.prefetch import prefetched


def counting(made: list[int], up_to: int = 100) -> Generator[int]:
    for number in range(up_to):
        made.append(number)
        yield number


def test_gives_what_is_made_in_order() -> None:
    assert list(prefetched(counting([], 20), 3)) == list(range(20))


def test_makes_no_more_ahead_than_asked_for() -> None:
    made: list[int] = []
    ahead = prefetched(counting(made), 3)
    for taken, _ in enumerate(ahead, start=1):
        assert len(made) - taken <= 3 + 1  # one waits for its place
    assert len(made) == 100


def test_an_error_where_things_are_made_is_raised_where_they_are_used() -> None:
    def broken() -> Generator[int]:
        yield 1
        raise OSError("disk gone")

    ahead = prefetched(broken(), 2)
    assert next(ahead) == 1
    with pytest.raises(OSError, match="disk gone"):
        next(ahead)


def test_a_user_that_stops_early_leaves_no_thread_behind_and_closes_what_makes() -> None:
    closed = []

    def watched() -> Generator[int]:
        try:
            yield from range(1_000)
        finally:
            closed.append(True)

    ahead = prefetched(watched(), 2)
    next(ahead)
    ahead.close()
    assert closed and not [thread for thread in threading.enumerate() if thread.name == "prefetch"]
