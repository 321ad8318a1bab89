import io
import wave
from base64 import b64decode

import cv2
import numpy as np
from tests.teachers.fixtures import tone

from xmodal_kedro.features.log_mel import MEL_BANDS
from xmodal_kedro.reports.labels.media import data_uri, spectrogram, wav


def picture(audio: bytes) -> np.ndarray:
    """Brightness of the spectrogram [mel bands, frames], the top row first."""
    decoded: np.ndarray = cv2.imdecode(np.frombuffer(spectrogram(audio), np.uint8), cv2.IMREAD_COLOR)
    return decoded.sum(axis=2)


def test_the_sound_of_a_page_is_the_clips_own() -> None:
    audio = tone(1000, seconds=3)
    with wave.open(io.BytesIO(wav(audio))) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, 16_000)
        assert file.readframes(file.getnframes()) == audio


def test_a_higher_tone_is_further_up_in_the_spectrogram() -> None:
    low, high = picture(tone(300)), picture(tone(3000))
    assert low.shape == high.shape == (MEL_BANDS, 398)
    assert low.mean(axis=1).argmax() > high.mean(axis=1).argmax()


def test_a_quiet_sound_is_drawn_and_silence_is_dark() -> None:
    quiet = (np.frombuffer(tone(1000), np.int16) // 100).astype(np.int16).tobytes()
    assert picture(quiet).max() == picture(tone(1000)).max()
    assert picture(bytes(2 * 16_000)).max() < 0.1 * picture(quiet).max()


def test_even_a_sound_shorter_than_a_frame_can_be_drawn() -> None:
    assert picture(tone(1000, seconds=0.01)).shape == (MEL_BANDS, 1)


def test_an_address_holds_its_content() -> None:
    head, _, content = data_uri(b"\x00\xff", "image/png").partition(",")
    assert head == "data:image/png;base64"
    assert b64decode(content) == b"\x00\xff"
