import pandas as pd
from tests.reports.labels import world

from xmodal_kedro.params import AgreementParams
from xmodal_kedro.reports.labels.association_matrix import MATRIX_SIDE, association_matrix, strongest

EVIDENCE = AgreementParams(min_videos=5)


def pairs(*rows: tuple[str, str, int, float]) -> pd.DataFrame:
    """Visual class, audio class, videos, and bits."""
    table = pd.DataFrame(rows, columns=["visual", "audio", "videos", "pmi"])
    return table.assign(clips=2 * table["videos"], support="")


def test_pairs_of_few_videos_are_no_evidence_and_the_most_telling_come_first() -> None:
    table = pairs(("dog", "Bark", 5, 3.0), ("cat", "Meow", 9, 4.0), ("chair", "Thunder", 1, 9.0))
    assert strongest(table, EVIDENCE)["visual"].tolist() == ["cat", "dog"]


def test_pairs_that_support_each_other_are_told_of_after_those_with_evidence() -> None:
    table = pairs(
        ("dog", "Bark", 5, 3.0), ("owl", "Hoot", 1, 9.0), ("cat", "Meow", 2, 4.0), ("chair", "Thunder", 1, 9.0)
    )
    table["support"] = ["association", "same", "ancestor", ""]
    assert strongest(table, EVIDENCE)["visual"].tolist() == ["dog", "owl", "cat"]


def test_the_matrix_has_the_strongest_pairs_along_its_diagonal() -> None:
    table = pairs(("dog", "Bark", 5, 3.0), ("cat", "Meow", 9, 4.0), ("dog", "Meow", 7, -1.0))
    (cells,) = association_matrix(table, EVIDENCE).data
    assert (list(cells.y), list(cells.x)) == (["cat", "dog"], ["Meow", "Bark"])
    assert [list(row) for row in cells.z] == [[4.0, None], [-1.0, 3.0]]
    assert tuple(cells.customdata[1][0]) == (14, 7)
    assert (cells.zmin, cells.zmax) == (-4.0, 4.0), "white is chance"


def test_of_very_many_classes_those_of_the_strongest_pairs_are_drawn() -> None:
    table = pairs(*[(f"seen {at}", f"heard {at}", 5, 50.0 - at) for at in range(40)])
    figure = association_matrix(table, EVIDENCE)
    assert len(figure.data[0].x) == len(figure.data[0].y) == MATRIX_SIDE
    assert figure.layout.title.text == "40 pairs of classes that support each other or are in 5 videos"


def test_a_corpus_without_pairs_gives_an_empty_matrix() -> None:
    assert len(association_matrix(world.associations().head(0), EVIDENCE).data[0].y) == 0
