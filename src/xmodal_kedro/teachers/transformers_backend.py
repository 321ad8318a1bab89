"""Teachers of the transformers library: any image or audio classifier with its own processor."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from numpy.typing import NDArray
from transformers.models.auto import modeling_auto
from transformers.utils import logging as chatter

from xmodal_kedro.errors import UserError
from xmodal_kedro.params import TeacherCard, VisualTeacherCard
from xmodal_kedro.pcm import CLIP_SAMPLE_RATE_HZ
from xmodal_kedro.storage import FileRef
from xmodal_kedro.teachers.model_folder import CONFIG, read_config
from xmodal_kedro.teachers.preprocess import Clip, decode_pictures, resample, to_float
from xmodal_kedro.teachers.protocol import Device
from xmodal_kedro.teachers.torch_inference import activate, device_of, inference

UNUSED_IN_INFERENCE = ("masked_spec_embed",)
"""Suffixes of tensors that only training uses, and that published weights may lack."""


class TransformersTeacher:
    """A classifier with its processor. Only the library's code is run, never code that comes with a model.

    Args:
        card: says which activation turns logits into scores.
        files: of the model, with names relative to it; see `model_folder.model_files`.
        labels: class names in the order of the output.
        device: `auto` takes CUDA if there is one.
        inference_threads: threads of one inference on a CPU.

    Raises:
        UserError: the model is not such a classifier, is incomplete, or has another number of classes.
    """

    def __init__(
        self,
        card: TeacherCard,
        files: Sequence[FileRef],
        labels: tuple[str, ...],
        device: Device,
        inference_threads: int,
    ) -> None:
        self.labels = labels
        self._card, self._threads = card, inference_threads
        self._is_visual = isinstance(card, VisualTeacherCard)
        self._device = device_of(card, device)
        self.on_cuda = self._device.type == "cuda"
        _require_classifier(card, require_code(card, read_config(files, card)))
        with local_folder(files) as folder:
            self._processor = load_processor(card, folder)
            model = _load_model(card, folder)
        if model.config.num_labels != len(labels):
            raise UserError(
                f"{card.weights!r} has {model.config.num_labels} classes and {card.labels!r} lists {len(labels)}: name "
                "the class list that belongs to these weights, or write `labels: null`"
            )
        self._model = model.eval().to(self._device)
        self._input_name: str = model.main_input_name

    def rows(self, clip: Clip) -> list[NDArray[Any]]:
        """The processor's output for each frame, or for the audio.

        Audio is padded with zeros to whole seconds, so that few lengths occur and a batch needs no padding.
        """
        if not self._is_visual:
            return list(self._processed(whole_seconds(np.asarray(clip, np.int16))))
        if not len(clip):
            return []
        images = self._processor(decode_pictures(list(clip)), input_data_format="channels_last", return_tensors="pt")
        return list(images[self._input_name].numpy())

    def scores(self, rows: Sequence[NDArray[Any]]) -> NDArray[np.float32]:
        """float32 [len(rows), classes]; inputs of one shape are scored together."""
        scores_BC = np.empty((len(rows), len(self.labels)), np.float32)
        with inference(self._device, self._threads):
            for indices in rows_by_shape(rows):
                batch = torch.from_numpy(np.stack([rows[index] for index in indices])).to(self._device)
                scores_BC[indices] = activate(self._model(**{self._input_name: batch}).logits, self._card.output)
        return scores_BC

    def _processed(self, audio_int16: NDArray[np.int16]) -> NDArray[np.float32]:
        rate_hz = self._processor.sampling_rate
        audio_T = resample(to_float(audio_int16), rate_hz)
        processed = self._processor(audio_T, sampling_rate=rate_hz, return_tensors="np")
        return np.asarray(processed[self._input_name], np.float32)


def rows_by_shape(rows: Sequence[NDArray[Any]]) -> Iterator[list[int]]:
    """Positions of the rows of each shape, which can be one batch."""
    indices: defaultdict[tuple[int, ...], list[int]] = defaultdict(list)
    for index, row in enumerate(rows):
        indices[row.shape].append(index)
    yield from indices.values()


def whole_seconds(audio_int16: NDArray[np.int16]) -> NDArray[np.int16]:
    """Audio of 16 kHz, padded with zeros to whole seconds, at least one."""
    seconds = max(1, -(-len(audio_int16) // CLIP_SAMPLE_RATE_HZ))
    return np.pad(audio_int16, (0, seconds * CLIP_SAMPLE_RATE_HZ - len(audio_int16)))


def require_code(card: TeacherCard, config: dict[str, Any]) -> str:
    """The model's type, if the library itself has its code.

    Raises:
        UserError: naming the model and the missing code.
    """
    kind = str(config.get("model_type"))
    if kind not in transformers.CONFIG_MAPPING:
        wants = "code of its own (auto_map), which is never run" if "auto_map" in config else f"model_type {kind!r}"
        raise UserError(
            f"{CONFIG} of {card.weights!r} asks for {wants}; transformers {transformers.__version__} does not have "
            "it: name a model whose model_type it has"
        )
    return kind


def _require_classifier(card: TeacherCard, kind: str) -> None:
    """Check that there is a classifier of the card's modality for a type of model.

    Raises:
        UserError: naming the model.
    """
    is_visual = isinstance(card, VisualTeacherCard)
    classifiers = (
        modeling_auto.MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES
        if is_visual
        else modeling_auto.MODEL_FOR_AUDIO_CLASSIFICATION_MAPPING_NAMES
    )
    if kind not in classifiers:
        raise UserError(
            f"{card.weights!r} is a model of type {kind!r}, which has no {'image' if is_visual else 'audio'} "
            "classifier: name another under weights in the teacher's card"
        )


@contextmanager
def local_folder(files: Sequence[FileRef]) -> Iterator[str]:
    """A temporary folder with these files only; remote ones are downloaded for the block."""
    with ExitStack() as fetched, tempfile.TemporaryDirectory(prefix="xmodal-") as folder:
        for file in files:
            Path(folder, file.name).symlink_to(Path(fetched.enter_context(file.fetched())).absolute())
        yield folder


def load_processor(card: TeacherCard, folder: str) -> Any:
    """The image processor of a visual teacher, or the feature extractor of an audio teacher.

    Raises:
        UserError: naming the model, if the folder has none that can be opened.
    """
    is_visual = isinstance(card, VisualTeacherCard)
    auto = transformers.AutoImageProcessor if is_visual else transformers.AutoFeatureExtractor
    with clear_errors(card, "image processor" if is_visual else "feature extractor"):
        return auto.from_pretrained(folder, local_files_only=True, trust_remote_code=False)


def _load_model(card: TeacherCard, folder: str) -> Any:
    is_visual = isinstance(card, VisualTeacherCard)
    auto = transformers.AutoModelForImageClassification if is_visual else transformers.AutoModelForAudioClassification
    with clear_errors(card, "image classifier" if is_visual else "audio classifier"):
        model, report = auto.from_pretrained(
            folder,
            local_files_only=True,
            trust_remote_code=False,
            use_safetensors=True,
            dtype=torch.float32,
            output_loading_info=True,
        )
    if missing := sorted(name for name in report["missing_keys"] if not name.endswith(UNUSED_IN_INFERENCE)):
        raise UserError(
            f"the weights of {card.weights!r} lack {missing[0]} and {len(missing) - 1} more that a classifier needs: "
            "name a model that has been trained to classify"
        )
    return model


@contextmanager
def clear_errors(card: TeacherCard, what: str) -> Iterator[None]:
    """Silence the library's reports and progress bars; turn its errors into a `UserError` of one line."""
    chatter.set_verbosity_error()
    chatter.disable_progress_bar()
    try:
        yield
    except Exception as error:  # the library and the formats it reads raise errors of many kinds
        reason = " ".join(str(error).split())[:200]
        raise UserError(
            f"model {card.weights!r} cannot be opened as an {what} ({type(error).__name__}: {reason}): replace the "
            "folder, or name another model under weights in the teacher's card"
        ) from error
