"""Cutting videos into clips: exact sound, true times, upright pictures, a reason for everything else."""

from __future__ import annotations

import json

import av
import cv2
import numpy as np
import pytest

from tests.media.synthetic import BEEP_S, CODINGS, FPS, RATE_HZ, beeps, shown_time_s, write_media
from xmodal_kedro.media.clips import VideoSource, align, clip_shard, clip_video
from xmodal_kedro.media.container import MediaError
from xmodal_kedro.media.decode import read_audio
from xmodal_kedro.params import ClipParams
from xmodal_kedro.schemas import Clips

PARAMS = ClipParams()
VIDEO_ID = "0123456789abcdef" * 2


def rows_of(path, params: ClipParams = PARAMS) -> list[dict]:
    return clip_video(str(path), VIDEO_ID, params).rows


def audio_of(row: dict) -> np.ndarray:
    return np.frombuffer(row["audio"], "<i2")


def beep_onsets_s(row: dict) -> list[float]:
    """When beeps begin, on the clock of the recording."""
    loud = np.abs(audio_of(row).astype(float)) > 3000
    starts = [index for index in np.flatnonzero(loud) if not loud[max(0, index - 800) : index].any()]
    return [row["start_s"] + index / 16_000 for index in starts if index > 0]


@pytest.mark.parametrize("coding", CODINGS, ids=lambda coding: coding.suffix)
def test_pictures_and_sound_tell_the_same_time_in_every_container(tmp_path, coding):
    path = write_media(tmp_path / f"clock{coding.suffix}", coding)

    rows = rows_of(path)

    assert [row["start_s"] for row in rows] == pytest.approx([0, 4.5], abs=0.1)
    assert all(row["frames"] for row in rows)
    for row in rows:
        onsets_s = beep_onsets_s(row)
        assert len(onsets_s) >= 4
        assert all(abs(onset_s - round(onset_s)) < 0.04 for onset_s in onsets_s)
        shown_s = [shown_time_s(jpeg) for jpeg in row["frames"]]
        assert row["frame_times_s"] == pytest.approx(shown_s, abs=0.04)
        assert all(row["start_s"] <= time_s < row["end_s"] for time_s in row["frame_times_s"])


@pytest.mark.parametrize("coding", CODINGS, ids=lambda coding: coding.suffix)
def test_the_sound_of_clips_is_the_sound_of_the_file(tmp_path, coding):
    path = write_media(tmp_path / f"clock{coding.suffix}", coding)
    whole = read_audio(str(path))

    joined = np.concatenate([audio_of(row) for row in rows_of(path)])

    lead = next(lead for lead in range(1601) if (joined[lead : lead + 8000] == whole[:8000]).all())
    assert not joined[:lead].any()
    np.testing.assert_array_equal(joined[lead:], whole[: joined.size - lead])


def test_sound_that_starts_late_is_led_by_silence(tmp_path):
    path = write_media(tmp_path / "late.mkv", CODINGS[2], 8.0, sound_starts_s=0.5)

    first, second = rows_of(path)

    assert not audio_of(first)[:7000].any()
    assert [onset_s % 1 for onset_s in beep_onsets_s(second)] == pytest.approx([0.5] * 4, abs=0.04)
    assert [shown_time_s(jpeg) for jpeg in second["frames"]] == pytest.approx(second["frame_times_s"], abs=0.04)


def test_streams_whose_clocks_lie_hours_apart_both_start_at_zero():
    assert align(10.0, 9.5) == (0.5, 9.5)
    assert align(9.5, 10.0) == (0.0, 9.5)
    assert align(9.5, None) == (0.0, 9.5)
    assert align(90_000.0, 3.0) == (0.0, 3.0)


@pytest.mark.parametrize("coding", [CODINGS[0], *CODINGS[2:]], ids=lambda coding: coding.suffix)
def test_spans_without_a_keyframe_show_a_frame_of_their_own_time(tmp_path, coding):
    path = write_media(tmp_path / f"long{coding.suffix}", coding, 20.0, keyframe_every=10_000)

    rows = rows_of(path)

    with av.open(str(path)) as container:
        assert sum(packet.is_keyframe for packet in container.demux(video=0) if packet.size) <= 2
    assert len(rows) == 5
    for row in rows:
        shown_s = [shown_time_s(jpeg) for jpeg in row["frames"]]
        assert row["frame_times_s"] == pytest.approx(shown_s, abs=0.04)
        assert all(row["start_s"] <= time_s < row["end_s"] for time_s in row["frame_times_s"])


def test_a_picture_that_stays_on_screen_shows_the_clips_it_stands_for(tmp_path):
    path = write_media(tmp_path / "still.mp4", duration_s=8.0, pictures_s=1 / FPS)

    first, second = rows_of(path)

    assert first["frame_times_s"] == second["frame_times_s"] == [0.0]


