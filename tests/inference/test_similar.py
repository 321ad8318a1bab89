from __future__ import annotations

import shutil
import wave
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from tests.network_files import Trained, sound
from xmodal_kedro import load
from xmodal_kedro.cli.similar import similar
from xmodal_kedro.errors import UserError
from xmodal_kedro.inference.neighbours import nearest_sounds
from xmodal_kedro.inference.similar import INDEX, SHARDS, open_index
from xmodal_kedro.schemas import RECORDING_EMBEDDINGS_ARROW


def store(folder: Path, vectors_NE: np.ndarray, shards: int = 3) -> list[tuple[str, float]]:
    """Shards of embeddings as `embed` writes them; returns recording and start of each row, in their order."""
    (folder / SHARDS).mkdir(parents=True, exist_ok=True)
    named = []
    for at, part in enumerate(np.array_split(np.arange(len(vectors_NE)), shards)):
        rows = [
            {
                "uri": f"{row // 4}.wav",
                "start_s": 4.0 * (row % 4),
                "end_s": 4.0 * (row % 4) + 4,
                "embedding": vectors_NE[row].astype(np.float32),
                "tags": [],
            }
            for row in part
        ]
        named += [(row["uri"], row["start_s"]) for row in rows]
        pq.write_table(pa.Table.from_pylist(rows, RECORDING_EMBEDDINGS_ARROW), folder / SHARDS / f"{at:03}.parquet")
    return named


@pytest.fixture
def heap(tmp_path: Path) -> tuple[Path, np.ndarray, list[tuple[str, float]]]:
    vectors = np.random.default_rng(0).normal(3, 1, (999, 24)).astype(np.float32)
    return tmp_path, vectors, store(tmp_path, vectors)


@pytest.mark.parametrize("count", [1, 20, 998])
def test_the_search_is_brute_force(heap: tuple[Path, np.ndarray, list[tuple[str, float]]], count: int) -> None:
    folder, vectors, named = heap
    found = open_index(folder).nearest(vectors[17], count + 1)
    assert (found[0].uri, found[0].start_s) == named[17] and found[0].cosine == pytest.approx(1, abs=1e-5)
    expected = nearest_sounds(vectors.astype(np.float64), 17, count)
    np.testing.assert_allclose([match.cosine for match in found[1:]], [cosine for _, cosine in expected], atol=1e-5)
    assert {(match.uri, match.start_s) for match in found[1:]} == {named[at] for at, _ in expected}


def test_the_index_is_kept_and_made_again_when_shards_change(
    heap: tuple[Path, np.ndarray, list[tuple[str, float]]],
) -> None:
    folder, vectors, _ = heap
    open_index(folder)
    made = (folder / INDEX / "vectors.f32").stat().st_mtime_ns
    assert len(open_index(folder / SHARDS)) == 999
    assert (folder / INDEX / "vectors.f32").stat().st_mtime_ns == made
    store(folder, vectors[:500])
    assert len(open_index(folder)) == 500
    assert not list(folder.glob(f".{INDEX}*"))


def test_two_searches_at_once_both_find(
    heap: tuple[Path, np.ndarray, list[tuple[str, float]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, vectors, named = heap
    rename = Path.rename

    def after_another(made: Path, place: Path) -> Path:
        monkeypatch.setattr(Path, "rename", rename)
        open_index(folder)
        return rename(made, place)

    monkeypatch.setattr(Path, "rename", after_another)
    found = open_index(folder).nearest(vectors[17], 1)
    assert (found[0].uri, found[0].start_s) == named[17]
    assert not list(folder.glob(f".{INDEX}-*"))


def test_a_broken_index_is_made_again(heap: tuple[Path, np.ndarray, list[tuple[str, float]]]) -> None:
    open_index(heap[0])
    (heap[0] / INDEX / "state.json").write_text("{")
    assert len(open_index(heap[0])) == 999


def test_few_of_each_recording(heap: tuple[Path, np.ndarray, list[tuple[str, float]]]) -> None:
    folder, vectors, _ = heap
    found = open_index(folder).nearest(vectors[0], 50, per_recording=1)
    assert len({match.uri for match in found}) == 50
    cosines = [match.cosine for match in found]
    assert cosines == sorted(cosines, reverse=True)


def test_equal_windows_come_in_their_order(tmp_path: Path) -> None:
    vectors = np.concatenate([np.ones((8, 4)), -np.ones((8, 4))])
    named = store(tmp_path, vectors)
    found = open_index(tmp_path).nearest(np.ones(4), 5)
    assert [(match.uri, match.start_s) for match in found] == named[:5]


def test_embeddings_of_another_network_are_refused(heap: tuple[Path, np.ndarray, list[tuple[str, float]]]) -> None:
    with pytest.raises(UserError, match="7 numbers.*24"):
        open_index(heap[0]).nearest(np.ones(7), 5)


def test_a_folder_without_embeddings_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="pipeline embed"):
        open_index(tmp_path)


def test_an_example_finds_its_like_through_api_and_command_line(tmp_path: Path) -> None:
    (tmp_path / "network").mkdir()
    Trained(tmp_path / "network")
    model = load(tmp_path / "network", "cpu")
    pitches = [300 * 1.2**at for at in range(12)]
    store(tmp_path, np.stack([model.embed(sound(hz, seed=at), 16_000) for at, hz in enumerate(pitches)]))
    first, *_ = model.similar(sound(pitches[5], seed=5), tmp_path, 16_000)
    assert (first.uri, first.start_s) == ("1.wav", 4.0)
    shutil.rmtree(tmp_path / INDEX)

    with wave.open(str(tmp_path / "tap.wav"), "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        file.writeframes(np.rint(sound(pitches[5], seed=5) * 32_768).clip(-32_768, 32_767).astype("<i2").tobytes())
    arguments = [str(tmp_path / "tap.wav"), "--model", str(tmp_path / "network"), "--within", str(tmp_path)]
    done = CliRunner().invoke(similar, [*arguments, "--label", "tap", "--count", "2"])
    assert done.exit_code == 0, done.output
    assert done.output.splitlines()[:2] == ["file,label,start_s,end_s", "1.wav,tap,4,8"]
    wrong = CliRunner().invoke(similar, [*arguments[:-1], str(tmp_path / "network")])
    assert wrong.exit_code == 1 and "pipeline embed" in wrong.output
