"""The tables of the project: Arrow types for what is stored, Pandera checks for what must hold.

Every table has a Pandera model, named in the catalog under `validator:`. A sharded table has an Arrow schema too, the
one that is stored; its model is named through `shard_checks.EachShard`, which checks each shard where it is made.
"""

from __future__ import annotations

from typing import Any

import pandera.pandas as pa_checks
import pyarrow as pa
from pandera.typing.pandas import Series

from xmodal_kedro.pcm import CLIP_SAMPLE_RATE_HZ
from xmodal_kedro.reasons import REASONS


class Table(pa_checks.DataFrameModel):
    """Base of the checks: exactly the named columns, in any order."""

    class Config:
        strict = True


class Videos(Table):
    """A source that can be used. One of sound alone has no `video_codec`, and its `width` and `height` are 0."""

    video_id: Series[str] = pa_checks.Field(unique=True, str_matches=r"^[0-9a-f]{32}$")
    uri: Series[str] = pa_checks.Field(unique=True)
    size_bytes: Series[int] = pa_checks.Field(gt=0)
    duration_s: Series[float] = pa_checks.Field(gt=0)
    fps: Series[float] = pa_checks.Field(ge=0)
    width: Series[int] = pa_checks.Field(ge=0)
    height: Series[int] = pa_checks.Field(ge=0)
    rotation_deg: Series[int] = pa_checks.Field(isin=[0, 90, 180, 270])
    video_codec: Series[str]
    audio_codec: Series[str]
    sample_rate_hz: Series[int] = pa_checks.Field(gt=0)
    channels: Series[int] = pa_checks.Field(gt=0)


class RejectedVideos(Table):
    """A source that `ingest` cannot use, and why."""

    uri: Series[str] = pa_checks.Field(unique=True)
    reason: Series[str] = pa_checks.Field(isin=list(REASONS))
    detail: Series[str]


class UnclippedVideos(Table):
    """A usable source of which `clip` could use nothing, and why."""

    video_id: Series[str] = pa_checks.Field(unique=True)
    uri: Series[str]
    reason: Series[str] = pa_checks.Field(isin=list(REASONS))
    detail: Series[str]


class CutShortVideos(Table):
    """A video that gave clips, but not to its end, and why."""

    video_id: Series[str] = pa_checks.Field(unique=True)
    uri: Series[str]
    reason: Series[str] = pa_checks.Field(isin=list(REASONS))
    detail: Series[str]


class Probes(Table):
    """What probing one source found: a usable video (`reason` empty) or why not."""

    uri: Series[str]
    reason: Series[str] = pa_checks.Field(isin=["", *REASONS])
    detail: Series[str]
    video_id: Series[str]
    size_bytes: Series[int]
    duration_s: Series[float]
    fps: Series[float]
    width: Series[int]
    height: Series[int]
    rotation_deg: Series[int]
    video_codec: Series[str]
    audio_codec: Series[str]
    sample_rate_hz: Series[int]
    channels: Series[int]


PROBES_ARROW = pa.schema(
    [
        ("uri", pa.string()),
        ("reason", pa.string()),
        ("detail", pa.string()),
        ("video_id", pa.string()),
        ("size_bytes", pa.int64()),
        ("duration_s", pa.float64()),
        ("fps", pa.float64()),
        ("width", pa.int64()),
        ("height", pa.int64()),
        ("rotation_deg", pa.int64()),
        ("video_codec", pa.string()),
        ("audio_codec", pa.string()),
        ("sample_rate_hz", pa.int64()),
        ("channels", pa.int64()),
    ]
)


