"""The page of questions holds all that a reviewer needs, and nothing that a name of a class could run."""

from __future__ import annotations

import io
import json
import re
from base64 import b64decode

import av
import cv2
import numpy as np
import pandas as pd

from tests.review.corpus import clip_row, corpus_of
from xmodal_kedro.reports.review import FRAME_PX, ReviewPage
from xmodal_kedro.schemas import ReviewQuestions

HOSTILE = "</script><script>alert(1)</script>"
CLIPS = ["clip-0", "clip-1", "clip-2"]


def questions(*asked: tuple[str, str]) -> pd.DataFrame:
    shard_of = {clip: f"shard-{number % 2:06b}" for number, clip in enumerate(CLIPS)}
    rows = [
        (clip, name, shard_of[clip], f"{clip}-video", 0.0, 1.0, np.nan, 0.75, "score", "audio", 3)
        for clip, name in asked
    ]
    return pd.DataFrame(rows, columns=list(ReviewQuestions.to_schema().columns))


def page(*asked: tuple[str, str], uri: str = "a<b>.mp4", names: tuple[str, ...] = ("Dog", "Rain")) -> str:
    videos = pd.DataFrame({"video_id": ["clip-0-video"], "uri": [uri]})
    return ReviewPage(questions(*asked), corpus_of(CLIPS, {}).clips, videos, names).render()


def cards(text: str) -> list[dict[str, object]]:
    found = re.findall(r'<script type="application/json" id="card-\d+">(.*?)</script>', text)
    return [json.loads(card) for card in found]


def test_a_clip_has_one_card_with_all_its_questions_in_their_order() -> None:
    made = cards(page(("clip-1", "Rain"), ("clip-0", "Dog"), ("clip-1", "Dog")))
    assert [card["clip_id"] for card in made] == ["clip-1", "clip-0"]
    asked = [{"name": "Rain", "visual": None, "audio": 0.75}, {"name": "Dog", "visual": None, "audio": 0.75}]
    assert made[0]["questions"] == asked
    assert (made[1]["source"], made[1]["end_s"]) == ("a<b>.mp4", 1.0)
    assert made[0]["source"] == "clip-1-video"


def test_frames_spectrogram_and_sound_are_those_of_the_clip() -> None:
    (card,) = cards(page(("clip-2", "Dog")))
    stored = clip_row("clip-2")
    kinds = {name: str(uri).partition(";")[0] for name, uri in card.items() if str(uri).startswith("data:")}
    assert kinds == {"spectrogram": "data:image/webp", "sound": "data:audio/mpeg"}
    (frame,) = (b64decode(uri.partition(",")[2]) for uri in card["frames"])
    shown = cv2.imdecode(np.frombuffer(frame, np.uint8), cv2.IMREAD_COLOR)
    expected = cv2.imdecode(np.frombuffer(stored["frames"][0], np.uint8), cv2.IMREAD_COLOR)
    assert shown.shape == expected.shape and max(shown.shape) <= FRAME_PX
    assert np.abs(shown.astype(int) - expected).mean() < 6
    with av.open(io.BytesIO(b64decode(card["sound"].partition(",")[2]))) as sound:
        decoded_T = np.concatenate([part.to_ndarray()[0] for part in sound.decode(audio=0)])
    stored_T = np.frombuffer(stored["audio"], np.int16) / 2**15
    assert len(decoded_T) == len(stored_T)
    assert np.corrcoef(decoded_T, stored_T)[0, 1] > 0.99


def test_names_of_classes_and_files_are_text_and_no_code() -> None:
    text = page(("clip-0", HOSTILE), uri=HOSTILE, names=(HOSTILE, '"><img src=x onerror=alert(1)>'))
    assert "alert(1)</script>" not in text
    assert "<img src=x" not in text
    assert cards(text)[0]["source"] == HOSTILE


def test_the_page_fetches_nothing() -> None:
    text = page(("clip-0", "Dog"))
    assert "default-src 'none'" in text
    assert not re.findall(r"https?://|src=\"(?!data:)|@import|fetch\(|XMLHttpRequest", text)


def test_answers_are_kept_under_what_is_asked() -> None:
    def draw(*asked: tuple[str, str]) -> str:
        return ReviewPage(questions(*asked), {}, pd.DataFrame(), ()).draw

    assert draw(("clip-0", "Dog")) == draw(("clip-0", "Dog")) != draw(("clip-0", "Rain"))


def test_equal_inputs_give_equal_bytes() -> None:
    assert page(("clip-0", "Dog"), ("clip-1", "Rain")) == page(("clip-0", "Dog"), ("clip-1", "Rain"))
