"""What nodes were run on, and what they gave."""

from __future__ import annotations

import logging
import posixpath
from collections.abc import Iterable
from glob import has_magic
from typing import Any

from fsspec import AbstractFileSystem
from kedro.io import CatalogProtocol
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node

from xmodal_kedro.datasets.atomic import read_json, write_json
from xmodal_kedro.datasets.content import Known, content_of, is_stored, place_of, read_note
from xmodal_kedro.storage import storage_of
from xmodal_kedro.up_to_date.digests import code_digest, digest_of, plain

logger = logging.getLogger(__name__)

FOLDER = ".up_to_date"
"""In `data_root`: a note for each node that was run."""
SCHEME = 1
NAME_LENGTH = 100
"""Of a node in the name of its note: names of files have at most 255 bytes, and Kedro makes long ones."""
PARAMETERS = "params:"
NO_CONTENT = ("run_provenance",)
"""Inputs that differ in each run and are no reason to run a node again."""

NO_CONFIGURATION = ("engine", "resources", "credentials", "network", "metadata")
"""Options of datasets that say by whom and how something is read or made, not what."""


class Notes:
    """What nodes were run on, and what they gave, in a folder beside the data.

    Args:
        pipeline: the nodes of the run.
        catalog: their data.
        root: folder or URL in which the notes are kept; empty to keep none.
    """

    def __init__(self, pipeline: Pipeline, catalog: CatalogProtocol, root: str) -> None:
        self._catalog = catalog
        self._nodes = pipeline.nodes
        self._producers = {output: node for node in pipeline.nodes for output in node.outputs}
        self._consumed = {name for node in pipeline.nodes for name in node.inputs}
        self._stamps: dict[str, str | None] = {}
        self._known: dict[str, Known] = {}
        self._fs: AbstractFileSystem | None = None
        self._folder = FOLDER
        if root:
            self._fs, folder = storage_of(root)
            self._folder = posixpath.join(folder, FOLDER)

    def is_fresh(self, node: Node) -> bool:
        """Whether a node need not be run: nothing has changed, or others need to be run before it is needed."""
        stored = self._stored(node.outputs)
        if self._fs is None:
            return False
        if not stored:
            return bool(node.outputs) and set(node.outputs) <= self._consumed
        stamp, note = self.stamp(node), self._read(node)
        if stamp is None or note is None or note.get("stamp") != stamp:
            return False
        self._known |= note["files"]
        return self._given(node, stored) == note["outputs"]

    def left_in_memory_by(self, node: Node, done: Iterable[Node]) -> list[Node]:
        """The nodes whose outputs a node needs, and that were not run in this run."""
        producers = {self._producers[name] for name in self._in_memory(node.inputs) if name in self._producers}
        return sorted(producers - set(done))

    def stamp(self, node: Node) -> str | None:
        """Digest of all that a node's outputs depend on; None if only a run can find out."""
        inputs = {name: self._input(name) for name in node.inputs if name not in NO_CONTENT}
        code = code_digest(node.func)
        if code is None or None in inputs.values():
            return None
        configured = {name: self._configuration(name) for name in (*node.inputs, *node.outputs)}
        return digest_of([SCHEME, node.name, code, inputs, configured])

    def write(self, node: Node, stamp: str | None) -> None:
        """Note what a node gave that was run on inputs of this stamp."""
        stored = self._stored(node.outputs)
        places = {place_of(self._catalog[name]) for name in stored}
        self._stamps = {name: each for name, each in self._stamps.items() if not self._may_lie_in(places, name)}
        if stamp is None or not stored or self._fs is None:
            return
        outputs = self._given(node, stored)
        if None in outputs.values():
            return
        files = {place: known for place, known in self._known.items() if place in places}
        try:
            write_json(self._fs, self._path(node), {"stamp": stamp, "outputs": outputs, "files": files})
        except OSError as error:
            logger.warning("%s will be run again even if nothing changes: %s", node.name, error)

    def forget(self) -> None:
        """Remove the notes of all nodes, so that all are run the next time."""
        if self._fs is None:
            return
        for node in self._nodes:
            path = self._path(node)
            try:
                if self._fs.isfile(path):
                    self._fs.rm_file(path)
            except OSError as error:
                logger.warning("%s is not run again unless something changes: %s", node.name, error)

    def _given(self, node: Node, stored: Iterable[str]) -> dict[str, Any]:
        """What a node has left: its stored outputs, and the notes beside its inputs, such as of the model chosen."""
        beside = {f"note of {name}": read_note(self._catalog[name]) for name in self._stored(node.inputs)}
        noted = {name: facts for name, facts in beside.items() if facts}
        return {name: self._content(name) for name in stored} | noted

    def _may_lie_in(self, places: set[str], name: str) -> bool:
        """Whether a dataset may be stored in one of these places, also under another name or as one of several."""
        place = place_of(self._catalog[name])
        return place in places or has_magic(place)

    def _read(self, node: Node) -> dict[str, Any] | None:
        if self._fs is None:
            return None
        try:
            note = read_json(self._fs, self._path(node))
        except (OSError, ValueError):  # another user's, or broken
            return None
        return note if _is_note(note) else None

    def _path(self, node: Node) -> str:
        places = sorted(place_of(self._catalog[name]) for name in self._stored(node.outputs))
        return posixpath.join(self._folder, f"{node.name[:NAME_LENGTH]}-{digest_of([node.name, *places])[:16]}.json")

    def _input(self, name: str) -> str | None:
        """What an input holds; of one in memory, what it is made of."""
        if name == "parameters" or name.startswith(PARAMETERS):
            return digest_of(plain(self._catalog.load(name)))
        if not self._in_memory([name]):
            return self._content(name)
        producer = self._producers.get(name)
        stamp = self.stamp(producer) if producer else None
        return stamp and f"{name} of {stamp}"

    def _content(self, name: str) -> str | None:
        if name not in self._stamps:
            self._stamps[name], known = content_of(self._catalog[name], self._known)
            self._known |= known
        return self._stamps[name]

    def _configuration(self, name: str) -> Any:
        """What a dataset was made with, such as its place and options of the format."""
        if self._in_memory([name]):
            return None
        made_with = getattr(self._catalog[name], "_init_args", {})
        return plain({option: value for option, value in made_with.items() if option not in NO_CONFIGURATION})

    def _stored(self, names: Iterable[str]) -> list[str]:
        return [name for name in names if not self._in_memory([name])]

    def _in_memory(self, names: Iterable[str]) -> list[str]:
        return [name for name in names if name not in self._catalog or not is_stored(self._catalog[name])]


def _is_note(note: Any) -> bool:
    return (
        isinstance(note, dict)
        and note.keys() >= {"stamp", "outputs", "files"}
        and isinstance(note["files"], dict)
        and all(isinstance(each, dict) and each.keys() >= {"version", "content"} for each in note["files"].values())
    )
