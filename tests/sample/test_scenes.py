"""Scripts follow the rules of the sample data."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from xmodal_kedro.params import SampleParams
from xmodal_kedro.sample.scenes import CONTAINERS, truth_of, write_script
from xmodal_kedro.sample.world import (
    AUDIO_CLASSES,
    BENCHMARK_CLASSES,
    ESC10,
    HEARD_ONLY,
    NEW_SOUNDS,
    SILENT,
    SOURCES,
    UNKNOWN_SOUNDS,
    VISUAL_CLASSES,
    Draw,
    stream,
)
from xmodal_kedro.schemas import Truth

indices = st.integers(0, 100_000)


@given(st.integers(0, 50), indices, st.floats(1.0, 15.0), st.floats(0.0, 30.0))
def test_a_video_is_as_long_as_asked_in_whole_frames(seed: int, index: int, min_s: float, longer_s: float) -> None:
    script = write_script(SampleParams(seed=seed, min_s=min_s, max_s=min_s + longer_s), index)
    frames = [scene.duration_s * script.fps for scene in script.scenes]
    assert all(abs(count - round(count)) < 1e-6 for count in frames)
    slack_s = len(frames) / script.fps
    assert min_s - slack_s <= sum(frames) / script.fps <= min_s + longer_s + slack_s


@given(indices)
def test_a_scene_has_only_objects_that_are_visible_and_sounds_that_are_audible(index: int) -> None:
    for scene in write_script(SampleParams(), index).scenes:
        assert not set(scene.heard) & {*SILENT, *NEW_SOUNDS}
        assert scene.seen not in HEARD_ONLY
        assert len(set(scene.heard)) == len(scene.heard) <= 2
        assert scene.noise_dbfs is None or scene.noise_dbfs < scene.level_dbfs


@given(indices)
def test_a_script_depends_on_seed_and_index_alone(index: int) -> None:
    few, many = SampleParams(videos=1), SampleParams(videos=500)
    assert write_script(few, index) == write_script(many, index)
    assert write_script(SampleParams(seed=1), index) != write_script(few, index)


def test_the_default_world_has_every_kind_of_thing() -> None:
    sample = SampleParams()
    scripts = [write_script(sample, index) for index in range(sample.videos)]
    scenes = [scene for script in scripts for scene in script.scenes]
    assert {script.container for script in scripts} == set(CONTAINERS)
    assert len({script.name for script in scripts}) == sample.videos >= 120
    assert {name for scene in scenes for name in scene.heard} == {*AUDIO_CLASSES, *UNKNOWN_SOUNDS}
    assert {scene.seen for scene in scenes} >= {*SOURCES, *SILENT, "", "test_card"}
    assert any(scene.noise_dbfs is None for scene in scenes)
    assert any(not script.has_sound for script in scripts)
    in_sync = [scene for scene in scenes if scene.seen in scene.heard]
    assert 0.4 < len(in_sync) / len(scenes) < 0.8


def test_truth_follows_the_scenes_without_gaps() -> None:
    scripts = [write_script(SampleParams(), index) for index in range(50)]
    truth = truth_of(scripts)
    Truth.validate(truth)
    assert len(truth) == sum(len(script.scenes) for script in scripts)
    for _, rows in truth.groupby("uri"):
        assert rows["start_s"].iloc[0] == 0
        assert (rows["start_s"].iloc[1:].to_numpy() == rows["end_s"].iloc[:-1].to_numpy()).all()
    mute = {script.name for script in scripts if not script.has_sound}
    assert mute
    assert (truth.loc[truth["uri"].isin(mute), "heard"] == "").all()


def test_the_classes_overlap_but_are_not_the_same() -> None:
    assert set(ESC10) < set(AUDIO_CLASSES) & set(VISUAL_CLASSES)
    assert set(AUDIO_CLASSES) - set(VISUAL_CLASSES) == set(HEARD_ONLY)
    assert set(BENCHMARK_CLASSES) - set(AUDIO_CLASSES) == {*UNKNOWN_SOUNDS, *NEW_SOUNDS}


def test_streams_of_different_draws_never_meet() -> None:
    firsts = {stream(0, draw, index).integers(2**63) for draw in Draw for index in range(50)}
    assert len(firsts) == 50 * len(Draw)
