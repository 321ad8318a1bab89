"""The rows of the table: container, codecs and what a device or program does with them."""

from __future__ import annotations

from dataclasses import dataclass

Options = tuple[tuple[str, str], ...]

X265 = (("x265-params", "log-level=none"), ("preset", "ultrafast"))
X264 = (("preset", "veryfast"), ("sc_threshold", "0"))
VP9 = (("deadline", "realtime"), ("cpu-used", "8"))
AV1 = (("preset", "12"),)
STRICT = (("strict", "-2"),)
VIDEO_OPTIONS = {"libx264": X264, "libx265": X265, "libvpx-vp9": VP9, "libvpx": VP9, "libsvtav1": AV1}

NO_STAMPS = "no timestamps: sound and frames are counted"
NO_INDEX = "no index: read from its beginning"
LATE_02 = "sound has the time of its arrival, up to 0.2 s late"
LATE_01 = "sound has the time of its arrival, up to 0.1 s late"
BANDS = "sound up to 4 kHz"


@dataclass(frozen=True)
class Row:
    """One file.

    Attributes:
        suffix: of its name, and container where `muxer` names none.
        video, audio: encoders; an empty one for no such stream.
        shape: key of `writing.SHAPES`, what a device does.
        audio_rate_hz, layout: of the sound.
        b_frames: most in a row.
        pixels: pixel format.
        muxer, muxer_options: as FFmpeg has them.
        limits: what to know about such files, for the page.
    """

    suffix: str
    video: str
    audio: str
    shape: str = "plain"
    audio_rate_hz: int = 48_000
    layout: str = "stereo"
    b_frames: int = 0
    pixels: str = "yuv420p"
    muxer: str | None = None
    muxer_options: Options = ()
    audio_options: Options = ()
    limits: str = ""

    def __str__(self) -> str:
        parts = (self.suffix[1:], self.video or "sound", self.audio, f"{self.audio_rate_hz}", self.layout, self.shape)
        return "-".join([*parts, *(value for _, value in self.muxer_options)])


