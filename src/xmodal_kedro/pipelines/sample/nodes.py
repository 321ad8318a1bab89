"""Nodes of `sample`: each returns file contents, or the jobs that make them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from xmodal_kedro.errors import UserError
from xmodal_kedro.params import AudioTeacherCard, SampleParams, VisualTeacherCard
from xmodal_kedro.storage import DataFrame

Files = dict[str, bytes | Callable[[], bytes]]


def draw_videos(sample: SampleParams) -> tuple[Files, DataFrame]:
    """Scripts of all videos with their truth; files are rendered when they are saved."""
    from xmodal_kedro.sample.scenes import truth_of, write_script
    from xmodal_kedro.sample.video import render_video

    scripts = [write_script(sample, index) for index in range(sample.videos)]
    return {script.name: partial(render_video, script) for script in scripts}, truth_of(scripts)


def train_visual_teacher(sample: SampleParams, visual_teacher: VisualTeacherCard) -> Files:
    """A small image classifier, its class list, and the table of the sounds that its classes make."""
    from xmodal_kedro.sample import teachers
    from xmodal_kedro.sample.world import SOUNDS_FILE, VISUAL_CLASSES, sounds_table

    weights = partial(teachers.train_visual_teacher, sample, visual_teacher)
    return _teacher(visual_teacher, VISUAL_CLASSES, weights) | {SOUNDS_FILE: sounds_table()}


def train_audio_teacher(sample: SampleParams, audio_teacher: AudioTeacherCard) -> Files:
    """A small audio classifier, and its class list."""
    from xmodal_kedro.sample import teachers
    from xmodal_kedro.sample.world import AUDIO_CLASSES

    return _teacher(audio_teacher, AUDIO_CLASSES, partial(teachers.train_audio_teacher, sample, audio_teacher))


def draw_benchmark(sample: SampleParams) -> Files:
    """A benchmark in ESC-50's layout."""
    from xmodal_kedro.sample.benchmark import benchmark_files

    return dict(benchmark_files(sample))


def draw_labelled(sample: SampleParams) -> Files:
    """Labelled sounds of a user, in folders that are named by their class."""
    from xmodal_kedro.sample.benchmark import labelled_files

    return dict(labelled_files(sample.seed))


def _teacher(
    card: VisualTeacherCard | AudioTeacherCard, classes: tuple[str, ...], weights: Callable[[], bytes]
) -> Files:
    if card.labels is None:
        raise UserError(
            f"the sample world's teachers come with class lists: set labels in the card of {card.weights!r}"
        )
    return {card.weights: weights, card.labels: "".join(f"{name}\n" for name in classes).encode()}
