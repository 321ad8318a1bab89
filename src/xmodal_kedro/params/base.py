"""What all typed parameters have in common."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError


class Params(BaseModel):
    """Base: immutable, unknown fields are errors, field texts are kept as descriptions.

    Attributes:
        NOT_IN_IDENTITY: fields that change the pace of the work or how it is divided, and no result.
        ADDED: fields that came after results had been stored, with the value under which results are as before. At
            that value they do not count, so that an upgrade leaves stored results valid.
    """

    NOT_IN_IDENTITY: ClassVar[frozenset[str]] = frozenset()
    ADDED: ClassVar[dict[str, Any]] = {}

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)

    @classmethod
    def model_validate(cls, obj: Any, **options: Any) -> Self:
        """Check `obj` and make the parameters of it.

        Raises:
            ValueError: one line a wrong field: its name, what it is set to, and what it should be.
        """
        try:
            return super().model_validate(obj, **options)
        except ValidationError as error:
            raise ValueError("; ".join(map(_describe, error.errors()))) from None

    def identity(self) -> dict[str, Any]:
        """The fields that results depend on, by name, JSON-able: equal ones give equal results of equal inputs."""
        values = self.model_dump(mode="json")
        return {
            name: value.identity() if isinstance(value, Params) else values[name]
            for name, value in self
            if name not in self.NOT_IN_IDENTITY and not (name in self.ADDED and value == self.ADDED[name])
        }


def _describe(error: Any) -> str:
    field = ".".join(str(part) for part in error["loc"])
    message = str(error["msg"]).removeprefix("Value error, ")
    return f"{field} is {error['input']!r}: {message}" if field else message


class TimeLimit(Params):
    """How long a decoder may work on one file: a hang ends, and costs that file alone."""

    timeout_s: float = Field(20.0, gt=0)
    """Longest time for one file, seconds, and..."""
    slowest_mb_per_s: float = Field(1.0, gt=0)
    """...one more second for each so many megabytes of it."""

    def limit_s(self, size_bytes: int) -> float:
        """Seconds that a file of this size may take."""
        return self.timeout_s + size_bytes / 1e6 / self.slowest_mb_per_s