class Clips(Table):
    """3-5 s of one video: 16 kHz mono sound and a few frames."""

    clip_id: Series[str] = pa_checks.Field(unique=True)
    video_id: Series[str]
    start_s: Series[float] = pa_checks.Field(ge=0)
    end_s: Series[float] = pa_checks.Field(gt=0)
    audio: Series[object]
    audio_rms_dbfs: Series[float] = pa_checks.Field(le=0.1)
    frames: Series[object]
    frame_times_s: Series[object]

    @pa_checks.dataframe_check(error="end_s must be after start_s")
    def spans_are_positive(cls, clips: Any) -> Any:
        return clips["end_s"] > clips["start_s"]

    @pa_checks.dataframe_check(error="audio must be 16 kHz 16-bit PCM as long as its span")
    def audio_fits_its_span(cls, clips: Any) -> Any:
        seconds = clips["audio"].map(len) / (2 * CLIP_SAMPLE_RATE_HZ)
        return (seconds - (clips["end_s"] - clips["start_s"])).abs() < 1e-3

    @pa_checks.dataframe_check(error="every frame must have its time")
    def frames_have_times(cls, clips: Any) -> Any:
        return clips["frames"].map(len) == clips["frame_times_s"].map(len)


CLIPS_ARROW = pa.schema(
    [
        ("clip_id", pa.string()),
        ("video_id", pa.string()),
        ("start_s", pa.float64()),
        ("end_s", pa.float64()),
        ("audio", pa.binary()),
        ("audio_rms_dbfs", pa.float64()),
        ("frames", pa.list_(pa.binary())),
        ("frame_times_s", pa.list_(pa.float64())),
    ]
)


class Signatures(Table):
    """What is left of one clip's sound and pictures after any re-encoding; see `duplicates.audio_fingerprint`."""

    clip_id: Series[str] = pa_checks.Field(unique=True)
    video_id: Series[str]
    first_word: Series[int] = pa_checks.Field(ge=0)
    words: Series[object]
    weak_bits: Series[object]
    picture_times_s: Series[object]
    picture_hashes: Series[object]

    @pa_checks.dataframe_check(error="every word must have its weak bits")
    def words_have_weak_bits(cls, signatures: Any) -> Any:
        return signatures["words"].map(len) == signatures["weak_bits"].map(len)

    @pa_checks.dataframe_check(error="every picture must have its time")
    def pictures_have_times(cls, signatures: Any) -> Any:
        return signatures["picture_hashes"].map(len) == signatures["picture_times_s"].map(len)


SIGNATURES_ARROW = pa.schema(
    [
        ("clip_id", pa.string()),
        ("video_id", pa.string()),
        ("first_word", pa.int64()),
        ("words", pa.list_(pa.uint32())),
        ("weak_bits", pa.list_(pa.uint16())),
        ("picture_times_s", pa.list_(pa.float64())),
        ("picture_hashes", pa.list_(pa.uint64())),
    ]
)


class NearDuplicates(Table):
    """A video that holds the same recording as another, such as its re-encoding."""

    video_id: Series[str] = pa_checks.Field(unique=True)
    group_id: Series[str]
    """The smallest `video_id` of its group."""
    uri: Series[str]
    matched_s: Series[float] = pa_checks.Field(gt=0)
    """Seconds of sound that agree with the group's video that agrees most."""
    picture_distance: Series[float] = pa_checks.Field(ge=0, le=64, nullable=True)
    """Mean bits, of 64, by which its pictures' hashes differ from that video's; null without pictures to compare."""

    @pa_checks.dataframe_check(error="every group must have two members, and be named after the smallest")
    def groups_have_their_name(cls, found: Any) -> Any:
        groups = found.groupby("group_id")["video_id"]
        return (groups.transform("size") > 1) & (groups.transform("min") == found["group_id"])


class TeacherLabels(Table):
    """One teacher's opinion of one clip about one of its classes."""

    clip_id: Series[str]
    label: Series[str]
    score: Series[pa_checks.Float32] = pa_checks.Field(ge=0, le=1)


TEACHER_LABELS_ARROW = pa.schema([("clip_id", pa.string()), ("label", pa.string()), ("score", pa.float32())])


class TeacherEmbeddings(Table):
    """A teacher's own embedding of a clip: mean, then maximum, over its windows."""

    clip_id: Series[str] = pa_checks.Field(unique=True)
    embedding: Series[object]
    """float16, little-endian."""


