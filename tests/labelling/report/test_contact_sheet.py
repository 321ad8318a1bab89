import re
from base64 import b64decode
from dataclasses import replace

from tests.labelling.report import world
from xmodal_kedro.labelling.report.clip_views import ClipView, Opinion
from xmodal_kedro.labelling.report.contact_figure import COLUMNS, contact_figure
from xmodal_kedro.labelling.report.contact_sheet import clip_cards

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


def test_the_figure_shows_each_group_under_its_heading_in_rows() -> None:
    many = views() + views()[:2]
    figure = contact_figure([("Random", many), ("Contradictory", []), ("More", views()[:1])])
    kinds = [image.source[:15] for image in figure.layout.images]
    assert kinds.count("data:image/png;") == 7 and kinds.count("data:image/jpeg") == 6
    rows = [round(-image.y) for image in figure.layout.images if image.source.startswith("data:image/png")]
    assert rows == sorted(rows) and rows[0] < rows[COLUMNS] < rows[-1]
    headings = [note.text for note in figure.layout.annotations if note.text.startswith("<b>")]
    assert headings == ["<b>Random</b>", "<b>Contradictory</b>", "<b>More</b>"]


def test_the_figure_tells_labels_and_target_of_a_clip() -> None:
    (note,) = (note.text for note in contact_figure([("", views()[:1])]).layout.annotations if "seen" in note.text)
    assert note.split("<br>") == ["seen: dog 0.90, cat 0.20", "heard: Bark 0.80", "target: Bark, dog"]
