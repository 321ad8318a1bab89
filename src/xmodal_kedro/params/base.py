"""The base of all typed parameters."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError


class Params(BaseModel):
    """Base: immutable, unknown fields are errors, field texts are kept as descriptions.

    Attributes:
        NOT_IN_IDENTITY: fields that change the speed of the work or how it is divided, but no result.
        ADDED: fields that were added after results had been stored, with the value that gives the same results as
            before. A field at that value is left out of the identity, so that an upgrade leaves stored results valid.
    """

    NOT_IN_IDENTITY: ClassVar[frozenset[str]] = frozenset()
    ADDED: ClassVar[dict[str, Any]] = {}

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)

    @classmethod
    def model_validate(cls, obj: Any, **options: Any) -> Self:
        """Validate `obj` and build the parameters from it.

        Raises:
            ValueError: with the name, the value and the constraint of each wrong field.
        """
        try:
            return super().model_validate(obj, **options)
        except ValidationError as error:
            raise ValueError("; ".join(map(_describe, error.errors()))) from None

    def identity(self) -> dict[str, Any]:
        """Fields that results depend on, by name, JSON-able. Equal identities give equal results of equal inputs."""
        values = self.model_dump(mode="json")
        return {
            name: value.identity() if isinstance(value, Params) else values[name]
            for name, value in self
            if name not in self.NOT_IN_IDENTITY and not (name in self.ADDED and _same(value, self.ADDED[name]))
        }

    def described(self) -> dict[str, Any]:
        """All fields by name, JSON-able, without those of `ADDED` that give the same results as before they were there.

        So what describes equal work stays equal through an upgrade.
        """
        values = self.model_dump(mode="json")
        return {
            name: values[name] for name, value in self if not (name in self.ADDED and _same(value, self.ADDED[name]))
        }


def _same(value: Any, other: Any) -> bool:
    """Whether two values of a field give the same results."""
    if isinstance(value, Params) and isinstance(other, Params):
        return value.identity() == other.identity()
    return bool(value == other)


def _describe(error: Any) -> str:
    field = ".".join(str(part) for part in error["loc"])
    message = str(error["msg"]).removeprefix("Value error, ")
    return f"{field} is {error['input']!r}: {message}" if field else message


class TimeLimit(Params):
    """Timeout of the decoder for one file. A file that hangs is given up, and the others go on."""

    timeout_s: float = Field(20.0, gt=0)
    """Timeout for one file, seconds. The time for its size is added to it: see `slowest_mb_per_s`."""
    slowest_mb_per_s: float = Field(1.0, gt=0)
    """Slowest decoding that is accepted, megabytes per second: the file's size over this is added to `timeout_s`."""

    def limit_s(self, size_bytes: int) -> float:
        """Timeout for a file of this size, seconds."""
        return self.timeout_s + size_bytes / 1e6 / self.slowest_mb_per_s
