from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from tests.evaluation.sounds import write_tone
from tests.fakes import MemoryShard, folder_of
from tests.network_files import Trained
from xmodal_kedro import load
from xmodal_kedro.errors import UserError
from xmodal_kedro.inference.examples import find_like, nearest_windows
from xmodal_kedro.inference.neighbours import nearest_sounds
from xmodal_kedro.media.sound_file import read_audio
from xmodal_kedro.params import EmbedParams
from xmodal_kedro.schemas import RECORDING_EMBEDDINGS_ARROW
from xmodal_kedro.storage import Folder


def shards(rows: list[tuple[str, float, float, np.ndarray]], count: int = 2) -> dict[str, MemoryShard]:
    columns = ("uri", "start_s", "end_s", "embedding")
    made = {}
    for at in range(count):
        part = [dict(zip(columns, row, strict=True)) | {"tags": []} for row in rows[at::count]]
        made[f"s{at}"] = MemoryShard(pa.Table.from_pylist(part, RECORDING_EMBEDDINGS_ARROW))
    return made


def test_the_search_over_shards_is_brute_force() -> None:
    vectors = np.random.default_rng(0).normal(2, 1, (60, 8)).astype(np.float32)
    found = nearest_windows(
        shards([(f"{at}.wav", 0.0, 4.0, vector) for at, vector in enumerate(vectors)]), vectors[[7, 30]], 10, 1
    )
    for query, matches in zip((7, 30), found, strict=True):
        expected = [query, *(at for at, _ in nearest_sounds(vectors, query, 9))]
        assert [match.uri for match in matches] == [f"{at}.wav" for at in expected]


def test_the_order_of_shards_does_not_matter() -> None:
    vectors = np.random.default_rng(1).normal(0, 1, (40, 8)).astype(np.float32)
    made = shards([(f"{at // 3}.wav", 4.0 * (at % 3), 4.0, vector) for at, vector in enumerate(vectors)], 4)
    backwards = dict(reversed(made.items()))
    one, other = (nearest_windows(each, vectors[:1], 12, 2)[0] for each in (made, backwards))
    assert [match[:3] for match in one] == [match[:3] for match in other]


def test_embeddings_of_another_network_are_refused() -> None:
    with pytest.raises(UserError, match="another network"):
        nearest_windows(shards([("a.wav", 0.0, 4.0, np.ones(8))]), np.ones((1, 9)))


def test_found_windows_have_the_sound_of_their_recording(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for folder in ("network", "heap", "examples"):
        (tmp_path / folder).mkdir()
    Trained(tmp_path / "network")
    model = load(tmp_path / "network", "cpu")
    write_tone(tmp_path / "heap" / "a.wav", 400, 3.0)
    write_tone(tmp_path / "heap" / "b.wav", 4_000, 3.0)
    write_tone(tmp_path / "examples" / "like a.wav", 410, 1.0)
    (tmp_path / "examples" / "broken.wav").write_bytes(b"no sound")
    whole = {name: read_audio(str(tmp_path / "heap" / name)) for name in ("a.wav", "b.wav")}
    rows = [
        (name, start, start + 1.0, model.embed(audio[round(start * 16_000) : round((start + 1) * 16_000)], 16_000))
        for name, audio in whole.items()
        for start in (0.0, 1.5)
    ]
    (example,) = find_like(
        folder_of(tmp_path / "examples"), shards(rows), folder_of(tmp_path / "heap"), model, EmbedParams()
    )
    assert example.name == "like a.wav" and "broken.wav" in caplog.text
    assert [each.match.uri for each in example.found[:2]] == ["a.wav", "a.wav"]
    for each in example.found:
        start = round(each.match.start_s * 16_000)
        np.testing.assert_array_equal(np.frombuffer(each.audio, "<i2"), whole[each.match.uri][start : start + 16_000])


def test_without_examples_or_windows_nothing_is_found(tmp_path: Path) -> None:
    (tmp_path / "network").mkdir()
    Trained(tmp_path / "network")
    model = load(tmp_path / "network", "cpu")
    assert find_like({}, shards([("a.wav", 0.0, 4.0, np.ones(8))]), {}, model, EmbedParams()) == []
    write_tone(tmp_path / "x.wav", 400, 1.0)
    examples = Folder("x", {"x.wav": folder_of(tmp_path)["x.wav"]})
    assert find_like(examples, shards([]), {}, model, EmbedParams()) == []


def test_an_example_of_any_length_is_not_taken_for_one_sound(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("network", "examples"):
        (tmp_path / folder).mkdir()
    Trained(tmp_path / "network")
    model = load(tmp_path / "network", "cpu")
    write_tone(tmp_path / "examples" / "day.wav", 400, 3.0)
    monkeypatch.setattr("xmodal_kedro.inference.examples.MAX_FILE_S", 2.0)
    rows = shards([("a.wav", 0.0, 4.0, np.ones(8))])
    assert find_like(folder_of(tmp_path / "examples"), rows, {}, model, EmbedParams()) == []
    assert "day.wav is left out: it is longer than 2 s" in caplog.text
