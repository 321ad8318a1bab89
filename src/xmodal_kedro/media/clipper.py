"""Cutting one recording into clips of audio and frames, in one pass and in bounded memory."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from heapq import nlargest

import cv2
import numpy as np
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Stream
from av.video.stream import VideoStream

from xmodal_kedro.media.audio_buffer import AudioBuffer
from xmodal_kedro.media.audio_track import MAX_GAP_S, AudioTrack
from xmodal_kedro.media.clip_rows import Account, ClipRow
from xmodal_kedro.media.container import declared_duration_s, find_stream, open_media, packets
from xmodal_kedro.media.frames import Frame
from xmodal_kedro.media.spans import Span, SpanPlanner, rms_dbfs
from xmodal_kedro.media.video_stream import choose_video
from xmodal_kedro.media.video_track import Interval, VideoTrack
from xmodal_kedro.params import ClipParams
from xmodal_kedro.pcm import CLIP_SAMPLE_RATE_HZ
from xmodal_kedro.reasons import MediaError

MAX_LAG_S = 600.0
"""Frames that are this far behind the audio are not waited for: the video has ended, or is far displaced."""

SOUND_AT_A_TIME_S = 1.0
"""Spans are planned each time that so much more audio has been decoded."""

LOST_END_S, LOST_SHARE = 0.5, 0.02
"""A file is cut short if more than this is missing at its end, both in seconds and as a fraction of the duration in its
header."""


def clip_file(path: str, video_id: str, params: ClipParams, sound_only: bool = False) -> Iterator[ClipRow | Account]:
    """Cut a recording into clips.

    Args:
        path: of a local file.
        video_id: hash of its content.
        params: `clip`.
        sound_only: use only the audio, even if there is video. The clips have no frames.

    Yields:
        Clips in order of time, then one `Account`.

    Raises:
        MediaError: with the reason, if there is no clip in it.
    """
    cv2.setNumThreads(1)  # files are cut in parallel, one process each
    with open_media(path, glance=True) as container:
        audio = find_stream(container.streams.audio)
        if audio is None:
            raise MediaError("no_audio", "there is no audio stream")
        video = None if sound_only else find_picture_stream(path, container)
        clipper = Clipper(audio, video, video_id, params)
        clips = clipper.read(container)
        if params.best_per_video is not None:
            best = nlargest(params.best_per_video, clips, key=lambda clip: (clip.audio_rms_dbfs, -clip.start_s))
            clips = iter(sorted(best, key=lambda clip: clip.start_s))
        yield from clips
        yield clipper.account(container)


def find_picture_stream(path: str, container: InputContainer) -> VideoStream:
    """The video stream to use.

    Raises:
        MediaError: `no_picture`, if there is none.
    """
    video = choose_video(path, container)
    if video is None:
        raise MediaError("no_picture", "there is no video stream")
    return video


def align(sound_start_s: float, seen_from_s: float | None) -> tuple[float, float]:
    """Put audio and video on one clock that starts with the first of them.

    Two streams that begin hours apart have unrelated clocks: then each starts at zero.

    Returns:
        Silence before the first sample, and the offset to subtract from frame times, both seconds.
    """
    if seen_from_s is None:
        return 0.0, sound_start_s
    if abs(sound_start_s - seen_from_s) > MAX_GAP_S:
        return 0.0, seen_from_s
    origin_s = min(sound_start_s, seen_from_s)
    return sound_start_s - origin_s, origin_s


def promised_s(streams: Sequence[Stream], container: InputContainer) -> float:
    """Duration by the headers of the used streams, else by the file's header; 0 if no header has one, seconds."""
    declared_s = []
    for stream in streams:
        if stream.duration and stream.time_base and "matroska" not in container.format.name:
            declared_s.append(stream.duration * stream.time_base)
        if isinstance(stream, VideoStream) and stream.average_rate:
            declared_s.append(stream.frames / stream.average_rate)
    return float(max(declared_s, default=0)) or declared_duration_s(container)


