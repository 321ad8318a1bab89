"""Secrets are removed from texts, and nothing else is."""

from __future__ import annotations

import io
import logging
import re
import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xmodal_kedro import masking
from xmodal_kedro.masking import Secrets, mask_logs, masked, masked_all, masked_name, masked_value, remember

MARKER = "marker0of1a2secret"


@pytest.fixture(autouse=True)
def forgetting(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for known in ("_secrets", "_of_the_user"):
        monkeypatch.setattr(masking, known, Secrets())
    before = logging.getLogRecordFactory()
    yield
    logging.setLogRecordFactory(before)


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("at http://me:MARKER@host/a.mp4: gone", "at http://***@host/a.mp4: gone"),
        ("at http://host/a?b=MARKER: gone", "at http://host/a?b=***: gone"),
        ("http://MARKER@host/a@b.mp4", "http://***@host/a@b.mp4"),
        ("http://me:p@MARKER@host/a.mp4", "http://***@host/a.mp4"),
        ("postgresql://me:p/MARKER@host/db", "postgresql://***@host/db"),
        ("http://me:p?MARKER#x@host:80/a.mp4", "http://***@host:80/a.mp4"),
        ("https://host/a.mp4?X-Amz-Signature=MARKER&id=7", "https://host/a.mp4?X-Amz-Signature=***&id=7"),
        ("https://host/a.mp4?MARKER", "https://host/a.mp4?***"),
        ("https://host/a.mp4#access_token=MARKER", "https://host/a.mp4#access_token=***"),
        ("url='https://host/?sig=MARKER', status=401", "url='https://host/?sig=***', status=401"),
        ("postgresql://host/db?password=MARKER", "postgresql://host/db?password=***"),
        ("s3://bucket/a.mp4?token=MARKER", "s3://bucket/a.mp4?token=***"),
        ("HTTP://me:MARKER@HOST/a", "HTTP://***@HOST/a"),
        ("https://host/a.mp4;jsessionid=MARKER?id=7", "https://host/a.mp4;jsessionid=***?id=7"),
        ("https://host/a;v=2;sid=MARKER/b.mp4", "https://host/a;v=2;sid=***/b.mp4"),
        ("at //me:MARKER@host/a.mp4", "at //***@host/a.mp4"),
    ],
)
def test_the_secret_parts_of_a_url_are_masked(text: str, clean: str) -> None:
    assert masked(text.replace("MARKER", MARKER)) == clean
    assert masked(clean) == clean


