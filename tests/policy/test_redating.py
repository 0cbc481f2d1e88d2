"""Guards what a person's order makes of a date, and that only a date which cannot be true is refused."""

from dataclasses import replace
from datetime import timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from mediad.errors import Refused
from mediad.model import (
    Asset,
    AssetId,
    Captured,
    CloudRef,
    Inspection,
    Kind,
    Media,
    Original,
    OriginalId,
    Remote,
    Role,
    SiteKey,
)
from mediad.policy.dates import confidence
from mediad.policy.redating import From, Order, redated

NOW = 1_800_000_000_000  # January 2027
UTC = timezone.utc  # noqa: UP017 - a tzinfo, as an order has it
EXIF = Captured("2024-07-14T18:03:22", "+02:00", "exif", 1_720_973_002_000)
SIDECAR = Captured("2019-01-01T12:00:00", "+00:00", "sidecar", 1_546_344_000_000)


def original(name: str, role: Role = Role.PRIMARY, captured: Captured | None = None) -> Original:
    seen = Inspection(Media.JPEG, captured=captured)
    return Original(
        OriginalId(len(name)),
        role,
        name,
        SiteKey(name),
        SiteKey(name),
        1,
        1_500_000_000 * 10**9,
        None,
        seen,
    )


ASSET = Asset(
    AssetId(1),
    "IMG_1.JPG",
    Kind.PHOTO,
    "folder",
    1,
    (original("IMG_1.JPG", captured=EXIF),),
    captured=EXIF,
)
NAMED = replace(ASSET, originals=(original("PXL_20210102_030405678.jpg"),))
WITH_SIDECAR = replace(
    ASSET, originals=(*ASSET.originals, original("IMG_1.XMP", Role.SIDECAR, SIDECAR))
)
REMOTE = Remote(CloudRef("z", "r"), "m", "t", "IMG_1.JPG", 1_600_000_000_000, 1, offset_s=-7 * 3600)


def told(asset: Asset, **said: object) -> tuple[str, str]:
    found = redated(asset, Order("test", **said), NOW, UTC)  # type: ignore[arg-type]
    assert found.source == "person"
    assert confidence(found) == "sure"
    return found.local, found.offset


def test_a_clock_that_was_wrong_is_shifted_and_keeps_its_zone() -> None:
    assert told(ASSET, shift=timedelta(hours=-19)) == ("2024-07-13T23:03:22", "+02:00")


def test_a_zone_is_given_to_the_clock_on_the_wall() -> None:
    assert told(ASSET, zone=timezone(timedelta(hours=9))) == ("2024-07-14T18:03:22", "+09:00")
    winter = replace(ASSET, captured=replace(EXIF, local="2024-01-14T18:03:22", offset=""))
    assert told(winter, zone=ZoneInfo("Europe/Rome")) == ("2024-01-14T18:03:22", "+01:00")
    assert told(ASSET, zone=ZoneInfo("Europe/Rome")) == ("2024-07-14T18:03:22", "+02:00")


def test_an_instant_is_told_in_another_zone() -> None:
    assert told(ASSET, in_zone=ZoneInfo("Pacific/Auckland")) == ("2024-07-15T04:03:22", "+12:00")


def test_the_instant_stays_with_its_zone() -> None:
    found = redated(ASSET, Order("test", in_zone=ZoneInfo("Asia/Tokyo")), NOW, UTC)
    assert found.at == EXIF.at


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("1994-12-24", ("1994-12-24T18:03:22", "+02:00")),
        ("1994-12-24T17:00:00", ("1994-12-24T17:00:00", "+02:00")),
        ("1994-12-24 17:00:00-05:00", ("1994-12-24T17:00:00", "-05:00")),
        ("1890-05-01", ("1890-05-01T18:03:22", "+02:00")),
    ],
)
def test_a_date_is_given(text: str, found: tuple[str, str]) -> None:
    assert told(ASSET, to=text) == found


def test_a_date_is_given_where_none_was_known() -> None:
    assert told(replace(ASSET, captured=None), to="1994-12-24") == ("1994-12-24T12:00:00", "")


@pytest.mark.parametrize(
    ("asset", "take", "found"),
    [
        (NAMED, From.NAME, ("2021-01-02T03:04:05.678", "+00:00")),
        (WITH_SIDECAR, From.SIDECAR, ("2019-01-01T12:00:00", "+00:00")),
        (ASSET, From.MTIME, ("2017-07-14T02:40:00", "+00:00")),
        (replace(ASSET, remote=REMOTE), From.CLOUD, ("2020-09-13T05:26:40", "-07:00")),
    ],
)
def test_somebody_elses_word_is_taken(asset: Asset, take: From, found: tuple[str, str]) -> None:
    assert told(asset, take=take) == found


def test_what_the_file_says_takes_a_persons_word_back() -> None:
    decided = replace(ASSET, captured=Captured("1994-12-24T18:00:00", "", "person", 1))
    assert redated(decided, Order("test", take=From.FILE), NOW, UTC) == EXIF


@pytest.mark.parametrize(
    ("asset", "said"),
    [
        (replace(ASSET, captured=None), {"shift": timedelta(1)}),
        (ASSET, {"to": "yesterday"}),
        (ASSET, {"to": "2024-13-01"}),
        (ASSET, {"to": "2743924-01-01"}),
        (ASSET, {"to": "2100-01-01"}),
        (ASSET, {"to": "1970-01-01"}),
        (ASSET, {"shift": timedelta(days=40_000)}),
        (ASSET, {"shift": timedelta(days=-800_000)}),
        (ASSET, {"take": From.NAME}),
        (ASSET, {"take": From.SIDECAR}),
        (ASSET, {"take": From.CLOUD}),
        (ASSET, {}),
    ],
)
def test_what_gives_no_date_that_can_be_true_is_refused(
    asset: Asset, said: dict[str, object]
) -> None:
    with pytest.raises(Refused) as refused:
        redated(asset, Order("test", **said), NOW, UTC)  # type: ignore[arg-type]
    assert refused.value.code == "dates.invalid"
