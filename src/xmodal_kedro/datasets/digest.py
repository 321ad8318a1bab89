"""The digest of a text, which costs no import of a large library."""

from __future__ import annotations

import hashlib


def digest(text: str) -> str:
    """32 hex digits of a text."""
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