@pytest.mark.parametrize(
    "text",
    [
        "http://host:8080/a@b.mp4?id=7&name=x",
        "s3://bucket/2024-0?/*.mp4",
        "s3://bucket/why?.mp4",
        "file:///data/a@b?c=d.mp4",
        "gs://bucket/a:b@c.mp4",
        "/data/a::b@c.mp4",
        "see https://example.org/page#part, line 3",
        "tcp://host:8786",
        "me@host",
        "//server/share/a:b@c.mp4",
        "/data//a/b:c@d.mp4",
        "https://host/a;b/c;v=2.mp4",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert masked(text) == text
    assert masked_value(text) == text


def test_an_address_may_hold_spaces_and_quotes() -> None:
    assert masked_value(f"http://me:a b'{MARKER}@host/a.mp4") == "http://***@host/a.mp4"
    assert masked_all({"a": [f"http://{MARKER}@host"], "b": (1, None)}) == {"a": ["http://***@host"], "b": (1, None)}


def test_what_is_remembered_is_found_however_it_is_written() -> None:
    odd = f"{MARKER}/+ é'"
    remember(
        {"s3": {"secret": odd, "endpoint_url": "https://store.example"}, "https": {"h": {"headers": {"X": "abcd"}}}}
    )
    remember(f"http://me:{MARKER}-2@host/x")
    for text in (odd, "marker0of1a2secret%2F%2B%20%C3%A9%27", f"{MARKER}-2", "abcd", repr({"x": odd})):
        assert MARKER not in masked(f"<{text}>") and "abcd" not in masked(text)
    assert masked("https://store.example") == "https://store.example"
    remember({"secret": "abc"})
    assert masked("abc") == "abc"  # would be found in words


def test_logs_and_their_tracebacks_are_masked() -> None:
    mask_logs()
    logger, stream = logging.getLogger("some.library"), io.StringIO()
    handler = logging.StreamHandler(stream)
    logger.addHandler(handler)
    try:
        raise ValueError(f"http://me:{MARKER}@host")
    except ValueError:
        logger.exception("cannot fetch %s", f"https://host/a?token={MARKER}")
    finally:
        logger.removeHandler(handler)
    assert MARKER not in stream.getvalue()
    assert "ValueError: http://***@host" in stream.getvalue()
    assert "https://host/a?token=***" in stream.getvalue()


WITHOUT_MARKS = st.text(
    st.characters(codec="ascii", exclude_characters="/?#@ \t\r\n\x0b\x0c'\"<>\\`|\x1c\x1d\x1e\x1f\x85")
)


@given(WITHOUT_MARKS, WITHOUT_MARKS)
def test_no_user_part_survives(user: str, password: str) -> None:
    shown = masked(f"x http://{user}:{password}{MARKER}@host/a.mp4 y")
    assert shown == "x http://***@host/a.mp4 y"


def test_the_user_name_beside_a_password_stays_readable() -> None:
    remember({"auth": ["data", MARKER]})
    assert masked(f"data/01_raw of {MARKER}") == "data/01_raw of ***"


def test_a_name_does_not_depend_on_the_passwords_of_other_addresses() -> None:
    remember("http://me:recordings@host/b.wav", in_names=False)
    assert masked_name("http://host/recordings/a.wav") == "http://host/recordings/a.wav"
    assert masked("it refuses recordings") == "it refuses ***"
    remember({"https": {"host": {"headers": {"X-Api-Key": MARKER}}}})
    assert masked_name(f"http://me:{MARKER}@host/{MARKER}/a.wav?token=x") == "http://***@host/***/a.wav?token=***"


@pytest.mark.parametrize(
    ("name", "is_secret"),
    [
        *(("GIT_AUTHOR_NAME", False), ("AUTHORS", False), ("Authorization", True), ("auth", True)),
        *(("BASIC_AUTH", True), ("AUTHORISATION", True), ("MY_PASSWORD", True), ("path", False)),
    ],
)
def test_names_of_variables_tell_secrets_from_authors(name: str, is_secret: bool) -> None:
    remember({name: "Ann of the recordings"})
    assert (masked("by Ann of the recordings") == "by ***") == is_secret


def test_the_longest_of_secrets_that_begin_alike_is_masked_whole() -> None:
    remember({"password": ["abcd", "abcdefgh", "abcdef"]})
    assert masked("abcd abcdef abcdefgh abcdefg xabcdx abc") == "*** *** *** ***g x***x abc"


@given(st.lists(st.text("abc", min_size=4, max_size=7), max_size=8), st.text("abc ", max_size=40))
def test_secrets_are_found_as_an_expression_of_all_would(secrets: list[str], text: str) -> None:
    known = Secrets()
    for secret in secrets:
        known.add(secret)
    longest_first = "|".join(sorted(secrets, key=len, reverse=True))
    assert known.hidden(text) == (re.sub(longest_first, "***", text) if secrets else text)


def test_a_signature_for_each_of_many_recordings_takes_seconds() -> None:
    """The time grows with the square of their number if each is looked for in turn."""
    began = time.monotonic()
    for number in range(20_000):
        uri = f"https://host/{number}.mp4?X-Amz-Credential=AKIA{number:09}&X-Amz-Signature={number * 7919:064x}"
        assert masked_value(uri) == f"https://host/{number}.mp4?X-Amz-Credential=***&X-Amz-Signature=***"
        remember(uri)
    assert masked(f"signed with {11 * 7919:064x}") == "signed with ***"
    assert time.monotonic() - began < 60
