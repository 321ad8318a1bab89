from __future__ import annotations

import re
from base64 import b64decode
from dataclasses import replace

import cv2
import numpy as np

from tests.reports.labels import world
from tests.teachers.fixtures import tone
from xmodal_kedro.features.log_mel import MEL_BANDS
from xmodal_kedro.reports.labels.clip_views import ClipLabel, ClipView
from xmodal_kedro.reports.labels.contact_sheet import contact_sheet, data_uri, spectrogram

ALL = [(0.1, "a-0", "a"), (0.2, "a-1", "a"), (0.3, "b-0", "b"), (0.4, "b-1", "b")]


def views() -> list[ClipView]:
    return world.labelled_clips().views(ALL)


def cards(*shown: ClipView) -> str:
    """The clips in a sheet, without its style."""
    return contact_sheet([("Clips", shown)]).partition("</style>")[2]


def test_a_card_has_the_clips_frames_spectrogram_and_sound() -> None:
    seen, sound_only = cards(views()[1]), cards(views()[2])
    assert (seen.count("data:image/jpeg"), seen.count("data:image/png"), seen.count("<audio")) == (2, 1, 1)
    assert "no frame" in sound_only and "data:image/jpeg" not in sound_only
    (sound,) = re.findall(r"data:audio/wav;base64,([^\"]+)", seen)
    assert b64decode(sound).endswith(views()[1].audio)


def test_a_card_shows_the_labels_of_both_teachers_and_which_of_them_count() -> None:
    card = cards(views()[0])
    assert '<li class="counts" style="--score:90.0%"><span>dog</span><b>0.90</b>' in card
    assert '<li style="--score:20.0%"><span>cat</span><b>0.20</b>' in card
    assert "<span>Bark</span> <span>dog</span>" in card
    assert "trip/0001.mp4<br>0.0–4.0 s, train" in card


def test_a_card_of_a_clip_of_which_nothing_is_known_says_so() -> None:
    card = cards(views()[3])
    assert "<h3>Audio</h3><ol> <li>no label</li> </ol>" in card
    assert '<span class="none">none</span>' in card


def test_soft_targets_show_their_weights_and_names_are_escaped() -> None:
    view = replace(views()[0], targets=[("<rain>", 0.25)], visual_labels=[ClipLabel("<sky>", 0.5, True)])
    card = cards(view)
    assert "<span>&lt;rain&gt; 0.25</span>" in card and "&lt;sky&gt;" in card
    assert "<rain>" not in card and "<sky>" not in card


def test_a_sheet_has_each_group_under_its_heading_and_brings_its_style() -> None:
    sheet = contact_sheet([("Random", views()), ("<Odd>", views()[:1])])
    assert re.findall(r"<h2>(.*?)</h2>|(<article)", sheet) == [
        ("Random", ""),
        *[("", "<article")] * 4,
        ("&lt;Odd&gt;", ""),
        ("", "<article"),
    ]
    used = set(re.findall(r"var\((--\w+)\)", sheet)) - {"--score"}
    assert used <= set(re.findall(r"(--\w+):", sheet.partition("</style>")[0])), "colours that are named and not given"
    assert not re.search(r"<script|http|\n", sheet)


def brightness(audio: bytes) -> np.ndarray:
    """Brightness of the spectrogram [mel bands, frames], the top row first."""
    decoded: np.ndarray = cv2.imdecode(np.frombuffer(spectrogram(audio), np.uint8), cv2.IMREAD_COLOR)
    return decoded.sum(axis=2)


def test_a_higher_tone_is_further_up_in_the_spectrogram() -> None:
    low, high = brightness(tone(300)), brightness(tone(3000))
    assert low.shape == high.shape == (MEL_BANDS, 398)
    assert low.mean(axis=1).argmax() > high.mean(axis=1).argmax()


def test_a_quiet_sound_is_drawn_and_silence_is_dark() -> None:
    quiet = (np.frombuffer(tone(1000), np.int16) // 100).astype(np.int16).tobytes()
    assert brightness(quiet).max() == brightness(tone(1000)).max()
    assert brightness(bytes(2 * 16_000)).max() < 0.1 * brightness(quiet).max()


def test_even_a_sound_shorter_than_a_frame_can_be_drawn() -> None:
    assert brightness(tone(1000, seconds=0.01)).shape == (MEL_BANDS, 1)


def test_an_address_holds_its_content() -> None:
    head, _, content = data_uri(b"\x00\xff", "image/png").partition(",")
    assert head == "data:image/png;base64"
    assert b64decode(content) == b"\x00\xff"
