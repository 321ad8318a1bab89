"""The HEAR API: what the benchmark's validator asks of a module, and that embeddings are those of the network."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch.nn import functional as F

from tests.project import PROJECT
from tests.tones import TONES_HZ, tone, tone_params
from xmodal_kedro import hear
from xmodal_kedro.models import BACKBONES, build
from xmodal_kedro.models.card import make_card
from xmodal_kedro.models.card_file import CARD_NAME, WEIGHTS_NAME
from xmodal_kedro.pcm import INT16_FULL_SCALE

HOP_SAMPLES = 800
"""50 ms."""
DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU"))]


def save_network(folder: Path, name: str) -> Path:
    """A network that has learnt nothing, with the two files of a trained one."""
    params = tone_params(model=name, log_offset=0.02)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = build(name, len(TONES_HZ), params.vggish_plus).eval()
    save_file({key: weight.contiguous() for key, weight in network.state_dict().items()}, folder / WEIGHTS_NAME)
    (folder / CARD_NAME).write_text(json.dumps(make_card(network, list(TONES_HZ), params, "abc", {"epoch": 0})))
    return folder


def sounds(count: int = 2, samples: int = 17_120) -> torch.Tensor:
    heard = [tone(hz, samples / 16_000, seed) for seed, hz in enumerate([300, 1_000, 4_000][:count])]
    return torch.stack([torch.from_numpy(sound) for sound in heard]).float() / INT16_FULL_SCALE


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_network(tmp_path_factory.mktemp("trained"), "vggish_plus")


@pytest.fixture(scope="module")
def model(folder: Path) -> hear.HearModel:
    return hear.load_model(str(folder))


def test_importing_it_brings_neither_kedro_nor_mlflow() -> None:
    code = "import sys, xmodal_kedro.hear; print({name.split('.')[0] for name in sys.modules} & {'kedro', 'mlflow'})"
    done = subprocess.run([sys.executable, "-c", code], cwd=PROJECT / "src", capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_the_model_tells_its_rate_and_sizes(model: hear.HearModel) -> None:
    assert isinstance(model, torch.nn.Module) and not model.training
    assert model.sample_rate in (16_000, 22_050, 32_000, 44_100, 48_000)
    assert type(model.scene_embedding_size) is type(model.timestamp_embedding_size) is int


def test_a_folder_and_the_weights_in_it_are_the_same_network(folder: Path, model: hear.HearModel) -> None:
    again = hear.load_model(str(folder / WEIGHTS_NAME))
    audio = sounds()
    assert torch.equal(hear.get_scene_embeddings(audio, again), hear.get_scene_embeddings(audio, model))


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", BACKBONES)
def test_every_network_gives_what_the_api_asks(name: str, device: str, tmp_path: Path) -> None:
    model = hear.load_model(str(save_network(tmp_path, name))).to(device)
    audio = sounds(2, 2_400).to(device)
    scenes = hear.get_scene_embeddings(audio, model)
    embeddings, timestamps = hear.get_timestamp_embeddings(audio, model)
    assert scenes.shape == (2, model.scene_embedding_size)
    assert embeddings.shape == (*timestamps.shape, model.timestamp_embedding_size)
    assert {tensor.device for tensor in (scenes, embeddings, timestamps)} == {audio.device}
    assert {tensor.dtype for tensor in (scenes, embeddings, timestamps)} == {torch.float32}
    assert not any(tensor.requires_grad for tensor in (scenes, embeddings))
    assert scenes.isfinite().all() and embeddings.isfinite().all()
    assert timestamps.tolist() == [[0.0, 50.0, 100.0, 150.0]] * 2


@pytest.mark.parametrize("duration_s", [1.07, 1.98, 4.0])
def test_timestamps_are_regular_and_reach_the_end_of_the_sound(model: hear.HearModel, duration_s: float) -> None:
    _, timestamps = hear.get_timestamp_embeddings(sounds(1, int(duration_s * model.sample_rate)), model)
    assert timestamps[0, 0] == 0
    assert (timestamps.diff() == 50).all()
    assert 1_000 * duration_s - 50 < timestamps[0, -1] <= 1_000 * duration_s


def test_each_timestamp_has_the_embedding_of_the_sound_around_it(model: hear.HearModel) -> None:
    audio = sounds(2, 8_000)
    embeddings, timestamps = hear.get_timestamp_embeddings(audio, model)
    half = hear.WINDOW_SAMPLES // 2
    for number, centre_ms in enumerate(timestamps[0].tolist()):
        centre = half + round(centre_ms * model.sample_rate / 1_000)
        window = F.pad(audio, (half, half))[:, centre - half : centre + half]
        alone = hear.get_scene_embeddings(window, model)
        torch.testing.assert_close(embeddings[:, number], alone, rtol=1e-5, atol=1e-6)


def test_an_event_is_heard_where_it_is(model: hear.HearModel) -> None:
    quiet = torch.zeros(1, 4 * 16_000)
    event = quiet.clone()
    event[:, 2 * 16_000 :][:, :160] = 0.5
    (changed,) = (
        (hear.get_timestamp_embeddings(event, model)[0] - hear.get_timestamp_embeddings(quiet, model)[0]).abs().sum(2)
    )
    heard_ms = changed.nonzero().flatten() * 50.0
    assert heard_ms.min() > 1_500 and heard_ms.max() < 2_500
    assert abs(heard_ms.mean() - 2_000) <= 25


def test_sounds_in_a_batch_are_embedded_as_if_alone(model: hear.HearModel, monkeypatch: pytest.MonkeyPatch) -> None:
    audio = sounds(3)
    scenes = hear.get_scene_embeddings(audio, model)
    monkeypatch.setattr(hear, "BATCH_WINDOWS", 5)  # neither a sound's windows nor all of them are a multiple
    embeddings, timestamps = hear.get_timestamp_embeddings(audio, model)
    monkeypatch.undo()
    for number, sound in enumerate(audio):
        alone, times = hear.get_timestamp_embeddings(sound[None], model)
        torch.testing.assert_close(embeddings[number], alone[0], rtol=1e-5, atol=1e-6)
        assert torch.equal(timestamps[number], times[0])
        scene = hear.get_scene_embeddings(sound[None], model)[0]
        torch.testing.assert_close(scenes[number], scene, rtol=1e-5, atol=1e-6)


def test_a_scene_is_heard_whole(model: hear.HearModel) -> None:
    audio = sounds(1, 40_000)
    with torch.inference_mode():
        embedding, _ = model.network(audio)
    torch.testing.assert_close(hear.get_scene_embeddings(audio, model), embedding, rtol=0, atol=0)


@pytest.mark.parametrize("samples", [1, 100, HOP_SAMPLES - 1, HOP_SAMPLES, 15_599])
def test_short_sounds_are_filled_up_with_silence(model: hear.HearModel, samples: int) -> None:
    audio = sounds(1, samples)
    embeddings, _ = hear.get_timestamp_embeddings(audio, model)
    assert embeddings.shape[1] == 1 + samples // HOP_SAMPLES
    filled = F.pad(audio, (0, hear.WINDOW_SAMPLES - samples))
    assert torch.equal(hear.get_scene_embeddings(audio, model), hear.get_scene_embeddings(filled, model))


WRONG_AUDIO = {
    "one sound without its batch": (torch.zeros(16_000), r"audio is \[16000\]: give \[n_sounds, n_samples\]"),
    "stereo": (torch.zeros(1, 2, 16_000), r"audio is \[1, 2, 16000\]"),
    "no sound": (torch.zeros(0, 16_000), r"audio is \[0, 16000\]"),
    "no sample": (torch.zeros(1, 0), r"with at least one sample"),
    "integers": (torch.zeros(1, 16_000, dtype=torch.int16), "audio is torch.int16: give floats"),
}


@pytest.mark.parametrize("wrong", WRONG_AUDIO)
def test_what_is_no_sound_is_refused_in_one_sentence(model: hear.HearModel, wrong: str) -> None:
    audio, message = WRONG_AUDIO[wrong]
    with pytest.raises(ValueError, match=message):
        hear.get_scene_embeddings(audio, model)
    with pytest.raises(ValueError, match=message):
        hear.get_timestamp_embeddings(audio, model)


def test_without_a_path_the_remedy_is_told() -> None:
    with pytest.raises(ValueError, match="model_file_path is empty.*give a folder that holds weights.safetensors"):
        hear.load_model()


@pytest.mark.parametrize("name", [WEIGHTS_NAME, CARD_NAME])
def test_a_missing_or_broken_file_is_named(name: str, tmp_path: Path) -> None:
    file = save_network(tmp_path, "vggish_plus") / name
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(ValueError, match=f"{name} is no (JSON|safetensors file) .*: copy it again"):
        hear.load_model(str(tmp_path))
    file.unlink()
    with pytest.raises(FileNotFoundError, match=f"{name} is missing: a trained network is"):
        hear.load_model(str(tmp_path))


def test_a_card_of_another_training_is_refused(folder: Path, tmp_path: Path) -> None:
    card = json.loads((folder / CARD_NAME).read_text()) | {"weights_digest": "0" * 32}
    (tmp_path / CARD_NAME).write_text(json.dumps(card))
    (tmp_path / WEIGHTS_NAME).write_bytes((folder / WEIGHTS_NAME).read_bytes())
    with pytest.raises(ValueError, match="of different runs"):
        hear.load_model(str(tmp_path))
