"""Examples of a sound, and the windows of embedded recordings that are nearest to them, with their sound."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xmodal_kedro.errors import UserError
from xmodal_kedro.inference.audio_model import AudioModel
from xmodal_kedro.inference.files import MAX_FILE_S, decoded
from xmodal_kedro.inference.similar import ROWS_AT_A_TIME, Match
from xmodal_kedro.inference.waveforms import from_int16
from xmodal_kedro.params import EmbedParams
from xmodal_kedro.pcm import CLIP_SAMPLE_RATE_HZ
from xmodal_kedro.reasons import MediaError
from xmodal_kedro.storage import FileRef, Shards

logger = logging.getLogger(__name__)

NEAREST = 12
"""Windows of an example that a report shows."""
PER_RECORDING = 3
"""Of these, max of one recording."""
MAX_EXAMPLES = 20


@dataclass(frozen=True)
class FoundWindow:
    """A window that is near to an example.

    Attributes:
        match: where it is.
        audio: int16 PCM of it; empty if its recording cannot be decoded.
    """

    match: Match
    audio: bytes


@dataclass(frozen=True)
class Example:
    """An example and what is near to it, the nearest first.

    Attributes:
        name: of its file.
        audio: int16 PCM of it.
        found: the windows.
    """

    name: str
    audio: bytes
    found: Sequence[FoundWindow]


def find_like(
    examples: Mapping[str, FileRef],
    embeddings: Shards,
    recordings: Mapping[str, FileRef],
    model: AudioModel,
    params: EmbedParams,
) -> list[Example]:
    """Search the embedded windows for each example. Memory grows with the windows, not with their embeddings.

    An example that cannot be decoded, or is longer than `MAX_FILE_S`, is left out with a warning; of more than
    `MAX_EXAMPLES` the first are taken.

    Args:
        examples: files of single sounds.
        embeddings: shards of `RecordingEmbeddings`.
        recordings: the sources by `uri`.
        model: the network that embedded them.
        params: `embed`.
    """
    sounds: dict[str, NDArray[np.int16]] = {}
    for name, file in list(examples.items())[:MAX_EXAMPLES]:
        try:
            sounds[name] = _sound(file, params)
        except MediaError as error:
            logger.warning("example %s is left out: %s (%s): replace it", name, error.detail, error.reason)
        except UserError as error:
            logger.warning("example %s is left out: %s", name, error)
    if not sounds or not any(shard.num_rows for shard in embeddings.values()):
        return []
    queries_QE = np.stack([model.embed(from_int16(audio_T), CLIP_SAMPLE_RATE_HZ) for audio_T in sounds.values()])
    matches = nearest_windows(embeddings, queries_QE)
    audio = _sounds_of([match for of_one in matches for match in of_one], recordings, params)
    return [
        Example(name, audio_T.tobytes(), [FoundWindow(match, audio.get(match[:3], b"")) for match in of_one])
        for (name, audio_T), of_one in zip(sounds.items(), matches, strict=True)
    ]


def nearest_windows(
    embeddings: Shards, queries_QE: NDArray[np.floating], count: int = NEAREST, per_recording: int = PER_RECORDING
) -> list[list[Match]]:
    """The windows of all shards nearest to each query, by the measure of `similar.WindowIndex`.

    Raises:
        UserError: if the embeddings are of another network.
    """
    total_E, rows = np.zeros(queries_QE.shape[1]), 0
    for vectors_NE, _ in _batches(embeddings):
        if vectors_NE.shape[1] != queries_QE.shape[1]:
            raise UserError("the embeddings are of another network: run the pipeline embed again")
        total_E += vectors_NE.sum(0, dtype=np.float64)
        rows += len(vectors_NE)
    mean_E, tiny = (total_E / max(1, rows)).astype(np.float32), np.finfo(np.float32).tiny
    centred_QE = queries_QE - mean_E
    unit_QE = centred_QE / np.maximum(np.linalg.norm(centred_QE, axis=1, keepdims=True), tiny)
    cosines, places = [], []
    for vectors_NE, where in _batches(embeddings):
        part_NE = vectors_NE - mean_E
        lengths_N1 = np.maximum(np.linalg.norm(part_NE, axis=1, keepdims=True), tiny)
        cosines.append((part_NE @ unit_QE.T) / lengths_N1)
        places += where
    return [_few(cosines_N, places, count, per_recording) for cosines_N in np.concatenate(cosines).T]


def _few(
    cosines_N: NDArray[np.floating], places: Sequence[tuple[str, float, float]], count: int, per_recording: int
) -> list[Match]:
    taken: Counter[str] = Counter()
    found: list[Match] = []
    for at in np.argsort(-cosines_N, kind="stable").tolist():
        uri, start_s, end_s = places[at]
        if len(found) == count:
            break
        if taken[uri] < per_recording:
            taken[uri] += 1
            found.append(Match(uri, start_s, end_s, float(cosines_N[at])))
    return found


def _batches(embeddings: Shards) -> Iterator[tuple[NDArray[np.float32], list[tuple[str, float, float]]]]:
    for shard in embeddings.values():
        with shard.open() as parquet:
            for batch in parquet.iter_batches(ROWS_AT_A_TIME, columns=["uri", "start_s", "end_s", "embedding"]):
                if len(batch):
                    flat = batch["embedding"].flatten().to_numpy(zero_copy_only=False)
                    where = list(zip(*(batch[name].to_pylist() for name in ("uri", "start_s", "end_s")), strict=True))
                    yield flat.reshape(len(batch), -1), where


def _sound(file: FileRef, params: EmbedParams) -> NDArray[np.int16]:
    """The samples of an example.

    Raises:
        MediaError: if it cannot be decoded.
        UserError: if it is longer than what counts as one sound.
    """
    pieces: list[NDArray[np.int16]] = []
    for audio_T in _decoded(file, params):
        pieces.append(audio_T)
        if sum(map(len, pieces)) > MAX_FILE_S * CLIP_SAMPLE_RATE_HZ:
            raise UserError(f"it is longer than {MAX_FILE_S:g} s: cut the sound out of it")
    if not pieces:
        raise MediaError("corrupt", "nothing in it could be decoded")
    return np.concatenate(pieces)


def _decoded(file: FileRef, params: EmbedParams) -> Iterator[NDArray[np.int16]]:
    with closing(decoded(file, params)) as pieces:
        yield from pieces


def _sounds_of(
    matches: Sequence[Match], recordings: Mapping[str, FileRef], params: EmbedParams
) -> dict[tuple[str, float, float], bytes]:
    """The sound of windows; each recording is decoded once, as far as its last window."""
    found: dict[tuple[str, float, float], bytes] = {}
    for uri in sorted({match.uri for match in matches} & recordings.keys()):
        spans = {
            match[:3]: tuple(round(seconds * CLIP_SAMPLE_RATE_HZ) for seconds in (match.start_s, match.end_s))
            for match in matches
            if match.uri == uri
        }
        pieces: dict[tuple[str, float, float], bytes] = dict.fromkeys(spans, b"")
        at, last = 0, max(end for _, end in spans.values())
        try:
            for audio_T in _decoded(recordings[uri], params):
                for key, (start, end) in spans.items():
                    part_T = audio_T[max(0, start - at) : max(0, end - at)]
                    pieces[key] += part_T.tobytes()
                at += len(audio_T)
                if at >= last:
                    break
        except MediaError as error:
            logger.warning("%s: %s (%s)", uri, error.detail, error.reason)
        found |= pieces
    return found
