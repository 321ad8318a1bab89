"""Cutting one recording into clips of audio and frames, in one pass and in bounded memory."""

from __future__ import annotations

import math
from collections.abc import Iterator
from heapq import nlargest

import cv2
from av.container import InputContainer
from av.stream import Stream

from xmodal_kedro.media.audio_buffer import AudioBuffer
from xmodal_kedro.media.clip_rows import Account, ClipRow, StreamUse
from xmodal_kedro.media.container import open_media, prepared_video
from xmodal_kedro.media.frame_store import Interval
from xmodal_kedro.media.frames import Frame
from xmodal_kedro.media.lengths import lost_end_s
from xmodal_kedro.media.recording import RecordingReader
from xmodal_kedro.media.sound_plan import SoundPlan
from xmodal_kedro.media.spans import Span, SpanPlanner, rms_dbfs
from xmodal_kedro.media.streams import probe_file
from xmodal_kedro.media.video_track import VideoTrack
from xmodal_kedro.params import ClipParams, IngestParams
from xmodal_kedro.pcm import CLIP_SAMPLE_RATE_HZ
from xmodal_kedro.reasons import MediaError

MAX_LAG_S = 600.0
"""Frames that are this far behind the audio are not waited for: the video has ended, or is far displaced."""

SOUND_AT_A_TIME_S = 1.0
"""Spans are planned each time that so much more audio has been decoded."""

WRITTEN_FIRST = ("flac",)
"""Formats whose header is written before the sound, with a length that may be a guess. Without an index, a file that
breaks off does so within a packet."""

UNDECODED_S = 0.1
"""Sound that is silent for it cannot be decoded is stated if it lasts longer than this: more than two packets."""

LOST_END_S, LOST_SHARE = 0.5, 0.02
"""A file is cut short if more than this is missing at its end, both in seconds and as a fraction of the duration in its
header."""


def clip_file(
    path: str, video_id: str, params: ClipParams, use: StreamUse | None = None
) -> Iterator[ClipRow | Account]:
    """Cut a recording into clips.

    Args:
        path: of a local file.
        video_id: hash of its content.
        params: `clip`.
        use: the streams to use, as probing found them; None to probe the file first.

    Yields:
        Clips in order of time, then one `Account`.

    Raises:
        MediaError: with the reason, if there is no clip in it.
    """
    cv2.setNumThreads(1)  # files are cut in parallel, one process each
    use = use or StreamUse.of(next(probe_file(path, IngestParams())))
    with open_media(path, glance=True) as container:
        clipper = Clipper(path, container, video_id, params, use)
        clips = clipper.read()
        if params.best_per_video is not None:
            best = nlargest(params.best_per_video, clips, key=lambda clip: (clip.audio_rms_dbfs, -clip.start_s))
            clips = iter(sorted(best, key=lambda clip: clip.start_s))
        yield from clips
        yield clipper.account()


