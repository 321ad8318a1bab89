"""Cutting a recording into clips in one pass: its audio, its frames, and a reason for the rest."""

from __future__ import annotations

import av
import cv2
import numpy as np
import pytest

from tests.media.synthetic import BEEP_S, CODINGS, FPS, RATE_HZ, Frames, beeps, shown_time_s, write_media
from xmodal_kedro.media.clip_rows import Account, ClipRow, StreamUse
from xmodal_kedro.media.clipper import clip_file
from xmodal_kedro.media.recording import align
from xmodal_kedro.media.streams import probe_file
from xmodal_kedro.params import ClipParams, IngestParams
from xmodal_kedro.reasons import MediaError

PARAMS = ClipParams()
VIDEO_ID = "0123456789abcdef" * 2


def clip(path, params: ClipParams = PARAMS, sound_only: bool = False) -> tuple[list[ClipRow], Account]:
    """The clips of a file and its account."""
    use = StreamUse.of(next(probe_file(str(path), IngestParams())))
    *clips, account = clip_file(str(path), VIDEO_ID, params, use._replace(video_track=-1) if sound_only else use)
    assert isinstance(account, Account)
    return clips, account


def reason_of(path, params: ClipParams = PARAMS) -> str:
    with pytest.raises(MediaError) as error:
        list(clip_file(str(path), VIDEO_ID, params))
    return error.value.reason


def audio_of(clip: ClipRow) -> np.ndarray:
    return np.frombuffer(clip.audio, "<i2")


def image_of(jpeg: bytes) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_GRAYSCALE)


def keyframe_count(path) -> int:
    with av.open(str(path)) as container:
        return sum(packet.is_keyframe for packet in container.demux(video=0) if packet.size)


def assert_pictures_tell_their_time(clips: list[ClipRow], speed: float = 1.0) -> None:
    """Every clip has frames, from its own time."""
    for found in clips:
        assert found.frames
        shown_s = [shown_time_s(jpeg) / speed for jpeg in found.frames]
        assert found.frame_times_s == pytest.approx(shown_s, abs=0.04)
        assert all(found.start_s <= time_s < found.end_s for time_s in found.frame_times_s)


def test_a_clip_is_named_by_its_video_and_start_and_holds_the_sound_between_its_times(tmp_path):
    clips, account = clip(write_media(tmp_path / "clock.mkv", CODINGS[2]))

    assert len(clips) == 2
    for found in clips:
        assert found.clip_id == f"{VIDEO_ID}-{round(1000 * found.start_s):08d}"
        assert audio_of(found).size == round(16_000 * (found.end_s - found.start_s))
    assert account == Account(0, 0, None)


def test_the_same_file_gives_the_same_clips(tmp_path):
    path = write_media(tmp_path / "clock.mp4")

    assert clip(path) == clip(path)


def test_clips_come_while_the_file_is_read(tmp_path):
    path = write_media(tmp_path / "long.mkv", CODINGS[2], 90.0, frames=Frames([frame % 250 for frame in range(900)]))
    clips = clip_file(str(path), VIDEO_ID, PARAMS)

    first = next(clips)
    path.write_bytes(b"")  # what is read later is gone

    assert isinstance(first, ClipRow)


def test_sound_that_starts_late_is_led_by_silence(tmp_path):
    path = write_media(tmp_path / "late.mkv", CODINGS[2], 8.0, sound_starts_s=0.5)

    (first, second), _ = clip(path)

    assert not audio_of(first)[:7000].any()
    assert [shown_time_s(jpeg) for jpeg in second.frames] == pytest.approx(second.frame_times_s, abs=0.04)


def test_streams_whose_clocks_lie_hours_apart_both_start_at_zero():
    assert align(10.0, 9.5) == (0.5, 9.5)
    assert align(9.5, 10.0) == (0.0, 9.5)
    assert align(9.5, None) == (0.0, 9.5)
    assert align(90_000.0, 3.0) == (0.0, 3.0)


@pytest.mark.parametrize("coding", [CODINGS[0], *CODINGS[2:]], ids=lambda coding: coding.suffix)
def test_spans_without_a_keyframe_show_a_frame_of_their_own_time(tmp_path, coding):
    path = write_media(tmp_path / f"long{coding.suffix}", coding, 20.0, frames=Frames(keyframe_every=10_000))

    clips, account = clip(path, ClipParams(coverage="everything"))

    assert keyframe_count(path) <= 2
    assert_pictures_tell_their_time(clips)
    assert len(clips) >= 4
    assert account.unseen_spans == 0


