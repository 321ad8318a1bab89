"""Models that MLflow keeps from version 0.1 hold a copy of that version's code, which must still run."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from tests.network_files import Trained, sound
from tests.project import PROJECT
from xmodal_kedro import load

CODE_OF_0_1 = PROJECT / "tests" / "waveform_model_0_1.txt"


def test_the_code_of_version_0_1_loads_and_predicts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trained = Trained(tmp_path)
    (tmp_path / "waveform_model.py").write_bytes(CODE_OF_0_1.read_bytes())
    monkeypatch.syspath_prepend(tmp_path)
    import waveform_model

    model = waveform_model.WaveformModel()
    model.load_context(SimpleNamespace(artifacts={"weights": str(trained.weights_file)}))
    table: pd.DataFrame = model.predict(None, np.stack([sound(300), sound(1_000)]), {"sample_rate_hz": 16_000})
    expected = load(tmp_path).predict([sound(300), sound(1_000)], 16_000)
    np.testing.assert_array_equal(np.stack(table["embedding"]), expected.embeddings)
    assert sorted(table["scores"][0]) == sorted(trained.card["classes"])
