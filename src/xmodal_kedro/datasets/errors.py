"""Errors of datasets that a user can correct."""

from __future__ import annotations

from kedro.io import DatasetError

from xmodal_kedro.errors import UserError


class DataError(UserError, DatasetError):
    """Data is missing, incomplete or invalid. The message names it and the remedy."""