TEACHER_EMBEDDINGS_ARROW = pa.schema([("clip_id", pa.string()), ("embedding", pa.binary())])
EMBEDDING_SIZE_KEY = "embedding_size"
"""Metadata of a shard of `TeacherEmbeddings`: numbers of an embedding; 0 of a shard without clips."""


UNLABELLED_REASONS = ("no_picture", "below_min_score")
"""Why a clip has no label of a teacher: nothing to look at, or no score worth storing."""


class TeacherClasses(Table):
    """A class of a teacher, and a sound that it stands for; one row for each of its sounds, one where it has none."""

    label: Series[str]
    """As the teacher's labels have it."""
    sound: Series[str]
    """Name of the sound; empty where it makes none or that is not known. A class of an audio teacher is its own."""
    audioset_id: Series[str]
    """Of the sound in the AudioSet ontology; empty where not known."""
    silent: Series[bool]
    """Whether it is known to make no sound."""


class SoundOntology(Table):
    """A class of the AudioSet ontology."""

    audioset_id: Series[str] = pa_checks.Field(unique=True)
    name: Series[str]
    parents: Series[str]
    """`audioset_id` of its parents, joined by commas."""
    abstract: Series[bool]
    """Whether it only groups others and is no label of any sound."""


class CandidateClasses(Table):
    """A class that a training target may have, before anything is counted."""

    index: Series[int] = pa_checks.Field(ge=0, unique=True)
    name: Series[str] = pa_checks.Field(unique=True)
    audioset_id: Series[str]
    silent: Series[bool]
    stands_for: Series[str]
    """Indices of the candidates that are sounds of this one, joined by commas: itself, for a sound."""
    ancestors: Series[str]
    """Indices of the candidates above those in the ontology, joined by commas."""
    parents: Series[str]
    """`audioset_id` of its parents in the ontology, joined by commas; of a picture's class, those of its sounds."""


class LabelClasses(Table):
    """Which candidate a teacher's label becomes; a label of several sounds has several rows."""

    modality: Series[str] = pa_checks.Field(isin=["visual", "audio"])
    label: Series[str]
    index: Series[int] = pa_checks.Field(ge=0)


class LabelCounts(Table):
    """How often something occurs in some shards of labels: see `labelling.counts`."""

    what: Series[str] = pa_checks.Field(isin=["clips", "scores", "compared", "pair_clips", "pair_videos", "targets"])
    modality: Series[str] = pa_checks.Field(isin=["", "visual", "audio", "both"])
    first: Series[int] = pa_checks.Field(ge=0)
    second: Series[int] = pa_checks.Field(ge=0)
    count: Series[int] = pa_checks.Field(ge=0)


LABEL_COUNTS_ARROW = pa.schema(
    [
        ("what", pa.string()),
        ("modality", pa.string()),
        ("first", pa.int64()),
        ("second", pa.int64()),
        ("count", pa.int64()),
    ]
)


class ClassThresholds(Table):
    """From which score on a class of one modality counts."""

    modality: Series[str] = pa_checks.Field(isin=["visual", "audio"])
    index: Series[int] = pa_checks.Field(ge=0)
    """Of the candidate."""
    name: Series[str]
    clips: Series[int] = pa_checks.Field(ge=0)
    """Clips in which it is among the best labels over the modality's threshold..."""
    kept_clips: Series[int] = pa_checks.Field(ge=0)
    """...and those that are left under the limit of its rate."""
    cut: Series[int] = pa_checks.Field(ge=0)
    """First bin of `labelling.selection` that counts; 0 where the rate is no hindrance."""
    threshold: Series[float] = pa_checks.Field(ge=0, le=1)
    """Score at which that bin begins."""


class ClassAssociations(Table):
    """A visual and an audio class that occur together."""

    visual: Series[str]
    audio: Series[str]
    visual_index: Series[int] = pa_checks.Field(ge=0)
    audio_index: Series[int] = pa_checks.Field(ge=0)
    clips: Series[int] = pa_checks.Field(ge=0)
    videos: Series[int] = pa_checks.Field(ge=0)
    pmi: Series[float]
    """Pointwise mutual information over clips, bits."""
    support: Series[str] = pa_checks.Field(isin=["", "same", "ancestor", "association"])
    """Why one supports the other; empty where it does not."""


