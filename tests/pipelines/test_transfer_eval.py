from __future__ import annotations

import re
import subprocess
import sys
import textwrap
import wave
from pathlib import Path
from typing import Any, get_type_hints

import numpy as np
import pandas as pd
import pytest
import torch
from kedro.io import DataCatalog, MemoryDataset
from kedro.runner import SequentialRunner
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tests.evaluation.sounds import write_benchmark
from tests.evaluation.test_leaks import moving, signed
from tests.fakes import MemoryShard, folder_of, shard_of
from tests.media.synthetic import Coding, write_media
from tests.project import PROJECT
from tests.reports.pages import flat
from tests.reports.transfer.test_report import report_inputs
from xmodal_kedro.evaluation.benchmarks.catalogue import read_benchmark
from xmodal_kedro.evaluation.few_clips import require_enough_clips
from xmodal_kedro.models import build
from xmodal_kedro.models.card import make_card
from xmodal_kedro.params import (
    AudioTeacherCard,
    FineTuneParams,
    NearDuplicateParams,
    TrainParams,
    TransferParams,
    VGGishPlusParams,
)
from xmodal_kedro.pipelines.transfer_eval import create_pipeline
from xmodal_kedro.pipelines.transfer_eval.nodes import embed_sounds, probe_folds
from xmodal_kedro.schemas import (
    ClassAccuracies,
    ConfusionPairs,
    ProbeStrengths,
    TransferGains,
    TransferPredictions,
    TransferResults,
)
from xmodal_kedro.storage import Folder

SMALL = TrainParams(model="vggish_plus", vggish_plus=VGGishPlusParams(width=4), clip_s=1.0)
TEACHER: dict[str, Any] = {
    "backend": "onnx",
    "weights": "yamnet_patches.onnx",
    "labels": "yamnet_class_map.csv",
    "input": {"kind": "log_mel", "log_offset": 0.001},
}


class Kept(MemoryDataset):
    """A dataset that keeps its data after the run; shard jobs run when they are saved."""

    def save(self, data: Any) -> None:
        is_jobs = isinstance(data, dict) and all(callable(job) for job in data.values())
        super().save({key: shard_of(job) for key, job in data.items()} if is_jobs else data)

    def _release(self) -> None:
        pass


def run(
    folder: Folder,
    params: TransferParams,
    card: AudioTeacherCard | None = None,
    teacher: Folder | None = None,
    train_signatures: dict[str, MemoryShard] | None = None,
) -> dict:
    """The whole pipeline with an untrained network in place of a trained one; returns its outputs by name."""
    torch.manual_seed(1)
    model = build("vggish_plus", 2, SMALL.vggish_plus)
    reported = {name: value for name, value in report_inputs().items() if not name.startswith("transfer_")}
    made = create_pipeline().all_outputs()
    inputs = reported | {
        "benchmark_files": folder,
        "model_weights": model.state_dict(),
        "model_card": make_card(model, ["dog", "rain"], SMALL, "0" * 32, {"epoch": 1, "validation_map": 0.25}),
        "videos": reported["videos"].assign(uri=["a.mp4", "b.mp4", "c.mp4", "d.mp4"]),
        "signatures": train_signatures or {},
        "audio_teacher_files": teacher or Folder("nowhere", {}),
        "params:audio_teacher": card or AudioTeacherCard.model_validate(TEACHER),
        "params:near_duplicates": NearDuplicateParams(),
        "params:transfer_eval": params,
    }
    inputs = {name: value for name, value in inputs.items() if name not in made}
    catalog = DataCatalog({name: MemoryDataset(value, copy_mode="assign") for name, value in inputs.items()})
    for name in made:
        catalog[name] = Kept(copy_mode="assign")
    SequentialRunner().run(create_pipeline(), catalog)
    return {name: catalog.load(name) for name in made}


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> dict:
    """All protocols on tones, `dog` in place of `low`."""
    root = tmp_path_factory.mktemp("benchmark") / "tones"
    write_benchmark(root)
    metadata = root / "meta" / "esc50.csv"
    metadata.write_text(metadata.read_text().replace(",low,", ",dog,").replace(",middle,", ",rain,"))
    params = TransferParams(
        protocols=("linear_probe", "fine_tune", "zero_shot"),
        regularisation=(0.01, 0.1),
        fine_tune=FineTuneParams(epochs=1, batch_size=4),
        batch_size=4,
        device="cpu",
    )
    return run(folder_of(root), params)


