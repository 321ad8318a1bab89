"""What datasets pass to nodes in place of bytes: lazy references to files, folders and shards.

A node never accesses storage. It receives these references, and returns callables that use them later, in the worker
that needs the bytes. All of them have a small pickle and a fingerprint of the content that they refer to.
"""

from .files import FileRef, Folder, Note, sha256_of
from .limits import DEFAULT_LIMITS, Limits
from .network import announced, limit_storage, network_fault, one_line, storage_limits
from .shards import PROVISIONAL_KEY, Checkpoints, DataFrame, LoadShard, ShardJob, ShardJobs, Shards
from .urls import SAFE_PROTOCOLS, WEB_PROTOCOLS, local_path, protocol_of, storage_of

__all__ = [
    "DEFAULT_LIMITS",
    "PROVISIONAL_KEY",
    "SAFE_PROTOCOLS",
    "WEB_PROTOCOLS",
    "Checkpoints",
    "DataFrame",
    "FileRef",
    "Folder",
    "Limits",
    "LoadShard",
    "Note",
    "ShardJob",
    "ShardJobs",
    "Shards",
    "announced",
    "limit_storage",
    "local_path",
    "network_fault",
    "one_line",
    "protocol_of",
    "sha256_of",
    "storage_limits",
    "storage_of",
]
