from __future__ import annotations

import tracemalloc

import numpy as np
import pandas as pd
import pyarrow as pa

from tests.fakes import MemoryShard
from xmodal_kedro.inference.examples import Example, FoundWindow
from xmodal_kedro.inference.similar import Match
from xmodal_kedro.reports.embed import EmbedReport, count_tags
from xmodal_kedro.schemas import RECORDING_EMBEDDINGS_ARROW

SOUND = (3_000 * np.sin(np.arange(16_000) / 5)).astype("<i2").tobytes()


def shard(*rows: tuple[str, float, list[tuple[str, float]]]) -> MemoryShard:
    made = [
        {
            "uri": uri,
            "start_s": start_s,
            "end_s": start_s + 4,
            "embedding": [0.0],
            "tags": [{"name": name, "score": score} for name, score in tags],
        }
        for uri, start_s, tags in rows
    ]
    return MemoryShard(pa.Table.from_pylist(made, RECORDING_EMBEDDINGS_ARROW))


def report() -> EmbedReport:
    embeddings = {
        "a": shard(("a.wav", 0.0, [("tap", 0.4), ("<b>dog</b>", 0.2)]), ("a.wav", 4.0, [("tap", 0.9)])),
        "b": shard(("b.wav", 8.0, [("tap", 0.5)]), ("b.wav", 12.0, [])),
    }
    unheard = pd.DataFrame([("c.wav", "corrupt", "no frame")], columns=["uri", "reason", "detail"])
    found = [
        FoundWindow(Match("a.wav", 4.0, 8.0, 0.93), SOUND),
        FoundWindow(Match("gone.wav", 0.0, 4.0, 0.5), b""),
    ]
    return EmbedReport("vggish_plus", 4, 3, count_tags(embeddings), unheard, [Example("my tap.wav", SOUND, found)])


def test_tags_are_counted_by_window_and_recording_with_the_best() -> None:
    tap, dog = report().tags
    assert (tap.name, tap.windows, len(tap.recordings)) == ("tap", 3, 2)
    assert tap.best[:3] == ("a.wav", 4.0, 8.0) and dog.windows == 1


def test_counting_takes_no_more_memory_for_a_longer_recording() -> None:
    peaks = []
    for windows in (1_000, 10_000):
        long = shard(*(("a.wav", 4.0 * number, [("tap", 0.5), ("dog", 0.4)]) for number in range(windows)))
        tracemalloc.start()
        assert [count.windows for count in count_tags({"a": long})] == [windows, windows]
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 4 * peaks[0]  # for ten times the windows; the file itself is in memory here


def test_the_page_shows_examples_with_sound_and_escapes_names() -> None:
    page = report().render()
    assert page.count("data:audio/wav") == 2 and "cannot be decoded" in page
    assert "<b>dog" not in page and "&lt;b&gt;dog" in page
    assert "c.wav" in page and "my tap.wav" in page


def test_without_examples_the_page_says_how_to_search() -> None:
    made = report()
    page = EmbedReport(made.model, 0, 0, [], made.unheard.head(0), []).render()
    assert "examples=FOLDER" in page
