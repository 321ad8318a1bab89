"""Whatever takes a trained network gives what `AudioModel.predict` gives."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from tests.network_files import Trained, sound
from xmodal_kedro import hear
from xmodal_kedro.evaluation.representations import NetworkEmbedding
from xmodal_kedro.inference.audio_model import AudioModel
from xmodal_kedro.inference.mlflow_model import WaveformModel
from xmodal_kedro.inference.recordings import WindowEmbedder
from xmodal_kedro.inference.waveforms import from_int16
from xmodal_kedro.inference.windows import Window
from xmodal_kedro.models.export import export_onnx
from xmodal_kedro.params import EmbedParams
from xmodal_kedro.pcm import INT16_FULL_SCALE

STORED = [(sound(hz, 1.5, seed) * INT16_FULL_SCALE).astype(np.int16) for seed, hz in enumerate([300, 1_000, 4_000])]
AUDIOS = [from_int16(audio_T) for audio_T in STORED]
WITHIN = {"rtol": 0, "atol": 1e-6}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return Trained(tmp_path_factory.mktemp("trained"))


@pytest.fixture(scope="module")
def model(trained: Trained) -> AudioModel:
    return AudioModel.load(trained.weights_file.parent, "cpu")


def test_hear_gives_the_embeddings(trained: Trained, model: AudioModel) -> None:
    scenes = hear.get_scene_embeddings(torch.from_numpy(np.stack(AUDIOS)), hear.load_model(str(trained.weights_file)))
    np.testing.assert_allclose(scenes, model.predict(AUDIOS, 16_000).embeddings, **WITHIN)


def test_mlflow_gives_embeddings_and_scores(trained: Trained, model: AudioModel) -> None:
    adapter = WaveformModel()
    adapter.load_context(SimpleNamespace(artifacts={"weights": str(trained.weights_file)}))
    table, predicted = adapter.predict(None, AUDIOS), model.predict(AUDIOS, 16_000)
    np.testing.assert_allclose(np.stack(table["embedding"]), predicted.embeddings, **WITHIN)
    scores = [[row[name] for name in model.classes] for row in table["scores"]]
    np.testing.assert_allclose(scores, predicted.scores, **WITHIN)


def test_recordings_are_given_embeddings_and_tags(model: AudioModel) -> None:
    embedder = WindowEmbedder(model, EmbedParams(min_score=0.0, tags=3))
    rows, predicted = embedder.rows("x", [Window(0, audio) for audio in STORED]), model.predict(AUDIOS, 16_000)
    np.testing.assert_allclose([row["embedding"] for row in rows], predicted.embeddings, **WITHIN)
    scores = [{tag["name"]: tag["score"] for tag in row["tags"]} for row in rows]
    np.testing.assert_allclose([[of[name] for name in model.classes] for of in scores], predicted.scores, **WITHIN)


def test_probes_are_given_the_scores_and_features_of_the_same_forward_pass(model: AudioModel) -> None:
    represented = NetworkEmbedding(model)(STORED)
    np.testing.assert_allclose(represented.scores, model.predict(AUDIOS, 16_000).scores, **WITHIN)
    np.testing.assert_array_equal(represented.embeddings, model.over_time(AUDIOS, 16_000).embeddings)


def test_onnx_gives_embeddings_and_scores_up_to_rounding(tmp_path: Path, trained: Trained, model: AudioModel) -> None:
    """Its front end is another sum of the same products, so embeddings are held to their own size."""
    (tmp_path / "model.onnx").write_bytes(export_onnx(trained.network, trained.card))
    predicted, expected = AudioModel.load(tmp_path, "cpu").predict(AUDIOS, 16_000), model.predict(AUDIOS, 16_000)
    np.testing.assert_allclose(predicted.scores, expected.scores, rtol=0, atol=1e-5)
    np.testing.assert_allclose(predicted.embeddings, expected.embeddings, rtol=1e-4, atol=1e-4)
