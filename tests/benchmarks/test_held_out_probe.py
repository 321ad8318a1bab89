"""The probe by which a recipe is chosen looks at held-out clips alone, and divides no recording."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from types import ModuleType

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.fakes import MemoryShard
from tests.project import PROJECT, Project
from tests.tones import TONES_HZ, tone
from xmodal_kedro.errors import UserError
from xmodal_kedro.schemas import CLIPS_ARROW, LABELS_ARROW, TEACHER_LABELS_ARROW

CLIPS_A_RECORDING = 2


@pytest.fixture
def probe(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(PROJECT / "benchmarks")
    return importlib.import_module("held_out_probe")


def shards(recordings: int) -> list[dict[str, MemoryShard]]:
    """Clips, labels, and audio labels of recordings of a tone each, of which every other is held out."""
    clips, labels, heard = [], [], []
    for number in range(recordings * CLIPS_A_RECORDING):
        recording = number // CLIPS_A_RECORDING
        name = list(TONES_HZ)[recording // 2 % 3]
        about = {"clip_id": f"clip-{number}", "video_id": f"video-{recording}"}
        sound = {"start_s": 0.0, "end_s": 1.0, "audio_rms_dbfs": -20.0, "frames": [], "frame_times_s": []}
        clips.append(about | sound | {"audio": tone(TONES_HZ[name], 1.0, number).tobytes()})
        split = "validation" if recording % 2 else "train"
        labels.append(about | {"split": split, "targets": [], "weights": []})
        heard += [
            {"clip_id": about["clip_id"], "label": each, "score": score} for each, score in (("hum", 0.1), (name, 0.9))
        ]
    tables = zip((clips, labels, heard), (CLIPS_ARROW, LABELS_ARROW, TEACHER_LABELS_ARROW), strict=True)
    return [{"shard-0": MemoryShard(pa.Table.from_pylist(rows, schema))} for rows, schema in tables]


def test_recordings_do_not_straddle_folds_and_none_was_trained_on(probe: ModuleType) -> None:
    held_out = probe.gather(*shards(recordings=36), folds=3, min_recordings=3)
    assert len(held_out.sounds) == 18 * CLIPS_A_RECORDING
    assert {int(name.removeprefix("video-")) % 2 for name in held_out.recordings_N} == {1}
    for recording in np.unique(held_out.recordings_N):
        assert len(set(held_out.folds_N[held_out.recordings_N == recording])) == 1
    for fold in range(3):
        assert set(held_out.truths_N[held_out.folds_N == fold]) == set(TONES_HZ)


def test_tones_are_told_apart_by_their_log_mel(probe: ModuleType) -> None:
    held_out = probe.gather(*shards(recordings=36), folds=3, min_recordings=3)
    assert probe.accuracies(probe.LogMelStatistics(), held_out, [0.01, 1.0]) == [1.0, 1.0, 1.0]


def test_too_few_recordings_of_a_class_are_told(probe: ModuleType) -> None:
    with pytest.raises(
        UserError, match=r"fewer than two classes.*7 held-out recordings: set a smaller --min-recordings"
    ):
        probe.gather(*shards(recordings=36), folds=3, min_recordings=7)


def test_the_script_prints_a_table_of_the_networks_that_a_data_root_holds(
    probe: ModuleType, small_run: Project, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    root = small_run.folder / "data" / "sample"
    for file in (root / "05_model_input" / "labels").glob("*.parquet"):  # so small a world holds out three clips
        labels = pq.read_table(file)
        at = labels.schema.get_field_index("split")
        split = pa.array(["validation"] * len(labels), labels.schema.field("split").type)
        pq.write_table(labels.set_column(at, labels.schema.field("split"), split), file)
    few = ["--folds", "3", "--min-recordings", "2", "--env", "sample", "--json", str(tmp_path / "shares.json")]
    probe.main([str(root), *few])
    shares = json.loads((tmp_path / "shares.json").read_text())["vggish_plus"]
    assert {name: len(folds) for name, folds in shares.items()} == {"pretrained": 3, "untrained": 3, "log-mel": 3}
    assert all(0 <= share <= 1 for folds in shares.values() for share in folds)
    printed = capsys.readouterr().out
    assert "held-out clips of" in printed
    assert printed.splitlines()[2].split() == ["network", "pretrained", "untrained", "log-mel"]
