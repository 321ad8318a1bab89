"""The faults of the matrix, and the stages in which each is tried."""

from __future__ import annotations

from typing import NamedTuple

LINE = ("ingest", "clip", "visual_label", "audio_label", "merge_labels", "label_check", "train", "transfer_eval")
STAGES = ("sample", *LINE, "embed", "adapt", "compare")
BESIDE = ("embed", "adapt", "compare")
DECODING = ("ingest", "clip", "embed")
WITH_WORKERS = ("sample", *LINE[:5], "transfer_eval", "adapt", "compare")
FETCHING = ("ingest", "clip", "visual_label", "audio_label", "transfer_eval", *BESIDE)
WITH_ARTIFACTS = ("merge_labels", "label_check", "train", "transfer_eval", *BESIDE)


class Fault(NamedTuple):
    """A fault, where it happens, in which stages it is tried, and why in no other: a letter of `WHY_NOT`."""

    name: str
    storage: str
    stages: tuple[str, ...]
    why_not: str = ""


WHY_NOT = {
    "a": "it has no workers: its work is done in the driver",
    "b": "it starts no decoder",
    "c": "it copies no recording, sound or teacher into `TMPDIR`",
    "d": "it logs no artifact",
    "e": "it was tried on a local disk, and stores its results by the code by which other stages of this row do",
}
FAULTS = (
    Fault("driver killed", "local", STAGES),
    *(Fault("driver killed", storage, LINE, "e") for storage in ("S3", "Dask")),
    *(Fault("worker killed", storage, WITH_WORKERS, "a") for storage in ("local", "Dask")),
    *(Fault("decoder killed", storage, DECODING, "b") for storage in ("local", "Dask")),
    Fault("decoder not started", "local", DECODING, "b"),
    Fault("data_root full", "local", STAGES),
    Fault("TMPDIR full", "S3", FETCHING, "c"),
    Fault("artifacts full", "local", WITH_ARTIFACTS, "d"),
    Fault("read-only", "local", STAGES),
    *(Fault(f"storage {kind}", "S3", LINE, "e") for kind in ("fails once", "fails always")),
    Fault("storage stalls", "S3", ("sample", *LINE), "e"),
)
SHOWS = {"TMPDIR full": "TMPDIR", "artifacts full": "No space left on device", "read-only": "Read-only file system"}
"""What a run says that has come to a fault which was there before it began."""
