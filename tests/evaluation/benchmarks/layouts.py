"""Tiny benchmarks in the layouts of the published ones: few clips, very short tones."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from tests.evaluation.sounds import write_benchmark, write_tone
from tests.fakes import folder_of
from xmodal_kedro.storage import Folder

TONE_S = 0.02


def edit(name: str, change: Callable[[str], str]) -> Callable[[Path], None]:
    """What changes a text file of a benchmark's folder."""

    def apply(root: Path) -> None:
        (root / name).write_text(change((root / name).read_text()))

    return apply


def replace(name: str, old: str, new: str) -> Callable[[Path], None]:
    """What replaces the first `old` of a text file."""

    def change(text: str) -> str:
        assert old in text
        return text.replace(old, new, 1)

    return edit(name, change)


def remove(name: str) -> Callable[[Path], None]:
    """What removes a file of a benchmark's folder."""
    return lambda root: (root / name).unlink()


def write_text(root: Path, name: str, lines: Iterable[str]) -> None:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text("\n".join(lines) + "\n")


def write_sound(root: Path, name: str) -> None:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    write_tone(root / name, 400, TONE_S)


def write_urbansound8k(root: Path) -> Folder:
    """Two classes in ten folds."""
    lines = ["slice_file_name,fsID,start,end,salience,fold,classID,class"]
    for fold in range(1, 11):
        for number, name in enumerate(("dog_bark", "siren")):
            write_sound(root, f"audio/fold{fold}/{100 + fold}-{number}-0-0.wav")
            lines.append(f"{100 + fold}-{number}-0-0.wav,{100 + fold},0.0,0.02,1,{fold},{number},{name}")
    write_text(root, "metadata/UrbanSound8K.csv", lines)
    return folder_of(root)


def write_tut_urban_2018(root: Path) -> Folder:
    """Two scenes, each at three places of which two are trained on, two segments a place."""
    meta = ["filename\tscene_label\tidentifier\tsource_label"]
    setup: dict[str, list[str]] = {"train": [], "evaluate": []}
    for number, scene in enumerate(("bus", "park")):
        for place in range(3):
            for segment in range(2):
                name = f"audio/{scene}-milan-{10 * number + place}-{segment}-a.wav"
                write_sound(root, name)
                meta.append(f"{name}\t{scene}\tmilan-{10 * number + place}\ta")
                setup["evaluate" if place == 1 else "train"].append(f"{name}\t{scene}")
    write_text(root, "meta.csv", meta)
    for part, lines in setup.items():
        write_text(root, f"evaluation_setup/fold1_{part}.txt", lines)
    write_text(root, "evaluation_setup/fold1_test.txt", [line.partition("\t")[0] for line in setup["evaluate"]])
    return folder_of(root)


def write_litis_rouen(root: Path) -> Folder:
    """Three scenes of three clips; each of the twenty divisions tests one of each scene. Numbers are as MATLAB's."""
    scenes = ("avion", "metro-paris", "bus")
    names = [f"{scene}{take}.wav" for scene in scenes for take in (1, 2, 30)]
    for name in names:
        write_sound(root, f"data_rouen/{name}")
    write_text(root, "relation_wav_examples.txt", [f"{name}\t {i}" for i, name in enumerate(names, start=1)])
    tests = [[3 * scene + fold % 3 + 1 for scene in range(3)] for fold in range(20)]
    trains = [[number for number in range(1, 10) if number not in test] for test in tests]
    for part, rows in (("Learn", trains), ("Test", tests)):
        lines = ["   " + "   ".join(f"{number:.7e}" for number in row) for row in rows]
        write_text(root, f"fold3026-matrices_{part}.txt", lines)
    return folder_of(root)


def write_csv(root: Path) -> Folder:
    """Two labels in three folds, two takes of one recording each, in a format of several."""
    lines = ["file,label,fold,group"]
    for fold in range(1, 4):
        for label in ("dog", "cat"):
            for take in range(2):
                name = f"{label}s/{fold}_{take}.{'wav' if take else 'WAV'}"
                write_sound(root, name)
                lines.append(f"{name},{label},{fold},{label} {fold}")
    write_text(root, "clips.csv", lines)
    return folder_of(root)


LAYOUTS: dict[str, Callable[[Path], Folder]] = {
    "esc50": write_benchmark,
    "esc10": write_benchmark,
    "urbansound8k": write_urbansound8k,
    "tut_urban_2018": write_tut_urban_2018,
    "litis_rouen": write_litis_rouen,
    "csv": write_csv,
}
"""By name of the catalogue."""
