from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.fakes import folder_of
from xmodal_kedro.labels.ontology import empty_ontology, read_ontology
from xmodal_kedro.schemas import SoundOntology


def node(audioset_id: str, *children: str, restrictions: tuple[str, ...] = ()) -> dict[str, Any]:
    name = f"class {audioset_id}"
    return {"id": audioset_id, "name": name, "child_ids": list(children), "restrictions": list(restrictions)}


def read(tmp_path: Path, content: str | bytes | list[Any]) -> pd.DataFrame:
    text = json.dumps(content) if isinstance(content, list) else content
    (tmp_path / "ontology.json").write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_ontology(folder_of(tmp_path).file("ontology.json"))


def test_a_class_may_have_several_parents(tmp_path: Path) -> None:
    table = SoundOntology.validate(read(tmp_path, [node("a", "c"), node("b", "c"), node("c")]))
    assert table.values.tolist() == [
        ["a", "class a", "", False],
        ["b", "class b", "", False],
        ["c", "class c", "a,b", False],
    ]


def test_a_class_that_only_groups_others_is_abstract(tmp_path: Path) -> None:
    blacklisted = [node("group", "leaf", restrictions=("blacklist",)), node("leaf", restrictions=("blacklist",))]
    table = read(tmp_path, [node("abstract", "group", restrictions=("abstract",)), *blacklisted])
    assert dict(zip(table["audioset_id"], table["abstract"], strict=True)) == {
        "abstract": True,
        "group": True,
        "leaf": False,
    }


def test_without_an_ontology_there_is_an_empty_table() -> None:
    assert len(SoundOntology.validate(empty_ontology())) == 0


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("[{", "'ontology.json' is not JSON"),
        (b"\xff\xfe\xff", "'ontology.json' is not JSON"),
        ('{"id": "a"}', "'ontology.json' is not a list of classes"),
        ([], "'ontology.json' is not a list of classes"),
        (["a"], "'ontology.json': class 0 has no 'id'"),
        ([node("a"), {"id": "b", "name": "b", "child_ids": []}], "'ontology.json': class 1 has no 'restrictions'"),
        ([node("a", "b")], "'ontology.json': 'class a' has the child 'b'"),
        ([node("a"), node("a")], "'ontology.json' has 2 classes of the id 'a'"),
        ([node("a", "b"), node("b", "c"), node("c", "b")], "'ontology.json': .* [(]. > . > .[)]"),
        ([node("a", "a")], "'ontology.json': .* [(]a > a[)]"),
    ],
)
def test_a_file_that_is_no_ontology_is_refused_with_the_remedy(
    tmp_path: Path, content: str | bytes | list[Any], complaint: str
) -> None:
    with pytest.raises(ValueError, match=f"{complaint}.*replace it by ontology.json"):
        read(tmp_path, content)


def test_the_released_ontology_is_read_whole(real_data: Path) -> None:
    table = SoundOntology.validate(read_ontology(folder_of(real_data / "teachers").file("ontology.json")))
    assert len(table) == 632
    name_of = dict(zip(table["audioset_id"], table["name"], strict=True))
    parents = {
        name: {name_of[parent] for parent in joined.split(",") if parent}
        for name, joined in zip(table["name"], table["parents"], strict=True)
    }
    assert parents["Bark"] == {"Dog"}
    assert parents["Church bell"] == {"Bell"}
    assert parents["Jet engine"] == {"Aircraft engine", "Engine"}
    assert parents["Music"] == set()
    abstract = set(table.loc[table["abstract"], "name"])
    assert {"Human locomotion", "Onomatopoeia", "Sounds of things", "Natural sounds"} <= abstract
    assert not {"Animal", "Music", "Vehicle", "Clatter"} & abstract