@pytest.mark.parametrize("coding", [CODINGS[0], CODINGS[2], CODINGS[5]], ids=lambda coding: coding.suffix)
def test_pictures_that_are_too_far_from_a_keyframe_to_be_kept_are_decoded_as_they_come(tmp_path, coding):
    half = write_media(tmp_path / f"half{coding.suffix}", coding, 25.0, frames=Frames(keyframe_every=10_000))
    path = slowed(half, tmp_path / f"slow{coding.suffix}")

    clips, account = clip(path, ClipParams(coverage="everything"))

    assert keyframe_count(path) <= 2
    assert_pictures_tell_their_time(clips, speed=0.5)
    assert sum(found.end_s - found.start_s for found in clips) > 48
    assert account.unseen_spans == 0


def test_packets_that_are_too_many_to_be_kept_are_decoded_and_let_go(tmp_path, monkeypatch):
    path = write_media(tmp_path / "large.mkv", CODINGS[2], 25.0, frames=Frames(keyframe_every=40))
    clips, _ = clip(path, ClipParams(coverage="everything"))
    monkeypatch.setattr("xmodal_kedro.media.video_track.MAX_PACKET_BYTES", 10_000)

    with_little_room, account = clip(path, ClipParams(coverage="everything"))

    assert_pictures_tell_their_time(with_little_room)
    assert [found[:6] for found in with_little_room] == [found[:6] for found in clips]
    assert account.unseen_spans == 0


def test_a_picture_that_stays_on_screen_shows_the_clips_it_stands_for(tmp_path):
    path = write_media(tmp_path / "still.mp4", duration_s=8.0, pictures_s=1 / FPS)

    (first, second), _ = clip(path)

    assert first.frame_times_s == second.frame_times_s == [0.0]


def test_spans_long_after_the_last_picture_are_dropped_and_counted(tmp_path):
    path = write_media(tmp_path / "blind.mp4", duration_s=20.0, pictures_s=1.0)

    clips, account = clip(path)

    assert 1 <= len(clips) <= 2
    assert account.unseen_spans >= 2


def test_pictures_far_behind_the_sound_are_not_waited_for(tmp_path, monkeypatch):
    monkeypatch.setattr("xmodal_kedro.media.clipper.MAX_LAG_S", 5.0)
    path = write_media(tmp_path / "blind.mkv", CODINGS[2], duration_s=40.0, pictures_s=0.5)
    clips = clip_file(str(path), VIDEO_ID, PARAMS)

    first = next(clips)

    assert first.frames
    assert sum(isinstance(found, ClipRow) for found in clips) < 3


def test_no_more_pictures_are_kept_than_asked_for(tmp_path):
    path = write_media(tmp_path / "many.mov", CODINGS[1], 8.0)

    for count in (1, 3, 4):
        clips, _ = clip(path, ClipParams(frames_per_clip=count))
        assert {len(found.frames) for found in clips} == {count}


def test_keyframes_close_together_are_not_all_decoded_and_any_can_be_a_clips_picture(tmp_path, monkeypatch):
    decoded = []
    keep = cv2.imencode
    monkeypatch.setattr(cv2, "imencode", lambda *args: decoded.append(1) or keep(*args))
    path = write_media(tmp_path / "dense.mov", CODINGS[1], 24.0)

    clips, _ = clip(path, ClipParams(frames_per_clip=1))

    assert all(found.frames for found in clips)
    assert len(decoded) < 24


@pytest.mark.parametrize(
    ("turn_deg", "corner"), [(0, (0, 0)), (90, (1, 0)), (180, (1, 1)), (270, (0, 1))], ids=["0", "90", "180", "270"]
)
def test_pictures_are_upright_and_scaled_down(tmp_path, turn_deg, corner):
    path = write_media(tmp_path / "turned.mp4", duration_s=4.0, frames=Frames(rotation_deg=turn_deg))

    (found,), _ = clip(path, ClipParams(frame_short_side_px=32))

    image = image_of(found.frames[0])
    assert image.shape == ((48, 32) if turn_deg % 180 else (32, 48))
    corners = image[np.ix_([3, -4], [3, -4])]
    assert corners[corner] > 200
    assert sorted(corners.ravel())[-2] < 150


