"""What a model on the hub weighs and is licensed as, and its download."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from xmodal_kedro.progress import ProgressBar
from xmodal_kedro.wording import counted

logger = logging.getLogger(__name__)

TIMEOUT_S = 5.0
"""Timeout of a request to the hub, seconds."""
PERMISSIVE = frozenset(
    {"apache-2.0", "mit", "bsd", "bsd-2-clause", "bsd-3-clause", "bsd-3-clause-clear", "isc", "zlib", "unlicense"}
    | {"cc0-1.0", "cc-by-2.0", "cc-by-2.5", "cc-by-3.0", "cc-by-4.0", "bsl-1.0", "ecl-2.0", "ncsa", "pddl", "wtfpl"}
)
"""Identifiers by which the hub names licences that allow any use, if need be with attribution."""


@dataclass(frozen=True)
class Offer:
    """A model as the hub offers it.

    Attributes:
        model_id: its id.
        revision: what was asked for.
        commit: 40 hex digits.
        licence: as its page states it; empty if it states none.
        is_gated: whether its owner decides who may download it.
        sizes_bytes: by the names of the files to fetch, weights last.
        page: address of its page.
    """

    model_id: str
    revision: str
    commit: str
    licence: str
    is_gated: bool
    sizes_bytes: dict[str, int]
    page: str


def offer_of(model_id: str, revision: str, patterns: Sequence[str]) -> Offer:
    """Ask the hub for a model's commit, licence and files. Errors are those of huggingface_hub."""
    from huggingface_hub import HfApi, constants

    hub = HfApi()
    info = hub.model_info(model_id, revision=revision, timeout=TIMEOUT_S, files_metadata=True)
    sizes_bytes = {file.rfilename: file.size for file in info.siblings or [] if file.size is not None}
    if not sizes_bytes:  # a mirror may leave them out
        listed = hub.list_repo_tree(model_id, revision=info.sha)
        sizes_bytes = {file.path: file.size for file in listed if hasattr(file, "size")}
    wanted = [name for name in sizes_bytes if "/" not in name and any(fnmatchcase(name, p) for p in patterns)]
    wanted.sort(key=lambda name: (name.endswith(".safetensors"), name))
    stated = (info.card_data.get("license") if info.card_data else None) or ""
    licence = stated if isinstance(stated, str) else ", ".join(map(str, stated))
    return Offer(
        model_id,
        revision,
        str(info.sha),
        licence,
        bool(info.gated),
        {name: sizes_bytes[name] for name in wanted},
        f"{constants.ENDPOINT}/{model_id}",
    )


def download(offer: Offer) -> list[Path]:
    """Log sizes and licence, then fetch the files into the hub's cache. What is there is not fetched again."""
    from huggingface_hub import hf_hub_download

    announce(offer)
    options: dict[str, Any] = {"revision": offer.commit, "etag_timeout": TIMEOUT_S, "tqdm_class": ProgressBar}
    files = [Path(hf_hub_download(offer.model_id, name, **options)) for name in offer.sizes_bytes]
    if offer.revision != offer.commit:
        _remember(offer)
    return files


def _remember(offer: Offer) -> None:
    """Note in the hub's cache which commit a branch or tag was, once all has arrived: later that needs no network."""
    from huggingface_hub import constants

    folder = Path(constants.HF_HUB_CACHE, f"models--{offer.model_id.replace('/', '--')}", "refs")
    reference = folder / offer.revision
    reference.parent.mkdir(parents=True, exist_ok=True)
    partial = reference.with_name(f"{reference.name}.{os.getpid()}.partial")
    partial.write_text(offer.commit)
    partial.replace(reference)


def announce(offer: Offer) -> None:
    """Log what is about to be fetched; warn of a licence that may restrict its use."""
    size_mb = sum(offer.sizes_bytes.values()) / 1e6
    logger.info(
        "fetching %s at commit %s: %.1f MB in %s, licence %s, from %s",
        offer.model_id,
        offer.commit,
        size_mb,
        counted(len(offer.sizes_bytes), "file"),
        offer.licence or "not stated",
        offer.page,
    )
    concerns = []
    if offer.licence not in PERMISSIVE:
        named = (
            f"its licence, {offer.licence}, may restrict" if offer.licence else "it states no licence, which restricts"
        )
        concerns.append(f"{named} the use of it, of its labels and of what learns from them")
    if offer.is_gated:
        concerns.append("its owner decides who may have it")
    if concerns:
        logger.warning("%s: %s; read %s", offer.model_id, ", and ".join(concerns), offer.page)
