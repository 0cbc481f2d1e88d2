"""Guards that a self-test arms nothing but the parts that it went through."""

from pathlib import Path
from typing import Any

import pytest

from mediad.config import Settings
from mediad.policy.selftest import detail, fault_of, words_of
from mediad.ports import SelfTest

ROOT = Path("/srv/mediad")


def settings(**sections: dict[str, Any]) -> Settings:
    return Settings.model_validate({"root": ROOT, **sections})


def green(under: Settings) -> SelfTest:
    return SelfTest(5, ok=True, detail=detail(under, "archive, library"))


def test_a_green_one_counts_under_the_same_configuration() -> None:
    now = settings()
    assert fault_of(green(now), now) == ""
    assert words_of(green(now)) == "archive, library"


def test_without_one_and_with_a_red_one_nothing_is_armed() -> None:
    now = settings()
    red = SelfTest(5, ok=False, detail=detail(now, "the archive is full"))
    assert "ever" in fault_of(None, now)
    assert "the archive is full" in fault_of(red, now)
    assert fault_of(SelfTest(5, ok=True, detail=""), now)


@pytest.mark.parametrize(
    "change",
    [
        {"folders": {"nas_archive": "/mnt/other"}},
        {"folders": {"library": "/mnt/other"}},
        {"archive": {"enabled": False}},
        {"syncthing": {"url": "http://127.0.0.1:8385"}},
        {"phone": {"enabled": False}},
        {"icloud": {"username": "other@example.com"}},
        {"icloud": {"gateway": "http://127.0.0.1:9"}},
        {"icloud": {"domain": "cn"}},
        {"icloud": {"album": "Elsewhere"}},
    ],
)
def test_other_parts_want_another_one(change: dict[str, dict[str, Any]]) -> None:
    assert "other parts" in fault_of(green(settings()), settings(**change))


def test_what_leads_to_no_other_part_keeps_it() -> None:
    assert (
        fault_of(green(settings()), settings(safety={"armed": True}, log={"level": "debug"})) == ""
    )
