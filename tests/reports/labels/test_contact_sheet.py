import re
from base64 import b64decode
from dataclasses import replace

from tests.reports.labels import world

from xmodal_kedro.reports.labels.clip_views import ClipView, Opinion
from xmodal_kedro.reports.labels.contact_sheet import clip_cards, contact_sheet

ALL = [(0.1, "a-0", "a"), (0.2, "a-1", "a"), (0.3, "b-0", "b"), (0.4, "b-1", "b")]


def views() -> list[ClipView]:
    return world.labelled_clips().views(ALL)


def test_a_card_has_the_clips_pictures_spectrogram_and_sound() -> None:
    seen, sound_only = clip_cards(views()[1:2]), clip_cards(views()[2:3])
    assert (seen.count("data:image/jpeg"), seen.count("data:image/png"), seen.count("<audio")) == (2, 1, 1)
    assert "no picture" in sound_only and "data:image/jpeg" not in sound_only
    (sound,) = re.findall(r"data:audio/wav;base64,([^\"]+)", seen)
    assert b64decode(sound).endswith(views()[1].audio)


def test_a_card_tells_what_both_teachers_said_and_which_of_it_counts() -> None:
    card = clip_cards(views()[:1])
    assert '<li class=counts style="--score:90.0%"><span>dog</span><b>0.90</b>' in card
    assert '<li style="--score:20.0%"><span>cat</span><b>0.20</b>' in card
    assert "<span>Bark</span><span>dog</span>" in card
    assert "train, 0.0–4.0 s of video<br>v-a" in card


def test_a_card_of_a_clip_of_which_nothing_is_known_says_so() -> None:
    card = clip_cards(views()[3:])
    assert "<h3>Heard</h3><ol><li>no label</li></ol>" in card
    assert "<span class=none>none</span>" in card


def test_soft_targets_show_their_weights_and_names_are_escaped() -> None:
    view = replace(views()[0], targets=[("<rain>", 0.25)], visual_labels=[Opinion("<sky>", 0.5, True)])
    card = clip_cards([view])
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
