from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.network_files import Trained, sound
from tests.tones import TONES_HZ
from xmodal_kedro import load
from xmodal_kedro.errors import UserError
from xmodal_kedro.inference.audio_model import AudioModel
from xmodal_kedro.models.card_file import THRESHOLDS_NAME
from xmodal_kedro.params import ReviewParams
from xmodal_kedro.review.tags import tag_thresholds

NAME = next(iter(TONES_HZ))


def model(folder: Path) -> AudioModel:
    Trained(folder)
    return load(folder, "cpu")


def world(network: AudioModel, answers: list[bool]) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Confirmed clips, answers and a pool of one stratum; the answers are those of clips by falling network's score."""
    sounds = [sound(200 * 1.06**at, seed=at) for at in range(len(answers))]
    scores = network.predict(sounds, 16_000).scores[:, network.classes.index(NAME)]
    order = np.argsort(-scores)
    said = np.empty(len(answers), bool)
    said[order] = answers
    ids = [f"clip {at}" for at in range(len(answers))]
    audio = [np.rint(each * 32_768).clip(-32_768, 32_767).astype("<i2").tobytes() for each in sounds]
    confirmed = pd.DataFrame({"clip_id": ids, "video_id": ids, "right": "", "wrong": "", "audio": audio})
    reviewed = pd.DataFrame({"clip_id": ids, "name": NAME, "answer": np.where(said, "right", "wrong"), "asked": True})
    pool = pd.DataFrame(
        {
            "name": NAME,
            "modality": "audio",
            "bin": 5,
            "stratum_clips": 1_000_000,
            "rank": range(len(answers)),
            "clip_id": ids,
            "score": 0.55,
        }
    )
    return confirmed, reviewed, pool


def test_a_class_whose_best_clips_are_right_has_a_threshold_that_tagging_uses(tmp_path: Path) -> None:
    network = model(tmp_path)
    made = tag_thresholds(network, *world(network, [True] * 30 + [False] * 20), ReviewParams())
    threshold = made["thresholds"][NAME]
    scores = network.predict([sound(200 * 1.06**at, seed=at) for at in range(50)], 16_000).scores
    assert threshold == pytest.approx(np.sort(scores[:, network.classes.index(NAME)])[-30], abs=1e-4)
    (tmp_path / THRESHOLDS_NAME).write_text(json.dumps(made))
    again = load(tmp_path, "cpu")
    assert again.thresholds[again.classes.index(NAME)] == pytest.approx(threshold)
    assert np.isinf(np.delete(again.thresholds, again.classes.index(NAME))).all()


def test_a_class_that_keeps_it_nowhere_has_none(tmp_path: Path) -> None:
    network = model(tmp_path)
    made = tag_thresholds(network, *world(network, [False, True] * 25), ReviewParams())
    assert made["thresholds"] == {NAME: None}


def test_few_clips_show_nothing_of_others_even_if_they_are_all_that_there_are(tmp_path: Path) -> None:
    network = model(tmp_path)
    confirmed, reviewed, pool = world(network, [True] * 6)
    made = tag_thresholds(network, confirmed, reviewed, pool.assign(stratum_clips=6), ReviewParams())
    assert made["thresholds"] == {NAME: None}


def test_a_class_is_not_sure_while_a_part_of_its_labels_has_no_answer(tmp_path: Path) -> None:
    network = model(tmp_path)
    confirmed, reviewed, pool = world(network, [True] * 40)
    low = pool.head(1).assign(bin=0, score=0.05, clip_id="another")
    made = tag_thresholds(network, confirmed, reviewed, pd.concat([pool, low]), ReviewParams())
    assert made["thresholds"] == {NAME: None}


def test_thresholds_of_another_network_are_not_used(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    network = model(tmp_path)
    made = tag_thresholds(network, *world(network, [True] * 30), ReviewParams()) | {"weights_digest": "0"}
    (tmp_path / THRESHOLDS_NAME).write_text(json.dumps(made))
    with pytest.raises(UserError, match="tag_thresholds"):
        load(tmp_path, "cpu").tag(sound(440), 16_000, sure=True)
    assert "another network" in caplog.text


def test_without_answers_there_are_no_thresholds(tmp_path: Path) -> None:
    network = model(tmp_path)
    confirmed, reviewed, pool = world(network, [True] * 3)
    assert tag_thresholds(network, confirmed[:0], reviewed[:0], pool, ReviewParams())["thresholds"] == {}