class DroppedClasses(Table):
    """A class that a teacher names and that is no class of the training target."""

    name: Series[str] = pa_checks.Field(unique=True)
    modality: Series[str] = pa_checks.Field(isin=["visual", "audio", "both"])
    clip_count: Series[int] = pa_checks.Field(ge=0)
    """Clips in which it is among the best labels over the threshold."""
    target_count: Series[int] = pa_checks.Field(ge=0)
    """Clips of which it would be a target."""
    reason: Series[str] = pa_checks.Field(isin=["silent", "over_rate", "not_agreed", "too_few_clips"])


class Labels(Table):
    """The training target of one clip."""

    clip_id: Series[str] = pa_checks.Field(unique=True)
    video_id: Series[str]
    split: Series[str] = pa_checks.Field(isin=["train", "validation"])
    targets: Series[object]
    weights: Series[object]

    @pa_checks.dataframe_check(error="every target must have its weight")
    def targets_have_weights(cls, labels: Any) -> Any:
        return labels["targets"].map(len) == labels["weights"].map(len)


LABELS_ARROW = pa.schema(
    [
        ("clip_id", pa.string()),
        ("video_id", pa.string()),
        ("split", pa.string()),
        ("targets", pa.list_(pa.int32())),
        ("weights", pa.list_(pa.float32())),
    ]
)


class LabelVocabulary(Table):
    """One class of the training target."""

    index: Series[int] = pa_checks.Field(ge=0, unique=True)
    name: Series[str] = pa_checks.Field(unique=True)
    modality: Series[str] = pa_checks.Field(isin=["visual", "audio", "both"])
    clip_count: Series[int] = pa_checks.Field(gt=0)
    audioset_id: Series[str]
    """In the AudioSet ontology; empty where not known."""
    parents: Series[str]
    """`audioset_id` of its parents in the ontology, joined by commas."""
    kept_share: Series[float] = pa_checks.Field(ge=0, le=1)
    """Share of its clips that are kept under the cap; 1 without one. `clip_count` is of those."""


class TrainingHistory(Table):
    """One epoch of training."""

    epoch: Series[int] = pa_checks.Field(ge=0, unique=True)
    train_loss: Series[float]
    validation_loss: Series[float]
    validation_map: Series[float] = pa_checks.Field(ge=0, le=1)
    learning_rate: Series[float] = pa_checks.Field(ge=0)


class BenchmarkSounds(Table):
    """A sound of a benchmark, decoded."""

    file: Series[str] = pa_checks.Field(unique=True)
    audio: Series[bytes]
    """int16 PCM, 16 kHz mono."""
    rms_dbfs: Series[float] = pa_checks.Field(le=0.1)


BENCHMARK_SOUNDS_ARROW = pa.schema([("file", pa.string()), ("audio", pa.binary()), ("rms_dbfs", pa.float64())])


class BenchmarkEmbeddings(Table):
    """What one representation makes of a benchmark's sound: lists of float32."""

    file: Series[str] = pa_checks.Field(unique=True)
    embedding: Series[object]
    scores: Series[object]
    """Of the classes of who listened; empty where nobody scores."""


BENCHMARK_EMBEDDINGS_ARROW = pa.schema(
    [("file", pa.string()), ("embedding", pa.list_(pa.float32())), ("scores", pa.list_(pa.float32()))]
)


class RecordingEmbeddings(Table):
    """What a trained network makes of a window of a recording."""

    uri: Series[str]
    """Name of the recording among the sources."""
    start_s: Series[float] = pa_checks.Field(ge=0)
    end_s: Series[float] = pa_checks.Field(gt=0)
    embedding: Series[object]
    tags: Series[object]
    """Classes with their probabilities, the most probable first."""


