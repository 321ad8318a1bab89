"""What is said of sources that are not embedded to their end."""

from __future__ import annotations

import json

import pyarrow as pa

from tests.fakes import MemoryShard
from xmodal_kedro.inference.recordings import FAILED_KEY
from xmodal_kedro.inference.unheard import describe_unheard, unheard_recordings
from xmodal_kedro.schemas import RECORDING_EMBEDDINGS_ARROW, UnheardRecordings


def shard(embedded: list[str], failed: list[tuple[str, str]]) -> MemoryShard:
    rows = [{"uri": uri, "start_s": 0.0, "end_s": 1.0, "embedding": [0.0], "tags": []} for uri in embedded]
    reasons = [{"uri": uri, "reason": reason, "detail": "why"} for uri, reason in failed]
    schema = RECORDING_EMBEDDINGS_ARROW.with_metadata({FAILED_KEY: json.dumps(reasons)})
    return MemoryShard(pa.Table.from_pylist(rows, schema=schema))


SHARDS = {
    "a": shard(["whole.wav", "half.ogg"], [("half.ogg", "corrupt"), ("notes.txt", "not_media")]),
    "b": shard([], [("mute.mp4", "no_audio"), ("broken.mp3", "corrupt")]),
    "c": shard(["whole too.wav"], []),
}


def test_each_source_ends_as_embedded_in_part_or_not_or_as_no_recording() -> None:
    table = UnheardRecordings.validate(unheard_recordings(SHARDS))
    assert table[["uri", "outcome"]].values.tolist() == [
        ["broken.mp3", "not_embedded"],
        ["half.ogg", "embedded_in_part"],
        ["mute.mp4", "not_embedded"],
        ["notes.txt", "no_recording"],
    ]


def test_a_text_among_recordings_is_not_said_to_end_early() -> None:
    said = describe_unheard(unheard_recordings(SHARDS))
    assert said == (
        "1 not a recording (1 not_media), 2 not embedded (1 corrupt, 1 no_audio), 1 embedded in part (1 corrupt)"
    )
    assert (
        describe_unheard(unheard_recordings({"c": SHARDS["c"]}))
        == "0 not a recording, 0 not embedded, 0 embedded in part"
    )
