"""The report of `embed`: what is heard how often, where it is heard best, and what is like examples."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from xmodal_kedro.media.wav_file import wav
from xmodal_kedro.reports import html
from xmodal_kedro.reports.labels.contact_sheet import data_uri, spectrogram
from xmodal_kedro.storage import LoadShard, Shards

ROWS = 512
"""Windows that are counted at a time."""
MAX_CLASSES = 60
"""Rows of the table, those of most windows."""


@dataclass
class TagCount:
    """How often a class is heard.

    Attributes:
        name: of the class.
        windows: with this tag.
        recordings: with such a window.
        best: recording, start, end and score of the window of the highest score.
    """

    name: str
    windows: int
    recordings: set[str]
    best: tuple[str, float, float, float]


def count_tags(embeddings: Shards) -> list[TagCount]:
    """All tags, those of most windows first. `ROWS` windows at a time are in memory, without their embeddings."""
    found: dict[str, TagCount] = {}
    for shard in embeddings.values():
        for row in _rows(shard, ["uri", "start_s", "end_s", "tags"]):
            for tag in row["tags"]:
                here = (row["uri"], row["start_s"], row["end_s"], tag["score"])
                count = found.setdefault(tag["name"], TagCount(tag["name"], 0, set(), here))
                count.windows += 1
                count.recordings.add(row["uri"])
                if here[3] > count.best[3]:
                    count.best = here
    return sorted(found.values(), key=lambda count: (-count.windows, count.name))


def _rows(shard: LoadShard, columns: list[str]) -> Iterator[dict[str, Any]]:
    with shard.open() as parquet:
        for batch in parquet.iter_batches(ROWS, columns=columns, use_threads=False):
            yield from batch.to_pylist()


@dataclass(frozen=True)
class EmbedReport:
    """All that the report shows.

    Attributes:
        model: name of the network.
        windows: how many are embedded.
        sources: how many there are.
        tags: of `count_tags`.
        unheard: `schemas.UnheardRecordings`.
        examples: of `inference.examples.find_like`.
    """

    model: str
    windows: int
    sources: int
    tags: Sequence[TagCount]
    unheard: pd.DataFrame
    examples: Sequence[Any]

    def render(self) -> str:
        """One HTML page that needs nothing beside it."""
        return html.render(
            "embed_report.html.j2",
            model=self.model,
            windows=self.windows,
            sources=self.sources,
            tags=self.tags[:MAX_CLASSES],
            classes=len(self.tags),
            unheard=self.unheard.to_dict("records"),
            examples=[
                {
                    "name": example.name,
                    "sound": _sound(example.audio),
                    "found": [(each.match, _sound(each.audio)) for each in example.found],
                }
                for example in self.examples
            ],
        )


def _sound(audio: bytes) -> dict[str, str] | None:
    """Spectrogram and sound as `data:` URIs; None without sound."""
    if not audio:
        return None
    return {
        "spectrogram": data_uri(spectrogram(audio), "image/png"),
        "audio": data_uri(wav(audio), "audio/wav"),
    }
