"""A trained network in three lines."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pytest
import torch
from mlflow import MlflowClient
from scipy.io import wavfile
from scipy.signal import resample_poly

from tests.media.synthetic import write_media
from tests.network_files import Trained, sound
from tests.tones import TONES_HZ
from xmodal_kedro import load
from xmodal_kedro.errors import UserError
from xmodal_kedro.hooks.model import log_model
from xmodal_kedro.inference.audio_model import AudioModel


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return Trained(tmp_path_factory.mktemp("trained"))


@pytest.fixture(scope="module")
def network(trained: Trained) -> AudioModel:
    return load(trained.weights_file.parent, device="cpu")


def test_a_folder_gives_a_network_that_embeds_and_tags(trained: Trained, network: AudioModel) -> None:
    audio = sound(1_000, 2.5)
    scores, embedding = trained.predict(audio)
    np.testing.assert_allclose(network.embed(audio, 16_000), embedding, rtol=1e-5, atol=1e-5)
    tags = network.tag(audio, 16_000, top=2)
    best = np.argsort(-scores)[:2]
    assert [name for name, _ in tags] == [list(TONES_HZ)[at] for at in best]
    np.testing.assert_allclose([score for _, score in tags], scores[best], atol=1e-6)


def test_sounds_of_many_lengths_are_heard_in_order_each_as_if_alone(network: AudioModel) -> None:
    sounds = [sound(300, 1.0), sound(1_000, 2.5), sound(4_000, 1.0), sound(300, 0.2)]
    heard = network.predict(sounds, 16_000)
    for audio, embedding in zip(sounds, heard.embeddings, strict=True):
        np.testing.assert_allclose(embedding, network.embed(audio, 16_000), rtol=1e-5, atol=1e-5)
    assert heard.scores.shape == (4, len(network.classes))
    assert network.predict([], 16_000).embeddings.shape == (0, heard.embeddings.shape[1])


def test_more_sound_than_one_pass_takes_gives_what_each_gives_alone(network: AudioModel) -> None:
    rate_hz = network.sample_rate
    sounds = [*(sound(200 * number, 6.0) for number in range(1, 6)), sound(900, 23.0)]
    for function in (network.predict, network.over_time):
        together = function(sounds, rate_hz, batch_size=None)
        for number, audio in enumerate(sounds):
            alone = function([audio], rate_hz)
            np.testing.assert_allclose(together.embeddings[number], alone.embeddings[0], atol=1e-4)
            np.testing.assert_allclose(together.scores[number], alone.scores[0], atol=1e-5)


def test_sound_of_another_rate_is_resampled(network: AudioModel) -> None:
    audio = sound(1_000, 3.0)
    resampled = resample_poly(audio, 160, 441).astype(np.float32)
    np.testing.assert_allclose(network.embed(audio, 44_100), network.embed(resampled, 16_000), rtol=1e-5, atol=1e-5)


@pytest.fixture
def store(tmp_path: Path, empty_store: Path) -> Path:
    """A store of MLflow without a run."""
    return Path(shutil.copy(empty_store, tmp_path / "mlflow.db"))


@pytest.mark.parametrize("address", ["models:/tones@best", "models:/tones/1"])
def test_an_address_of_the_registry_gives_the_same_network(
    store: Path, tmp_path: Path, trained: Trained, network: AudioModel, address: str
) -> None:
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(f"sqlite:///{store}")
    try:
        mlflow.set_experiment(experiment_id=mlflow.create_experiment("models", (tmp_path / "artifacts").as_uri()))
        with mlflow.start_run() as run:
            log_model(trained.card, str(trained.weights_file), str(trained.card_file))
        registered = mlflow.register_model(mlflow.get_run(run.info.run_id).data.tags["model.uri"], "tones")
        MlflowClient().set_registered_model_alias("tones", "best", registered.version)
        audio = sound(300)
        np.testing.assert_array_equal(load(address, device="cpu").embed(audio, 16_000), network.embed(audio, 16_000))
    finally:
        mlflow.set_tracking_uri(before)


@pytest.mark.parametrize("address", ["models:/unknown", "models:/unknown/1", "models:/unknown@best", "runs:/0/model"])
def test_a_model_that_mlflow_does_not_have_is_named_with_the_store(store: Path, address: str) -> None:
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(f"sqlite:///{store}")
    try:
        with pytest.raises(UserError, match=rf"{address} .*mlflow\.db .*MLFLOW_TRACKING_URI"):
            load(address)
    finally:
        mlflow.set_tracking_uri(before)


@pytest.mark.parametrize(
    ("audio", "rate_hz", "said"),
    [
        (np.zeros((2, 16_000)), 16_000, r"shape \[2, 16000\]: .* transpose"),
        (np.zeros((4, 100, 2)), 16_000, r"shape \[4, 100, 2\]"),
        (np.zeros(0), 16_000, "is empty: leave it out"),
        (np.full(16_000, np.nan), 16_000, "not finite: replace them"),
        (np.full(16_000, 3_000.0), 16_000, r"is not in \[-1, 1\]: divide integers by their full scale"),
        (np.ones(16_000, np.int64), 16_000, "samples of type int64, .* divide it by the full"),
        (np.ones(16_000, np.uint16), 16_000, "samples of type uint16"),
        (np.zeros(16_000, complex), 16_000, "samples of type complex128, .* give its real part"),
        (np.zeros(16_000, bool), 16_000, "samples of type bool"),
        (["a"], 16_000, "is not a row of numbers"),
        (torch.zeros(16_000, requires_grad=True), 16_000, r"tensor\.detach"),
        (np.zeros(16_000), 0, "the sample rate is 0: give the samples per second"),
        (np.zeros(16_000), 16, "the sample rate is 16: give the samples per second"),
        (np.zeros(16_000), 22_050.5, "the sample rate is 22050.5"),
        (np.zeros(16_000), float("nan"), "the sample rate is nan"),
        (np.zeros(16_000), None, "sound 0 comes without its sample rate"),
        (np.zeros(16_000), "16000", "the sample rate is '16000'"),
    ],
)
def test_what_is_no_sound_is_refused_with_a_remedy(network: AudioModel, audio: Any, rate_hz: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        network.embed(audio, rate_hz)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16, np.int32, ">i2", ">i4"])
def test_integers_are_scaled_by_their_full_scale(network: AudioModel, dtype: Any) -> None:
    bits = 8 * np.dtype(dtype).itemsize
    stored = np.round(sound(300).astype(np.float64) * (2 ** (bits - 1) - 1))
    floats = (stored / 2 ** (bits - 1)).astype(np.float32)
    integers = (stored + 128 * (dtype == np.uint8)).astype(dtype)
    np.testing.assert_allclose(network.embed(integers, 16_000), network.embed(floats, 16_000), rtol=1e-4, atol=1e-5)


def test_channels_are_mixed_as_those_of_files_are(network: AudioModel) -> None:
    audio = sound(1_000, 2.0)
    mono = network.embed(audio, 16_000)

    def close(*channels: np.ndarray) -> None:
        mixed = network.embed(np.stack(channels, axis=1), 16_000)
        np.testing.assert_allclose(mixed, mono, rtol=1e-4, atol=1e-4)

    close(audio)
    close(audio, audio)
    close(audio, audio, audio, audio)
    close(audio, 0 * audio)  # one microphone was off: the level stays
    close(audio, -audio)  # out of phase: the mean would be silent


def test_a_file_needs_no_rate_and_sounds_as_its_samples(network: AudioModel, tmp_path: Path) -> None:
    samples = np.round(sound(1_000, 2.0) * 32_000).astype(np.int16)
    wavfile.write(tmp_path / "a tone.wav", 16_000, samples)
    for address in (tmp_path / "a tone.wav", str(tmp_path / "a tone.wav"), f"file://{tmp_path}/a tone.wav"):
        np.testing.assert_allclose(network.embed(address), network.embed(samples, 16_000), rtol=1e-4, atol=1e-5)
    assert network.tag(str(tmp_path / "a tone.wav"), top=1) == network.tag(samples, 16_000, top=1)
    both = network.predict([tmp_path / "a tone.wav", samples], 16_000)
    np.testing.assert_allclose(both.scores[0], both.scores[1], atol=1e-5)


def test_a_video_is_tagged_by_its_sound(network: AudioModel, tmp_path: Path) -> None:
    path = write_media(tmp_path / "clip.mp4", duration_s=3.0)
    assert len(network.tag(path, top=2)) == 2


@pytest.mark.parametrize("content", [None, b"", b"no sound at all", "folder"])
def test_a_path_that_is_no_sound_is_named_with_the_reason(network: AudioModel, tmp_path: Path, content: Any) -> None:
    path = tmp_path / "x.wav"
    if content == "folder":
        path.mkdir()
    elif content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=r"x\.wav"):
        network.tag(path)


def test_a_file_that_is_too_long_for_one_sound_is_refused(
    network: AudioModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("xmodal_kedro.inference.files.MAX_FILE_S", 1.0)
    wavfile.write(tmp_path / "long.wav", 16_000, np.zeros(40_000, np.int16))
    with pytest.raises(UserError, match=r"long\.wav is longer than 1 s.*tag"):
        network.embed(tmp_path / "long.wav")


@pytest.mark.parametrize("rate_hz", [16_000.0, np.int64(16_000), np.float32(16_000)])
def test_a_rate_is_a_whole_number_of_any_type(network: AudioModel, rate_hz: Any) -> None:
    np.testing.assert_array_equal(network.embed(sound(300), rate_hz), network.embed(sound(300), 16_000))


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"weights\.safetensors is missing: a trained network is"):
        load(tmp_path)


def test_the_package_itself_loads_no_torch() -> None:
    code = "import sys, xmodal_kedro; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
