"""Errors of the hub in one line, with the remedy."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager


@contextmanager
def one_line_errors(model_id: str, revision: str, commit: str, patterns: Sequence[str], folder: str) -> Iterator[None]:
    """Turn any error of the hub and its transport into one.

    Args:
        commit: that is recorded for the revision; empty if none is.
        folder: where the model was looked for first.

    Raises:
        FileNotFoundError: naming the searched places, the reason and the remedy.
    """
    try:
        yield
    except Exception as error:  # the hub's errors and those of its transport share no public base class
        from huggingface_hub import constants

        include = " ".join(f'--include "{pattern}"' for pattern in patterns)
        asked = f"revision {revision!r}" + (f", recorded as commit {commit}," if commit and commit != revision else "")
        reason, remedy = _reason(error)
        raise FileNotFoundError(
            f"no model {model_id!r}: {folder} has no such folder, {asked} is not in the hub's "
            f"cache ({constants.HF_HUB_CACHE}), and {reason}: {remedy}, or run `hf download {model_id} --revision "
            f"{commit or revision} {include} --local-dir {model_id}` where there is network, and put the folder "
            f"{model_id} into {folder}"
        ) from error


def _reason(error: Exception) -> tuple[str, str]:
    """What was wrong, and what to do."""
    from huggingface_hub.errors import (
        GatedRepoError,
        HFValidationError,
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    in_the_card = "correct weights or revision in the teacher's card"
    reasons = {
        GatedRepoError: (
            "its owner restricts who may download it",
            "ask for it on its page and run `hf auth login`, name another model under weights in the teacher's card",
        ),
        RepositoryNotFoundError: ("the hub has no such model", in_the_card),
        RevisionNotFoundError: ("the hub has no such revision", in_the_card),
        HFValidationError: ("it is not a valid model id of the hub", in_the_card),
        OfflineModeIsEnabled: ("HF_HUB_OFFLINE forbids requests to the hub", "unset it"),
    }
    for kind, found in reasons.items():
        if isinstance(error, kind):
            return found
    said = " ".join(str(error).split())[:200]
    failed = f"the download from the hub failed ({type(error).__name__}: {said})"
    return failed, "run again once it answers, as files that arrived whole are kept"
