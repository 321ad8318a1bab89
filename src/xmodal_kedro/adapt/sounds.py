"""The sound of labelled clips, decoded once: whole files, parts of them, and clips that reviewers confirmed."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from xmodal_kedro.errors import UserError, fault_of_machine
from xmodal_kedro.evaluation.sounds import SHARD_SOUNDS, level_dbfs
from xmodal_kedro.media.sound_file import sound_of_file
from xmodal_kedro.params import AdaptParams
from xmodal_kedro.pcm import CLIP_SAMPLE_RATE_HZ
from xmodal_kedro.reasons import MediaError
from xmodal_kedro.recipes import recipe
from xmodal_kedro.schemas import BENCHMARK_SOUNDS_ARROW
from xmodal_kedro.storage import FileRef, Folder, ShardJobs, Shards
from xmodal_kedro.wording import counted, warn_once

logger = logging.getLogger(__name__)

MAX_CLIP_S = 600.0
"""Longest clip, seconds: a network hears it at once. A longer recording needs times in the table."""
FAILED_KEY = "failed"
"""Metadata of a shard: JSON, why clips are not in it, by clip."""
_NAMED = 5

Part = tuple[str, float, float]
"""Name of a clip, and where it begins and ends, seconds; the end is infinite for that of the file."""


def sound_jobs(labelled: pd.DataFrame, files: Folder, confirmed: pd.DataFrame) -> ShardJobs:
    """Jobs over at most `SHARD_SOUNDS` clips each, in the order of the tables; a file is decoded by one of them.

    Args:
        labelled: as `evaluation.labelled.read_labelled` returns it.
        files: where the files are.
        confirmed: `schemas.ConfirmedClips`.
    """
    jobs: ShardJobs = {}
    parts: dict[str, tuple[Part, ...]] = {
        str(file): tuple(zip(rows["clip"], rows["start_s"], rows["end_s"], strict=True))
        for file, rows in labelled.groupby("file", sort=False)
    }
    batch: list[tuple[FileRef, tuple[Part, ...]]] = []
    for file, of_file in parts.items():
        batch.append((files[file], of_file))
        if sum(len(each) for _, each in batch) >= SHARD_SOUNDS:
            jobs[f"labelled_{len(jobs):05}"] = partial(decode_parts, tuple(batch))
            batch = []
    if batch:
        jobs[f"labelled_{len(jobs):05}"] = partial(decode_parts, tuple(batch))
    for start in range(0, len(confirmed), SHARD_SOUNDS):
        part = confirmed[["clip_id", "audio"]].iloc[start : start + SHARD_SOUNDS]
        jobs[f"reviewed_{start // SHARD_SOUNDS:05}"] = partial(
            keep_sounds, pa.Table.from_pandas(part, preserve_index=False)
        )
    return jobs


def learnt_from(confirmed: pd.DataFrame, labelled: pd.DataFrame, place: str, params: AdaptParams) -> pd.DataFrame:
    """The confirmed clips that a classifier learns from: all or none, as `adapt.reviewed` says.

    Args:
        confirmed: `schemas.ConfirmedClips`.
        labelled: as `evaluation.labelled.read_labelled` returns it.
        place: where labelled files were looked for.
        params: `adapt`.
    """
    wanted = not len(labelled) if params.reviewed is None else params.reviewed
    if not wanted and len(confirmed) and params.reviewed is None:
        what = counted(len(confirmed), "clip is", "clips are")
        warn_once(
            logger, f"{what} of a review not learnt from, as there are labelled files: adapt.reviewed: true adds them"
        )
    if wanted and len(confirmed) and not len(labelled):
        warn_once(logger, f"there are no labelled files in {place}: the classifier learns from the review alone")
    return confirmed if wanted else confirmed.iloc[:0]


@recipe("decode_labelled", version=1, libraries=("av",))
def decode_parts(sounds: Sequence[tuple[FileRef, tuple[Part, ...]]]) -> Iterator[pa.Table]:
    """Decode files, and cut the clips out of them: `schemas.BenchmarkSounds`, a table for each file.

    A clip that cannot be decoded, is empty or exceeds `MAX_CLIP_S` is left out, and is in the metadata under `failed`.

    Args:
        sounds: each file with its clips.

    Raises:
        MachineError: there is no room for a copy.
        OSError: if the machine or the storage is at fault, which says nothing of the file.
    """
    failed: dict[str, str] = {}
    for file, parts in sounds:
        try:
            with file.fetched() as path:
                found = cut(path, parts)
        except (MediaError, OSError) as error:
            if fault_of_machine(error) or file.is_withheld(error):
                raise
            reason = f"{error.detail} ({error.reason})" if isinstance(error, MediaError) else str(error)
            failed |= dict.fromkeys((clip for clip, _, _ in parts), reason)
            continue
        failed |= {clip: audio for clip, audio in found.items() if isinstance(audio, str)}
        rows = [
            {"file": clip, "audio": audio.tobytes(), "rms_dbfs": level_dbfs(audio)}
            for clip, audio in found.items()
            if not isinstance(audio, str)
        ]
        yield pa.Table.from_pylist(rows, schema=BENCHMARK_SOUNDS_ARROW)
    yield BENCHMARK_SOUNDS_ARROW.empty_table().replace_schema_metadata({FAILED_KEY: json.dumps(failed)})


@recipe("reviewed_sounds", version=1)
def keep_sounds(clips: pa.Table) -> pa.Table:
    """The sound of confirmed clips, `clip_id` and `audio`, as `schemas.BenchmarkSounds`."""
    levels = [level_dbfs(np.frombuffer(audio.as_buffer(), "<i2")) for audio in clips["audio"]]
    return pa.table(
        [clips["clip_id"].cast(pa.string()), clips["audio"].cast(pa.binary()), pa.array(levels, pa.float64())],
        schema=BENCHMARK_SOUNDS_ARROW,
    )


def cut(path: str, parts: Sequence[Part]) -> dict[str, NDArray[np.int16] | str]:
    """The samples of parts of a file by clip, decoded in one pass; a text that says why, for one without samples.

    Raises:
        MediaError: if the file cannot be decoded.
    """
    pieces: dict[str, list[NDArray[np.int16]]] = {clip: [] for clip, _, _ in parts}
    bounds = {
        clip: (round(start_s * CLIP_SAMPLE_RATE_HZ), end_s * CLIP_SAMPLE_RATE_HZ) for clip, start_s, end_s in parts
    }
    longest = round(MAX_CLIP_S * CLIP_SAMPLE_RATE_HZ)
    at = 0
    for audio_T in sound_of_file(path, with_lead=False):
        for clip, (first, last) in bounds.items():
            end = min(last, first + longest + 1)
            if at < end and first < at + len(audio_T):
                pieces[clip].append(audio_T[max(0, first - at) : max(0, math.ceil(min(end, at + len(audio_T))) - at)])
        at += len(audio_T)
    found: dict[str, NDArray[np.int16] | str] = {}
    for clip, each in pieces.items():
        audio_T = np.concatenate(each) if each else np.zeros(0, np.int16)
        if not len(audio_T):
            found[clip] = f"the file ends at {at / CLIP_SAMPLE_RATE_HZ:.2f} s, before it begins"
        elif len(audio_T) > longest:
            found[clip] = f"it is longer than {MAX_CLIP_S:g} s: give start_s and end_s of what is labelled"
        else:
            found[clip] = audio_T
    return found


def decoded_clips(clips: pd.DataFrame, sounds: Shards) -> pd.DataFrame:
    """The clips that have sound; of the others a warning says why.

    Args:
        clips: with a column `clip`.
        sounds: as `sound_jobs` makes them.

    Raises:
        UserError: if none has.
    """
    present = {file for shard in sounds.values() for file in shard(columns=["file"])["file"].to_pylist()}
    failed: dict[str, str] = {}
    for shard in sounds.values():
        failed |= json.loads(shard.metadata.get(FAILED_KEY, "{}"))
    lost = [f"{clip} ({failed.get(clip, 'no sound')})" for clip in clips["clip"] if clip not in present]
    more = f" and {len(lost) - _NAMED} more" if len(lost) > _NAMED else ""
    said = f"{'; '.join(lost[:_NAMED])}{more}"
    if lost and len(lost) == len(clips):
        raise UserError(f"no labelled clip can be decoded: {said}: replace the files")
    if lost:
        logger.warning("%s left out: %s", counted(len(lost), "labelled clip is", "labelled clips are"), said)
    return clips[clips["clip"].isin(present)].reset_index(drop=True)
