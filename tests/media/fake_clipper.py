"""A clipper that follows instructions in its file, to test the code around it; importable by the decoder process."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

from xmodal_kedro.media.clip_rows import Account, ClipRow, StreamUse
from xmodal_kedro.params import ClipParams
from xmodal_kedro.pcm import CLIP_SAMPLE_RATE_HZ
from xmodal_kedro.reasons import MediaError

CLIP_S = 3


def write_orders(path: Path, clips: int = 0, end: str = "", detail: str = "") -> Path:
    """A file with so many clips that then ends in `crash`, `hang`, `wrong`, `cut_short` or a reason."""
    path.write_text(json.dumps({"clips": clips, "end": end, "detail": detail, "name": path.name}))
    return path


def clip_file(path: str, video_id: str, params: ClipParams, use: StreamUse) -> Iterator[ClipRow | Account]:
    orders = json.loads(Path(path).read_text())
    for number in range(orders["clips"]):
        frames = [] if use.video_track < 0 else [f"{number}".encode()]
        start_s = float(CLIP_S * number)
        audio = number.to_bytes(2, "little") * CLIP_S * CLIP_SAMPLE_RATE_HZ
        times_s = [start_s] * len(frames)
        yield ClipRow(f"{video_id}-{number:08d}", video_id, start_s, start_s + CLIP_S, audio, -20.0, frames, times_s)
    match orders["end"]:
        case "":
            yield Account(silent_spans=1, unseen_spans=2, cut_short=None)
        case "cut_short":
            yield Account(silent_spans=0, unseen_spans=0, cut_short=("corrupt", orders["detail"]))
        case "crash":
            os.kill(os.getpid(), signal.SIGSEGV)
        case "hang":
            time.sleep(600)
        case "wrong":
            raise IndexError(orders["detail"])
        case reason:
            raise MediaError(reason, orders["detail"])
