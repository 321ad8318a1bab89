"""What all jobs over shards are given alike: pickled once, and unpickled once in each worker."""

from __future__ import annotations

import pickle
import zlib
from collections.abc import Callable
from dataclasses import fields
from functools import cached_property, lru_cache
from typing import Any

KEPT = 4
"""Objects that a worker remembers: those of one stage."""


class Shared:
    """Mixin for a frozen dataclass: whatever worker gets it often has one of it, with what that has worked out."""

    @cached_property
    def _packed(self) -> bytes:
        values = {field.name: getattr(self, field.name) for field in fields(self)}  # type: ignore[arg-type]
        return zlib.compress(pickle.dumps((type(self), values)))

    def __reduce__(self) -> tuple[Callable[[bytes], Any], tuple[bytes]]:
        return unpacked, (self._packed,)


@lru_cache(KEPT)
def unpacked(packed: bytes) -> Any:
    """The object, the same one for the same bytes."""
    made, values = pickle.loads(zlib.decompress(packed))
    return made(**values)
