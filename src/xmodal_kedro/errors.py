"""Errors that are not caused by the code."""

from __future__ import annotations


class UserError(ValueError):
    """An error that a user can correct: the message names the file, field or step, and the remedy.

    `kedro run` ends with that message. The traceback is shown only on request.
    """


OF_THE_OUTSIDE = (UserError, OSError, MemoryError, FloatingPointError)
"""Errors caused by files, parameters, storage or the machine. All others may be bugs."""
