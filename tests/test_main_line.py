"""The whole line as a user runs it: one command from unlabelled videos to a transfer result."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import sqlite3
import time
from pathlib import Path

import av
import pandas as pd
import pyarrow.parquet as pq
import pytest

from tests.project import SMALL_WORLD, Project

MODEL = "vggish_plus"
SAMPLE_RUN = ("kedro", "run", "--env", "sample")


@pytest.fixture
def data(small_run: Project) -> Path:
    return small_run.folder / "data" / "sample"


@pytest.fixture(scope="module")
def untracked(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The project without a run, for what has nothing to do with tracking."""
    return Project(tmp_path_factory.mktemp("untracked") / "project", SMALL_WORLD).track_nothing()


@pytest.fixture
def first_log(small_run: Project) -> str:
    return (small_run.folder / "first_run.log").read_text()


def modified(folder: Path) -> dict[str, int]:
    return {str(path.relative_to(folder)): path.stat().st_mtime_ns for path in folder.rglob("*.parquet")}


def test_every_source_every_video_and_every_clip_is_accounted_for(data: Path, first_log: str) -> None:
    sources = len(list((data / "01_raw" / "videos").glob("*/[!.]*")))
    videos = pd.read_parquet(data / "02_intermediate" / "videos.parquet")
    rejected = pd.read_parquet(data / "02_intermediate" / "rejected_videos.parquet")
    unclipped = pd.read_parquet(data / "03_primary" / "unclipped_videos.parquet")
    cut_short = pd.read_parquet(data / "03_primary" / "cut_short_videos.parquet")
    near_duplicates = pd.read_parquet(data / "03_primary" / "near_duplicates.parquet")
    clips = pd.concat(pq.read_table(path).to_pandas() for path in (data / "03_primary" / "clips").glob("*.parquet"))
    labels = pd.concat(
        pq.read_table(path).to_pandas() for path in (data / "05_model_input" / "labels").glob("*.parquet")
    )
    assert len(videos) + len(rejected) == sources == SMALL_WORLD["sample"]["videos"]
    assert set(clips["video_id"]) | set(unclipped["video_id"]) == set(videos["video_id"])
    assert set(clips["video_id"]) & set(unclipped["video_id"]) == set()
    assert sorted(labels["clip_id"]) == sorted(clips["clip_id"])
    assert f"ingest: {sources} sources = {len(videos)} usable + {len(rejected)} rejected" in first_log
    clipped = len(videos) - len(unclipped)
    assert f"clip: {len(videos)} usable = {clipped} clipped + {len(unclipped)} unclipped" in first_log
    assert f"{clipped} clipped = {clipped - len(cut_short)} whole + {len(cut_short)} cut short" in first_log
    assert f"clip: {len(clips)} clips, {(clips['end_s'] - clips['start_s']).sum() / 3600:.3f} hours" in first_log
    groups = near_duplicates["group_id"].nunique()
    assert f"clip: {len(near_duplicates)} near-duplicates in {groups} group" in first_log
    assert re.search(rf"audio labels: {len(clips)} clips = \d+ labelled \+ \d+ unlabelled", first_log)


def test_clips_are_three_to_five_seconds_of_sound_with_pictures(data: Path) -> None:
    for path in (data / "03_primary" / "clips").glob("*.parquet"):
        clips = pq.read_table(path).to_pandas()
        lengths_s = clips["audio"].map(len) / 32_000
        assert lengths_s.between(3, 5).all()
        assert clips["frames"].map(len).between(1, 4).all()
        assert all(frame[:2] == b"\xff\xd8" for frames in clips["frames"] for frame in frames)


def tracked_runs(project: Project) -> dict[str, str]:
    """Status of every MLflow run of a project, by id."""
    with sqlite3.connect(project.folder / "mlflow.db") as store:
        return dict(store.execute("select run_uuid, status from runs").fetchall())


def remux(source: Path, target: Path) -> None:
    """The same pictures and sound in another file."""
    with av.open(str(source)) as reading, av.open(str(target), "w") as writing:
        streams = {stream.index: writing.add_stream_from_template(stream) for stream in reading.streams}
        for packet in reading.demux():
            if packet.dts is not None:
                packet.stream = streams[packet.stream.index]
                writing.mux(packet)