def test_silent_spans_are_dropped_and_counted(tmp_path):
    sound = beeps(12.0)
    sound[: 4 * RATE_HZ] = 0
    path = write_media(tmp_path / "quiet.mkv", CODINGS[2], 12.0, sound=sound)

    clips, account = clip(path)

    assert clips[0].start_s == pytest.approx(4, abs=1.0)
    assert account.silent_spans >= 1


def test_the_best_clips_are_those_with_most_sound(tmp_path):
    sound = beeps(24.0) * np.repeat([0.05, 0.2, 0.1, 1.0, 0.3, 0.5], 4 * RATE_HZ)
    path = write_media(tmp_path / "uneven.mkv", CODINGS[2], 24.0, sound=sound.astype(np.float32))
    every, _ = clip(path)

    best, _ = clip(path, ClipParams(best_per_video=2))

    loudest = sorted(every, key=lambda found: found.audio_rms_dbfs)[-2:]
    assert best == sorted(loudest, key=lambda found: found.start_s)


def test_levels_are_those_of_the_stored_sound(tmp_path):
    (found,), _ = clip(write_media(tmp_path / "level.mov", CODINGS[1], 4.0))

    assert found.audio_rms_dbfs == pytest.approx(20 * np.log10(0.5 / np.sqrt(2) * np.sqrt(BEEP_S)), abs=0.1)


def test_sound_alone_is_cut_without_pictures(tmp_path):
    path = write_media(tmp_path / "heard.mkv", CODINGS[2], 9.0, pictures_s=0)
    seen = write_media(tmp_path / "seen.mkv", CODINGS[2], 9.0)

    clips, account = clip(path, sound_only=True)
    unseen, _ = clip(seen, sound_only=True)

    assert len(clips) == len(unseen) == 2
    assert not any(found.frames for found in [*clips, *unseen])
    assert account == Account(0, 0, None)


def test_a_file_that_gives_no_clip_has_a_reason(tmp_path):
    (tmp_path / "text.mp4").write_text("not a video")
    silence = np.zeros(4 * RATE_HZ, np.float32)

    assert reason_of(tmp_path / "gone.mp4") == "unreadable"
    assert reason_of(tmp_path / "text.mp4") == "not_media"
    assert reason_of(write_media(tmp_path / "short.mp4", duration_s=2.0)) == "too_short"
    assert reason_of(write_media(tmp_path / "silent.mp4", duration_s=4.0, sound=silence)) == "silent"
    assert reason_of(write_media(tmp_path / "deaf.mp4", duration_s=4.0, sound=np.empty(0, np.float32))) == "no_audio"


@pytest.mark.parametrize("coding", CODINGS, ids=lambda coding: coding.suffix)
def test_a_truncated_file_gives_the_clips_before_its_break_and_says_so(tmp_path, coding):
    whole = write_media(tmp_path / f"whole{coding.suffix}", coding, 24.0)
    broken = tmp_path / f"broken{coding.suffix}"
    content = whole.read_bytes()
    if coding.suffix in (".mp4", ".mov"):  # their index is at the end: all data before it are lost
        broken.write_bytes(content[: content.index(b"moov")])
        assert reason_of(broken) == "corrupt"
        return
    broken.write_bytes(content[: len(content) * 6 // 10])

    clips, account = clip(broken)

    first = clip(whole)[0][0]
    np.testing.assert_array_equal(audio_of(clips[0])[:32_000], audio_of(first)[:32_000])
    assert clips[-1].end_s < 16.0
    if coding.suffix != ".ts":  # a transport stream does not declare its duration
        assert account.cut_short
        assert account.cut_short[0] == "corrupt"


def test_every_hostile_file_gives_clips_or_a_reason(real_data):
    files = sorted(path for path in (real_data / "hostile").iterdir() if path.suffix != ".csv")
    outcomes = []
    for path in files:
        try:
            outcomes.append(clip(path)[0][0].clip_id)
        except MediaError as error:
            outcomes.append(error.reason)
    assert len(outcomes) == 102


def slowed(path, slow):
    """The same packets, at half the speed."""
    with av.open(str(path)) as source, av.open(str(slow), "w") as target:
        streams = {stream.index: target.add_stream_from_template(stream) for stream in source.streams}
        for packet in source.demux():
            if packet.size:
                packet.pts, packet.dts = (None if time is None else 2 * time for time in (packet.pts, packet.dts))
                packet.stream = streams[packet.stream.index]
                target.mux(packet)
    return slow
