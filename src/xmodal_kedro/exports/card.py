"""The card of a data set: for readers, and in its head for the hub and the library `datasets`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import yaml

from xmodal_kedro.exports.counts import CorpusCounts
from xmodal_kedro.exports.huggingface import schema_features
from xmodal_kedro.reports import html
from xmodal_kedro.reports.model_card import code_span
from xmodal_kedro.storage import Folder

SIZES = (
    *((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M")),
    *((10_000_000, "1M<n<10M"), (100_000_000, "10M<n<100M")),
)
"""Names of sizes on the hub, by the number of clips that they end below."""
LARGEST = "100M<n<1B"
LICENCES = {"cc0": "cc0-1.0", "public-domain": "cc0-1.0", "apache-2": "apache-2.0"}
"""The hub's names of licences that are written in another way."""
KNOWN_LICENCE = re.compile(r"cc0-1\.0|cc-by(-nc)?(-sa|-nd)?-[1-4]\.[05]|mit|apache-2\.0|odbl|odc-by|pddl")


class Teacher(NamedTuple):
    """A classifier whose labels were merged.

    Attributes:
        name: its id on the hub, or its file or folder.
        backend: the library that runs it.
        revision: commit, tag or branch of a model of the hub; empty for others.
        licence: as its page states it; empty if that is not known.
    """

    name: str
    backend: str
    revision: str = ""
    licence: str = ""


def describe_dataset(counts: CorpusCounts, files: Folder, visual: Teacher, audio: Teacher) -> str:
    """The card, in Markdown.

    Args:
        counts: what the data set holds.
        files: the Parquet files, in the folder `data` beside the card; their names begin with their split.
        visual, audio: the teachers whose labels were merged.
    """
    licences = sorted(counts.licences.items(), key=lambda item: (-item[1], item[0]))
    return html.render(
        "dataset_card.md.j2",
        head=yaml.safe_dump(_head(counts, files), sort_keys=False, allow_unicode=True, width=10_000),
        splits=counts.splits,
        frame=counts.frame,
        teachers={"seen": _teacher(visual), "heard": _teacher(audio)},
        licences=[(_cell(licence) if licence else "unknown", count) for licence, count in licences],
        classes=[
            (_cell(name), [split.classes[index] for split in counts.splits.values()])
            for index, name in enumerate(counts.names)
        ],
    )


def licence_of_all(licences: Mapping[str, int]) -> str:
    """The hub's name of the licence that all recordings have; `other` if there are several, or it is not known."""
    names = {re.sub(r"[\s_-]+", "-", licence.strip().casefold()) for licence in licences}
    name = names.pop() if len(names) == 1 else ""
    name = LICENCES.get(name, name)
    return name if KNOWN_LICENCE.fullmatch(name) else "other"


def _head(counts: CorpusCounts, files: Folder) -> dict[str, Any]:
    clips = sum(split.clips for split in counts.splits.values())
    sizes = {
        name: sum(file.size_bytes for file in files.values() if file.name.startswith(f"{name}-"))
        for name in counts.splits
    }
    licence = licence_of_all(counts.licences)
    unknown = not any(counts.licences)
    named = {"license_name": "unknown" if unknown else "as-given-for-each-recording"} if licence == "other" else {}
    size = next((name for bound, name in SIZES if clips < bound), LARGEST)
    head: dict[str, Any] = {"license": licence, **named, "task_categories": ["audio-classification"]}
    head |= {"tags": ["audio", "machine-labelled"], "size_categories": [size]}
    if any(sizes.values()):
        where = [{"split": name, "path": f"data/{name}-*.parquet"} for name in counts.splits]
        head["configs"] = [{"config_name": "default", "data_files": where}]
    splits = [
        {"name": name, "num_bytes": sizes[name], "num_examples": split.clips} for name, split in counts.splits.items()
    ]
    total = sum(sizes.values())
    features = schema_features(counts.names, counts.frame)
    head["dataset_info"] = {"features": features, "splits": splits, "download_size": total, "dataset_size": total}
    return head


def _teacher(teacher: Teacher) -> str:
    facts = [teacher.backend]
    facts += [f"revision {_cell(teacher.revision)}"] if teacher.revision else []
    facts += [f"licence {_cell(teacher.licence)}"] if teacher.licence else []
    return f"{_cell(teacher.name)} ({', '.join(facts)})"


def _cell(text: str) -> str:
    """A text as code in a cell of a table."""
    return code_span(text).replace("|", "\\|")