def test_spans_long_after_the_last_picture_are_dropped_and_counted(tmp_path):
    path = write_media(tmp_path / "broken.mp4", duration_s=20.0, pictures_s=1.0)

    clips = clip_video(str(path), VIDEO_ID, PARAMS)

    assert [row["start_s"] for row in clips.rows] == pytest.approx([0, 4], abs=0.01)
    assert clips.unseen_spans == 3


def test_no_more_pictures_are_kept_than_asked_for(tmp_path):
    path = write_media(tmp_path / "many.mov", CODINGS[1], 8.0)

    for count in (1, 3, 4):
        assert {len(row["frames"]) for row in rows_of(path, ClipParams(frames_per_clip=count))} == {count}


def test_pictures_are_upright_and_scaled_down(tmp_path):
    path = write_media(tmp_path / "turned.mp4", duration_s=4.0, rotation_deg=90)

    (row,) = rows_of(path, ClipParams(frame_short_side_px=32))

    image = cv2.imdecode(np.frombuffer(row["frames"][0], np.uint8), cv2.IMREAD_GRAYSCALE)
    assert image.shape == (48, 32)
    assert image[-8:, :8].min() > 200
    assert image[:8, :8].max() < 100


def test_silent_spans_are_dropped_and_counted(tmp_path):
    sound = beeps(12.0)
    sound[: 4 * RATE_HZ] = 0
    path = write_media(tmp_path / "quiet.mkv", CODINGS[2], 12.0, sound=sound)

    clips = clip_video(str(path), VIDEO_ID, PARAMS)

    assert [row["start_s"] for row in clips.rows] == pytest.approx([4, 8], abs=0.1)
    assert clips.silent_spans == 1


def test_levels_are_those_of_the_stored_sound(tmp_path):
    (row,) = rows_of(write_media(tmp_path / "level.mov", CODINGS[1], 4.0))

    assert row["audio_rms_dbfs"] == pytest.approx(20 * np.log10(0.5 / np.sqrt(2) * np.sqrt(BEEP_S)), abs=0.1)


def test_a_shard_accounts_for_every_video(tmp_path):
    (tmp_path / "text.mp4").write_text("not a video")
    write_media(tmp_path / "good.mp4")
    write_media(tmp_path / "short.mp4", duration_s=2.0)
    write_media(tmp_path / "silent.mp4", duration_s=4.0, sound=np.zeros(4 * RATE_HZ, np.float32))
    write_media(tmp_path / "blind.mp4", duration_s=4.0, pictures_s=0)
    names = ["gone.mp4", "good.mp4", "text.mp4", "short.mp4", "silent.mp4", "blind.mp4"]
    sources = tuple(VideoSource(f"{index:032x}", name, str(tmp_path / name)) for index, name in enumerate(names))

    table = clip_shard(sources, PARAMS)

    Clips.validate(table.to_pandas())
    assert set(table["video_id"].to_pylist()) == {f"{1:032x}"}
    reported = {row["uri"]: row["reason"] for row in json.loads(table.schema.metadata[b"unclipped"])}
    assert reported == {
        "gone.mp4": "unreadable",
        "text.mp4": "not_media",
        "short.mp4": "too_short",
        "silent.mp4": "silent",
        "blind.mp4": "no_picture",
    }
    assert str(tmp_path) not in table.schema.metadata[b"unclipped"].decode()


def test_the_same_video_gives_the_same_bytes(tmp_path):
    source = VideoSource(VIDEO_ID, "clock.mp4", str(write_media(tmp_path / "clock.mp4")))

    assert clip_shard((source,), PARAMS).equals(clip_shard((source,), PARAMS), check_metadata=True)


def test_a_truncated_video_gives_the_clips_before_its_break(tmp_path):
    whole = write_media(tmp_path / "whole.mkv", CODINGS[2], 12.0)
    broken = tmp_path / "broken.mkv"
    broken.write_bytes(whole.read_bytes()[: whole.stat().st_size * 3 // 4])

    rows = rows_of(broken)

    assert rows
    assert rows[-1]["end_s"] < 12.0
    np.testing.assert_array_equal(audio_of(rows[0])[:16_000], audio_of(rows_of(whole)[0])[:16_000])


def test_a_video_that_takes_too_long_is_given_up(tmp_path):
    path = write_media(tmp_path / "slow.mp4")

    with pytest.raises(MediaError) as error:
        clip_video(str(path), VIDEO_ID, ClipParams(timeout_s=1e-9))

    assert error.value.reason == "timed_out"


def test_every_hostile_file_gives_clips_or_a_reason(real_data):
    files = sorted(path for path in (real_data / "hostile").iterdir() if path.suffix != ".csv")
    sources = tuple(VideoSource(f"{index:032x}", path.name, str(path)) for index, path in enumerate(files))

    table = clip_shard(sources, PARAMS)

    Clips.validate(table.to_pandas())
    clipped = set(table["video_id"].to_pylist())
    unclipped = {row["video_id"] for row in json.loads(table.schema.metadata[b"unclipped"])}
    assert len(clipped) + len(unclipped) == len(sources)
    assert not clipped & unclipped
