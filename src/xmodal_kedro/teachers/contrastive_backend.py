"""Contrastive teachers of the transformers library: image-text and audio-text models, for classes in a user's words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
import transformers
from numpy.typing import NDArray

from xmodal_kedro.errors import UserError
from xmodal_kedro.params import TeacherCard, VisualTeacherCard
from xmodal_kedro.storage import FileRef
from xmodal_kedro.teachers.model_folder import read_config
from xmodal_kedro.teachers.preprocess import Clip, decode_pictures, resample, to_float
from xmodal_kedro.teachers.prompts import Prompts, background_prompts
from xmodal_kedro.teachers.protocol import Device
from xmodal_kedro.teachers.torch_inference import device_of, inference
from xmodal_kedro.teachers.transformers_backend import (
    clear_errors,
    load_processor,
    local_folder,
    require_code,
    rows_by_shape,
    whole_seconds,
)

IMAGE_TEXT_MODELS = ("clip", "siglip", "align", "altclip", "chinese_clip", "metaclip_2")
AUDIO_TEXT_MODELS = ("clap",)
"""Types of models, `model_type` of their configs, that embed frames or audio, and text, each by itself."""
PADDED_TO_MAX = ("siglip",)
"""Types of models whose text was padded to the maximum length in training, so that it must be here."""
MAX_TOKENS = 64
"""Tokens of a padded prompt where the tokenizer sets no limit: what SigLIP was trained with."""
NO_LIMIT = 1_000_000
"""A tokenizer without a limit has a larger number."""


class ContrastiveTeacher:
    """An image-text or audio-text model. Only the library's code is run, never code that comes with a model.

    The embeddings of clips and prompts are of unit length. `scores` are not calibrated; see `prompts.Prompts`.

    Args:
        card: lists the classes with their prompts.
        files: of the model, with names relative to it; see `model_folder.model_files`.
        labels: names of the classes.
        device: `auto` takes CUDA if there is one.
        inference_threads: threads of one inference on a CPU.

    Raises:
        UserError: the model is not of the card's modality, is incomplete, or a prompt is too long for it.
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
        self._kind = require_code(card, read_config(files, card))
        _require_modality(card, self._kind)
        with local_folder(files) as folder:
            self._processor = load_processor(card, folder)
            with clear_errors(card, "tokenizer"):
                self._tokenizer = transformers.AutoTokenizer.from_pretrained(
                    folder, local_files_only=True, trust_remote_code=False
                )
            self._model = _load_model(card, folder).eval().to(self._device)
        self._prompts: Prompts | None = None

    @property
    def prompts(self) -> Prompts:
        """The card's prompts as this model embeds them, computed once.

        Raises:
            UserError: naming a prompt that is too long for the model.
        """
        if self._prompts is None:
            background = self._card.background or background_prompts(self._card)
            self._prompts = Prompts.of(self._card.classes, background, self.embed_text, self._similarity_scale())
        return self._prompts

    def rows(self, clip: Clip) -> list[NDArray[Any]]:
        """The processor's output for each frame, or for the audio, padded with zeros to whole seconds."""
        if self._is_visual:
            if not len(clip):
                return []
            images = self._processor(
                decode_pictures(list(clip)), input_data_format="channels_last", return_tensors="pt"
            )
            return list(images["pixel_values"].numpy())
        rate_hz = self._processor.sampling_rate
        audio_T = resample(to_float(whole_seconds(np.asarray(clip, np.int16))), rate_hz)
        return list(self._processor(audio_T, sampling_rate=rate_hz, return_tensors="np")["input_features"])

    def embed(self, rows: Sequence[NDArray[Any]]) -> NDArray[np.float32]:
        """Embeddings [len(rows), size] of unit length; inputs of one shape are embedded together."""
        embedding_by_row: dict[int, NDArray[np.float32]] = {}
        with inference(self._device, self._threads):
            for indices in rows_by_shape(rows):
                batch = torch.from_numpy(np.stack([rows[index] for index in indices])).float().to(self._device)
                if self._is_visual:
                    output = self._model.get_image_features(pixel_values=batch)
                else:
                    # A clip is shorter than the window of 10 s, so nothing is fused.
                    longer = torch.zeros(len(batch), 1, dtype=torch.bool, device=self._device)
                    output = self._model.get_audio_features(input_features=batch, is_longer=longer)
                embedding_by_row.update(zip(indices, _unit(output.pooler_output), strict=True))
        return np.stack([embedding_by_row[index] for index in range(len(rows))])

    def embed_text(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embeddings [len(texts), size] of unit length.

        Raises:
            UserError: naming a text that is longer than what the model was trained with.
        """
        limit = self._tokenizer.model_max_length if self._tokenizer.model_max_length < NO_LIMIT else MAX_TOKENS
        for text in texts:
            if (tokens := len(self._tokenizer(text)["input_ids"])) > limit:
                raise UserError(
                    f"the prompt {text!r} has {tokens} tokens, and {self._card.weights!r} takes {limit}: shorten it in "
                    "the teacher's card"
                )
        padding: dict[str, Any] = {"padding": True}
        if self._kind in PADDED_TO_MAX:
            padding = {"padding": "max_length", "max_length": limit}
        tokens_by_name: Mapping[str, torch.Tensor] = self._tokenizer(list(texts), return_tensors="pt", **padding)
        known = {name: ids.to(self._device) for name, ids in tokens_by_name.items() if name != "token_type_ids"}
        with inference(self._device, self._threads):
            return _unit(self._model.get_text_features(**known).pooler_output)

    def scores(self, rows: Sequence[NDArray[Any]]) -> NDArray[np.float32]:
        """Probabilities [len(rows), classes] of each class among all classes and background prompts."""
        return self.prompts.probabilities(self.embed(rows))

    def _similarity_scale(self) -> float:
        """What the model multiplies cosine similarities by."""
        name = "logit_scale" if self._is_visual else "logit_scale_a"
        return float(getattr(self._model, name).detach().float().exp())


def _require_modality(card: TeacherCard, kind: str) -> None:
    is_visual = isinstance(card, VisualTeacherCard)
    known = IMAGE_TEXT_MODELS if is_visual else AUDIO_TEXT_MODELS
    if kind not in known:
        raise UserError(
            f"{card.weights!r} is a model of type {kind!r}, which is no contrastive "
            f"{'image-text' if is_visual else 'audio-text'} model: name one of type {' or '.join(known)} under weights "
            "in the teacher's card"
        )


def _load_model(card: TeacherCard, folder: str) -> Any:
    with clear_errors(card, "image-text model" if isinstance(card, VisualTeacherCard) else "audio-text model"):
        model, report = transformers.AutoModel.from_pretrained(
            folder,
            local_files_only=True,
            trust_remote_code=False,
            use_safetensors=True,
            dtype=torch.float32,
            output_loading_info=True,
        )
    if missing := sorted(name for name in report["missing_keys"] if not name.endswith("position_ids")):
        raise UserError(
            f"the weights of {card.weights!r} lack {missing[0]} and {len(missing) - 1} more: name a model that has "
            "both its parts, for text and for frames or audio"
        )
    return model


def _unit(embedding_BE: torch.Tensor) -> NDArray[np.float32]:
    unit: NDArray[np.float32] = torch.nn.functional.normalize(embedding_BE.float(), dim=-1).cpu().numpy()
    return unit
