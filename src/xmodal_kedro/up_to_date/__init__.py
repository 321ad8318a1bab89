"""The runner of `kedro run`: a node is not run again while nothing that its outputs depend on has changed.

What a node's outputs depend on is its inputs by content, its parameters, the configuration of its datasets, the code of
this package and the versions of the libraries under it. What it gave is noted beside the data, so that it is run again
too where an output was changed or removed. A node whose outputs live in memory alone is run when another one needs
them.
"""

from .notes import Notes
from .runner import UpToDateRunner

__all__ = ["Notes", "UpToDateRunner"]
