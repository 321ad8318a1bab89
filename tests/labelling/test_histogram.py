import pandas as pd

from tests.fakes import MemoryShard
from tests.labelling.fixtures import labels_shard
from xmodal_kedro.labelling.histogram import TOP_CLASSES, label_histogram
from xmodal_kedro.schemas import LABELS_ARROW


def test_the_most_frequent_classes_are_shown_from_the_top_with_the_sums_in_the_title() -> None:
    names = [f"class {at:02d}" for at in range(50)]
    vocabulary = pd.DataFrame(
        {"index": range(50), "name": names, "modality": ["visual", "audio"] * 25, "clip_count": range(1, 51)}
    )
    labels = MemoryShard(LABELS_ARROW.empty_table().replace_schema_metadata({"clips": "1200", "targeted": "900"}))
    seen = labels_shard([("a", "dog", 0.9)], clips=1200)
    heard = labels_shard([("a", "Dog", 0.9), ("b", "Dog", 0.9)], clips=1200)
    figure = label_histogram(vocabulary, {"s": labels}, {"s": seen}, {"s": heard})
    assert figure.layout.title.text == ("50 classes over 1,200 clips: 1 labelled by sight, 2 by ear, 900 with a target")
    shown = {name: count for bar in figure.data for name, count in zip(bar.y, bar.x, strict=True)}
    assert shown == {name: count for name, count in zip(names, range(1, 51), strict=True) if count > 50 - TOP_CLASSES}
    assert [bar.name for bar in figure.data] == ["visual", "audio"]
    assert figure.layout.yaxis.categoryarray[-1] == "class 49"
