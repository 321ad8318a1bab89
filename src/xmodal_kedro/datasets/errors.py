"""Errors of datasets that a user can put right."""

from __future__ import annotations

from kedro.io import DatasetError

from xmodal_kedro.errors import UserError


class DataError(UserError, DatasetError):
    """Data that is missing, not whole or not what it should be; the message names it, and the remedy."""