class Clipper:
    """Cuts one recording from its packets into its clips.

    Its clock, in which clips are placed, starts with the first audio sample or frame.
    """

    def __init__(self, audio: AudioStream, video: VideoStream | None, video_id: str, params: ClipParams) -> None:
        self._audio = audio
        self._streams = [audio, *([video] if video else [])]
        self._video_id = video_id
        self._params = params
        self._sound = AudioTrack(audio, CLIP_SAMPLE_RATE_HZ)
        self._video_track = VideoTrack(video, params) if video else None
        self._audio_buffer = AudioBuffer()
        self._planner = SpanPlanner(params)
        self._origin_s: float | None = None
        self._lead_samples = self._planned_at = 0
        self._clips = self._planned_spans = self._silent_spans = self._unseen_spans = 0
        self._loudest_dbfs = -math.inf
        self._broke_off = ""

    def read(self, container: InputContainer) -> Iterator[ClipRow]:
        """Demux the file once and yield clips as they are complete.

        Raises:
            MediaError: if there is no clip in it.
        """
        reading = packets(container, *self._streams)
        for packet in reading:
            if packet.stream_index == self._audio.index:
                self._sound.look_at(packet)
            elif self._video_track:
                self._video_track.look_at(packet)
            if self._sound.sample_count - self._planned_at >= SOUND_AT_A_TIME_S * CLIP_SAMPLE_RATE_HZ:
                yield from self._advance()
        self._broke_off = reading.broke_off
        self._sound.finish()
        if self._video_track:
            self._video_track.finish()
        yield from self._advance()
        yield from self._clips_of(self._planner.finish(self._audio_buffer.end_ms))
        if not self._clips:
            raise self._why_none()

    def account(self, container: InputContainer) -> Account:
        """What became of the rest, after the file has been read."""
        return Account(self._silent_spans, self._unseen_spans, self._cut_short(container))

    def _cut_short(self, container: InputContainer) -> tuple[str, str] | None:
        """Reason and detail, if the file broke off or all its streams end before their declared duration."""
        origin_s = self._origin_s or 0.0
        known_s = max(
            self._audio_buffer.end_ms / 1000, self._video_track.last_s - origin_s if self._video_track else 0.0
        )
        if self._broke_off:
            return "corrupt", f"it breaks off after {known_s:.1f} s: {self._broke_off}"
        expected_s = promised_s(self._streams, container)
        if expected_s - known_s > max(LOST_END_S, LOST_SHARE * expected_s):
            return "corrupt", f"it ends after {known_s:.1f} s of the {expected_s:.1f} s that its header states"
        if self._unseen_spans:
            return "no_picture", f"{self._unseen_spans} spans of its sound have no picture"
        return None

    def _advance(self) -> Iterator[ClipRow]:
        """Plan with all that has been decoded so far, and yield the clips that are settled."""
        self._planned_at = self._sound.sample_count
        if self._origin_s is None and not self._set_clock():
            return
        self._update_planner()
        for samples in self._new_sound():
            self._audio_buffer.add(samples)
            self._planner.hear(self._audio_buffer.measure())
            yield from self._clips_of(self._planner.settle(self._seen_until_ms()))

    def _set_clock(self) -> bool:
        """Put audio and video on one clock; False while their start is not known."""
        if self._sound.start_s is None:
            return False
        lead_s, self._origin_s = align(self._sound.start_s, self._video_track.start_s if self._video_track else None)
        self._lead_samples = round(lead_s * CLIP_SAMPLE_RATE_HZ)
        return True

    def _new_sound(self) -> Iterator[np.ndarray]:
        """Audio not yet in the buffer, preceded by silence if the video starts first; at most a minute at a time."""
        while self._lead_samples:
            silence = np.zeros(min(self._lead_samples, 60 * CLIP_SAMPLE_RATE_HZ), np.int16)
            self._lead_samples -= silence.size
            yield silence
        while (samples := self._sound.take()).size:
            yield samples

    def _update_planner(self) -> None:
        if self._video_track:
            for time_s in self._video_track.take_keyframes():
                self._planner.keyframe(self._to_ms(time_s))
            for time_s in self._video_track.take_cuts():
                self._planner.cut(self._to_ms(time_s))

    def _seen_until_ms(self) -> int:
        """Cuts and keyframes before this time are known, or are not waited for any longer."""
        if not self._video_track or self._origin_s is None:
            return self._audio_buffer.end_ms
        waited_for_ms = self._audio_buffer.end_ms - round(1000 * MAX_LAG_S)
        return min(self._audio_buffer.end_ms, max(self._to_ms(self._video_track.seen_until_s), waited_for_ms))

    def _to_ms(self, time_s: float) -> int:
        assert self._origin_s is not None
        return math.floor(1000 * min(max(time_s - self._origin_s, 0.0), 1e9) + 1e-6)

    def _clips_of(self, spans: list[Span]) -> Iterator[ClipRow]:
        """Clips of settled spans. Drops all data that no later span can need."""
        self._planned_spans += len(spans)
        levels_dbfs = {span: rms_dbfs(self._audio_buffer.cut(span)) for span in spans}
        audible = [span for span in spans if levels_dbfs[span] >= self._params.silence_dbfs]
        self._silent_spans += len(spans) - len(audible)
        self._loudest_dbfs = max([self._loudest_dbfs, *levels_dbfs.values()])
        frames = self._frames_of(audible)
        for span in audible:
            if self._video_track and not frames[span]:
                self._unseen_spans += 1
                continue
            self._clips += 1
            yield ClipRow(
                f"{self._video_id}-{span.start_ms:08d}",
                self._video_id,
                span.start_s,
                span.end_s,
                self._audio_buffer.cut(span).tobytes(),
                levels_dbfs[span],
                [frame.jpeg for frame in frames[span]],
                [frame.time_s for frame in frames[span]],
            )
        self._audio_buffer.forget_before(self._planner.position_ms)
        if self._video_track and self._origin_s is not None:
            self._video_track.forget_before(self._planner.position_ms / 1000 + self._origin_s)

    def _frames_of(self, spans: list[Span]) -> dict[Span, list[Frame]]:
        """Frames of spans, in the recording's own clock; none if only the audio is used."""
        if not self._video_track or self._origin_s is None or not spans:
            return {span: [] for span in spans}
        origin_s = self._origin_s
        intervals = {Interval(span.start_s + origin_s, span.end_s + origin_s): span for span in spans}
        return {
            intervals[interval]: [Frame(frame.time_s - origin_s, frame.jpeg) for frame in frames]
            for interval, frames in self._video_track.show(intervals).items()
        }

    def _why_none(self) -> MediaError:
        """The reason why there is no clip."""
        if self._sound.start_s is None:
            return MediaError("corrupt", "no sound could be decoded")
        if not self._planned_spans:
            seconds = self._audio_buffer.sample_count / CLIP_SAMPLE_RATE_HZ
            return MediaError("too_short", f"its sound lasts {seconds:.3f} s, clip.min_s is {self._params.min_s:g} s")
        if self._silent_spans == self._planned_spans:
            return MediaError("silent", f"its loudest span has {self._loudest_dbfs:.1f} dBFS")
        if self._video_track and self._video_track.has_pictures:
            return MediaError("no_picture", "none of its sound has a picture near")
        return MediaError("corrupt", "no picture could be decoded")
