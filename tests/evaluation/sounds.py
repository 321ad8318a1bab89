"""A tiny benchmark in ESC-50's layout: tones of a few pitches, as WAV."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np

from tests.fakes import folder_of
from xmodal_kedro.storage import Folder

RATE = 16_000
CATEGORIES = ("low", "middle", "high")
HEADER = "filename,fold,target,category,esc10,src_file,take"


def write_tone(path: Path, hz: float, seconds: float) -> None:
    time_s = np.arange(int(seconds * RATE)) / RATE
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes((8000 * np.sin(2 * np.pi * hz * time_s)).astype("<i2").tobytes())


def write_benchmark(root: Path) -> Folder:
    """Three classes in five folds, lengths from 0.5 to 1.3 s; `high` is outside ESC-10."""
    (root / "audio").mkdir(parents=True)
    (root / "meta").mkdir()
    lines = [HEADER]
    for fold in range(1, 6):
        for target, category in enumerate(CATEGORIES):
            name = f"{fold}-{target}.wav"
            write_tone(root / "audio" / name, 300 * 3**target + 10 * fold, 0.3 + 0.2 * fold)
            lines.append(f"{name},{fold},{target},{category},{category != 'high'},{fold}{target},A")
    (root / "meta" / "esc50.csv").write_text("\n".join(lines) + "\n")
    return folder_of(root)
