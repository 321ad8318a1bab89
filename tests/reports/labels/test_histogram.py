import pandas as pd
from tests.reports.labels.world import summary, vocabulary

from xmodal_kedro.reports.labels.histogram import TOP_CLASSES, label_histogram


def test_the_most_frequent_classes_are_shown_from_the_top() -> None:
    names = [f"class {at:02d}" for at in range(50)]
    many = pd.DataFrame(
        {"index": range(50), "name": names, "modality": ["visual", "audio"] * 25, "clip_count": range(1, 51)}
    )
    figure = label_histogram(many, summary())
    shown = {name: count for bar in figure.data for name, count in zip(bar.y, bar.x, strict=True)}
    assert shown == {name: count for name, count in zip(names, range(1, 51), strict=True) if count > 50 - TOP_CLASSES}
    assert [bar.name for bar in figure.data] == ["seen", "heard"]
    assert figure.layout.yaxis.categoryarray[-1] == "class 49"


def test_its_title_sums_up_all_clips() -> None:
    title = label_histogram(vocabulary(), summary()).layout.title.text
    assert title == "4 classes over 4 clips: 3 labelled by sight, 3 by ear, 3 with a target"
