"""How good classifiers of one's own are, with ESC-50 as a stand-in for a user's sounds.

    python benchmarks/adapt_esc50.py --esc50 FOLDER --teachers FOLDER --model OUT/06_models/vggish_plus [--draws N]
        [--kept FILE.npz]

Each draw takes 3, 5 or 10 classes and 8, 16 or 32 clips of each, makes a classifier as `adapt` does, and tests it on
all other clips of these classes; clips of one recording are never on both sides. Beside it stand scikit-learn's
logistic regression on YAMNet's embedding and on log-mel statistics. Prints accuracy, calibration error, and how often a
threshold for a precision of 0.9 keeps it on the clips that are tested. `--kept` holds the embeddings from run to run.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from machine import describe_machine, table
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from xmodal_kedro.adapt.calibration import calibration_error, scores_of
from xmodal_kedro.adapt.evaluate import LOG_MEL, choose_representation, classes_table, evaluate
from xmodal_kedro.adapt.linear import fit_head
from xmodal_kedro.adapt.targets import make_targets
from xmodal_kedro.evaluation.benchmarks.catalogue import read_benchmark
from xmodal_kedro.evaluation.intervals import wilson
from xmodal_kedro.evaluation.representations import LogMelStatistics, NetworkEmbedding, Representation, TeacherEmbedding
from xmodal_kedro.inference.audio_model import AudioModel
from xmodal_kedro.media.sound_file import read_audio
from xmodal_kedro.models.card_file import NETWORK, TEACHER
from xmodal_kedro.params import AdaptParams, AudioTeacherCard
from xmodal_kedro.storage import FileRef, Folder
from xmodal_kedro.teachers.opening import teacher_files

SIZES = (8, 16, 32)
CLASSES = (3, 5, 10)
NO_REVIEW = pd.DataFrame(columns=["clip_id", "video_id", "right", "wrong", "audio"])
YAMNET = {
    "backend": "onnx",
    "weights": "yamnet_patches.onnx",
    "labels": "yamnet_class_map.csv",
    "input": {"kind": "log_mel", "tensor": "patches", "log_offset": 0.001, "patch_frames": 96, "hop_frames": 48},
    "output": {"tensor": "scores", "scale": 1.0, "activation": "none", "embedding": "embedding"},
}
"""As in conf/onnx."""


@dataclass(frozen=True)
class Corpus:
    """ESC-50 under each representation.

    Attributes:
        clips: `file`, `category` and `group`, the recording.
        vectors: by representation [clips, size].
    """

    clips: pd.DataFrame
    vectors: Mapping[str, NDArray[np.float64]]


def folder_of(root: Path) -> Folder:
    """The files below a folder."""
    files = {path.relative_to(root).as_posix(): path for path in sorted(root.rglob("*")) if path.is_file()}
    return Folder(str(root), {name: FileRef(name, str(path), path.stat().st_size, 0) for name, path in files.items()})


def read_corpus(esc50: Path, teachers: Path, model: Path, kept: Path | None) -> Corpus:
    """Embed all clips, or take what an earlier run kept."""
    benchmark = read_benchmark(folder_of(esc50), "esc50")
    clips = benchmark.clips.assign(group=[Path(file).name.split("-")[1] for file in benchmark.clips["file"]])
    if kept is not None and kept.exists():
        return Corpus(clips, dict(np.load(kept)))
    card = AudioTeacherCard.model_validate(YAMNET)
    representations: dict[str, Representation] = {
        NETWORK: NetworkEmbedding(AudioModel.load(model, "cpu")),
        TEACHER: TeacherEmbedding(card, teacher_files(card, folder_of(teachers)), "cpu"),
        LOG_MEL: LogMelStatistics(),
    }
    rows: dict[str, list[NDArray[np.float32]]] = {name: [] for name in representations}
    for start in range(0, len(benchmark.audio), 32):
        audio = [read_audio(file.path) for file in benchmark.audio[start : start + 32]]
        for name, represent in representations.items():
            rows[name].append(represent(audio).embeddings)
    vectors = {name: np.concatenate(parts).astype(np.float64) for name, parts in rows.items()}
    if kept is not None:
        np.savez(kept, **vectors)  # type: ignore[arg-type]  # taken for its other keyword
    return Corpus(clips, vectors)


def draw(
    corpus: Corpus, size: int, count: int, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Positions of clips to learn from, `size` of each of `count` classes, and to test on, of other recordings."""
    names = rng.choice(np.unique(corpus.clips["category"]), count, replace=False)
    train: list[int] = []
    test: list[int] = []
    for name in names:
        of_class = np.flatnonzero(corpus.clips["category"] == name)
        groups = corpus.clips["group"].to_numpy()[of_class]
        taken = 0
        for group in rng.permutation(np.unique(groups)):
            members = of_class[groups == group].tolist()
            if taken < size:
                train += members[: size - taken]
                taken += len(members)
            else:
                test += members
    return np.array(train), np.array(test)


