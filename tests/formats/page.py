"""`docs/formats.md`: what is used of each kind of file, and how exactly."""

from __future__ import annotations

import math
import multiprocessing
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor

from tests.formats.master import SECONDS
from tests.formats.measuring import Measured, measure
from tests.formats.rows import DEVICES, ROWS, SOUNDS, VIDEOS, Row
from tests.formats.writing import SHAPES
from tests.project import PROJECT

PAGE = PROJECT / "docs" / "formats.md"
CORRELATION = 0.95
"""Below it, sound is not that of the file."""
STEPS_MS = (10, 20, 40)
"""To which measured errors are rounded up, so that the page is the same on every machine."""
WORKERS = 2
CODECS = {
    **{
        "libx264": "H.264",
        "libx265": "HEVC",
        "libvpx": "VP8",
        "libvpx-vp9": "VP9",
        "libsvtav1": "AV1",
        "mjpeg": "MJPEG",
    },
    **{
        "mpeg4": "MPEG-4",
        "mpeg2video": "MPEG-2",
        "prores_ks": "ProRes",
        "ffv1": "FFV1",
        "flv": "Sorenson",
        "wmv2": "WMV 8",
    },
    **{"aac": "AAC", "libmp3lame": "MP3", "mp2": "MP2", "ac3": "AC-3", "eac3": "E-AC-3", "libopus": "Opus"},
    **{"vorbis": "Vorbis", "flac": "FLAC", "alac": "ALAC", "wmav2": "WMA 2", "wavpack": "WavPack"},
    **{"libopencore_amrnb": "AMR-NB", "adpcm_ms": "ADPCM", "pcm_mulaw": "\u00b5-law", "pcm_alaw": "A-law"},
    **{"pcm_u8": "PCM 8 bit", "pcm_s16le": "PCM 16 bit", "pcm_s16be": "PCM 16 bit", "pcm_s24le": "PCM 24 bit"},
    **{"pcm_s32le": "PCM 32 bit", "pcm_f32le": "PCM float"},
}
OPENING = """# Formats

What is used of which files, and how exactly. `python -m tests.formats` writes this page: it makes a file of 7 s for
each row with PyAV, clips it, and compares the clips with a plain decode of the whole file. In each second of every
clip the sound correlates with that decode by 0.95 or more, or the row says that it does not. The time error is the
larger one of sound and frames: by how much a second of sound is displaced, or by how much a frame is off the screen
at its time or during its clip. Where the times in a file are not those of the recording, the clock is that of its
samples, one after the other. Encoders, muxers and decoders are those of PyAV's wheel.
"""
COLUMNS = ("container", "video", "sound", "device or program", "what is used", "time error", "limits")
PARTS = {"Video with sound": VIDEOS, "Sound alone": SOUNDS, "Devices and programs": DEVICES}


def measure_all(rows: Sequence[Row] = ROWS) -> dict[Row, Measured]:
    """Measure every row, in processes of their own."""
    with ProcessPoolExecutor(WORKERS, multiprocessing.get_context("spawn")) as pool:
        return dict(zip(rows, pool.map(measure, rows), strict=True))


def render(measured: Mapping[Row, Measured]) -> str:
    """The page."""
    head = [f"| {' | '.join(COLUMNS)} |", "|---" * len(COLUMNS) + "|"]
    sections = ["\n".join([f"## {title}\n", *head, *_lines(rows, measured)]) + "\n" for title, rows in PARTS.items()]
    return "\n".join([OPENING, *sections])


def _lines(rows: Sequence[Row], measured: Mapping[Row, Measured]) -> Iterator[str]:
    for row in rows:
        rate = f"{row.audio_rate_hz / 1000:g} kHz {row.layout}"
        cells = (
            row.suffix[1:],
            CODECS[row.video] if row.video else "-",
            f"{CODECS[row.audio]}, {rate}",
            "-" if row.shape == "plain" else row.shape,
            used(row, measured[row]),
            error(measured[row]),
            row.limits or "-",
        )
        yield f"| {' | '.join(cells)} |"


def used(row: Row, of: Measured) -> str:
    """What of a file is in its clips."""
    if not of.clipped_s:
        return f"nothing: `{of.refused.partition(':')[0]}`"
    whole_s = SECONDS - SHAPES[row.shape].cut_s
    what = "sound and frames" if row.video else "sound"
    part = "" if of.clipped_s > 0.85 * whole_s else f", {of.clipped_s:.0f} of {whole_s:.0f} s"
    short = f", `{of.refused.partition(':')[0]}`" if of.refused else ""
    broken = "" if of.correlation >= CORRELATION else ", in pieces"
    chosen = [f"{name} {of.found[name]}" for name in ("audio_track", "channel_use") if of.found.get(name)]
    return f"{what}{part}{broken}{short}{''.join(f', `{each}`' for each in chosen)}"


def error(of: Measured) -> str:
    """The time error, rounded up."""
    if not of.clipped_s:
        return "-"
    steps = [step for step in STEPS_MS if of.error_s * 1000 <= step]
    return f"\u2264 {steps[0]} ms" if steps else f"{math.ceil(10 * of.error_s) / 10:.1f} s"
