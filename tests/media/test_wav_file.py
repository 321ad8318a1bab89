import io
import wave

from tests.teachers.fixtures import tone
from xmodal_kedro.media.wav_file import wav


def test_a_wav_file_holds_the_samples_as_they_are_stored() -> None:
    audio = tone(1000, seconds=3)
    with wave.open(io.BytesIO(wav(audio))) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, 16_000)
        assert file.readframes(file.getnframes()) == audio
