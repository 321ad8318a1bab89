"""Agreement of a teacher's labels of the kept frames with its labels of all frames.

python benchmarks/keyframe_labels.py VIDEOS TEACHERS [--every N] [--json OUT]
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from machine import describe_machine, table
from numpy.typing import NDArray
from whole_file import Frame, read_frames, read_sound

from xmodal_kedro.datasets.folder import FolderDataset
from xmodal_kedro.media.clip_rows import ClipRow
from xmodal_kedro.media.clipper import clip_file
from xmodal_kedro.params import (
    AudioTeacherCard,
    ClipParams,
    LabelParams,
    ModalityParams,
    TeacherCard,
    VisualTeacherCard,
)
from xmodal_kedro.reasons import MediaError
from xmodal_kedro.teachers.opening import open_teacher, teacher_files
from xmodal_kedro.teachers.scoring import score_clips

PARAMETERS = Path(__file__).parents[1] / "conf/onnx/parameters"
CLIP = ClipParams()
LABEL = LabelParams(device="cpu")
SEED = 0
TIME_TOLERANCE_S = 0.001

KEPT, RANDOM, EACH_SECOND = "the kept frames", "one random frame", "one frame a second"
CLIP_SOUND, WHOLE_SOUND, ALL_FRAMES = "the clip's sound", "the whole file's sound", "all frames"
ALL, KEYFRAMES, REFERENCE_FRAMES = "all clips", "clips with keyframes", "clips with a reference frame"


@dataclass(frozen=True)
class Scored:
    """Scores [classes] of one clip by the input of the teacher, and the group of the clip."""

    group: str
    scores: dict[str, NDArray[np.float32]]


@dataclass
class Scores:
    """All clips of all videos.

    Attributes:
        unused: files that give no clip.
        strays: kept frames with a time at which the file has no frame.
        same_sound: clips of which every sample is that of the whole file's sound.
    """

    seen: list[Scored] = field(default_factory=list)
    heard: list[Scored] = field(default_factory=list)
    unused: int = 0
    strays: int = 0
    same_sound: int = 0


class Judge:
    """A teacher with its card, and the selection of its labels as targets.

    Args:
        kind: `visual` or `audio`.
        folder: of the teacher's files.
    """

    def __init__(self, kind: str, card: type[TeacherCard], folder: Path) -> None:
        settings = yaml.safe_load((PARAMETERS / f"{kind}_teacher.yml").read_text())
        self._card = card.model_validate(settings[f"{kind}_teacher"])
        merging = yaml.safe_load((PARAMETERS / "merge_labels.yml").read_text())
        self._merging = ModalityParams.model_validate(merging["merge_labels"][kind])
        files = teacher_files(self._card, FolderDataset(path=str(folder)).load())
        self._teacher = open_teacher(self._card, files, "cpu")

    def scores(self, shown: Sequence[Any]) -> NDArray[np.float32]:
        """Scores [clips, classes] of clips, each given as a list of JPEGs or as int16 PCM."""
        clips = (
            (str(at), np.frombuffer(clip, "<i2") if isinstance(clip, bytes) else clip) for at, clip in enumerate(shown)
        )
        nothing = np.zeros(len(self._teacher.labels), np.float32)
        scored = score_clips(clips, self._teacher, self._card, LABEL)
        return np.stack([nothing if scores_C is None else scores_C for _, scores_C in scored])

    def labels(self, scores_C: NDArray[np.float32]) -> frozenset[str]:
        """Targets from scores: classes over the threshold, at most the best k."""
        names = np.array(self._teacher.labels)
        best = np.argsort(-scores_C, kind="stable")[: self._merging.top_k]
        kept = names[best[scores_C[best] >= self._merging.threshold]]
        return frozenset(kept) - set(self._card.ignore)


def score_video(path: Path, clips: Sequence[ClipRow], visual: Judge, audio: Judge, every: int, scores: Scores) -> None:
    """Add the scores of every clip of a video by both teachers."""
    frames, sound = read_frames(path, CLIP), read_sound(path)
    origin_s = min(frames[0].time_s, sound.start_s)
    draws = np.random.default_rng(SEED).random(len(clips))
    for clip, draw in zip(clips, draws, strict=True):
        kept = [nearest(frames, time_s + origin_s) for time_s in clip.frame_times_s]
        shifts_s = [frame.time_s - origin_s - time_s for frame, time_s in zip(kept, clip.frame_times_s, strict=True)]
        scores.strays += sum(abs(shift_s) > TIME_TOLERANCE_S for shift_s in shifts_s)
        inside = [frame for frame in frames if clip.start_s <= frame.time_s - origin_s < clip.end_s]
        if inside:
            group = KEYFRAMES if all(frame.is_keyframe for frame in kept) else REFERENCE_FRAMES
            shown = pictures_to_show(clip, inside, origin_s, draw, every)
            scores.seen.append(Scored(group, dict(zip(shown, visual.scores(list(shown.values())), strict=True))))
        played = {CLIP_SOUND: clip.audio, WHOLE_SOUND: sound.cut(clip.start_s, clip.end_s, origin_s)}
        scores.same_sound += played[CLIP_SOUND] == played[WHOLE_SOUND]
        scores.heard.append(Scored(ALL, dict(zip(played, audio.scores(list(played.values())), strict=True))))


def pictures_to_show(
    clip: ClipRow, inside: Sequence[Frame], origin_s: float, draw: float, every: int
) -> dict[str, list[bytes]]:
    """JPEGs of a clip by how they were chosen; `inside` are all frames of its span, `draw` is from 0 to 1."""
    seconds = np.arange(clip.start_s + 0.5, clip.end_s, 1.0) + origin_s
    return {
        KEPT: clip.frames,
        EACH_SECOND: [nearest(inside, time_s).jpeg for time_s in seconds],
        RANDOM: [inside[int(draw * len(inside))].jpeg],
        ALL_FRAMES: [frame.jpeg for frame in inside[::every]],
    }


def nearest(frames: Sequence[Frame], time_s: float) -> Frame:
    """The frame whose time is nearest."""
    return min(frames, key=lambda frame: abs(frame.time_s - time_s))


def agreement(mine_C: NDArray[np.float32], theirs_C: NDArray[np.float32], judge: Judge) -> dict[str, float]:
    """Agreement of two score vectors of one clip; 1 is full agreement, except for the distance."""
    top_5 = [set(np.argsort(-scores_C, kind="stable")[:5]) for scores_C in (mine_C, theirs_C)]
    labels = [judge.labels(scores_C) for scores_C in (mine_C, theirs_C)]
    either = labels[0] | labels[1]
    return {
        "top-1": float(mine_C.argmax() == theirs_C.argmax()),
        "top-5": len(top_5[0] & top_5[1]) / 5,
        "correlation": float(np.corrcoef(mine_C, theirs_C)[0, 1]),
        "half L1 distance": float(np.abs(mine_C - theirs_C).sum() / 2),
        "same labels": float(labels[0] == labels[1]),
        "label overlap": len(labels[0] & labels[1]) / len(either) if either else 1.0,
    }


def compare(scored: Sequence[Scored], reference: str, judge: Judge) -> Iterator[tuple[str, str, int, dict[str, float]]]:
    """Mean agreement of each input with the reference, by group and over all clips."""
    groups = sorted({clip.group for clip in scored})
    for group in [*groups, ALL] if len(groups) > 1 else groups:
        members = [clip for clip in scored if group in (clip.group, ALL)]
        for name in members[0].scores:
            if name != reference:
                found = [agreement(clip.scores[name], clip.scores[reference], judge) for clip in members]
                yield group, name, len(members), {key: float(np.mean([row[key] for row in found])) for key in found[0]}


def report(scored: Sequence[Scored], reference: str, judge: Judge) -> list[dict[str, Any]]:
    """Print a table; returns it as records."""
    compared = list(compare(scored, reference, judge))
    rows = [
        [f"{group}: {name}", str(count), *(f"{value:.3f}" for value in means.values())]
        for group, name, count, means in compared
    ]
    print(table([f"against {reference}", "clips", *compared[0][-1]], rows))
    return [{"group": group, "shown": name, "clips": count, **means} for group, name, count, means in compared]


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("videos", type=Path, help="folder of real videos with sound")
    parser.add_argument("teachers", type=Path, help="folder of the teachers that conf/onnx names")
    parser.add_argument("--every", type=int, default=5, help="`all frames` are every Nth of a clip (default 5)")
    parser.add_argument("--json", type=Path, help="file for the figures")
    options = parser.parse_args(arguments)
    visual = Judge("visual", VisualTeacherCard, options.teachers)
    audio = Judge("audio", AudioTeacherCard, options.teachers)
    scores = Scores()
    for path in sorted(file for file in options.videos.iterdir() if file.is_file()):
        try:
            clips = [made for made in clip_file(str(path), path.name, CLIP) if isinstance(made, ClipRow)]
        except MediaError:
            scores.unused += 1
        else:
            score_video(path, clips, visual, audio, options.every, scores)
    print(f"{describe_machine()}\n{len(scores.heard)} clips; {scores.unused} files give none.")
    print(f"\nBy sight. `{ALL_FRAMES}` are every {options.every}th of the clip, their scores averaged.")
    print(f"Kept frames at a time where the file has no frame: {scores.strays}.")
    sight = report(scores.seen, ALL_FRAMES, visual)
    print(f"\nBy ear. Clips whose samples are those of decoding the whole file: {scores.same_sound}.")
    hearing = report(scores.heard, WHOLE_SOUND, audio)
    if options.json:
        counts = {"every": options.every, "strays": scores.strays, "same_sound": scores.same_sound}
        content = {**counts, "visual": sight, "audio": hearing}
        options.json.write_text(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
