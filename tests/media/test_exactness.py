"""Clips are exact: their samples equal those of the decoded file, their frames are those of their times."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from tests.media.synthetic import CODINGS, Coding, Frames, write_media
from tests.media.test_flash_beep import MP4, TIMED, trim_start, write_clock
from xmodal_kedro.media.clip_rows import ClipRow
from xmodal_kedro.media.clipper import clip_file
from xmodal_kedro.media.container import decodable_streams
from xmodal_kedro.media.sound_plan import plan_sound
from xmodal_kedro.params import ClipParams
from xmodal_kedro.reasons import MediaError

RATE_HZ = 16_000
EVERYTHING = ClipParams(coverage="everything", silence_dbfs=-200, frames_per_clip=4)
SIX_CHANNELS = Coding(".mkv", "libx264", "ac3", layout="5.1")
TELEPHONE = Coding(".3gp", "h263", "libopencore_amrnb", size=(128, 96), rate_hz=8000)
STUDIO = Coding(".mov", "mjpeg", "pcm_s32le", "yuvj420p", rate_hz=192_000, layout="stereo")


def clips_of(path: Path, params: ClipParams = EVERYTHING) -> list[ClipRow]:
    return [clip for clip in clip_file(str(path), "0" * 32, params) if isinstance(clip, ClipRow)]


def plain_sound(path: Path) -> np.ndarray:
    """The usual way, with time kept: decode all, resample every unbroken run of audio, and put it at its time on a
    clock that starts with the first stream: int16 [samples]."""
    with av.open(str(path), metadata_errors="ignore") as container:
        video, audio = decodable_streams(container.streams.video)[0], decodable_streams(container.streams.audio)[0]
        begins_s = [] if video.start_time is None else [float(video.start_time * video.time_base)]
        frames = list(frames_of(container, audio))
        has_timestamps = container.format.name != "avi"
    first = next(index for index, frame in enumerate(frames) if frame.time is not None)
    end_s = frames[first].time - seconds(frames[:first])
    runs = [(end_s, [])]
    for frame in frames:
        if has_timestamps and frame.time is not None and frame.time - end_s > 0.04:
            runs.append((frame.time, []))
            end_s = frame.time
        runs[-1][1].append(frame)
        end_s += seconds([frame])
    origin_s = min([*begins_s, runs[0][0]])
    sound = np.empty(0, np.int16)
    for start_s, run in runs:
        silence = np.zeros(max(0, round((start_s - origin_s) * RATE_HZ) - sound.size), np.int16)
        sound = np.concatenate([sound, silence, *resampled(run)])
    return sound


def frames_of(container: av.container.InputContainer, stream: av.stream.Stream) -> Iterator[av.frame.Frame]:
    packets = container.demux(stream)
    while True:
        try:
            yield from next(packets).decode()
        except (StopIteration, av.EOFError):
            return
        except av.FFmpegError:
            continue


def seconds(frames: Sequence[av.AudioFrame]) -> float:
    return sum(frame.samples / frame.sample_rate for frame in frames)


def resampled(frames: Sequence[av.AudioFrame]) -> list[np.ndarray]:
    resampler = av.AudioResampler("s16", "mono", RATE_HZ)
    return [part.to_ndarray()[0] for frame in [*frames, None] for part in resampler.resample(frame)]


def gain_of(path: Path) -> float | None:
    """What stereo whose channels differ in level is scaled by, beyond the mean; None for more channels."""
    plan = plan_sound(str(path))
    weights = plan.mixes[0].weights
    assert weights is not None
    if len(weights) > 2:
        return None  # the weights of libswresample depend on the sample format
    gain = sum(weights)
    assert gain == 1 or 10 ** (1.5 / 20) - 1e-3 < gain <= 2.001
    return gain


def assert_samples_are_exact(path: Path, clips: Sequence[ClipRow]) -> None:
    whole, gain = plain_sound(path), gain_of(path)
    if "mixed otherwise" in plan_sound(str(path)).note:
        return
    for clip in clips:
        part = slice(round(clip.start_s * 1000) * 16, round(clip.end_s * 1000) * 16)
        samples, expected = np.frombuffer(clip.audio, "<i2"), whole[part]
        if gain is None:
            assert np.corrcoef(samples, expected)[0, 1] > 0.99
        elif gain == 1:
            difference = np.abs(samples.astype(int) - expected)
            assert np.mean(difference <= 1) > 0.9, f"{path} {part}"  # a stretch may be mixed otherwise
            assert difference.max() <= 1 or path.parent.name == "videos", f"{path} {part}"
        else:
            np.testing.assert_allclose(samples, gain * expected, atol=2, err_msg=f"{path} {part}")


@pytest.mark.parametrize("coding", [*CODINGS, *TIMED[1:], SIX_CHANNELS, TELEPHONE, STUDIO], ids=str)
def test_samples_are_those_of_the_whole_file(tmp_path, coding):
    path = write_clock(tmp_path, coding)

    clips = clips_of(path)

    assert sum(clip.end_s - clip.start_s for clip in clips) > 7.9
    assert_samples_are_exact(path, clips)


@pytest.mark.parametrize("start_s", [0.5, -0.2, 1000.5])
@pytest.mark.parametrize("coding", TIMED[::3], ids=str)
def test_samples_are_exact_when_sound_starts_apart(tmp_path, coding, start_s):
    path = write_clock(tmp_path, coding, sound_starts_s=start_s, frames=Frames(start_s=float(start_s > 1000) * 1000))

    assert_samples_are_exact(path, clips_of(path))


@pytest.mark.parametrize("trims_s", [(1.2, 1.2), (0.0, 0.7)], ids=["both", "sound"])
@pytest.mark.parametrize("coding", [MP4[0], CODINGS[1]], ids=str)
def test_samples_are_exact_after_edit_lists(tmp_path, coding, trims_s):
    path = write_clock(tmp_path, coding)
    trim_start(path, *trims_s)

    assert_samples_are_exact(path, clips_of(path))


def test_samples_are_exact_around_long_gaps_up_to_the_end(tmp_path):
    path = tmp_path / "gaps.mkv"
    write_gaps(path, [(0.0, 5.0), (9.0, 4.0), (300.0, 4.0)])

    clips = clips_of(path)

    assert clips[-1].end_s == pytest.approx(304.0, abs=0.1)
    assert_samples_are_exact(path, clips)


def write_gaps(path: Path, stretches_s: Sequence[tuple[float, float]]) -> None:
    """A file with one frame per second and noise in some stretches of time (start, length)."""
    rng = np.random.default_rng(0)
    with av.open(str(path), "w") as container:
        video = container.add_stream("mjpeg", rate=1, width=96, height=64, pix_fmt="yuvj420p")
        audio = container.add_stream("pcm_s16le", rate=RATE_HZ, layout="mono")
        for start_s, length_s in stretches_s:
            for second in range(int(start_s), int(start_s + length_s)):
                picture = av.VideoFrame(96, 64, "yuvj420p")
                picture.pts = second
                container.mux(video.encode(picture))
                noise = rng.integers(-9000, 9000, (1, RATE_HZ)).astype(np.int16)
                frame = av.AudioFrame.from_ndarray(noise, format="s16", layout="mono")
                frame.sample_rate, frame.pts = RATE_HZ, second * RATE_HZ
                container.mux(audio.encode(frame))


@pytest.fixture(scope="module")
def real_clips(real_data) -> dict[Path, list[ClipRow]]:
    """Clips of every real video that gives any."""
    paths = sorted(path for path in (real_data / "videos").iterdir() if path.suffix != ".csv")
    clips = {path: clips_or_none(path) for path in paths}
    return {path: found for path, found in clips.items() if found}


def clips_or_none(path: Path) -> list[ClipRow]:
    try:
        return clips_of(path)
    except MediaError:
        return []


def test_samples_of_real_videos_are_exact(real_clips):
    assert len(real_clips) > 40
    for path, clips in real_clips.items():
        assert_samples_are_exact(path, clips)


def test_pictures_of_real_videos_are_those_of_their_times(real_clips):
    checked = 0
    for path, clips in real_clips.items():
        with av.open(str(path), metadata_errors="ignore") as container:
            video = container.streams.video[0]
            small = video.width * video.height <= 320 * 240
        if small:
            checked += assert_pictures_are_of_their_times(path, clips)
    assert checked > 50


def test_pictures_are_those_of_their_times(tmp_path):
    path = write_media(tmp_path / "clock.mp4", CODINGS[0], frames=Frames(keyframe_every=45))

    assert assert_pictures_are_of_their_times(path, clips_of(path)) > 1


def assert_pictures_are_of_their_times(path: Path, clips: Sequence[ClipRow]) -> int:
    """Each stored image resembles the frame of its time at least as much as any of the frames around.

    Returns:
        Number of images.
    """
    pictures = [
        (time_s, cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_GRAYSCALE))
        for clip in clips
        for jpeg, time_s in zip(clip.frames, clip.frame_times_s, strict=True)
    ]
    height, width = pictures[0][1].shape
    times_s, frames = upright_frames(path, (width, height))
    for time_s, picture in pictures:
        at = int(np.abs(times_s - time_s).argmin())
        around = range(max(0, at - 8), min(len(frames), at + 9))
        unlike = {index: float(np.abs(frames[index] - picture.astype(np.float32)).mean()) for index in around}
        nearly = min(unlike[index] for index in (at - 1, at, at + 1) if index in unlike)
        assert nearly <= min(unlike.values()) + 0.5, f"{path} at {time_s}: {unlike}"
    return len(pictures)


def upright_frames(path: Path, size: tuple[int, int]) -> tuple[np.ndarray, list[np.ndarray]]:
    """All frames of a file, scaled, and their times on the clock of clips."""
    times_s, frames = [], []
    with av.open(str(path), metadata_errors="ignore") as container:
        video, audio = decodable_streams(container.streams.video)[0], decodable_streams(container.streams.audio)[0]
        starts_s = [float(stream.start_time * stream.time_base) for stream in (video, audio) if stream.start_time]
        for frame in frames_of(container, video):
            upright = np.rot90(frame.to_ndarray(format="gray", threads=1), round(frame.rotation / 90) % 4)
            times_s.append(frame.time)
            frames.append(cv2.resize(upright, size, interpolation=cv2.INTER_AREA).astype(np.float32))
    origin_s = min(starts_s) if len(starts_s) == 2 else 0.0
    return np.array(times_s) - origin_s, frames