def test_the_parameters_are_typed_for_kedro_without_loading_heavy_libraries() -> None:
    assert get_type_hints(embed_sounds)["transfer_eval"] is TransferParams
    assert get_type_hints(probe_folds)["transfer_eval"] is TransferParams
    heavy = "{'torch', 'sklearn', 'plotly'}"
    code = f"import sys, xmodal_kedro.pipelines.transfer_eval; sys.exit(bool({heavy} & sys.modules.keys()))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_tables_are_valid_and_survive_parquet(outputs: dict, tmp_path: Path) -> None:
    schemas = {
        "probe_predictions": TransferPredictions,
        "probe_strengths": ProbeStrengths,
        "zero_shot_predictions": TransferPredictions,
        "transfer_predictions": TransferPredictions,
        "transfer_results": TransferResults,
        "transfer_gains": TransferGains,
    }
    for name, schema in schemas.items():
        outputs[name].to_parquet(tmp_path / name)
        assert len(schema.validate(pd.read_parquet(tmp_path / name))) == len(outputs[name])


def test_tables_of_the_pretrained_networks_calls_add_up_to_its_accuracy(outputs: dict) -> None:
    pairs = ConfusionPairs.validate(outputs["confusion_pairs"])
    classes = ClassAccuracies.validate(outputs["class_accuracies"]).set_index("category")["accuracy"]
    right = pairs["truth"] == pairs["predicted"]
    assert right.mean() == pytest.approx(outputs["transfer_metrics"]["esc50.linear_probe.pretrained.accuracy"])
    assert right.groupby(pairs["truth"]).mean().to_dict() == pytest.approx(classes.to_dict())


def test_every_protocol_has_its_comparisons_and_every_fold_a_result(outputs: dict) -> None:
    results = outputs["transfer_results"]
    folds = results.groupby(["protocol", "representation"])["fold"].apply(list).to_dict()
    assert set(folds) == {
        *(("linear_probe", name) for name in ("pretrained", "random", "log_mel")),
        *(("fine_tune", name) for name in ("pretrained", "scratch")),
        ("zero_shot", "pretrained"),
    }
    assert all(numbers == [1, 2, 3, 4, 5] for numbers in folds.values())
    assert set(zip(outputs["transfer_gains"]["protocol"], outputs["transfer_gains"]["over"], strict=True)) == {
        ("linear_probe", "random"),
        ("linear_probe", "log_mel"),
        ("fine_tune", "scratch"),
    }


def test_the_strength_of_every_fold_s_probe_is_kept_and_stands_in_the_report(outputs: dict) -> None:
    strengths = outputs["probe_strengths"]
    probed = outputs["probe_predictions"][["representation", "fold"]].drop_duplicates()
    assert strengths[["representation", "fold"]].to_numpy().tolist() == probed.to_numpy().tolist()
    assert set(zip(strengths["strength"], strengths["edge"], strict=True)) <= {(0.01, "smallest"), (0.1, "largest")}
    assert "Regularisation of the linear probes" in flat(outputs["transfer_report"])


def test_without_linear_probes_there_are_neither_predictions_nor_strengths() -> None:
    tables = probe_folds(Folder("nowhere", {}), {}, {}, TransferParams(protocols=("zero_shot",)))
    assert [len(table) for table in tables] == [0, 0]
    TransferPredictions.validate(tables[0])
    ProbeStrengths.validate(tables[1])


def test_means_are_those_of_the_folds(outputs: dict) -> None:
    results = outputs["transfer_results"]
    probe = results[(results["protocol"] == "linear_probe") & (results["representation"] == "pretrained")]
    mean = outputs["transfer_metrics"]["esc50.linear_probe.pretrained.accuracy"]
    assert mean == pytest.approx(probe["value"].mean())


def test_zero_shot_is_limited_to_the_classes_of_the_network(outputs: dict) -> None:
    assert set(outputs["zero_shot_predictions"]["truth"]) == {"dog", "rain"}


