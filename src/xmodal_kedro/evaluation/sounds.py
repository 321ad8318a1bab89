"""A benchmark's sounds as every network gets them: decoded once, 16 kHz mono."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

from xmodal_kedro.errors import UserError, fault_of_machine
from xmodal_kedro.params import TransferParams
from xmodal_kedro.pcm import INT16_FULL_SCALE
from xmodal_kedro.recipes import recipe
from xmodal_kedro.storage import FileRef, Folder, LoadShard, ShardJobs, Shards
from xmodal_kedro.wording import counted

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

# `decode_benchmark` is a node: a command line that lists it needs none of its libraries.

SHARD_SOUNDS = 128
SILENCE_DBFS = -90.0
"""RMS level that digital silence is given, and of what counts as silent."""
_NAMED = 5


def decode_benchmark(benchmark_files: Folder, transfer_eval: TransferParams) -> ShardJobs:
    """One job for each `SHARD_SOUNDS` sounds, in the order of the benchmark."""
    from xmodal_kedro.evaluation.benchmarks.catalogue import read_benchmark

    benchmark = read_benchmark(benchmark_files, transfer_eval.benchmark)
    sounds = list(zip(benchmark.clips["file"], benchmark.audio, strict=True))
    return {
        f"{start // SHARD_SOUNDS:05}": partial(decode_sounds, tuple(sounds[start : start + SHARD_SOUNDS]))
        for start in range(0, len(sounds), SHARD_SOUNDS)
    }


@recipe("decode_benchmark", version=4, libraries=("av",))
def decode_sounds(sounds: Sequence[tuple[str, FileRef]]) -> pa.Table:
    """Decode files of any format, rate and number of channels, to `schemas.BenchmarkSounds`.

    Args:
        sounds: the benchmark's name of each file, and where it is.

    Raises:
        UserError: naming the files that cannot be decoded. An official protocol allows no clip to be missing.
        MachineError: there is no room for a copy.
        OSError: if the machine or the storage is at fault, which says nothing of the file.
    """
    import pyarrow as pa

    from xmodal_kedro.media.sound_file import read_audio
    from xmodal_kedro.schemas import BENCHMARK_SOUNDS_ARROW

    rows, broken = [], []
    for name, file in sounds:
        try:
            with file.fetched() as path:
                audio_T = read_audio(path)
        except (ValueError, OSError) as error:
            if fault_of_machine(error) or file.is_withheld(error):
                raise
            broken.append(f"{name} ({error})")
            continue
        rows.append({"file": name, "audio": audio_T.tobytes(), "rms_dbfs": level_dbfs(audio_T)})
    if broken:
        more = f" and {len(broken) - _NAMED} more" if len(broken) > _NAMED else ""
        raise UserError(
            f"{counted(len(broken), 'sound')} of the benchmark cannot be decoded: {'; '.join(broken[:_NAMED])}{more}: "
            "replace them from the benchmark's archive"
        )
    return pa.Table.from_pylist(rows, schema=BENCHMARK_SOUNDS_ARROW)


def level_dbfs(audio_T: NDArray[np.int16]) -> float:
    """RMS level, decibels relative to full scale, at least `SILENCE_DBFS`."""
    import numpy as np

    power = float(np.mean(np.square(audio_T.astype(np.float64) / INT16_FULL_SCALE))) if audio_T.size else 0.0
    return max(SILENCE_DBFS, 10 * math.log10(power)) if power else SILENCE_DBFS


def stored_sounds(shard: LoadShard, at_a_time: int) -> Iterator[list[tuple[str, NDArray[np.int16]]]]:
    """Names and samples of the sounds of a shard, in order, `at_a_time` in memory."""
    import numpy as np

    with shard.open() as parquet:
        for batch in parquet.iter_batches(at_a_time, columns=["file", "audio"]):
            names, sounds = batch["file"].to_pylist(), batch["audio"]
            yield [(name, np.frombuffer(sound.as_buffer(), "<i2")) for name, sound in zip(names, sounds, strict=True)]


def count_silent(sounds: Shards) -> int:
    """Number of silent sounds. They are tested like all others, and reported."""
    levels = (shard(columns=["rms_dbfs"])["rms_dbfs"].to_numpy() for shard in sounds.values())
    return int(sum((level <= SILENCE_DBFS).sum() for level in levels))