class Clipper:
    """Cuts one recording from its packets into its clips.

    Its clock, in which clips are placed, starts with the first audio sample or frame.
    """

    def __init__(self, path: str, container: InputContainer, video_id: str, params: ClipParams, use: StreamUse) -> None:
        plan = SoundPlan.parse(use.audio_track, use.channel_use, use.channels)
        video = prepared_video(container, use.video_track) if use.video_track >= 0 else None
        self._path, self._container = path, container
        self._streams: list[Stream] = [container.streams[index] for index in plan.tracks] + ([video] if video else [])
        self._video_id = video_id
        self._params = params
        self._needs_frames = use.needs_frames
        self._reader = RecordingReader(path, container, plan, video, CLIP_SAMPLE_RATE_HZ)
        self._video_track = VideoTrack(video, params) if video else None
        self._audio_buffer = AudioBuffer()
        self._planner = SpanPlanner(params)
        self._planned_at = 0
        self._clips = self._planned_spans = self._silent_spans = self._unseen_spans = 0
        self._loudest_dbfs = -math.inf

    def read(self) -> Iterator[ClipRow]:
        """Demux the file once and yield clips as they are complete.

        Raises:
            MediaError: if there is no clip in it.
        """
        for video_packets in self._reader.steps():
            for packet in video_packets:
                assert self._video_track
                self._video_track.look_at(packet)
            if self._reader.sound.sample_count - self._planned_at >= SOUND_AT_A_TIME_S * CLIP_SAMPLE_RATE_HZ:
                yield from self._advance()
        if self._video_track:
            self._video_track.finish()
        yield from self._advance()
        yield from self._clips_of(self._planner.finish(self._audio_buffer.end_ms))
        if not self._clips:
            raise self._why_none()

    def account(self) -> Account:
        """What became of the rest, after the file has been read."""
        unseen = self._unseen_spans if self._needs_frames else 0
        return Account(self._silent_spans, unseen, self._cut_short())

    def _cut_short(self) -> tuple[str, str] | None:
        """Reason and detail, if the file broke off or ends before the end that its header states."""
        known_s = self._audio_buffer.end_ms / 1000
        if self._reader.broke_off:
            return "corrupt", f"it breaks off after {known_s:.1f} s: {self._reader.broke_off}"
        sound = self._reader.sound
        lost_s = lost_end_s(self._path, self._container, self._streams, self._reader.end_s)
        if self._container.format.name in WRITTEN_FIRST and not sound.ends_undecoded:
            lost_s = 0.0
        if lost_s > max(LOST_END_S, LOST_SHARE * (known_s + lost_s)):
            return (
                "corrupt",
                f"its last {lost_s:.1f} s are missing: its header states that it goes on after {known_s:.1f} s",
            )
        if sound.undecoded_s > UNDECODED_S:
            return "corrupt", f"{sound.undecoded_s:.1f} s of its sound cannot be decoded, and are silent"
        if self._unseen_spans and self._needs_frames:
            return "no_picture", f"{self._unseen_spans} spans of its sound have no picture"
        return None

    def _advance(self) -> Iterator[ClipRow]:
        """Plan with all that has been decoded so far, and yield the clips that are settled."""
        self._planned_at = self._reader.sound.sample_count
        if self._reader.origin_s is None:
            return
        self._update_planner()
        for samples in self._reader.take():
            self._audio_buffer.add(samples)
            self._planner.hear(self._audio_buffer.measure())
            yield from self._clips_of(self._planner.settle(self._seen_until_ms()))

    def _update_planner(self) -> None:
        """Hand the keyframes and cuts found since the last call to the planner of spans."""
        if self._video_track:
            for time_s in self._video_track.take_keyframes():
                self._planner.keyframe(self._to_ms(time_s))
            for time_s in self._video_track.take_cuts():
                self._planner.cut(self._to_ms(time_s))

    def _seen_until_ms(self) -> int:
        """Cuts and keyframes before this time are known, or are not waited for any longer."""
        if not self._video_track or self._reader.origin_s is None:
            return self._audio_buffer.end_ms
        waited_for_ms = self._audio_buffer.end_ms - round(1000 * MAX_LAG_S)
        return min(self._audio_buffer.end_ms, max(self._to_ms(self._video_track.seen_until_s), waited_for_ms))

    def _to_ms(self, time_s: float) -> int:
        assert self._reader.origin_s is not None
        return math.floor(1000 * min(max(time_s - self._reader.origin_s, 0.0), 1e9) + 1e-6)

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
                if self._needs_frames:
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
                self._is_still(span),
            )
        self._audio_buffer.forget_before(self._planner.position_ms)
        if self._video_track and self._reader.origin_s is not None:
            self._video_track.forget_before(self._planner.position_ms / 1000 + self._reader.origin_s)

    def _frames_of(self, spans: list[Span]) -> dict[Span, list[Frame]]:
        """Frames of spans, in the recording's own clock; none if only the audio is used."""
        if not self._video_track or self._reader.origin_s is None or not spans:
            return {span: [] for span in spans}
        origin_s = self._reader.origin_s
        intervals = {Interval(span.start_s + origin_s, span.end_s + origin_s): span for span in spans}
        return {
            intervals[interval]: [Frame(frame.time_s - origin_s, frame.jpeg) for frame in frames]
            for interval, frames in self._video_track.show(intervals).items()
        }

    def _is_still(self, span: Span) -> bool:
        """Whether one image is on screen for long before and after a span."""
        if not self._video_track:
            return False
        origin_s = self._reader.origin_s or 0.0
        return self._video_track.is_still(Interval(span.start_s + origin_s, span.end_s + origin_s))

    def _why_none(self) -> MediaError:
        """The reason why there is no clip."""
        if self._reader.sound.start_s is None:
            return MediaError("corrupt", "no sound could be decoded")
        if not self._planned_spans:
            seconds = self._audio_buffer.sample_count / CLIP_SAMPLE_RATE_HZ
            return MediaError("too_short", f"its sound lasts {seconds:.3f} s, clip.min_s is {self._params.min_s:g} s")
        if self._silent_spans == self._planned_spans:
            return MediaError("silent", f"its loudest span has {self._loudest_dbfs:.1f} dBFS")
        if self._video_track and self._video_track.has_pictures:
            return MediaError("no_picture", "none of its sound has a picture near")
        return MediaError("corrupt", "no picture could be decoded")
