"""Embed recordings of any kind and length: window by window, shard by shard, in memory that does not grow with them."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from xmodal_kedro.errors import MachineError
from xmodal_kedro.inference.audio_model import AudioModel
from xmodal_kedro.inference.files import decoded
from xmodal_kedro.inference.waveforms import from_int16
from xmodal_kedro.inference.windows import Window, windows
from xmodal_kedro.media.probe import SourceFile
from xmodal_kedro.params import EmbedParams
from xmodal_kedro.pcm import CLIP_SAMPLE_RATE_HZ
from xmodal_kedro.reasons import PASSING, MediaError, describe
from xmodal_kedro.recipes import recipe
from xmodal_kedro.schemas import RECORDING_EMBEDDINGS_ARROW
from xmodal_kedro.storage import PROVISIONAL_KEY, FileRef

logger = logging.getLogger(__name__)

FAILED_KEY = "failed"
"""Metadata of a shard: JSON, a row of `UnheardRecordings` for each recording not embedded to its end."""


class WindowEmbedder:
    """An `AudioModel` and how it is applied to windows of recordings.

    Equal fingerprints mean equal rows.

    Args:
        model: a network and its card.
        params: `embed`.

    Raises:
        UserError: if `embed.sure` is set, and the model's card has no thresholds.
    """

    def __init__(self, model: AudioModel, params: EmbedParams) -> None:
        self.model, self.params = model, params
        self._lowest_C = np.full(len(model.classes), params.min_score, np.float32)
        if params.sure:
            self._lowest_C = np.maximum(self._lowest_C, model.thresholds)

    @cached_property
    def fingerprint(self) -> str:
        """Of the network and the parameters that rows depend on.

        Raises:
            UserError: for an ONNX file, whose weights are not digested.
        """
        settings = self.params.model_dump_json(include={"window_s", "hop_s", "tags", "min_score"})
        limits = f" {self._lowest_C.tolist()}" if self.params.sure else ""
        return f"{self.model.fingerprint} {settings}{limits}"

    def rows(self, uri: str, found: Sequence[Window]) -> list[dict[str, Any]]:
        """A row of `RecordingEmbeddings` for each of some windows of equal length."""
        audios = [from_int16(window.audio) for window in found]
        predicted = self.model.predict(audios, CLIP_SAMPLE_RATE_HZ, batch_size=None)
        return [
            {
                "uri": uri,
                "start_s": window.start / CLIP_SAMPLE_RATE_HZ,
                "end_s": (window.start + len(window.audio)) / CLIP_SAMPLE_RATE_HZ,
                "embedding": embedding_E,
                "tags": self._tags(scores_C),
            }
            for window, embedding_E, scores_C in zip(found, *predicted, strict=True)
        ]

    def _tags(self, scores_C: NDArray[np.float32]) -> list[dict[str, Any]]:
        best = np.argsort(-scores_C, kind="stable")[: self.params.tags]
        return [
            {"name": self.model.classes[at], "score": float(scores_C[at])}
            for at in best
            if scores_C[at] >= self._lowest_C[at]
        ]


@recipe("embed_recordings", version=5, libraries=("av", "torch"))
def embed_recordings_shard(recordings: tuple[SourceFile, ...], embedder: WindowEmbedder) -> Iterator[pa.Table]:
    """Embed several recordings, one after the other.

    Whatever a file does to its decoder costs that file, and of it only what was not yet decoded.

    Yields:
        `RecordingEmbeddings` tables as they fill; the last, empty one has in its metadata what failed. It is
        provisional where a file failed through no fault of its own.

    Raises:
        MachineError: if no decoder process can start, or there is no room for a copy.
    """
    failed: list[dict[str, str]] = []
    for recording in recordings:
        uri = recording.file.name
        try:
            for part in embed_file(recording.file, embedder):
                yield pa.Table.from_pylist(part, schema=RECORDING_EMBEDDINGS_ARROW)
        except MediaError as error:
            failed.append({"uri": uri, "reason": error.reason, "detail": error.detail})
    metadata = {FAILED_KEY: json.dumps(failed)}
    if any(row["reason"] in PASSING for row in failed):
        metadata[PROVISIONAL_KEY] = "some to be tried again"
    yield RECORDING_EMBEDDINGS_ARROW.empty_table().replace_schema_metadata(metadata)


def embed_file(file: FileRef, embedder: WindowEmbedder) -> Iterator[list[dict[str, Any]]]:
    """Rows of one recording, a batch at a time.

    Raises:
        MediaError: if it cannot be decoded to its end.
    """
    params = embedder.params
    length, hop = (round(seconds * CLIP_SAMPLE_RATE_HZ) for seconds in (params.window_s, params.hop_s))
    found = windows(decoded(file, params), length, hop)
    is_empty = True
    for part in _batches(found, params.batch_size):
        is_empty = False
        yield embedder.rows(file.name, part)
    if is_empty:
        raise MediaError("corrupt", "nothing in it could be decoded")


def _batches(found: Iterator[Window], size: int) -> Iterator[list[Window]]:
    """At most `size` windows at a time, of one length. Where decoding breaks off, what came before is still yielded.

    Raises:
        MediaError: where decoding breaks off. An error of the network, which is no fault of the file, is not caught.
    """
    part: list[Window] = []
    try:
        for window in found:
            if part and (len(part) == size or len(window.audio) != len(part[0].audio)):
                yield part
                part = []
            part.append(window)
    except MachineError:  # says nothing of the file
        raise
    except Exception as error:  # a decoder may fail in any way, and must cost only its file
        if part:
            yield part
        if isinstance(error, MediaError):
            raise
        logger.warning("%s", describe(error), exc_info=True)
        raise MediaError("corrupt", describe(error)) from error
    if part:
        yield part
