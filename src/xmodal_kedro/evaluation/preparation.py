"""What every judging of a network begins with, as nodes of several pipelines; heavy libraries load as they are run."""

from __future__ import annotations

from xmodal_kedro.params import NearDuplicateParams, TransferParams
from xmodal_kedro.storage import DataFrame, Folder, ShardJobs, Shards


def decode_sounds(benchmark_files: Folder, transfer_eval: TransferParams) -> ShardJobs:
    """Decode each sound of the benchmark, once for all that listen to it."""
    from xmodal_kedro.evaluation.benchmarks.catalogue import read_benchmark
    from xmodal_kedro.evaluation.sounds import decode_benchmark

    return decode_benchmark(read_benchmark(benchmark_files, transfer_eval.benchmark))


def sign_sounds(benchmark_sounds: Shards) -> ShardJobs:
    """What is left of each sound after any re-encoding, to find it elsewhere by."""
    from xmodal_kedro.evaluation.leaks import sign_benchmark

    return sign_benchmark(benchmark_sounds)


def refuse_leaks(
    benchmark_files: Folder,
    benchmark_sounds: Shards,
    benchmark_signatures: Shards,
    videos: DataFrame,
    signatures: Shards,
    near_duplicates: NearDuplicateParams,
    transfer_eval: TransferParams,
) -> dict[str, int]:
    """Stop where training may have heard what it is judged on.

    Returns:
        What was looked through: sources and sounds, and how many of these are silent.
    """
    from xmodal_kedro.evaluation import leaks
    from xmodal_kedro.evaluation.benchmarks.catalogue import read_benchmark
    from xmodal_kedro.evaluation.sounds import count_silent

    name = transfer_eval.benchmark
    benchmark = read_benchmark(benchmark_files, name)
    found = leaks.find_leaks(name, benchmark, benchmark_signatures, videos, signatures, near_duplicates)
    leaks.refuse_leaks(found, name)
    return {"sources": len(videos), "sounds": len(benchmark.clips), "silent_sounds": count_silent(benchmark_sounds)}