def test_a_probe_by_hand_on_the_same_embeddings_calls_clips_the_same(outputs: dict) -> None:
    shards = [shard() for key, shard in outputs["benchmark_embeddings"].items() if key.startswith("pretrained")]
    rows = [row for shard in shards for row in shard.to_pylist()]
    vectors = {row["file"]: row["embedding"] for row in rows}
    predictions = outputs["probe_predictions"]
    predictions = predictions[predictions["representation"] == "pretrained"]
    fold = predictions[predictions["fold"] == 1]
    rest = predictions[predictions["fold"] != 1]
    by_hand = [
        make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=2000))
        .fit(np.array([vectors[file] for file in rest["file"]]), rest["truth"])
        .predict(np.array([vectors[file] for file in fold["file"]]))
        .tolist()
        for strength in (0.01, 0.1)
    ]
    assert fold["predicted"].tolist() in by_hand


def test_the_report_is_about_this_run(outputs: dict) -> None:
    accuracy = outputs["transfer_metrics"]["esc50.linear_probe.pretrained.accuracy"]
    assert re.search(rf"<dt>Pretrained</dt><dd>{100 * accuracy:.1f} %", outputs["transfer_report"])
    assert "15 clips of 3 classes" in flat(outputs["transfer_report"])


def test_a_benchmark_that_overlaps_the_training_data_is_refused(tmp_path: Path) -> None:
    write_benchmark(tmp_path)
    planted = moving(4, 1)
    write_pcm(tmp_path / "audio" / "1-0.wav", planted)
    signatures = {"0": signed({"b": np.concatenate([moving(3, 2), planted])})}
    with pytest.raises(ValueError, match="training has heard the benchmark esc50: .* b.mp4 and audio/1-0.wav"):
        run(folder_of(tmp_path), TransferParams(regularisation=(0.1,), device="cpu"), train_signatures=signatures)


def test_real_sounds_are_classified_as_well_as_the_anchors(real_data: Path, tmp_path: Path) -> None:
    """Two clips of each class and fold of ESC-10: 100 clips, chance is 10 %."""
    whole = folder_of(real_data / "esc10")
    few = pd.read_csv(whole.file("meta/esc50.csv").path).groupby(["category", "fold"]).head(2)
    (tmp_path / "meta").mkdir()
    few.to_csv(tmp_path / "meta" / "esc50.csv", index=False)
    files = {name: whole[name] for name in "audio/" + few["filename"]}
    folder = Folder(str(tmp_path), dict(folder_of(tmp_path)) | files)
    card = AudioTeacherCard.model_validate(TEACHER | {"output": {"tensor": "scores", "embedding": "embedding"}})
    params = TransferParams(benchmark="esc10", regularisation=(0.01,), device="cpu")
    metrics = run(folder, params, card, folder_of(real_data / "teachers"))["transfer_metrics"]
    assert metrics["esc10.linear_probe.random.accuracy"] > 0.35
    assert metrics["esc10.linear_probe.log_mel.accuracy"] > 0.55
    assert metrics["esc10.linear_probe.teacher.accuracy"] > 0.85
    assert metrics["esc10.zero_shot.teacher.accuracy"] > 0.85


def test_the_example_of_the_documentation_works_as_it_is_printed(tmp_path: Path) -> None:
    page = (PROJECT / "docs" / "benchmarks.md").read_text()
    (example,) = re.findall(r"(?m)^    file,label,fold,group\n(?:    .+\n)+", page)
    table = textwrap.dedent(example)
    (tmp_path / "clips.csv").write_text(table)
    encoders = {".wav": "pcm_s16le", ".flac": "flac", ".mp3": "libmp3lame"}
    for number, row in enumerate(table.splitlines()[1:]):
        path = tmp_path / row.partition(",")[0]
        path.parent.mkdir(exist_ok=True)
        coding = Coding(path.suffix, "", encoders[path.suffix], rate_hz=16_000)
        tone = np.sin(np.arange(16_000) * (0.1 if "kettle" in row else 0.5) + number).astype(np.float32) / 2
        write_media(path, coding, 1.0, sound=tone, pictures_s=0)
    params = TransferParams(benchmark="csv", device="cpu")
    require_enough_clips(read_benchmark(folder_of(tmp_path), "csv"), params)
    outputs = run(folder_of(tmp_path), params)
    assert outputs["transfer_metrics"]["csv.linear_probe.pretrained.accuracy"] > 0
    assert "4 clips of 2 classes" in flat(outputs["transfer_report"])


def write_pcm(path: Path, sound: np.ndarray) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(sound.astype("<i2").tobytes())
