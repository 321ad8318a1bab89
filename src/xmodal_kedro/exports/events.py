"""Events: adjacent spans of a recording with one label, joined."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

ROUNDING_S = 1e-6
"""Times that differ by less are the same: they are fractions of samples or milliseconds."""


class Span(NamedTuple):
    """A stretch of a recording with a label.

    Attributes:
        uri: name of the recording among the sources.
        label: name of the class.
        start_s, end_s: seconds from the start of the recording.
        score: 0..1.
    """

    uri: str
    label: str
    start_s: float
    end_s: float
    score: float


class Event(NamedTuple):
    """Adjacent spans of one label.

    Attributes:
        uri, label, start_s, end_s: as of a `Span`.
        score, mean_score: the highest score of its spans, and the mean of all.
        windows: number of spans.
    """

    uri: str
    label: str
    start_s: float
    end_s: float
    score: float
    mean_score: float
    windows: int


@dataclass(frozen=True)
class EventRule:
    """When a label is on: hysteresis, as usual in detection of sound events.

    Attributes:
        threshold: an event has a span with at least this score.
        low_threshold: it goes on as long as scores are at least this; at most `threshold`.
        max_gap_s: spans with at most so many seconds between them are joined.
    """

    threshold: float
    low_threshold: float
    max_gap_s: float = 0.0


def find_events(spans: list[Span], rule: EventRule) -> list[Event]:
    """Events of some recordings, by recording, then time, then label.

    The order of the spans does not matter, and they may overlap. Events of one label do not overlap. A span with at
    least the threshold lies in exactly one event, and begins and ends of events are begins and ends of spans.
    """
    is_on = sorted(span for span in spans if span.score >= rule.low_threshold)
    found = [
        _event(run)
        for _, of_label in groupby(is_on, key=itemgetter(0, 1))
        for run in _runs(list(of_label), rule.max_gap_s)
        if any(span.score >= rule.threshold for span in run)
    ]
    return sorted(found, key=itemgetter(0, 2, 3, 1))


def _runs(spans: list[Span], max_gap_s: float) -> Iterator[list[Span]]:
    """Spans of one label in order of time, divided where the gap is too long."""
    run: list[Span] = []
    end_s = 0.0
    for span in spans:
        if run and span.start_s - end_s > max_gap_s + ROUNDING_S:
            yield run
            run = []
        end_s = max(end_s, span.end_s) if run else span.end_s
        run.append(span)
    if run:
        yield run


def _event(run: list[Span]) -> Event:
    scores = [span.score for span in run]
    end_s = max(span.end_s for span in run)
    first = run[0]
    return Event(first.uri, first.label, first.start_s, end_s, max(scores), sum(scores) / len(scores), len(run))


def exploded(table: pa.Table, items: str) -> tuple[pa.Table, pa.Array]:
    """A row for each item of a column of lists.

    Returns:
        The other columns, repeated for each item, and the items.
    """
    column = table[items].combine_chunks()
    others = table.drop_columns([items])
    return others.take(pc.list_parent_indices(column)), pc.list_flatten(column)