def test_no_recording_is_on_both_sides_of_the_split_though_it_is_in_two_files(
    untracked: Project, data: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    shutil.copytree(data / "01_raw", out / "01_raw")
    folder = out / "01_raw" / "videos"
    originals = sorted(path.relative_to(folder) for path in folder.glob("*/[!.]*"))
    copy_of = {str(name): str(name.with_name(f"copy_of_{name.stem}.mkv")) for name in originals}
    for name, copy in copy_of.items():
        remux(folder / name, folder / copy)
    done = untracked.run(
        *SAMPLE_RUN,
        "--pipelines=ingest,clip,visual_label,audio_label,merge_labels",
        f"--params=data_root={out},merge_labels.validation_fraction=0.5",
    )
    assert done.returncode == 0, done.stderr
    videos = pd.read_parquet(out / "02_intermediate" / "videos.parquet")
    found = pd.read_parquet(out / "03_primary" / "near_duplicates.parquet")
    labels = pd.concat(
        pq.read_table(path).to_pandas() for path in (out / "05_model_input" / "labels").glob("*.parquet")
    )
    group_of = dict(zip(found["video_id"], found["group_id"], strict=True))
    labels["group_id"] = [group_of.get(video_id, video_id) for video_id in labels["video_id"]]
    assert (labels.groupby("group_id")["split"].nunique() == 1).all()
    assert set(labels["split"]) == {"train", "validation"}
    id_of = dict(zip(videos["uri"], videos["video_id"], strict=True))
    clipped = [name for name in copy_of if id_of[name] in set(labels["video_id"])]
    assert len(clipped) > len(copy_of) / 2
    assert all(group_of[id_of[name]] == group_of[id_of[copy_of[name]]] for name in clipped)


def test_the_result_has_every_fold_of_the_network_and_of_what_it_is_compared_with(data: Path) -> None:
    results = pd.read_parquet(data / "07_model_output" / MODEL / "esc50" / "transfer_results.parquet")
    probes = results[results["protocol"] == "linear_probe"]
    folds = probes.groupby("representation")["fold"].apply(sorted).to_dict()
    assert folds == {name: [1, 2, 3, 4, 5] for name in ("log_mel", "pretrained", "random")}
    metrics = json.loads((data / "08_reporting" / MODEL / "esc50" / "transfer_metrics.json").read_text())
    means = probes.groupby("representation")["value"].mean()
    assert metrics["esc50.linear_probe.pretrained.accuracy"] == pytest.approx(means["pretrained"])


def test_the_report_is_one_file_that_needs_no_network(data: Path) -> None:
    report = (data / "08_reporting" / MODEL / "esc50" / "report.html").read_text()
    assert "<html" in report
    assert not re.findall(r"<(?:script|link|img)[^>]+(?:src|href)=[\"']https?:", report)


def test_one_run_is_one_tracked_run_with_parameters_curves_and_artifacts(small_run: Project) -> None:
    with sqlite3.connect(small_run.folder / "mlflow.db") as store:
        runs = store.execute("select run_uuid, name, artifact_uri, status from runs order by start_time").fetchall()
        run, name, artifacts, status = runs[0]
        params = dict(store.execute("select key, value from params where run_uuid = ?", [run]).fetchall())
        metrics = {key for (key,) in store.execute("select key from metrics where run_uuid = ?", [run]).fetchall()}
        tags = dict(store.execute("select key, value from tags where run_uuid = ?", [run]).fetchall())
    assert (name, status) == (MODEL, "FINISHED")
    assert params["train.epochs"] == "1"
    assert params["clip.min_s"] == "3.0"
    assert {"epoch.validation_map", "step.train_loss"} <= metrics
    assert any(metric.startswith("system/") for metric in metrics)
    folder = Path(artifacts.removeprefix("file://"))
    folder = folder if folder.is_absolute() else small_run.folder / folder
    assert {"card.json", "report.html"} <= {path.name for path in folder.iterdir()}
    assert {"data.clips", "data.labels", "data.label_vocabulary"} <= tags.keys()
    model = folder.parents[1] / tags["model.uri"].replace("models:", "models") / "artifacts"
    assert (model / "artifacts" / "weights.safetensors").exists()


def test_one_pipeline_runs_alone_and_another_model_lies_beside_the_first(untracked: Project, data: Path) -> None:
    before = modified(data)
    params = f"data_root={data},train.model=mobilenet_v2"
    done = untracked.run(*SAMPLE_RUN, "--pipelines=train", f"--params={params}")
    assert done.returncode == 0, done.stderr
    assert (data / "06_models" / "mobilenet_v2" / "weights.safetensors").exists()
    assert (data / "06_models" / MODEL / "weights.safetensors").exists()
    assert {name: modified(data)[name] for name in before} == before


def test_a_second_run_makes_no_shard_anew(untracked: Project, data: Path) -> None:
    shards = (
        "02_intermediate/probes",
        "03_primary/clips",
        "03_primary/signatures",
        "04_feature/visual_clip_embeddings",
        "04_feature/audio_clip_embeddings",
        "04_feature/visual_labels",
        "04_feature/audio_labels",
        "05_model_input/label_survey",
        "05_model_input/target_counts",
        "05_model_input/labels",
    )
    empty = {*shards[3:5], "05_model_input/target_counts"}  # other teachers, other rules
    before = {shard: modified(data / shard) for shard in shards}
    assert all(found for shard, found in before.items() if shard not in empty)
    done = untracked.run(*SAMPLE_RUN, "--to-nodes=merge_labels.merge_shards", f"--params=data_root={data}")
    assert done.returncode == 0, done.stderr
    assert {shard: modified(data / shard) for shard in shards} == before
    assert done.stdout.count(" 0 shards written") == len(shards) - len(empty)  # which are not worth a line


def test_a_run_killed_in_clip_resumes_without_redoing_finished_shards(
    untracked: Project, data: Path, tmp_path: Path
) -> None:
    videos = data / "01_raw" / "videos"
    # Every video gets a shard of its own.
    params = f"data_root={tmp_path / 'out'},source={videos},clip.shard_mb=0.001"
    command = ["kedro", "run", "--env", "onnx", "--pipelines=ingest,clip", f"--params={params}"]
    folder = tmp_path / "out" / "03_primary" / "clips"
    with untracked.popen(*command) as process:
        deadline = time.monotonic() + 120
        while len(list(folder.glob("*.parquet"))) < 2 and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.005)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    finished = modified(folder)
    assert finished
    done = untracked.run(*command)
    assert done.returncode == 0, done.stderr
    resumed = modified(folder)
    assert finished.keys() < resumed.keys()
    assert {name: resumed[name] for name in finished} == finished
    reference = sorted(pq.read_table(path).to_pylist()[0]["clip_id"] for path in folder.glob("*.parquet"))
    assert len(reference) == len(resumed)
    assert not list(folder.glob(".partial*"))


