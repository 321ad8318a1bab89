"""A trained network as an MLflow model: what comes in, what comes out, and that nothing of it is a pickle."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow.exceptions import MlflowException
from scipy.signal import resample_poly

from tests.command_server import with_stand_ins
from tests.network_files import Trained, sound
from tests.tones import TONES_HZ
from xmodal_kedro.features.framing import PATCH_FRAMES, samples_for_frames
from xmodal_kedro.hooks.model import log_model


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return Trained(tmp_path_factory.mktemp("trained"))


@pytest.fixture(scope="module")
def store(empty_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    before = mlflow.get_tracking_uri()
    folder = tmp_path_factory.mktemp("store")
    shutil.copy(empty_store, folder / "mlflow.db")
    mlflow.set_tracking_uri(f"sqlite:///{folder / 'mlflow.db'}")
    mlflow.set_experiment(experiment_id=mlflow.create_experiment("models", (folder / "artifacts").as_uri()))
    yield mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(before)


@pytest.fixture(scope="module")
def uri(store: str, trained: Trained) -> str:
    with mlflow.start_run() as run:
        log_model(trained.card, str(trained.weights_file), str(trained.card_file))
    return str(mlflow.get_run(run.info.run_id).data.tags["model.uri"])


@pytest.fixture(scope="module")
def model(uri: str) -> Any:
    return mlflow.pyfunc.load_model(uri)


def assert_answers(answers: pd.DataFrame, sounds: list[np.ndarray], trained: Trained) -> None:
    """Each row is what the network gives for its sound alone."""
    assert len(answers) == len(sounds)
    for (_, row), audio in zip(answers.iterrows(), sounds, strict=True):
        scores, embedding = trained.predict(audio)
        # Embeddings are no probabilities: a sound in a batch and one alone differ by rounding in their own measure.
        np.testing.assert_allclose(row["embedding"], embedding, rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose([row["scores"][name] for name in TONES_HZ], scores, rtol=0, atol=1e-6)


def test_an_array_of_waveforms_gives_what_the_network_gives(model: Any, trained: Trained) -> None:
    audio_BT = np.stack([sound(hz, seed=seed) for seed, hz in enumerate([*TONES_HZ.values()] * 12)])
    assert_answers(model.predict(audio_BT), list(audio_BT), trained)


def test_waveforms_of_several_lengths_come_as_a_list_a_series_or_a_table(model: Any, trained: Trained) -> None:
    sounds = [sound(300, 1.0), sound(1_000, 2.5), sound(4_000, 1.0), sound(300, 0.98)]
    series = pd.Series(sounds, index=["a", "b", "c", "d"])
    table = pd.DataFrame({"audio": series, "file": "x.wav"})
    for given in (sounds, [audio.tolist() for audio in sounds], series, table):
        assert_answers(model.predict(given), sounds, trained)
    assert list(model.predict(series).index) == list(model.predict(table).index) == ["a", "b", "c", "d"]


def test_scores_are_probabilities_by_name_the_most_probable_first(model: Any) -> None:
    scores = model.predict(sound(300)[None])["scores"][0]
    assert scores.keys() == TONES_HZ.keys()
    assert list(scores.values()) == sorted(scores.values(), reverse=True)
    assert all(0 < score < 1 for score in scores.values())


def test_a_short_sound_is_filled_up_with_silence(model: Any, trained: Trained) -> None:
    shortest = samples_for_frames(PATCH_FRAMES)
    short = sound(1_000, 0.1)
    assert_answers(model.predict([short]), [np.pad(short, (0, shortest - len(short)))], trained)


@pytest.mark.parametrize("rate_hz", [8_000, 44_100, 48_000])
def test_sound_of_another_rate_is_resampled(model: Any, trained: Trained, rate_hz: int) -> None:
    t = np.arange(round(1.5 * rate_hz)) / rate_hz
    given = (0.1 * np.sin(2 * np.pi * 1_000 * t)).astype(np.float32)
    common = np.gcd(rate_hz, 16_000)
    heard = resample_poly(given, 16_000 // common, rate_hz // common).astype(np.float32)
    answers = model.predict([given], params={"sample_rate_hz": rate_hz})
    assert_answers(answers, [heard], trained)
    same = 0.1 * np.sin(2 * np.pi * 1_000 * np.arange(24_000) / 16_000)
    direct = model.predict([same])["embedding"][0]
    assert np.corrcoef(answers["embedding"][0], direct)[0, 1] > 0.99


def test_no_sound_gives_no_row(model: Any) -> None:
    answers = model.predict([])
    assert len(answers) == 0 and list(answers.columns) == ["embedding", "scores"]


WRONG = {
    "nan": ([np.zeros(16_000), np.full(16_000, np.nan)], {}, "sound 1 has samples that are not finite"),
    "nothing": ([np.zeros(0)], {}, "sound 0 is empty"),
    "channels first": ([np.zeros((2, 16_000))], {}, r"sound 0 has the shape \[2, 16000\]"),
    "paths in an array": (np.array([["/etc/hostname"]]), {}, "sound 0 is not a row of numbers"),
    "a batch of stereo": (np.zeros((1, 2, 16_000)), {}, "the array has 3 dimensions"),
    "one waveform": (np.zeros(16_000), {}, r"the array has 1 dimensions: give \[batch, samples\]"),
    "one waveform as a list": ([0.1, 0.2], {}, r"sound 0 has the shape \[\]"),
    "integers": ([np.full(16_000, 9, np.int64)], {}, r"sound 0 has samples of type int64, give floats in \[-1, 1\]"),
    "a path on the server": (["/etc/hostname"], {}, "sound 0 is not a row of numbers"),
    "ragged": ([[[0.1], [0.1, 0.2]]], {}, "sound 0 is not a row of numbers"),
    "a table without sound": (pd.DataFrame({"file": ["dog.wav"]}), {}, "no column 'audio'"),
    "a name": ("dog.wav", {}, "str holds no waveforms"),
    "no rate": ([np.zeros(16_000)], {"sample_rate_hz": 0}, "the sample rate is 0"),
    "no rate of a recorder": ([np.zeros(16_000)], {"sample_rate_hz": 999_999_937}, "the sample rate is 999999937"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_no_waveform_is_refused_in_one_sentence(model: Any, wrong: str) -> None:
    given, params, message = WRONG[wrong]
    with pytest.raises(MlflowException, match=message):
        model.predict(given, params=params)


def test_the_model_is_code_weights_and_card_without_a_pickle(uri: str, tmp_path: Path, trained: Trained) -> None:
    folder = Path(mlflow.artifacts.download_artifacts(uri, dst_path=str(tmp_path)))
    stored = [path for path in folder.rglob("*") if path.is_file()]
    # Who loads the code from a local store, as MLflow does to try its example, leaves Python's bytecode beside it.
    files = {path.relative_to(folder).as_posix(): path for path in stored if path.parent.name != "__pycache__"}
    assert {"artifacts/weights.safetensors", "artifacts/card.json", "mlflow_model.py", "MLmodel"} <= files.keys()
    assert {path.suffix for path in files.values()} <= {".safetensors", ".json", ".py", ".yaml", ".txt", ""}
    assert not [name for name, path in files.items() if path.read_bytes()[:1] == b"\x80" and name != "artifacts"]
    assert files["artifacts/weights.safetensors"].read_bytes() == trained.weights_file.read_bytes()


def test_the_model_tells_its_parameter_its_answer_and_an_example(model: Any) -> None:
    assert model.metadata.signature.outputs.input_names() == ["embedding", "scores"]
    (parameter,) = model.metadata.signature.params
    assert (parameter.name, parameter.default) == ("sample_rate_hz", 16_000)
    assert len(model.predict(model.input_example)) == 1


def test_another_process_loads_it_and_gives_the_same(uri: str, store: str, model: Any, tmp_path: Path) -> None:
    audio_BT = np.stack([sound(300), sound(4_000)])
    np.save(tmp_path / "audio.npy", audio_BT)
    code = (
        "import mlflow, numpy, sys; mlflow.set_tracking_uri(sys.argv[1]); "
        "print(mlflow.pyfunc.load_model(sys.argv[2]).predict(numpy.load(sys.argv[3])).to_json(orient='records'))"
    )
    command = ["python", "-c", code, store, uri, str(tmp_path / "audio.npy")]
    done = subprocess.run(
        command, cwd=tmp_path, env=with_stand_ins(os.environ), capture_output=True, text=True, check=True
    )
    expected = model.predict(audio_BT)
    for row, (_, here) in zip(json.loads(done.stdout), expected.iterrows(), strict=True):
        np.testing.assert_allclose(row["embedding"], here["embedding"], rtol=0, atol=1e-6)
        assert list(row["scores"]) == list(here["scores"])
