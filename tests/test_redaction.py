"""Guards secrets and terminals: what may never be seen in a log, in any spelling."""

from pathlib import Path
from urllib.parse import quote

import pytest

from mediad.config import Settings
from mediad.config.redaction import Cleaner

PASSWORD = "p4ss/w0rd&more"  # noqa: S105 - a canary


@pytest.fixture
def clean() -> Cleaner:
    return Cleaner(
        Settings.model_validate(
            {
                "root": Path("/r"),
                "icloud": {"password": PASSWORD},
                "mirror": {"dsn": "postgresql://me:dsn-password@db/mediad"},
                "notify": {"urls": ["https://ntfy.example/topic-4711"]},
                "web": {"token": "abc"},
            }
        )
    )


@pytest.mark.parametrize(
    "text",
    [
        PASSWORD,
        f"login with {PASSWORD} failed",
        f"https://x/?p={quote(PASSWORD, safe='')}",
        "could not reach https://ntfy.example/topic-4711",
        "FATAL: dsn-password is wrong",
    ],
)
def test_a_known_secret_is_hidden_in_every_spelling(clean: Cleaner, text: str) -> None:
    shown = clean({"event": "x", "what": text, "deep": {"list": [text, (text,)]}})
    for canary in ("p4ss", "w0rd", "topic-4711", "dsn-password"):
        assert canary not in str(shown)
    assert "***" in shown["what"]


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("http://user:hunter22@host/x", "hunter22"),
        ("Authorization: Bearer abcdef0123456789", "abcdef0123456789"),
        ("X-API-Key: zyxwvu", "zyxwvu"),
        ("GET /x?token=qwertz&y=1", "qwertz"),
    ],
)
def test_what_looks_like_a_secret_is_hidden_unknown_as_it_is(
    clean: Cleaner, text: str, hidden: str
) -> None:
    assert hidden not in clean.text(text)


@pytest.mark.parametrize(
    "name", ["password", "api_key", "Authorization", "session_token", "Cookie"]
)
def test_a_field_named_like_a_secret_is_hidden(clean: Cleaner, name: str) -> None:
    assert clean({name: "value", "in": {name: 12}}) == {name: "***", "in": {name: "***"}}
    assert clean({name: "", "has": True}) == {name: "", "has": True}


def test_a_secret_shorter_than_a_word_does_not_eat_the_log(clean: Cleaner) -> None:
    assert clean.text("abc is an abcissa") == "abc is an abcissa"


def test_ordinary_values_stay_what_they_are(clean: Cleaner) -> None:
    event = {"n": 1, "x": 1.5, "yes": True, "none": None, "name": "Grüße 📷.jpg"}
    assert clean(event) == event
    assert clean({"path": Path("a"), "bytes": b"\xff"}) == {"path": "a", "bytes": r"\xff"}


def test_only_a_traceback_keeps_its_lines(clean: Cleaner) -> None:
    shown = clean({"exception": "a\n\tb\x1b", "name": "a\nb"})
    assert shown == {"exception": "a\n\tb\\x1b", "name": r"a\x0ab"}


def test_depth_is_bounded(clean: Cleaner) -> None:
    deep: list[object] = []
    deep.append(deep)
    assert clean({"deep": deep})