def stored_since(checkpoints: Path, moment: float) -> bool:
    """Whether a checkpoint was stored after a moment; those of the training before may be there, or go meanwhile."""
    try:
        return any(path.stat().st_mtime > moment for path in checkpoints.glob("step-*"))
    except FileNotFoundError:
        return False


def test_a_run_killed_in_train_resumes_to_the_same_weights(small_run: Project, untracked: Project, data: Path) -> None:
    checkpoints = data / "06_models" / MODEL / "checkpoints"
    weights = data / "06_models" / MODEL / "weights.safetensors"
    command = [*SAMPLE_RUN, "--pipelines=train", "--params=train.epochs=4,train.checkpoint_steps=1"]
    tracked_before = tracked_runs(small_run)
    with small_run.popen(*command) as process:
        started, deadline = time.time(), time.monotonic() + 200
        while not stored_since(checkpoints, started) and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    (run,) = tracked_runs(small_run).keys() - tracked_before.keys()
    assert tracked_runs(small_run)[run] == "RUNNING"
    resumed = small_run.run(*command)
    assert resumed.returncode == 0, resumed.stderr
    assert tracked_runs(small_run) == {**tracked_before, run: "FINISHED"}
    assert "Training goes on after" in resumed.stdout
    interrupted = weights.read_bytes()
    shutil.rmtree(checkpoints)
    weights.unlink()
    unbroken = untracked.run(*command[:-1], f"{command[-1]},data_root={data}")
    assert unbroken.returncode == 0, unbroken.stderr
    assert weights.read_bytes() == interrupted
