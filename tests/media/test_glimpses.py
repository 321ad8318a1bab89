"""Frames near given times, for people to look at."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.media.synthetic import CODINGS, Coding, write_media
from xmodal_kedro.media.glimpses import glimpses
from xmodal_kedro.reasons import MediaError


@pytest.mark.parametrize("coding", CODINGS, ids=lambda coding: f"{coding.suffix} {coding.video}")
def test_each_time_has_a_small_frame(tmp_path: Path, coding: Coding) -> None:
    path = write_media(tmp_path / f"film{coding.suffix}", coding, 6.0)
    found = list(glimpses(str(path), [0.5, 3.0, 5.9, 99.0], 48))
    assert len(found) == 4
    for jpeg in found[:3]:
        image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
        assert min(image.shape[:2]) <= 48


def test_sound_alone_has_no_frames_and_a_text_is_refused(tmp_path: Path) -> None:
    path = write_media(tmp_path / "sound.mov", CODINGS[1], 2.0, pictures_s=0)
    assert list(glimpses(str(path), [0.5, 1.0], 48)) == [b"", b""]
    (tmp_path / "notes.txt").write_text("not a film")
    with pytest.raises(MediaError):
        list(glimpses(str(tmp_path / "notes.txt"), [0.5], 48))
