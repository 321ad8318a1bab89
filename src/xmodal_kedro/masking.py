"""Keeps secrets out of texts: logs, errors, tables, reports, and what is tracked.

`masked` removes the user part and the secret values of the query of every URL in a text, and every secret that
`remember` knows. Names of recordings are made with it, so that what is derived from them holds no secret either.
"""

from __future__ import annotations

import base64
import logging
import os
import re
import sys
import traceback
from collections.abc import Mapping
from types import TracebackType
from typing import Any
from urllib.parse import quote, quote_plus, unquote

MASK = "***"
MIN_LENGTH = 4
"""Shorter secrets are not looked for in texts, where they would replace parts of words."""
MIN_LENGTH_OF_VARIABLE = 8
"""As `MIN_LENGTH`, for variables of the environment, whose names only suggest that they hold a secret."""
SECRET_NAME = re.compile(
    r"(?i)pass|secret|token|credential|api_?key|access_?key|account_?key|auth(?!or(?!i[sz]))|cookie|^key$|header|sig$"
    r"|signature"
)
"""Names of fields and variables that hold secrets. An author is none."""
HARMLESS = frozenset(
    {
        "id",
        "file",
        "filename",
        "name",
        "path",
        "v",
        "ver",
        "version",
        "versionid",
        "generation",
        "download",
        "dl",
        "raw",
    }
    | {"format", "type", "page", "part", "alt", "lang", "index", "start", "end", "t", "rate", "quality", "size"}
)
"""Parameters of a query that stay readable. Any other value may be a secret."""
KEYS_OF_STORES = ("s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "hdfs", "sftp", "file", "local", "memory")
"""Protocols whose names may hold a question mark, so that what follows is no query unless it looks like a secret."""

_URL = re.compile(r"\b([a-z][a-z0-9+.-]*)://([^\s'\"<>\\`|]*[^\s'\"<>\\`|:,.;)])", re.IGNORECASE)
"""A URL in a text, without what may be punctuation at its end."""
_WHOLE_URL = re.compile(r"\b([a-z][a-z0-9+.-]*)://(.*)", re.IGNORECASE | re.DOTALL)
_USER = re.compile(r"[^/?#]*@|[^/?#@:]*:(?!\d{0,5}(?:[/?#,;)]|$)).*@", re.DOTALL)
"""The user part; also with a password that holds slashes, which some drivers take."""
_USER_WITHOUT_PROTOCOL = re.compile(r"(?<![\w:/])//[^\s/@:'\"]+:[^\s/@'\"]+@")
"""As in `//user:password@host/a.mp4`, which a page or a manifest may say for the protocol at hand."""
_PATH_PARAMETER = re.compile(r"(?<=;)([^=;/]+)(=)([^;/]*)")
"""As in `/a.mp4;jsessionid=...`."""
_PAIR = re.compile(r"([^=&;?#]*)(=?)([^&;?#]*)")


class Secrets:
    """Secrets that are looked for in texts, in time that depends on the text and not on how many there are.

    A manifest may name each of its recordings with another signature. So a secret is found by its first `MIN_LENGTH`
    characters, and then among those of one length.
    """

    def __init__(self) -> None:
        self._known: dict[str, dict[int, set[str]]] = {}

    def add(self, secret: str) -> None:
        """Look for a text of at least `MIN_LENGTH` characters too."""
        self._known.setdefault(secret[:MIN_LENGTH], {}).setdefault(len(secret), set()).add(secret)

    def __contains__(self, secret: str) -> bool:
        return secret in self._known.get(secret[:MIN_LENGTH], {}).get(len(secret), ())

    def hidden(self, text: str) -> str:
        """The text with `MASK` in place of secrets; of several that begin at one character, the longest."""
        if not self._known:
            return text
        kept, at, begin = [], 0, 0
        while at <= len(text) - MIN_LENGTH:
            lengths = self._known.get(text[at : at + MIN_LENGTH], {})
            length = next((each for each in sorted(lengths, reverse=True) if text[at : at + each] in lengths[each]), 0)
            if length:
                kept += [text[begin:at], MASK]
                begin = at + length
            at += length or 1
        return "".join([*kept, text[begin:]]) if kept else text


_secrets = Secrets()
_of_the_user = Secrets()
"""Those of `_secrets` that configuration and environment give, and no address of a manifest."""


def masked(text: str) -> str:
    """A text without secrets; equal to it if it holds none."""
    if "//" in text:
        text = _USER_WITHOUT_PROTOCOL.sub(f"//{MASK}@", _URL.sub(_masked_url, text))
    return _secrets.hidden(text)


def masked_value(value: str) -> str:
    """As `masked`, of one address or argument, whose URL goes to the end, also across spaces and quotes."""
    value = _without_secret_parts(value)
    return _secrets.hidden(value)


def masked_name(address: str) -> str:
    """As `masked_value`, but the same whatever other addresses a manifest holds: what identifies a recording."""
    address = _without_secret_parts(address)
    return _of_the_user.hidden(address)


def masked_all(value: Any) -> Any:
    """A JSON-able value with every text in it masked, each by `masked_value`."""
    if isinstance(value, str):
        return masked_value(value)
    if isinstance(value, Mapping):
        return {name: masked_all(each) for name, each in value.items()}
    return type(value)(map(masked_all, value)) if type(value) in (list, tuple) else value


def remember(value: Any, *, secret: bool = False, min_length: int = MIN_LENGTH, in_names: bool = True) -> None:
    """Mask secrets in texts from now on, in this process.

    Args:
        value: a text, or mappings and lists of texts: those whose name says so are secrets, and the passwords of URLs.
        secret: whether every text in it is a secret.
        min_length: of what is looked for.
        in_names: whether it is looked for in names of recordings too. A password in a row of a manifest is not: the
            name of `http://host/data/a.wav` must not depend on whether the password of another row is `data`.
    """
    options: dict[str, Any] = {"min_length": min_length, "in_names": in_names}
    if isinstance(value, Mapping):
        for name, each in value.items():
            if name == "auth" and isinstance(each, list | tuple) and len(each) == 2:
                each = each[1]  # of a user name and a password: a name such as `data` would be masked in every path
            remember(each, secret=secret or bool(SECRET_NAME.search(str(name))), **options)
    elif isinstance(value, list | tuple):
        for each in value:
            remember(each, secret=secret, **options)
    elif isinstance(value, str):
        _add({value} if secret else _secrets_of_url(value), **options)


def remember_environment() -> None:
    """Remember what variables of the environment hold by their names, and passwords of URLs in them."""
    remember(dict(os.environ), min_length=MIN_LENGTH_OF_VARIABLE)


def mask_logs() -> None:
    """Mask every log record and every traceback that ends this process, whoever writes it."""
    make = logging.getLogRecordFactory()
    if not getattr(make, "masks", False):

        def make_masked(*args: Any, **options: Any) -> logging.LogRecord:
            return _masked_record(make(*args, **options))

        make_masked.masks = True  # type: ignore[attr-defined]
        logging.setLogRecordFactory(make_masked)
    if not getattr(sys.excepthook, "masks", False):
        _print_masked.masks = True  # type: ignore[attr-defined]
        sys.excepthook = _print_masked


def _masked_record(record: logging.LogRecord) -> logging.LogRecord:
    try:
        text = record.getMessage()
    except Exception:  # a wrong format is reported by the handler
        return record
    if (clean := masked(text)) != text:
        record.msg, record.args = clean, ()
    if record.exc_info and record.exc_info[0] is not None and not record.exc_text:
        text = "".join(traceback.format_exception(*record.exc_info)).rstrip("\n")
        if (clean := masked(text)) != text:
            record.exc_text = clean
    return record


def _print_masked(kind: type[BaseException], error: BaseException, where: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, where)
        return
    sys.stderr.write(masked("".join(traceback.format_exception(kind, error, where))))


def _without_secret_parts(address: str) -> str:
    if "//" not in address:
        return address
    return _USER_WITHOUT_PROTOCOL.sub(f"//{MASK}@", _WHOLE_URL.sub(_masked_url, address))


def _masked_url(found: re.Match[str]) -> str:
    scheme, rest = found[1], found[2]
    if user := _USER.match(rest):
        rest = f"{MASK}@{rest[user.end() :]}"
    stores = scheme.lower() in KEYS_OF_STORES
    place, mark, query = rest.partition("?")
    if not stores:
        place = _PATH_PARAMETER.sub(_masked_pair, place)
        rest = f"{place}{mark}{query}"
    if mark and query:
        rest = f"{place}?{_PAIR.sub(_masked_key if stores else _masked_pair, query)}"
    elif "#" in rest and "=" in rest.partition("#")[2] and not stores:
        place, _, fragment = rest.partition("#")
        rest = f"{place}#{_PAIR.sub(_masked_pair, fragment)}"
    return f"{scheme}://{rest}"


def _masked_pair(found: re.Match[str]) -> str:
    name, equals, value = found.groups()
    if not equals:
        return name if not name or name.lower() in HARMLESS else MASK
    return found[0] if not value or unquote(name).lower() in HARMLESS else f"{name}={MASK}"


def _masked_key(found: re.Match[str]) -> str:
    name, equals, value = found.groups()
    return f"{name}={MASK}" if equals and value and SECRET_NAME.search(unquote(name)) else found[0]


def _secrets_of_url(text: str) -> set[str]:
    found = _WHOLE_URL.search(text)
    if not found:
        return set()
    secrets: set[str] = set()
    if user := _USER.match(found[2]):
        written = user[0][:-1]
        name, colon, password = written.partition(":")
        secrets |= {written, password, unquote(password)} if colon else {name}
        secrets.add(base64.b64encode(unquote(written).encode()).decode())
    for name, _, value in (pair.partition("=") for pair in re.split("[&;]", found[2].partition("?")[2])):
        if value and SECRET_NAME.search(unquote(name)):
            secrets |= {value, unquote(value)}
    return secrets


def _add(secrets: set[str], min_length: int, in_names: bool) -> None:
    for known in (_secrets, _of_the_user) if in_names else (_secrets,):
        for secret in secrets:
            if len(secret) >= min_length and secret not in known:
                for written in (secret, quote(secret), quote(secret, safe=""), quote_plus(secret), repr(secret)[1:-1]):
                    known.add(written)
