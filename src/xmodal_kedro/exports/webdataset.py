"""Clips as tar files that the library `webdataset` reads in a stream."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterable, Iterator

from xmodal_kedro.exports.clips import SPLITS, ClipSource, LabelledClip
from xmodal_kedro.exports.sound import sound_bytes
from xmodal_kedro.recipes import recipe
from xmodal_kedro.storage.exported import ExportedFile

END = bytes(2 * tarfile.BLOCKSIZE)
"""Two empty blocks end a tar file."""


@recipe("webdataset_files", version=1, libraries=("av",))
def webdataset_files(
    key: str, source: ClipSource, names: tuple[str, ...], frame: bool, audio: str
) -> Iterator[ExportedFile]:
    """A tar file for each split that has clips in the shard: `train-KEY.tar`.

    Of each clip it has the sound, a `.json` and, if frames are asked for and it has one, a `.jpg`.
    """
    for split in SPLITS:
        if source.count(split):
            clips = source.read(split, frame)
            members = (member for clip in clips for member in _members(clip, split, names, audio))
            yield ExportedFile(f"{split}-{key}.tar", tar_pieces(members))


@recipe("webdataset_classes", version=1)
def class_file(names: tuple[str, ...]) -> Iterator[ExportedFile]:
    """`classes.json`: names of the classes by index."""
    yield ExportedFile("classes.json", [json.dumps(names, ensure_ascii=False, indent=1).encode()])


def tar_pieces(members: Iterable[tuple[str, bytes]]) -> Iterator[bytes]:
    """A tar file in pieces. Equal members give equal bytes: they have no times and no owners."""
    for name, content in members:
        info = tarfile.TarInfo(name)
        info.size = len(content)
        stream = io.BytesIO()
        stream.write(info.tobuf(tarfile.PAX_FORMAT))
        stream.write(content)
        stream.write(bytes(-len(content) % tarfile.BLOCKSIZE))
        yield stream.getvalue()
    yield END


def _members(clip: LabelledClip, split: str, names: tuple[str, ...], audio: str) -> Iterator[tuple[str, bytes]]:
    about = {
        "uri": clip.uri,
        "start_s": clip.start_s,
        "end_s": clip.end_s,
        "split": split,
        "labels": [names[index] for index in clip.targets],
        "targets": list(clip.targets),
        "weights": list(clip.weights),
        "licence": clip.licence,
    }
    yield f"{clip.clip_id}.{audio}", sound_bytes(clip.audio, audio)
    if clip.frame:
        yield f"{clip.clip_id}.jpg", clip.frame
    yield f"{clip.clip_id}.json", json.dumps(about, ensure_ascii=False).encode()