RECORDING_EMBEDDINGS_ARROW = pa.schema(
    [
        ("uri", pa.string()),
        ("start_s", pa.float64()),
        ("end_s", pa.float64()),
        ("embedding", pa.list_(pa.float32())),
        ("tags", pa.list_(pa.struct([("name", pa.string()), ("score", pa.float32())]))),
    ]
)


class UnheardRecordings(Table):
    """A recording that could not be embedded, or not to its end, and why."""

    uri: Series[str] = pa_checks.Field(unique=True)
    reason: Series[str] = pa_checks.Field(isin=list(REASONS))
    detail: Series[str]


PROTOCOLS = ["linear_probe", "fine_tune", "zero_shot"]
REPRESENTATIONS = ["pretrained", "random", "scratch", "log_mel", "teacher"]


class TransferResults(Table):
    """One fold of one benchmark."""

    benchmark: Series[str]
    model: Series[str]
    protocol: Series[str] = pa_checks.Field(isin=PROTOCOLS)
    representation: Series[str] = pa_checks.Field(isin=REPRESENTATIONS)
    """`pretrained`: of the trained network; others are what it is compared with."""
    fold: Series[int] = pa_checks.Field(ge=1)
    metric: Series[str]
    value: Series[float] = pa_checks.Field(ge=0, le=1)


class TransferPredictions(Table):
    """What one test clip of a benchmark was called."""

    protocol: Series[str] = pa_checks.Field(isin=PROTOCOLS)
    representation: Series[str] = pa_checks.Field(isin=REPRESENTATIONS)
    fold: Series[int] = pa_checks.Field(ge=1)
    file: Series[str]
    truth: Series[str]
    predicted: Series[str]


PREDICTIONS_ARROW = pa.schema(
    [(name, pa.int64() if name == "fold" else pa.string()) for name in TransferPredictions.to_schema().columns]
)


class TransferGains(Table):
    """How far the trained network is ahead of what it is compared with."""

    benchmark: Series[str]
    model: Series[str]
    protocol: Series[str] = pa_checks.Field(isin=PROTOCOLS)
    over: Series[str] = pa_checks.Field(isin=REPRESENTATIONS)
    metric: Series[str]
    gain: Series[float] = pa_checks.Field(ge=-1, le=1)
    """Mean over folds."""
    low: Series[float]
    high: Series[float]
    """Ends of its 95 % confidence interval."""
    p_value: Series[float] = pa_checks.Field(ge=0, le=1)
    """Of no gain, two-sided."""
    folds: Series[int] = pa_checks.Field(ge=1)


class RuleVocabularies(Table):
    """The label vocabularies of several rules of merging, as in `LabelVocabulary`."""

    rule: Series[str]
    index: Series[int] = pa_checks.Field(ge=0)
    name: Series[str]
    modality: Series[str] = pa_checks.Field(isin=["visual", "audio", "both"])
    clip_count: Series[int] = pa_checks.Field(gt=0)
    audioset_id: Series[str]
    parents: Series[str]
    kept_share: Series[float] = pa_checks.Field(ge=0, le=1)


class RulePredictions(Table):
    """What a probe called a test clip, on the embedding of a network trained on the labels of one rule."""

    rule: Series[str]
    """Of merging; `untrained` for the network at random initialisation."""
    seed: Series[int] = pa_checks.Field(ge=0)
    fold: Series[int] = pa_checks.Field(ge=1)
    file: Series[str]
    truth: Series[str]
    predicted: Series[str]


RULE_PREDICTIONS_ARROW = pa.schema(
    [(name, pa.int64() if name in ("seed", "fold") else pa.string()) for name in RulePredictions.to_schema().columns]
)


class RuleResults(Table):
    """One fold of one benchmark, after training on the labels of one rule from one seed."""

    rule: Series[str]
    seed: Series[int] = pa_checks.Field(ge=0)
    fold: Series[int] = pa_checks.Field(ge=1)
    metric: Series[str]
    value: Series[float] = pa_checks.Field(ge=0, le=1)


