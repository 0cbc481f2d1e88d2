"""The golden corpus of hard dates: each with the folder it must lie in, where its date comes from, and why."""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

import pytest

from mediad.model import (
    Captured,
    Claim,
    CloudRef,
    Inspection,
    Media,
    Original,
    OriginalId,
    Remote,
    Role,
    SiteKey,
)
from mediad.policy.dates import believe, cloud_claim, resolve

HOME = ZoneInfo("Europe/Berlin")
EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - UTC throughout
NOW = round((datetime(2026, 11, 21, 12) - EPOCH) / timedelta(milliseconds=1))  # noqa: DTZ001 - as above
FILE = re.compile(r"(?P<name>.+?)(?: \[(?P<claims>.*?)\])?(?: @(?P<mtime>[\d :.-]+))?")
ZONED = re.compile(r"(?P<text>.*?)(?: (?P<zone>[+-]\d\d:\d\d))?")


class Case(NamedTuple):
    why: str
    files: str
    cloud: str
    folder: str
    source: str
    reason: str


def cases() -> Iterator[Case]:
    text = (Path(__file__).parent / "date_corpus.txt").read_text("utf-8")
    for line in text.splitlines():
        if line and not line.startswith("#"):
            fields = [f.strip() for f in line.split("|")]
            yield Case(*(fields + [""] * 6)[:6])


CASES = list(cases())


def since_epoch(text: str) -> timedelta:
    return datetime.fromisoformat(text) - EPOCH


def original(nth: int, text: str) -> Original:
    """As the inspector makes it: the best claim inside the file, judged with its name as a witness."""
    said = FILE.fullmatch(text.strip())
    assert said is not None, text
    name = said["name"]
    claims = []
    for told in filter(None, (said["claims"] or "").split(";")):
        tag, _, value = told.strip().partition("=")
        claims.append(Claim(tag, value.removeprefix("~"), is_utc=value.startswith("~")))
    captured, note = believe(claims, now=NOW, name=name, home=HOME)
    is_sidecar = name.endswith((".json", ".xmp"))
    seen = Inspection(
        Media.SIDECAR if is_sidecar else Media.JPEG, captured=captured, date_note=note
    )
    role = Role.SIDECAR if is_sidecar else Role.EDITED if nth else Role.PRIMARY
    mtime = since_epoch(said["mtime"].strip() if said["mtime"] else "1970-01-01 00:00:00")
    mtime_ns = mtime // timedelta(microseconds=1) * 1000
    key = SiteKey(name)
    return Original(OriginalId(nth + 1), role, name, key, key, 1, mtime_ns, None, seen)


def cloud(text: str) -> Claim | None:
    if not text:
        return None
    said = ZONED.fullmatch(text)
    assert said is not None
    offset_s, local = None, since_epoch(said["text"])
    if zone := said["zone"]:
        sign = -1 if zone[0] == "-" else 1
        offset_s = sign * (int(zone[1:3]) * 3600 + int(zone[4:]) * 60)
    taken_at = local // timedelta(milliseconds=1) - 1000 * (offset_s or 0)
    return cloud_claim(Remote(CloudRef("z", "r"), "m", "t", "n", taken_at, 1, offset_s))


def resolved(case: Case) -> tuple[Captured | None, str]:
    originals = [original(n, f) for n, f in enumerate(case.files.split(" + "))]
    return resolve(originals, now=NOW, cloud=cloud(case.cloud), home=HOME)


def test_the_corpus_is_large_and_no_case_is_told_twice() -> None:
    assert len(CASES) >= 200
    assert len({c.why for c in CASES}) == len(CASES)


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.why)
def test_each_lies_under_the_day_of_its_place_and_says_why(case: Case) -> None:
    captured, note = resolved(case)
    if case.folder == "unknown":
        assert captured is None
        return
    assert captured is not None, note
    assert captured.local[:10].replace("-", "/") == case.folder, note
    assert f"{captured.source} {captured.offset}".strip() == case.source
    assert case.reason in note
    local = datetime.fromisoformat(captured.local)
    at = EPOCH + timedelta(milliseconds=captured.at)
    assert abs(local - at) <= timedelta(hours=14), "the instant is that of the place"
