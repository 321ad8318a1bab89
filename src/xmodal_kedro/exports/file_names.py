"""Names of exported files, after those of the recordings that they speak of."""

from __future__ import annotations

import hashlib
import re

MAX_PART_BYTES = 160
"""Of a folder or file. Storage takes 255, of which the suffix and the names of unfinished files need some."""
MAX_NAME_BYTES = 640
DIGEST_DIGITS = 24
RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\.|$)")
"""Names of devices, under which Windows has no files."""
UNSAFE = re.compile(r'[<>:"\\|?*%\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]')


def mirrored_name(uri: str, suffix: str) -> str:
    """The name of a recording's file: its own path with a suffix, safe on any storage, different for each recording.

    Folders stay folders. Characters that storage or a shell may take for something else are written as in URLs (`%3A`
    for a colon). So are parts that would lead elsewhere or be hidden, such as `..`: of an absolute path and a URL too,
    all files are below the folder. What is too long is cut, and has a digest at its end.

    Args:
        uri: as the tables have it.
        suffix: of the file, such as `.txt`.
    """
    *folders, file = uri.split("/")
    # A folder must not have the name of another recording's file.
    parts = [_not_ending(_safe(folder), suffix) for folder in folders] + [_safe(file) + suffix]
    name = "/".join(parts)
    if len(name.encode()) > MAX_NAME_BYTES:
        return f"%long/{_digest(uri)}{suffix}"
    return name


def _safe(part: str) -> str:
    if not part:
        return "%2F"
    safe = UNSAFE.sub(lambda found: _escaped(found[0]), part)
    if safe.startswith(".") or RESERVED.match(safe):
        safe = _escaped(safe[0]) + safe[1:]
    if safe[-1] in ". ":
        safe = safe[:-1] + _escaped(safe[-1])
    if len(safe.encode()) > MAX_PART_BYTES:
        room = MAX_PART_BYTES - DIGEST_DIGITS - 2
        return f"{safe.encode()[:room].decode(errors='ignore')}%~{_digest(part)}"
    return safe


def _not_ending(folder: str, suffix: str) -> str:
    return folder[:-1] + _escaped(folder[-1]) if folder.casefold().endswith(suffix.casefold()) else folder


def _escaped(character: str) -> str:
    return "".join(f"%{byte:02X}" for byte in character.encode(errors="surrogatepass"))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:DIGEST_DIGITS]
