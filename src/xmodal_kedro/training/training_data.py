"""The data of one training: paired shards and a vocabulary, checked before the first step."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import pandas as pd

from xmodal_kedro.data.loader import ClipStream
from xmodal_kedro.data.order import RowGroups, even_sizes
from xmodal_kedro.data.survey import SplitName, survey
from xmodal_kedro.data.teacher_embeddings import DATASETS, Embeddings
from xmodal_kedro.data.teacher_views import REMEDY, Views
from xmodal_kedro.errors import UserError
from xmodal_kedro.params import TrainParams
from xmodal_kedro.params.training import Modality
from xmodal_kedro.storage import Shards
from xmodal_kedro.training.live_teaching import SoundTeacher
from xmodal_kedro.training.student import Heads


@dataclass(frozen=True)
class TrainingData:
    """Both splits, the names of the classes, and hashes of where it all comes from.

    Attributes:
        shards: fingerprint of the content of clips and labels, and of those teachers' embeddings that are learnt.
        vocabulary: fingerprint of the classes and their order.
        teacher: that hears each step; None where none does.
    """

    train: ClipStream
    validation: ClipStream
    classes: list[str]
    shards: str
    vocabulary: str
    teacher: SoundTeacher | None = None

    def heads(self, params: TrainParams) -> Heads:
        """What is learnt beside the labels, which a student has heads for."""
        stored, live, views = self.train.embeddings, self.teacher, self.train.views
        of_views = views.plan if views else None
        audio = of_views.embedding_size if of_views and params.embedding_weight else 0
        scores = of_views.classes if of_views else 0
        return Heads(
            audio_embedding=live.embedding_size if live else stored["audio"].size if "audio" in stored else audio,
            teacher_scores=live.classes if live and params.live_teacher.scores_weight else scores,
            visual_embedding=stored["visual"].statistics if "visual" in stored else None,
        )

    @property
    def fingerprint(self) -> str:
        """32 hex digits of all of it."""
        live = "" if self.teacher is None else f" {self.teacher.fingerprint}"
        return _digest(f"{self.shards} {self.vocabulary}{live}")

    @property
    def identity(self) -> dict[str, str]:
        """The hashes, under names that a user knows."""
        live = {} if self.teacher is None else {"the audio teacher": self.teacher.fingerprint}
        return {"the content of clips or labels": self.shards, "label_vocabulary": self.vocabulary, **live}


def prepare_training_data(
    clips: Shards,
    labels: Shards,
    label_vocabulary: pd.DataFrame,
    params: TrainParams,
    embeddings: Mapping[Modality, Shards] = MappingProxyType({}),
    teacher: SoundTeacher | None = None,
    views: Shards = MappingProxyType({}),
) -> TrainingData:
    """Pair clips with labels and find each split's row groups; reads ids and labels, no sound.

    Args:
        clips, labels: paired shards under the same keys.
        label_vocabulary: the classes.
        params: `train`.
        embeddings: of the teachers, by modality, under the same keys too; those that `params` has learnt are read.
        teacher: that hears each step; embeddings of audio are its own then, and not read.
        views: what the audio teacher said of views of the clips, under the same keys too; read if `params` has it
            learnt.

    Raises:
        UserError: for an empty vocabulary, shards without their partner or that cannot be read, labels without their
            clip or class, a split without clips, or embeddings that are to be learnt and not there.
    """
    if label_vocabulary.empty:
        raise UserError("label_vocabulary is empty: lower merge_labels.min_clips or the thresholds, and merge again")
    unpaired = sorted(set(clips) ^ set(labels))
    if unpaired:
        lacking = "labels" if unpaired[0] in clips else "clips"
        raise UserError(
            f"the shard {unpaired[0]} has no {lacking}: run the pipelines visual_label, audio_label and "
            "merge_labels again"
        )
    classes = label_vocabulary.sort_values("index")["name"].tolist()
    found = survey(clips, labels, len(classes))
    learnt = {
        modality: _embeddings(embeddings.get(modality, {}), labels, modality, weight)
        for modality, weight in params.stored_embeddings.items()
    }
    scored = _views(views, labels, params) if params.views_weight else None
    if not found["train"].clips:
        raise UserError("labels hold no labelled clip to train on: lower merge_labels.validation_fraction or min_clips")
    if not found["validation"].clips:
        raise UserError(
            "labels hold no labelled clip to validate on: raise merge_labels.validation_fraction, or add "
            "videos; the label report, which --pipelines=merge_labels writes, shows what was found"
        )

    least = 2 * params.devices * params.nodes * params.accumulate
    smallest = min(even_sizes(found["train"].clips, params.batch_size))
    if smallest < least:
        raise UserError(
            f"a batch of {smallest} of the {found['train'].clips} labelled clips to train on leaves less than 2 to "
            "each of train.devices x train.nodes x train.accumulate: lower these"
        )

    def stream(split: SplitName, groups: RowGroups) -> ClipStream:
        return ClipStream(
            clips=clips,
            labels=labels,
            embeddings=learnt,
            split=split,
            groups=groups,
            classes=len(classes),
            clip_s=params.clip_s,
            batch_size=params.batch_size,
            shuffle_buffer=params.shuffle_buffer,
            streams=params.streams,
            seed=params.seed,
            views=scored if split == "train" else None,
        )

    learnt_from = [clips, labels, *(of.shards for of in learnt.values()), *([scored.shards] if scored else [])]
    return TrainingData(
        stream("train", found["train"]),
        stream("validation", found["validation"].thinned(params.validation_clips, params.seed)),
        classes,
        _digest("\n".join(_fingerprints(key, *learnt_from) for key in sorted(labels))),
        _digest("\n".join(classes)),
        teacher,
    )


def _embeddings(stored: Shards, labels: Shards, modality: Modality, weight: str) -> Embeddings:
    """Those of one teacher, which the parameter `train.<weight>` has learnt."""
    missing = sorted(set(labels) - set(stored))
    if missing:
        raise UserError(
            f"train.{weight} is set, but {DATASETS[modality]} has no shard {missing[0]}: run the pipeline "
            f"{modality}_label with {modality}_label.embeddings set to true, or set train.{weight} to 0"
        )
    embeddings = Embeddings({key: stored[key] for key in labels}, modality)
    if not embeddings.size:
        raise UserError(f"train.{weight} is set, but no clip has frames: set it to 0, or add videos with pictures")
    return embeddings


def _views(stored: Shards, labels: Shards, params: TrainParams) -> Views:
    missing = sorted(set(labels) - set(stored))
    if missing:
        raise UserError(
            f"train.views_weight is set, but teacher_views has no shard {missing[0]}: {REMEDY}, or set "
            "train.views_weight to 0"
        )
    views = Views({key: stored[key] for key in labels})
    if views.plan.clip_s != params.clip_s:
        raise UserError(
            f"train.clip_s is {params.clip_s}, but the views of teacher_views are {views.plan.clip_s} s long: set "
            "train.clip_s or audio_label.views.clip_s to the other's value; the latter has the pipeline audio_label "
            "score them again"
        )
    if params.embedding_weight and not views.plan.embedding_size:
        raise UserError(
            "train.embedding_weight and train.views_weight are set, but teacher_views holds no embeddings: run the "
            "pipeline audio_label again, with audio_label.embeddings set to true, or set train.embedding_weight to 0"
        )
    return views


def _fingerprints(key: str, *shards: Shards) -> str:
    return " ".join([key, *(kind[key].fingerprint for kind in shards)])


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
