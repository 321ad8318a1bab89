"""A network as an ONNX file, in a process that has no torch."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest
import torch

from tests.network_files import Trained, sound
from tests.tones import TONES_HZ
from xmodal_kedro.features.log_mel import LogMel
from xmodal_kedro.models import BACKBONES
from xmodal_kedro.models.card import restore_backbone
from xmodal_kedro.models.export import ConvolvedLogMel, export_onnx

LENGTHS_S = (0.975, 1.0, 2.5)


def test_the_convolved_front_end_is_the_front_end(tmp_path: Path) -> None:
    audio_BT = torch.from_numpy(np.stack([sound(hz, 2.0) for hz in TONES_HZ.values()]))
    quiet_then_loud = torch.cat([torch.zeros_like(audio_BT), 1e-4 * audio_BT, audio_BT])
    difference = (ConvolvedLogMel(0.01)(quiet_then_loud) - LogMel(0.01)(quiet_then_loud)).abs().max()
    assert float(difference) < 1e-4


@pytest.mark.parametrize("model", sorted(BACKBONES))
def test_every_network_gives_the_same_in_onnxruntime_for_sounds_of_any_length(tmp_path: Path, model: str) -> None:
    trained = Trained(tmp_path, model)
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(export_onnx(restore_backbone(trained.card, trained.weights), trained.card), options)
    for duration_s in LENGTHS_S:
        sounds = [sound(hz, duration_s) for hz in TONES_HZ.values()]
        embeddings, scores = session.run(["embedding", "scores"], {"audio": np.stack(sounds)})
        for at, audio in enumerate(sounds):
            wanted_scores, wanted_embedding = trained.predict(audio)
            np.testing.assert_allclose(embeddings[at], wanted_embedding, rtol=1e-4, atol=1e-4)
            np.testing.assert_allclose(scores[at], wanted_scores, rtol=0, atol=1e-4)
    reported = session.get_modelmeta().custom_metadata_map
    assert json.loads(reported["classes"]) == list(TONES_HZ) and reported["sample_rate_hz"] == "16000"


def test_a_process_without_torch_runs_it(tmp_path: Path) -> None:
    trained = Trained(tmp_path)
    (tmp_path / "model.onnx").write_bytes(export_onnx(restore_backbone(trained.card, trained.weights), trained.card))
    code = f"""
import sys
sys.modules["torch"] = None  # importing it would now fail
import numpy as np, onnxruntime
session = onnxruntime.InferenceSession({str(tmp_path / "model.onnx")!r})
embedding, scores = session.run(None, {{"audio": np.zeros((1, 16_000), np.float32)}})
print(embedding.shape, scores.shape)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.split() == [f"(1,{''}", f"{trained.card['embedding_size']})", "(1,", "3)"], done.stderr
