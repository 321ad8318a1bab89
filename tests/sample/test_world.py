"""The classes of the sample data and the table of their sounds."""

from __future__ import annotations

import csv
import json
from pathlib import Path

from xmodal_kedro.sample.world import AUDIOSET_IDS, SILENT, SOURCES, sounds_table


def test_every_source_sounds_as_itself_and_what_is_silent_is_not_listed() -> None:
    rows = list(csv.DictReader(sounds_table().decode().splitlines()))
    assert [row["label"] for row in rows] == [row["sound"] for row in rows] == list(SOURCES)
    assert not {row["label"] for row in rows} & set(SILENT)


def test_the_sources_have_ids_of_their_own_in_the_ontology(real_data: Path) -> None:
    ontology = json.loads((real_data / "teachers" / "ontology.json").read_text())
    name_of = {entry["id"]: entry["name"] for entry in ontology}
    assert len(set(AUDIOSET_IDS.values())) == len(SOURCES)
    assert {name: name_of[audioset_id] for name, audioset_id in AUDIOSET_IDS.items()} == {
        "dog": "Dog",
        "rooster": "Crowing, cock-a-doodle-doo",
        "rain": "Rain",
        "sea_waves": "Waves, surf",
        "crackling_fire": "Crackle",
        "crying_baby": "Baby cry, infant cry",
        "sneezing": "Sneeze",
        "clock_tick": "Tick",
        "helicopter": "Helicopter",
        "chainsaw": "Chainsaw",
        "chirping_birds": "Chirp, tweet",
        "church_bells": "Church bell",
        "siren": "Siren",
        "engine": "Engine",
        "drum": "Drum",
    }
