"""Errors that are no fault of the code."""

from __future__ import annotations


class UserError(ValueError):
    """What a user can put right: the message names the file, field or step, and the remedy.

    `kedro run` ends with that message; the traceback comes where it is asked for.
    """


OF_THE_OUTSIDE = (UserError, OSError, MemoryError, FloatingPointError)
"""Errors that come of files, parameters, storage or the machine. All others may be faults of the code."""
