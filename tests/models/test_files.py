"""A network that is not where it was looked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from xmodal_kedro.models.card_file import CARD_NAME, WEIGHTS_NAME
from xmodal_kedro.models.files import read_model


def read(folder: Path) -> None:
    read_model(folder / WEIGHTS_NAME, folder / CARD_NAME)


def test_networks_that_are_here_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    trained = Path("data/sample/06_models/vggish_plus")
    trained.mkdir(parents=True)
    (trained / WEIGHTS_NAME).touch()
    with pytest.raises(FileNotFoundError, match=r"data/06_models/vggish_plus.*data/sample/06_models/vggish_plus"):
        read(Path("data/06_models/vggish_plus"))


def test_where_there_is_none_the_pipeline_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match="train pipeline"):
        read(Path("nowhere"))