def measure(corpus: Corpus, size: int, count: int, seed: int) -> dict[str, float]:
    """One draw."""
    train, test = draw(corpus, size, count, np.random.default_rng([size, count, seed]))
    clips = corpus.clips.iloc[train]
    labelled = pd.DataFrame(
        {
            "clip": clips["file"],
            "file": clips["file"],
            "start_s": 0.0,
            "end_s": np.inf,
            "labels": [(name,) for name in clips["category"]],
            "group": clips["group"],
            "fold": 0,
        }
    ).reset_index(drop=True)
    params = AdaptParams()
    targets = make_targets(labelled, NO_REVIEW, params)
    vectors = {name: vectors_NE[train] for name, vectors_NE in corpus.vectors.items()}
    evaluated = evaluate(vectors, targets, params)
    used = choose_representation(evaluated, targets, params)
    truths = np.array([targets.classes.index(name) for name in corpus.clips["category"].iloc[test]])
    found: dict[str, float] = {"chose the teacher": float(used == TEACHER)}
    for name in corpus.vectors:
        logits = fit_head(vectors[name], targets, params)(corpus.vectors[name][test])
        found[f"head on {name}"] = float((logits.argmax(1) == truths).mean())
        if name == used:
            found["adapt (auto)"] = found[f"head on {name}"]
            scores = scores_of(logits, evaluated[name].temperature, True)
            one_hot = np.eye(count)[truths]
            found["calibration error"] = calibration_error(scores, one_hot, True)
            found["without temperature"] = calibration_error(scores_of(logits, 1.0, True), one_hot, True)
            found |= _promises(classes_table(evaluated[name], targets, params), scores, truths)
    for name in (TEACHER, LOG_MEL):
        plain = make_pipeline(StandardScaler(), LogisticRegression(max_iter=3000)).fit(vectors[name], targets.truths)
        found[f"scikit-learn on {name}"] = float((plain.predict(corpus.vectors[name][test]) == truths).mean())
    return found


def _promises(classes: pd.DataFrame, scores: NDArray[np.float64], truths: NDArray[np.int64]) -> dict[str, float]:
    """Classes, those with a threshold, those of them tested, those that keep it; and clips above, and right."""
    stated = classes["threshold"].to_numpy()
    found = dict.fromkeys(("with threshold", "tested", "kept", "above", "right above", "clips", "recalled"), 0.0)
    found["classes"] = float(len(stated))
    for at, threshold in enumerate(stated):
        if np.isnan(threshold):
            continue
        found["with threshold"] += 1
        above = scores[:, at] >= threshold
        found["clips"] += float((truths == at).sum())
        found["recalled"] += float((above & (truths == at)).sum())
        if above.any():
            found["tested"] += 1
            found["kept"] += float((truths[above] == at).mean() >= 0.9)
            found["above"] += float(above.sum())
            found["right above"] += float((truths[above] == at).sum())
    return found


def summarise(found: pd.DataFrame) -> list[list[str]]:
    """A row for each number of clips."""
    rows = []
    for size, group in found.groupby("size"):
        total = group.sum()
        above = max(1, total["above"])
        low = wilson(total["right above"] / above, above, 0.975)[0]
        rows.append(
            [
                str(size),
                *(
                    f"{100 * group[name].mean():.1f} ± {100 * group[name].std(ddof=1):.1f}"
                    for name in (
                        "adapt (auto)",
                        "head on network",
                        "head on teacher",
                        "head on log_mel",
                        "scikit-learn on teacher",
                        "scikit-learn on log_mel",
                    )
                ),
                f"{100 * group['calibration error'].mean():.1f} ({100 * group['without temperature'].mean():.1f})",
                f"{total['with threshold']:.0f} of {total['classes']:.0f}",
                f"{total['kept']:.0f} of {total['tested']:.0f}",
                f"{100 * total['right above'] / max(1, total['above']):.1f} (from {100 * low:.1f})",
                f"{100 * total['recalled'] / max(1, total['clips']):.0f}",
            ]
        )
    return rows


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("--esc50", "--teachers", "--model"):
        parser.add_argument(name, type=Path, required=True)
    parser.add_argument("--draws", type=int, default=10)
    parser.add_argument("--kept", type=Path)
    options = parser.parse_args(arguments)
    corpus = read_corpus(options.esc50, options.teachers, options.model, options.kept)
    found = pd.DataFrame(
        [
            {"size": size, **measure(corpus, size, CLASSES[seed % len(CLASSES)], seed)}
            for size in SIZES
            for seed in range(options.draws)
        ]
    )
    print(describe_machine())
    header = [
        *("clips a class", "adapt (auto)", "network", "teacher", "log-mel"),
        *("scikit-learn, teacher", "scikit-learn, log-mel"),
        *("calibration error (before)", "classes with threshold", "keep 0.9", "precision above", "recall above"),
    ]
    print(table(header, summarise(found)))
    print(f"auto took the teacher's embedding in {found['chose the teacher'].mean():.0%} of {len(found)} draws")


if __name__ == "__main__":
    main()