VIDEOS = (
    Row(".mp4", "libx264", "aac", b_frames=2),
    Row(".mp4", "libx264", "aac", layout="5.1"),
    Row(".mp4", "libx265", "aac", b_frames=2, audio_rate_hz=44_100),
    Row(".mp4", "mpeg4", "libmp3lame", audio_rate_hz=44_100),
    Row(".mp4", "libsvtav1", "libopus"),
    Row(".mp4", "libvpx-vp9", "flac"),
    Row(".mov", "libx264", "pcm_s16le", b_frames=2),
    Row(".mov", "mjpeg", "alac", pixels="yuvj420p", layout="mono"),
    Row(".mov", "prores_ks", "pcm_s24le", pixels="yuv422p10le"),
    Row(".3gp", "mpeg4", "libopencore_amrnb", audio_rate_hz=8_000, layout="mono", limits=BANDS),
    Row(".mkv", "libx264", "ac3", b_frames=2, layout="5.1"),
    Row(".mkv", "libx265", "eac3"),
    Row(".mkv", "mpeg2video", "flac", audio_rate_hz=96_000, b_frames=2),
    Row(".mkv", "ffv1", "pcm_f32le"),
    Row(".webm", "libvpx", "vorbis", audio_options=STRICT),
    Row(".webm", "libvpx-vp9", "libopus"),
    Row(".webm", "libsvtav1", "libopus", layout="mono"),
    Row(".avi", "mpeg4", "libmp3lame", audio_rate_hz=44_100, limits=NO_STAMPS),
    Row(".avi", "mjpeg", "pcm_u8", pixels="yuvj420p", audio_rate_hz=11_025, layout="mono", limits=NO_STAMPS),
    Row(".avi", "libx264", "ac3", limits=NO_STAMPS),
    Row(".flv", "libx264", "aac", b_frames=2, audio_rate_hz=44_100),
    Row(".flv", "flv", "libmp3lame", audio_rate_hz=22_050, layout="mono"),
    Row(".ts", "libx264", "aac", b_frames=2, limits=NO_INDEX),
    Row(".ts", "libx265", "ac3", limits=NO_INDEX),
    Row(".ts", "mpeg2video", "mp2", b_frames=2, limits=NO_INDEX),
    Row(".mpg", "mpeg2video", "mp2", b_frames=2, limits=NO_INDEX),
    Row(".vob", "mpeg2video", "ac3", b_frames=2, limits=NO_INDEX),
    Row(".mxf", "mpeg2video", "pcm_s24le", layout="mono"),
    Row(".wmv", "wmv2", "wmav2", audio_options=(("b", "64000"),)),
)
SOUNDS = (
    Row(".wav", "", "pcm_s16le"),
    Row(".wav", "", "pcm_s24le", audio_rate_hz=96_000),
    Row(".wav", "", "pcm_s32le"),
    Row(".wav", "", "pcm_f32le", layout="mono"),
    Row(".wav", "", "pcm_u8", audio_rate_hz=8_000, layout="mono", limits=BANDS),
    Row(".wav", "", "pcm_mulaw", audio_rate_hz=8_000, layout="mono", limits=BANDS),
    Row(".wav", "", "pcm_alaw", audio_rate_hz=16_000, layout="mono"),
    Row(".wav", "", "adpcm_ms", audio_rate_hz=22_050),
    Row(".w64", "", "pcm_s24le"),
    Row(".aiff", "", "pcm_s16be", audio_rate_hz=44_100),
    Row(".au", "", "pcm_s16be", audio_rate_hz=32_000),
    Row(".caf", "", "pcm_s24le", audio_rate_hz=96_000),
    Row(".flac", "", "flac", layout="5.1"),
    Row(".mp3", "", "libmp3lame", audio_rate_hz=44_100),
    Row(".aac", "", "aac", muxer="adts", limits="its length is that of its packets"),
    Row(".m4a", "", "aac", muxer="ipod", audio_rate_hz=44_100),
    Row(".ac3", "", "ac3", layout="5.1"),
    Row(".ogg", "", "vorbis", audio_options=STRICT),
    Row(".opus", "", "libopus", muxer="ogg"),
    Row(".amr", "", "libopencore_amrnb", audio_rate_hz=8_000, layout="mono", limits=BANDS),
    Row(".wv", "", "wavpack", audio_rate_hz=44_100),
    Row(".mka", "", "alac"),
)
DEVICES = (
    Row(".mp4", "libx264", "aac", "phone, held upright", b_frames=2),
    Row(".mov", "libx265", "aac", "phone, held upside down", pixels="yuv420p10le", audio_rate_hz=44_100),
    Row(".mov", "mpeg2video", "pcm_s16le", "camcorder, four mono tracks", layout="mono"),
    Row(".mxf", "mpeg2video", "pcm_s24le", "camcorder, two mono tracks", layout="mono"),
    Row(".mkv", "libx264", "pcm_s16le", "recorder, silent first track", layout="mono"),
    Row(".mkv", "libx264", "libopus", "screen recording, uneven frames"),
    Row(".mp4", "libx264", "aac", "screen recording, uneven frames"),
    Row(
        ".flv",
        "libx264",
        "pcm_mulaw",
        "network camera, sound in bursts",
        audio_rate_hz=8_000,
        layout="mono",
        limits=LATE_02,
    ),
    Row(
        ".mkv",
        "mjpeg",
        "aac",
        "network camera, jittered sound",
        pixels="yuvj420p",
        audio_rate_hz=16_000,
        limits=LATE_01,
    ),
    Row(".ts", "libx264", "aac", "broadcast, clock at 26 hours", b_frames=2, limits=NO_INDEX),
    Row(".mp4", "libx264", "aac", "cut copy, edit list"),
    Row(".mp4", "libx264", "aac", "CMAF", b_frames=2, muxer_options=(("movflags", "cmaf+frag_keyframe+empty_moov"),)),
    Row(".mp4", "libx264", "aac", "fragments", muxer_options=(("movflags", "frag_keyframe+delay_moov"),)),
    Row(".ts", "libx264", "aac", "two recordings joined", limits=NO_INDEX),
    Row(".mkv", "libx264", "aac", "sound begins a second late"),
    Row(".mp4", "libx264", "aac", "slide show, a frame every two seconds"),
    Row(".mp4", "mjpeg", "aac", "still picture under sound", pixels="yuvj420p"),
    Row(".mp3", "", "libmp3lame", "song with a cover", audio_rate_hz=44_100),
    Row(".m4a", "", "aac", "song with a cover", muxer="mp4", audio_rate_hz=44_100),
    Row(".mkv", "libx264", "flac", "right channel inverted"),
)
ROWS = (*VIDEOS, *SOUNDS, *DEVICES)
