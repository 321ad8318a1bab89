"""A small benchmark in ESC-50's layout, from its own random stream: clips with a second sound in the background."""

from __future__ import annotations

import csv
import io
import wave
from functools import partial

from xmodal_kedro.params import SampleParams
from xmodal_kedro.recipes import recipe
from xmodal_kedro.sample.recording import record, room_noise, to_pcm16
from xmodal_kedro.sample.sounds import RATE, SYNTHESISERS
from xmodal_kedro.sample.world import BENCHMARK_CLASSES, ESC10, Draw, stream

CLIP_S = 5.0
FOLDS = 5
BEHIND_DB = (-14.0, -3.0)
"""Level of the background sound relative to the foreground, dB."""
NOISE_DB = (-30.0, -5.0)
"""Level of the room noise relative to the foreground, dB. With a network of random weights, nearly all sounds without
background and noise are classified correctly, and two thirds with them."""
LABELLED_CLASSES = ("crickets", "door_wood_knock", "water_drops")
LABELLED_CLIPS = 16
BEYOND = 100_000
"""Number of the first labelled clip of a class: beyond those of any benchmark."""
COLUMNS = ("filename", "fold", "target", "category", "esc10", "src_file", "take")


def benchmark_files(sample: SampleParams) -> dict[str, bytes | partial[bytes]]:
    """Content of every file, or the job that makes it: `audio/*.wav` and `meta/esc50.csv`.

    Folds are balanced. Names are `{fold}-{source}-{take}-{target}.wav`, as in ESC-50.
    """
    table = io.StringIO()
    rows = csv.DictWriter(table, COLUMNS, lineterminator="\n")
    rows.writeheader()
    files: dict[str, bytes | partial[bytes]] = {}
    for target, name in enumerate(BENCHMARK_CLASSES):
        for number in range(sample.benchmark_clips_per_class):
            fold, source = 1 + number % FOLDS, 1000 * target + number
            filename = f"{fold}-{source}-A-{target}.wav"
            files[f"audio/{filename}"] = partial(benchmark_clip, sample.seed, name, target, number)
            rows.writerow(dict(zip(COLUMNS, (filename, fold, target, name, name in ESC10, source, "A"), strict=True)))
    files["meta/esc50.csv"] = table.getvalue().encode()
    return files


def labelled_files(seed: int) -> dict[str, partial[bytes]]:
    """A user's own labelled sounds: a folder for each of a few classes that no teacher knows, or only one.

    Clips are made as those of the benchmark, and none of them is one of these.
    """
    return {
        f"{name}/{number}.wav": partial(benchmark_clip, seed, name, BENCHMARK_CLASSES.index(name), BEYOND + number)
        for name in LABELLED_CLASSES
        for number in range(LABELLED_CLIPS)
    }


@recipe("sample_benchmark", version=1)
def benchmark_clip(seed: int, name: str, target: int, number: int) -> bytes:
    """One sound with a background sound of another class and room noise: 5 s of 16-bit mono WAV at 16 kHz."""
    rng = stream(seed, Draw.BENCHMARK, target, number)
    level = 10 ** (rng.uniform(-34, -18) / 20)
    sound = record(rng, SYNTHESISERS[name](rng, CLIP_S))
    other = str(rng.choice([another for another in BENCHMARK_CLASSES if another != name]))
    behind = 10 ** (rng.uniform(*BEHIND_DB) / 20) * record(rng, SYNTHESISERS[other](rng, CLIP_S))
    noise = 10 ** (rng.uniform(*NOISE_DB) / 20) * room_noise(rng, CLIP_S)
    sink = io.BytesIO()
    with wave.open(sink, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(to_pcm16(level * (sound + behind + noise)).astype("<i2").tobytes())
    return sink.getvalue()
