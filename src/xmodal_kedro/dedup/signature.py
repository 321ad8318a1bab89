"""Signatures of clips: features of audio and frames that survive re-encoding, in under 1 % of the bytes."""

from __future__ import annotations

import io
from collections.abc import Iterator

import imagehash
import numpy as np
import pyarrow as pa
from PIL import Image, ImageStat

from xmodal_kedro.dedup.audio_fingerprint import fingerprint_sound
from xmodal_kedro.errors import UserError
from xmodal_kedro.recipes import recipe
from xmodal_kedro.schemas import SIGNATURES_ARROW
from xmodal_kedro.storage import LoadShard

CLIPS_AT_A_TIME = 64
DRAFT_PX = 64
"""JPEGs are decoded at reduced size, at least this: the hash uses 32 x 32 pixels."""
MIN_CONTRAST = 4.0
"""Standard deviation of grey levels (0-255) below which a frame is flat, such as a black one, and is left out."""


@recipe("sign_clips", version=1, libraries=("pillow", "imagehash"))
def sign_shard(clips: LoadShard) -> pa.Table:
    """The signature of each clip: a `Signatures` table, in the order of the clips.

    Raises:
        UserError: naming the clip with a frame that cannot be decoded.
    """
    columns = ["clip_id", "video_id", "start_s", "audio", "frames", "frame_times_s"]
    with clips.open() as parquet:
        parts = [
            pa.RecordBatch.from_pylist([sign_clip(clip) for clip in _rows(batch)], schema=SIGNATURES_ARROW)
            for batch in parquet.iter_batches(CLIPS_AT_A_TIME, columns=columns)
        ]
    return pa.Table.from_batches(parts, schema=SIGNATURES_ARROW)


def sign_clip(clip: dict) -> dict:
    """The row of `Signatures` for a row of `Clips`."""
    sound = fingerprint_sound(np.frombuffer(clip["audio"], np.int16), clip["start_s"])
    try:
        hashes = [picture_hash(jpeg) for jpeg in clip["frames"]]
    except OSError as error:
        raise UserError(f"a frame of clip {clip['clip_id']} cannot be decoded ({error}): clip again") from error
    frames = [(time_s, bits) for time_s, bits in zip(clip["frame_times_s"], hashes, strict=True) if bits is not None]
    return {
        "clip_id": clip["clip_id"],
        "video_id": clip["video_id"],
        "first_word": sound.first,
        "words": sound.words,
        "weak_bits": sound.weak_bits,
        "picture_times_s": [time_s for time_s, _ in frames],
        "picture_hashes": [bits for _, bits in frames],
    }


def picture_hash(jpeg: bytes) -> int | None:
    """64-bit perceptual hash of a frame (signs of the DCT; `imagehash.phash`); None if the frame is flat."""
    with Image.open(io.BytesIO(jpeg)) as picture:
        picture.draft("L", (DRAFT_PX, DRAFT_PX))
        grey = picture.convert("L")
    if ImageStat.Stat(grey).stddev[0] < MIN_CONTRAST:
        return None
    return int(str(imagehash.phash(grey)), 16)


def _rows(batch: pa.RecordBatch) -> Iterator[dict]:
    for row in range(batch.num_rows):
        yield from batch.slice(row, 1).to_pylist()
