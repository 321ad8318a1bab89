"""Embed recordings of any kind and length: window by window, shard by shard, in memory that does not grow with them."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray

from xmodal_kedro.features.log_mel import LogMel
from xmodal_kedro.inference.batching import at_least_a_patch
from xmodal_kedro.inference.windows import Window, windows
from xmodal_kedro.media.probe import SourceFile
from xmodal_kedro.media.sandbox.isolation import IsolationError, isolated
from xmodal_kedro.media.sandbox.tasks import sound_file
from xmodal_kedro.models import Backbone
from xmodal_kedro.models.card import digest
from xmodal_kedro.models.device import choose_device
from xmodal_kedro.params import EmbedParams
from xmodal_kedro.pcm import CLIP_SAMPLE_RATE_HZ, INT16_FULL_SCALE
from xmodal_kedro.reasons import PASSING, MediaError, describe
from xmodal_kedro.recipes import recipe
from xmodal_kedro.schemas import RECORDING_EMBEDDINGS_ARROW
from xmodal_kedro.storage import PROVISIONAL_KEY, FileRef

logger = logging.getLogger(__name__)

FAILED_KEY = "failed"
"""Metadata of a shard: JSON, a row of `UnheardRecordings` for each recording that could not be heard to its end."""


class Ears:
    """A network with its front end and the names of its classes. Equal fingerprints mean equal answers.

    Args:
        network: in evaluation mode.
        card: its.
        params: how it is asked.
    """

    def __init__(self, network: Backbone, card: Mapping[str, Any], params: EmbedParams) -> None:
        self.params = params
        self._device = choose_device(params.device, "embed.device")
        self._network = network.to(self._device)
        self._log_mel = LogMel(card["front_end"]["log_offset"]).to(self._device)
        self._classes = list(card["classes"])
        asked = params.model_dump_json(include={"window_s", "hop_s", "tags", "min_score"})
        self.fingerprint = f"{digest(network.state_dict())} {card['front_end']['log_offset']} {asked}"

    def rows(self, uri: str, found: Sequence[Window]) -> list[dict[str, Any]]:
        """A row of `RecordingEmbeddings` for each of some windows of equal length."""
        audio_BT = torch.from_numpy(np.stack([at_least_a_patch(window.audio) for window in found]))
        with torch.inference_mode():
            logits_BC, embedding_BE = self._network(self._log_mel(audio_BT.to(self._device).float() / INT16_FULL_SCALE))
        told = zip(found, embedding_BE.float().cpu().numpy(), logits_BC.float().sigmoid().cpu().numpy(), strict=True)
        return [
            {
                "uri": uri,
                "start_s": window.start / CLIP_SAMPLE_RATE_HZ,
                "end_s": (window.start + len(window.audio)) / CLIP_SAMPLE_RATE_HZ,
                "embedding": embedding_E,
                "tags": self._tags(scores_C),
            }
            for window, embedding_E, scores_C in told
        ]

    def _tags(self, scores_C: NDArray[np.float32]) -> list[dict[str, Any]]:
        best = np.argsort(-scores_C, kind="stable")[: self.params.tags]
        return [
            {"name": self._classes[at], "score": float(scores_C[at])}
            for at in best
            if scores_C[at] >= self.params.min_score
        ]


@recipe("embed_recordings", version=1, libraries=("av", "torch"))
def embed_recordings_shard(recordings: tuple[SourceFile, ...], ears: Ears) -> Iterator[pa.Table]:
    """Embed several recordings, one after the other.

    Whatever a file does to its decoder costs that file, and of it only what was not yet heard.

    Yields:
        `RecordingEmbeddings` tables as they fill; the last, empty one tells in its metadata what failed. It is marked
        provisional where a file failed through no fault of its own.

    Raises:
        IsolationError: if there can be no decoder process.
    """
    failed: list[dict[str, str]] = []
    for recording in recordings:
        uri = recording.file.name
        try:
            for part in _heard(recording.file, ears):
                yield pa.Table.from_pylist(part, schema=RECORDING_EMBEDDINGS_ARROW)
        except MediaError as error:
            failed.append({"uri": uri, "reason": error.reason, "detail": error.detail})
    told = {FAILED_KEY: json.dumps(failed)}
    if any(row["reason"] in PASSING for row in failed):
        told[PROVISIONAL_KEY] = "some to be tried again"
    yield RECORDING_EMBEDDINGS_ARROW.empty_table().replace_schema_metadata(told)


def _heard(file: FileRef, ears: Ears) -> Iterator[list[dict[str, Any]]]:
    """Rows of one recording, a batch at a time.

    Raises:
        MediaError: if it cannot be heard to its end.
    """
    params = ears.params
    length, hop = (round(seconds * CLIP_SAMPLE_RATE_HZ) for seconds in (params.window_s, params.hop_s))
    with ExitStack() as stack:
        try:
            path = stack.enter_context(file.fetched())
        except Exception as error:  # storage drivers have errors of their own
            raise MediaError("unreadable", describe(error)) from error
        limit_s = params.limit_s(Path(path).stat().st_size)
        found = windows(isolated(sound_file, path, timeout_s=limit_s), length, hop)
        heard = False
        for part in _batches(found, params.batch_size):
            heard = True
            yield ears.rows(file.name, part)
        if not heard:
            raise MediaError("corrupt", "nothing in it could be decoded")


def _batches(found: Iterator[Window], size: int) -> Iterator[list[Window]]:
    """At most `size` windows at a time, of one length. Where no more can be had, what came before is still given.

    Raises:
        MediaError: where the sound breaks off. An error of the network, which is no fault of the file, passes by.
    """
    part: list[Window] = []
    try:
        for window in found:
            if part and (len(part) == size or len(window.audio) != len(part[0].audio)):
                yield part
                part = []
            part.append(window)
    except IsolationError:  # says nothing of the file
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
