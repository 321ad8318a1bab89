"""Sound that is embedded has the times that clips have, in any container and wherever its streams begin."""

from __future__ import annotations

import numpy as np
import pytest

from tests.media.synthetic import CODINGS, Frames, write_media
from xmodal_kedro.media.audio_buffer import SAMPLES_PER_MS
from xmodal_kedro.media.clip_rows import ClipRow
from xmodal_kedro.media.clipper import clip_file
from xmodal_kedro.media.sound_file import sound_of_file
from xmodal_kedro.params import ClipParams

STARTS_S = {"together": (0.0, 0.0), "sound late": (0.7, 0.0), "pictures late": (0.0, 0.7), "both late": (5.0, 5.3)}


@pytest.mark.parametrize("starts", STARTS_S)
@pytest.mark.parametrize("coding", CODINGS, ids=str)
def test_embedded_sound_is_that_of_the_clips_at_the_same_times(tmp_path, coding, starts):
    sound_s, pictures_s = STARTS_S[starts]
    frames = Frames(start_s=pictures_s)
    path = write_media(tmp_path / f"a{coding.suffix}", coding, 5.0, sound_starts_s=sound_s, frames=frames)
    params = ClipParams(min_s=1.0, target_s=1.5, max_s=2.0, coverage="everything")

    embedded = np.concatenate(list(sound_of_file(str(path))))
    clips = [each for each in clip_file(str(path), "0" * 32, params) if isinstance(each, ClipRow)]

    assert clips
    for clip in clips:
        audio = np.frombuffer(clip.audio, np.int16)
        first = round(1000 * clip.start_s) * SAMPLES_PER_MS
        np.testing.assert_allclose(embedded[first : first + audio.size].astype(int), audio, atol=8)