class RuleGains(Table):
    """How far one rule is ahead of another."""

    rule: Series[str]
    over: Series[str]
    metric: Series[str]
    gain: Series[float] = pa_checks.Field(ge=-1, le=1)
    """Mean over seeds and folds."""
    low: Series[float]
    high: Series[float]
    """Ends of its 95 % confidence interval, not adjusted for the number of pairs."""
    p_value: Series[float] = pa_checks.Field(ge=0, le=1)
    """Of no gain, two-sided, adjusted for the number of pairs (Holm)."""


class Truth(Table):
    """What is known to be heard and seen in a part of a recording; never shown to labelling or training.

    Several classes are joined by `|`; empty where there is none, null where it is not known.
    """

    uri: Series[str]
    start_s: Series[float] = pa_checks.Field(ge=0)
    end_s: Series[float] = pa_checks.Field(gt=0)
    """Infinite for the whole recording."""
    heard: Series[str] = pa_checks.Field(nullable=True)
    seen: Series[str] = pa_checks.Field(nullable=True)


class ClipTruth(Table):
    """What is known to be heard and seen in a clip, as in `Truth`."""

    shard: Series[str]
    """Key of its shard."""
    clip_id: Series[str] = pa_checks.Field(unique=True)
    video_id: Series[str]
    heard: Series[str] = pa_checks.Field(nullable=True)
    seen: Series[str] = pa_checks.Field(nullable=True)


class LabelQuality(Table):
    """How often labels are right, where the truth is known; see `labelling.check.quality`."""

    labels: Series[str] = pa_checks.Field(isin=["visual", "audio", "target"])
    """Whose: a teacher's, those that count when merging, or the training target's."""
    against: Series[str] = pa_checks.Field(isin=["heard", "seen"])
    """What they are held against."""
    match: Series[str] = pa_checks.Field(isin=["exact", "branch"])
    """Whether a label is right only if it is the true class, or also above or below it in the ontology."""
    average: Series[str] = pa_checks.Field(isin=["micro", "macro", "class"])
    """`micro` over all clips and labels, `macro` the mean over the classes that are true of some clip, or one class."""
    name: Series[str]
    """Of the class; empty for an average."""
    audioset_id: Series[str]
    clips: Series[int] = pa_checks.Field(ge=0)
    """Clips of which the class is true; of an average, those of which anything is."""
    labelled: Series[int] = pa_checks.Field(ge=0)
    """Clips that are labelled so; of an average, labels."""
    precision: Series[float] = pa_checks.Field(ge=0, le=1, nullable=True)
    recall: Series[float] = pa_checks.Field(ge=0, le=1, nullable=True)
    f1: Series[float] = pa_checks.Field(ge=0, le=1, nullable=True)
    average_precision: Series[float] = pa_checks.Field(ge=0, le=1, nullable=True)
    """Over the teacher's stored labels; of the macro average, mAP."""
    hit: Series[float] = pa_checks.Field(ge=0, le=1, nullable=True)
    """Share of clips with a right label that counts."""
    top1: Series[float] = pa_checks.Field(ge=0, le=1, nullable=True)
    """Share of clips whose best stored label is right..."""
    top5: Series[float] = pa_checks.Field(ge=0, le=1, nullable=True)
    """...and of those with a right one among the best five."""


class LabelReliability(Table):
    """A teacher's labels of one range of scores, and how many of them are right."""

    labels: Series[str] = pa_checks.Field(isin=["visual", "audio"])
    against: Series[str] = pa_checks.Field(isin=["heard", "seen"])
    match: Series[str] = pa_checks.Field(isin=["exact", "branch"])
    """As in `LabelQuality`."""
    bin: Series[int] = pa_checks.Field(ge=0, le=9)
    """Scores from `bin / 10` on."""
    labelled: Series[int] = pa_checks.Field(gt=0)
    """Labels in the bin."""
    mean_score: Series[float] = pa_checks.Field(ge=0, le=1)
    right: Series[float] = pa_checks.Field(ge=0, le=1)
    """Share of them that is right."""
