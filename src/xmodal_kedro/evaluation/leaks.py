"""Sounds of a benchmark among the sources of training: a test on training data proves nothing.

They are found by content, whole files or parts of a recording in any encoding, and by the Freesound id that names of
many data sets carry, as a benchmark's clips were mostly cut from longer recordings there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, NamedTuple

from xmodal_kedro.errors import UserError
from xmodal_kedro.evaluation.sounds import SHARD_SOUNDS, count_silent, stored_sounds
from xmodal_kedro.params import NearDuplicateParams, TransferParams
from xmodal_kedro.recipes import recipe
from xmodal_kedro.storage import DataFrame, Folder, LoadShard, ShardJobs, Shards

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from xmodal_kedro.evaluation.benchmarks.benchmark import Benchmark

# `sign_benchmark` and `refuse_leaks` are nodes: a command line that lists them needs none of their libraries.

FREESOUND_BENCHMARKS = ("esc50", "esc10", "urbansound8k")
FREESOUND_NAMES = (
    re.compile(r"[1-5]-(\d+)-[A-Z]-\d+"),  # ESC-50: fold, Freesound id, take, class
    re.compile(r"(\d+)-\d+-\d+-\d+"),  # UrbanSound8K: Freesound id, class, occurrence, slice
    re.compile(r"(\d+)__.+"),  # as Freesound's site names what is downloaded: id, user, title
    re.compile(r"(?:freesound|fsid|fs)[-_ ]?(\d+)(?:\D.*)?", re.IGNORECASE),
)
_NAMED = 5


class Leak(NamedTuple):
    """One recording on both sides.

    Attributes:
        uri: of the source.
        file: of the benchmark.
        how: it was found.
    """

    uri: str
    file: str
    how: str


def sign_benchmark(benchmark_sounds: Shards) -> ShardJobs:
    """One job for each shard of sounds: their `schemas.Signatures`, each a video of its own, named by its file."""
    return {key: partial(sign_sounds, shard) for key, shard in benchmark_sounds.items()}


@recipe("sign_benchmark", version=1)
def sign_sounds(sounds: LoadShard) -> pa.Table:
    """The signature of each sound."""
    import pyarrow as pa

    from xmodal_kedro.dedup.signature import sign_clip
    from xmodal_kedro.schemas import SIGNATURES_ARROW

    rows = [
        sign_clip(
            {"clip_id": name, "video_id": name, "start_s": 0.0, "audio": sound_T, "frames": [], "frame_times_s": []}
        )
        for part in stored_sounds(sounds, SHARD_SOUNDS)
        for name, sound_T in part
    ]
    return pa.Table.from_pylist(rows, schema=SIGNATURES_ARROW)


def find_leaks(
    name: str,
    benchmark: Benchmark,
    benchmark_signatures: Shards,
    videos: pd.DataFrame,
    signatures: Shards,
    params: NearDuplicateParams,
) -> list[Leak]:
    """Every source that holds a sound of the benchmark, each pair once.

    Args:
        name: of the benchmark.
        benchmark_signatures: as `sign_benchmark` makes them.
        videos: all sources that clips were cut from.
        signatures: of these clips.
        params: when two sounds are one recording.
    """
    from xmodal_kedro.dedup.overlap import overlapping_pairs
    from xmodal_kedro.media.probe import VIDEO_ID_DIGITS

    uri_of = dict(zip(videos["video_id"], videos["uri"], strict=True))
    found = {(leak.uri, leak.file): leak for leak in _by_name(name, benchmark, videos["uri"])}
    for pair in overlapping_pairs(signatures, benchmark_signatures, params):
        leak = Leak(uri_of[pair.one], pair.other, f"{pair.agreement.matched_s:.1f} s of sound agree")
        found[leak.uri, leak.file] = leak
    for row, file in zip(benchmark.clips["file"], benchmark.audio, strict=True):
        if uri := uri_of.get(file.sha256[:VIDEO_ID_DIGITS]):
            found[uri, row] = Leak(uri, row, "the files are equal")
    return [found[key] for key in sorted(found)]


def refuse_leaks(
    benchmark_files: Folder,
    benchmark_sounds: Shards,
    benchmark_signatures: Shards,
    videos: DataFrame,
    signatures: Shards,
    near_duplicates: NearDuplicateParams,
    transfer_eval: TransferParams,
) -> dict[str, Any]:
    """Stop where training may have used a recording of the benchmark.

    Returns:
        Numbers of the sources and sounds that were compared, and of the sounds that are silent; and the names of
        recordings that the benchmark's own division has both in training and in test.

    Raises:
        UserError: naming the sources that hold such recordings.
    """
    from xmodal_kedro.evaluation.benchmarks.catalogue import read_benchmark

    name = transfer_eval.benchmark
    benchmark = read_benchmark(benchmark_files, name)
    require_no_leak(find_leaks(name, benchmark, benchmark_signatures, videos, signatures, near_duplicates), name)
    return {
        "sources": len(videos),
        "sounds": len(benchmark.clips),
        "silent_sounds": count_silent(benchmark_sounds),
        "divided_recordings": list(benchmark.divided),
    }


def require_no_leak(leaks: list[Leak], name: str) -> None:
    """Check that there are no leaks.

    Raises:
        UserError: naming the sources, if there are any.
    """
    if not leaks:
        return
    shown = "; ".join(f"{leak.uri} and {leak.file} ({leak.how})" for leak in leaks[:_NAMED])
    more = f"; and {len(leaks) - _NAMED} more" if len(leaks) > _NAMED else ""
    sources = len({leak.uri for leak in leaks})
    raise UserError(
        f"training has heard the benchmark {name}: {sources} of its sources hold a recording that is judged on: "
        f"{shown}{more}. Take these sources away and run the pipelines from ingest to train again, or judge on another "
        "benchmark"
    )


def freesound_id(address: str) -> str | None:
    """The Freesound id that a file's name carries, if it is of a form that is known."""
    stem = PurePosixPath(address).stem
    matches = (pattern.fullmatch(stem) for pattern in FREESOUND_NAMES)
    return next((match[1].lstrip("0") for match in matches if match), None)


def _by_name(name: str, benchmark: Benchmark, uris: pd.Series) -> Iterator[Leak]:
    """Recordings whose Freesound number, by their file's name, is that of a sound of the benchmark."""
    if name not in FREESOUND_BENCHMARKS:
        return
    files: dict[str, str] = {}
    for file in benchmark.clips["file"]:
        if (known := freesound_id(file)) is not None:
            files.setdefault(known, file)
    for uri in uris:
        if (known := freesound_id(uri)) in files:
            yield Leak(uri, files[known], f"both are Freesound {known}")
