"""Speed of clipping: this project compared with the usual ways, on the same real files, interleaved.

python benchmarks/clip_speed.py FOLDER [--rounds N] [--json OUT]
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from statistics import median

import av
from machine import cpu_s, describe_machine, table
from ways_to_clip import Way, audio_only, other_ways

from xmodal_kedro.media.clip_rows import StreamUse
from xmodal_kedro.media.clipper import clip_file
from xmodal_kedro.media.sandbox.isolation import isolated
from xmodal_kedro.media.streams import probe_file
from xmodal_kedro.params import ClipParams, IngestParams
from xmodal_kedro.reasons import MediaError

IN_PROCESS = "this project"
PROBING = "this project, probing before that"
IN_PRODUCTION = "this project, worker and its decoder process"
YARDSTICK = "PyAV, every frame"
PARAMS = ClipParams()


@dataclass
class Sample:
    """A file that every way can read.

    Attributes:
        group: by the short side of its frames.
        duration_s: length of its sound.
        spent_s: processor time of each way, one figure a round.
    """

    path: Path
    group: str
    duration_s: float
    spent_s: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))


@cache
def use_of(path: Path) -> StreamUse:
    """The streams to use, which probing has found before a file is clipped."""
    return StreamUse.of(next(probe_file(str(path), IngestParams())))


def probe(path: Path) -> None:
    """This project's probing, which decides what is clipped."""
    for _ in probe_file(str(path), IngestParams()):
        pass


def clip_in_process(path: Path) -> None:
    """This project's clipper, called directly."""
    for _ in clip_file(str(path), path.name, PARAMS, use_of(path)):
        pass


def clip_in_production(path: Path) -> None:
    """The clipper as in a run: in the worker's decoder process, which sends the clips to the worker."""
    limit_s = PARAMS.limit_s(path.stat().st_size)
    for _ in isolated(clip_file, str(path), path.name, PARAMS, use_of(path), timeout_s=limit_s):
        pass


def group_of(path: Path) -> str:
    """The group of a file, by the short side of the first video stream in pixels."""
    with av.open(str(path), metadata_errors="ignore") as container:
        stream = container.streams.video[0]
        short_side_px = min(stream.width, stream.height)
    return "480-720 px" if 480 <= short_side_px <= 720 else "< 480 px" if short_side_px < 480 else "> 720 px"


def choose(folder: Path, ways: dict[str, Way]) -> tuple[list[Sample], dict[str, str]]:
    """Files with clips that every way can read, after one unmeasured round over them.

    Returns:
        The files, and why each other file is left out.
    """
    chosen, left_out = [], {}
    for path in sorted(file for file in folder.iterdir() if file.is_file()):
        refusal = why_not(path, ways)
        if refusal:
            left_out[path.name] = refusal
        else:
            chosen.append(Sample(path, group_of(path), audio_only(path)))
    return chosen, left_out


def why_not(path: Path, ways: dict[str, Way]) -> str:
    """Why a file cannot be compared; empty if it can."""
    try:
        clip_in_process(path)
    except MediaError as error:
        return f"{error.reason}: {error.detail}"
    for name, way in ways.items():
        try:
            way(path)
        except Exception as error:  # each library has its own errors
            return f"{name}: {type(error).__name__}: {error}"
    return ""


def measure(samples: Sequence[Sample], ways: dict[str, Way], rounds: int) -> None:
    """Add `rounds` figures for each way and file, interleaved, so that other work on the machine affects all alike."""
    for turn in range(rounds):
        for at, sample in enumerate(samples):
            first = (turn + at) % len(ways)
            for name in [*ways][first:] + [*ways][:first]:
                started_s = cpu_s()
                ways[name](sample.path)
                sample.spent_s[name].append(cpu_s() - started_s)


def speeds(samples: Sequence[Sample], name: str) -> list[float]:
    """Times real time of one way over all files, one figure a round."""
    total_s = sum(sample.duration_s for sample in samples)
    return [total_s / sum(spent) for spent in zip(*(sample.spent_s[name] for sample in samples), strict=True)]


def figures_of(samples: Sequence[Sample], name: str) -> dict[str, float]:
    """Times real time of one way and its ratio to the yardstick: over all files together, and of the middle file."""
    together = list(zip(speeds(samples, name), speeds(samples, YARDSTICK), strict=True))
    alone = [(median(speeds([sample], name)), median(speeds([sample], YARDSTICK))) for sample in samples]
    return {
        "times_real_time": median(speed for speed, _ in together),
        "ratio": median(speed / usual for speed, usual in together),
        "times_real_time_of_middle_file": median(speed for speed, _ in alone),
        "ratio_of_middle_file": median(speed / usual for speed, usual in alone),
    }


def report(samples: Sequence[Sample], ways: dict[str, Way]) -> dict[str, dict[str, dict[str, float]]]:
    """Print one table for each group; returns the figures by group and way."""
    figures: dict[str, dict[str, dict[str, float]]] = {}
    for group in sorted({sample.group for sample in samples}):
        members = [sample for sample in samples if sample.group == group]
        figures[group] = {name: figures_of(members, name) for name in ways}
        minutes = sum(sample.duration_s for sample in members) / 60
        print(f"\n{group}: {len(members)} files, {minutes:.1f} minutes")
        rows = [
            [name, *(f"{value:.{at % 2}f}" for at, value in enumerate(figures[group][name].values()))] for name in ways
        ]
        print(
            table(
                ["way", "all files, x real time", f"x {YARDSTICK}", "middle file, x real time", f"x {YARDSTICK}"], rows
            )
        )
    return figures


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="real videos with sound")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, help="file for the figures")
    options = parser.parse_args(arguments)
    own: dict[str, Way] = {IN_PROCESS: clip_in_process, PROBING: probe, IN_PRODUCTION: clip_in_production}
    ways: dict[str, Way] = {**own, **other_ways()}
    samples, left_out = choose(options.folder, ways)
    if not samples:
        parser.error(f"no file in {options.folder} can be compared: {left_out}")
    measure(samples, ways, options.rounds)
    print(describe_machine())
    print(
        f"Times real time per core: processor time of one thread with its children, median of {options.rounds} rounds."
    )
    if not shutil.which("ffmpeg"):
        print("There is no ffmpeg program on this machine.")
    print(f"{len(left_out)} files are left out: they give no clip, or one of the ways cannot read them.")
    figures = report(samples, ways)
    if options.json:
        content = {"machine": describe_machine(), "groups": figures, "left_out": left_out}
        options.json.write_text(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
