"""Events as files of other tools: CSV, Audacity, Raven, BirdNET-Analyzer."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain, groupby
from operator import attrgetter
from typing import Any

from xmodal_kedro.exports.events import Event, EventRule, Span, find_events
from xmodal_kedro.exports.file_names import mirrored_name
from xmodal_kedro.exports.sources import SpanSource
from xmodal_kedro.pcm import CLIP_SAMPLE_RATE_HZ
from xmodal_kedro.recipes import recipe
from xmodal_kedro.storage.exported import ExportedFile, FileJobs

EVENT_COLUMNS = Event._fields
RAVEN_COLUMNS = (
    *("Selection", "View", "Channel", "Begin Time (s)", "End Time (s)", "Low Freq (Hz)", "High Freq (Hz)"),
    *("Begin File", "Annotation", "Score"),
)
BIRDNET_COLUMNS = ("Start (s)", "End (s)", "Scientific name", "Common name", "Confidence", "File")
"""Of BirdNET-Analyzer 2's combined table."""
AUDACITY_SUFFIX = ".txt"
RAVEN_SUFFIX = ".Table.1.selections.txt"
"""As Raven itself calls the first table of a recording."""
_BREAKS = re.compile(r"[\s\x00-\x1f\x7f\x85\u2028\u2029]+")


def annotation_jobs(sources: Mapping[str, SpanSource], rule: EventRule, formats: Iterable[str]) -> FileJobs:
    """Jobs that write annotations: for all recordings together, or for each shard a file a recording.

    Args:
        sources: of each shard, by key.
        formats: names among `events`, `audacity`, `raven` and `birdnet`.
    """
    whole = {"events": event_table, "birdnet": birdnet_table}
    by_recording: dict[str, Callable[..., Any]] = {"audacity": audacity_files, "raven": raven_files}
    jobs: FileJobs = {}
    for name in formats:
        if name in whole:
            jobs[name] = partial(whole[name], tuple(sources.values()), rule)
        else:
            jobs |= {f"{name}-{key}": partial(by_recording[name], source, rule) for key, source in sources.items()}
    return jobs


@recipe("event_table", version=1)
def event_table(sources: Sequence[SpanSource], rule: EventRule) -> Iterator[ExportedFile]:
    """`events.csv`: a row for each event of all recordings, one shard in memory at a time."""
    yield ExportedFile("events.csv", csv_pieces(EVENT_COLUMNS, (map(_event_row, _events(s, rule)) for s in sources)))


@recipe("birdnet_table", version=1)
def birdnet_table(sources: Sequence[SpanSource], rule: EventRule) -> Iterator[ExportedFile]:
    """`BirdNET_CombinedTable.csv`: a row for each span with at least the threshold, as BirdNET has one a segment."""
    rows = (_birdnet_rows(source.spans(), rule) for source in sources)
    yield ExportedFile("BirdNET_CombinedTable.csv", csv_pieces(BIRDNET_COLUMNS, rows))


@recipe("audacity_files", version=1)
def audacity_files(source: SpanSource, rule: EventRule) -> Iterator[ExportedFile]:
    """A label file of each recording that has events, for Audacity: begin, end and label, divided by tabs."""
    for uri, events in _by_recording(source, rule):
        lines = [f"{event.start_s:.6f}\t{event.end_s:.6f}\t{on_one_line(event.label)}\n" for event in events]
        yield ExportedFile(f"audacity/{mirrored_name(uri, AUDACITY_SUFFIX)}", ["".join(lines).encode()])


@recipe("raven_files", version=1)
def raven_files(source: SpanSource, rule: EventRule) -> Iterator[ExportedFile]:
    """A selection table of each recording that has events, for Raven. Boxes go over all frequencies that a network
    hears."""
    for uri, events in _by_recording(source, rule):
        rows = [_raven_row(number, event) for number, event in enumerate(events, start=1)]
        lines = ["\t".join(row) + "\n" for row in (RAVEN_COLUMNS, *rows)]
        yield ExportedFile(f"raven/{mirrored_name(uri, RAVEN_SUFFIX)}", ["".join(lines).encode()])


def csv_pieces(columns: Sequence[str], parts: Iterable[Iterable[Sequence[Any]]]) -> Iterator[bytes]:
    """A CSV file in UTF-8 in pieces: its header, then the rows of each part."""
    for rows in chain([[columns]], parts):
        stream = io.StringIO(newline="")
        csv.writer(stream, lineterminator="\n").writerows(rows)
        yield stream.getvalue().encode()


def on_one_line(text: str) -> str:
    """A text without tabs and line breaks, which would end a cell, and double quotes, which some readers take for
    the beginning of one."""
    return _BREAKS.sub(" ", text).strip().replace('"', "'")


def _events(source: SpanSource, rule: EventRule) -> list[Event]:
    return find_events(source.spans(), rule)


def _by_recording(source: SpanSource, rule: EventRule) -> Iterator[tuple[str, list[Event]]]:
    for uri, events in groupby(_events(source, rule), key=attrgetter("uri")):
        yield uri, list(events)


def _event_row(event: Event) -> tuple[Any, ...]:
    seconds = (f"{event.start_s:.3f}", f"{event.end_s:.3f}")
    scores = (f"{event.score:.4f}", f"{event.mean_score:.4f}")
    return (event.uri, event.label, *seconds, *scores, event.windows)


def _raven_row(number: int, event: Event) -> tuple[str, ...]:
    span = (f"{event.start_s:.6f}", f"{event.end_s:.6f}")
    file = on_one_line(event.uri.rpartition("/")[2])
    frequencies = ("0.0", f"{CLIP_SAMPLE_RATE_HZ / 2:.1f}")
    return (
        *(str(number), "Spectrogram 1", "1"),
        *span,
        *frequencies,
        *(file, on_one_line(event.label), f"{event.score:.4f}"),
    )


def _birdnet_rows(spans: list[Span], rule: EventRule) -> Iterator[tuple[Any, ...]]:
    for span in sorted(spans, key=lambda span: (span.uri, span.start_s, -span.score, span.label)):
        if span.score >= rule.threshold:
            # BirdNET-Analyzer's own reader divides lines at every comma. Its classes that are no species have one name.
            name = on_one_line(span.label).replace(",", ";")
            yield (f"{span.start_s:.3f}", f"{span.end_s:.3f}", name, name, f"{span.score:.4f}", span.uri)
