"""Guards the day under which a picture is found: the right claim wins, absurd ones are refused with a reason."""

from dataclasses import replace
from datetime import timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediad.model import (
    Asset,
    AssetId,
    Captured,
    Claim,
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
from mediad.policy.dates import (
    PLACE,
    TRUST,
    believe,
    cloud_claim,
    confidence,
    confidence_of,
    offset,
    read,
    resolve,
)

NOW = 1_767_225_600_000  # 2026-01-01
BERLIN, TOKYO = ZoneInfo("Europe/Berlin"), ZoneInfo("Asia/Tokyo")


def believed(*claims: Claim, name: str = "", home: ZoneInfo = BERLIN) -> Captured:
    found, _ = believe(claims, now=NOW, name=name, home=home)
    assert found is not None
    return found


def test_the_order_of_trust_holds_whatever_order_the_claims_come_in() -> None:
    claims = [Claim(tag, f"{2000 + n}:06:15 12:00:00") for n, tag in enumerate(TRUST)]
    for first in range(len(TRUST)):
        found = believed(*reversed(claims[first:]))
        assert found.local.startswith(str(2000 + first)), TRUST[first]
        assert found.source == TRUST[first].partition(":")[0]


def test_the_shutter_speaks_before_the_scanner_with_zone_and_fraction() -> None:
    shot = Claim("exif:DateTimeOriginal", "2024:07:14 18:03:22", "+02:00", "045")
    found = believed(Claim("exif:CreateDate", "2025:01:01 00:00:00"), shot)
    assert found == Captured("2024-07-14T18:03:22.045", "+02:00", "exif", 1720973002045)


@pytest.mark.loss("DL9")
@pytest.mark.parametrize(
    ("claim", "reason"),
    [
        (Claim("exif:DateTimeOriginal", "0000:00:00 00:00:00"), "not a date"),
        (Claim("exif:DateTimeOriginal", "    :  :     :  :  "), "not a date"),
        (Claim("exif:DateTimeOriginal", "2024:02:30 12:00:00"), "not a date"),
        (Claim("quicktime:CreateDate", "1904-01-01 00:00:00", is_utc=True), "QuickTime's calendar"),
        (Claim("quicktime:CreateDate", "1946-02-03 00:00:00", is_utc=True), "digital camera"),
        (Claim("exif:DateTimeOriginal", "1970:01:01 00:00:00"), "Unix's calendar"),
        (Claim("exif:DateTimeOriginal", "1969:12:31 19:00:00"), "Unix's calendar"),
        (Claim("exif:DateTimeOriginal", "1980:01:01 00:00:00"), "without its battery"),
        (Claim("exif:DateTimeOriginal", "2000:01:01 00:00:31"), "camera's clock starts"),
        (Claim("exif:DateTimeOriginal", "2026:01:03 00:00:01"), "future"),
        (Claim("exif:DateTimeOriginal", "9999:12:31 23:59:59"), "future"),
        (Claim("xmp:CreateDate", "1700-01-01"), "photography"),
        (Claim("filename:day", "1965-07-04"), "digital camera"),
    ],
)
def test_a_clock_that_nobody_set_is_refused_with_the_reason(claim: Claim, reason: str) -> None:
    found, note = believe([claim], now=NOW)
    assert found is None
    assert reason in note
    assert claim.tag in note


def test_the_next_claim_speaks_when_the_best_is_absurd() -> None:
    found, note = believe(
        [Claim("exif:DateTimeOriginal", "1980:01:01 00:00:00"), Claim("exif:CreateDate", "2012:08:26 15:53:03")],
        now=NOW,
    )  # fmt: skip
    assert found is not None
    assert found.local == "2012-08-26T15:53:03"
    assert "1980:01:01" in note


@pytest.mark.parametrize("year", [1900, 1945, 1969, 1989, 2000])
def test_a_scanned_photograph_may_be_old(year: int) -> None:
    assert believed(Claim("exif:DateTimeOriginal", f"{year}:06:01 10:00:00")).local.startswith(
        str(year)
    )


@pytest.mark.loss("DL9")
@pytest.mark.parametrize(
    ("claim", "name", "home", "local", "zone"),
    [
        # Apple says wall clock and zone: the day is that of Tokyo, wherever the archive is
        (Claim("quicktime:CreationDate", "2025-01-01 08:06:46+0900"), "", BERLIN, "2025-01-01T08:06:46", "+09:00"),
        # an instant: the home zone, with the summer time of that day
        (Claim("quicktime:CreateDate", "2024-06-30 22:30:00", is_utc=True), "", BERLIN,
         "2024-07-01T00:30:00", "+02:00"),
        (Claim("quicktime:CreateDate", "2024-12-31 23:30:00", is_utc=True), "", BERLIN,
         "2025-01-01T00:30:00", "+01:00"),
        (Claim("quicktime:CreateDate", "2024-12-31 16:30:00", is_utc=True), "", TOKYO, "2025-01-01T01:30:00", "+09:00"),
        # the name of the file knows the wall clock, and with it the zone
        (Claim("quicktime:CreateDate", "2024-06-30 22:30:10", is_utc=True), "VID_20240630_153005.mp4", BERLIN,
         "2024-06-30T15:30:10", "-07:00"),
        (Claim("quicktime:CreateDate", "2024-06-30 22:30:10", is_utc=True), "VID_20240701_040005.mp4", BERLIN,
         "2024-07-01T04:00:10", "+05:30"),
        # a name of another moment is no witness
        (Claim("quicktime:CreateDate", "2024-06-30 22:30:10", is_utc=True), "VID_20200101_010101.mp4", BERLIN,
         "2024-07-01T00:30:10", "+02:00"),
        # a Pixel's name is UTC itself
        (Claim("filename:time", "2024-06-30 22:30:10", is_utc=True), "PXL_20240630_223010.jpg", BERLIN,
         "2024-07-01T00:30:10", "+02:00"),
        # a camera that writes local time as QuickTime's
        (Claim("quicktime:CreateDate", "2024-06-30 22:30:10"), "", BERLIN, "2024-06-30T22:30:10", ""),
    ],
)  # fmt: skip
def test_the_day_is_that_of_the_place(
    claim: Claim, name: str, home: ZoneInfo, local: str, zone: str
) -> None:
    found = believed(claim, name=name, home=home)
    assert (found.local, found.offset) == (local, zone)


def test_the_first_minute_of_the_millennium_is_no_camera_s_but_its_party_is_and_so_says_a_person() -> (
    None
):
    assert believed(Claim("exif:DateTimeOriginal", "2000:01:01 00:03:00")).local.startswith(
        "2000-01-01"
    )
    assert believed(Claim("sidecar:DateCreated", "2000-01-01")).local == "2000-01-01T12:00:00"
    assert believed(Claim("mtime:file", "2000-01-01 00:00:10", is_utc=True)).source == "mtime"


@pytest.mark.loss("DL9")
@pytest.mark.parametrize(
    ("place", "instant", "local", "zone"),
    [
        ("+35.6894+139.6917/", "2024-06-30 16:30:00", "2024-07-01T01:30:00", "+09:00"),
        ("+37.5090-122.2594+030.000/", "2024-07-01 05:30:00", "2024-06-30T21:30:00", "-08:00"),
        ("-13.8333-171.7667/", "2024-06-30 11:30:00", "2024-07-01T00:30:00", "+13:00"),  # Samoa
        (
            "+42.8782-008.5448/",
            "2024-06-30 22:30:00",
            "2024-07-01T00:30:00",
            "+02:00",
        ),  # as at home
        ("+00.0000+000.0000/", "2024-06-30 22:30:00", "2024-07-01T00:30:00", "+02:00"),  # nowhere
        ("somewhere", "2024-06-30 22:30:00", "2024-07-01T00:30:00", "+02:00"),
        ("+95.0000+139.6917/", "2024-06-30 22:30:00", "2024-07-01T00:30:00", "+02:00"),
    ],
)
def test_the_day_of_an_instant_far_from_home_is_told_by_the_sun(
    place: str, instant: str, local: str, zone: str
) -> None:
    film = Claim("quicktime:CreateDate", instant, is_utc=True)
    found, note = believe([Claim(PLACE, place), film], now=NOW, home=BERLIN)
    assert found is not None
    assert (found.local, found.offset) == (local, zone)
    assert ("longitude" in note) is (zone != "+02:00")


def test_a_place_alone_is_no_date_and_no_fault() -> None:
    assert believe([Claim(PLACE, "+35.6894+139.6917/")], now=NOW) == (None, "")


def test_gps_tells_zones_of_three_quarters_too() -> None:
    wall = Claim("exif:DateTimeOriginal", "2015:04:10 23:57:20")
    assert (
        believed(wall, Claim("exif:GPSDateTime", "2015:04:10 18:12:20", is_utc=True)).offset
        == "+05:45"
    )


def test_gps_tells_the_zone_of_a_clock_without_one() -> None:
    wall = Claim("exif:DateTimeOriginal", "2015:04:10 20:12:23")
    found, note = believe(
        [wall, Claim("exif:GPSDateTime", "2015:04:10 18:12:20", is_utc=True)], now=NOW
    )
    assert found is not None
    assert (found.local, found.offset, found.at) == ("2015-04-10T20:12:23", "+02:00", 1428689543000)
    assert "GPS" in note


def test_a_stale_gps_time_tells_no_zone() -> None:
    wall = Claim("exif:DateTimeOriginal", "2015:04:10 20:12:23")
    assert (
        believed(wall, Claim("exif:GPSDateTime", "2015:04:10 18:02:20", is_utc=True)).offset == ""
    )


def test_a_zone_written_apart_goes_with_its_own_date_only() -> None:
    assert (
        believed(Claim("exif:DateTimeOriginal", "2015:04:10 20:12:23", "-07:00")).offset == "-07:00"
    )
    assert believed(Claim("exif:DateTimeOriginal", "2015:04:10 20:12:23", "   :  ")).offset == ""


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("Z", "+00:00"), ("+0200", "+02:00"), ("-07:00", "-07:00"), ("+5:30", "+05:30"), ("+15:00", ""), ("+01:75", ""),
     ("", ""), ("CEST", ""), ("+02:00\0", "+02:00")],
)  # fmt: skip
def test_a_zone_is_read_in_all_its_spellings(text: str, wanted: str) -> None:
    assert offset(text) == wanted


def test_a_day_without_a_time_is_noon_so_that_no_zone_moves_it() -> None:
    assert believed(Claim("iptc:DateCreated", "2019-01-01")).local == "2019-01-01T12:00:00"


@given(
    st.text(max_size=40),
    st.text(max_size=8),
    st.text(max_size=8),
    st.sampled_from(TRUST),
    st.booleans(),
)
def test_no_text_makes_it_stumble(text: str, zone: str, fraction: str, tag: str, utc: int) -> None:
    found, note = believe([Claim(tag, text, zone, fraction, is_utc=bool(utc))], now=NOW, name=text)
    assert found is not None or note


@given(st.datetimes(), st.timedeltas(timedelta(hours=-14), timedelta(hours=14)))
def test_what_is_written_is_read_back(moment: object, span: timedelta) -> None:
    zone = timezone(timedelta(minutes=round(span.total_seconds() / 60)))
    claim = Claim("xmp:CreateDate", f"{moment}", str(zone)[3:])
    found = read(claim)
    assert found is not None
    assert found[0] == moment


# -- a whole asset -----------------------------------------------------------------------------


def original(
    name: str,
    captured: Captured | None = None,
    role: Role = Role.PRIMARY,
    mtime_s: int = 1_600_000_000,
) -> Original:
    seen = Inspection(Media.JPEG, captured=captured)
    return Original(
        OriginalId(1), role, name, SiteKey(name), SiteKey(name), 1, mtime_s * 10**9, inspection=seen
    )


SHOT = Captured("2024-07-14T18:03:22", "", "exif", 1720980202000)
FILM = Captured("2024-07-14T18:03:21", "+02:00", "quicktime", 1720973001000)


def resolved(*originals: Original, cloud: Claim | None = None) -> Captured:
    found, _ = resolve(originals, now=NOW, cloud=cloud, home=BERLIN)
    assert found is not None
    return found


def test_the_primary_speaks_first_and_borrows_the_zone_of_its_movie() -> None:
    found = resolved(original("a.heic", SHOT), original("a.mov", FILM, Role.LIVE_VIDEO))
    assert (found.local, found.offset, found.source, found.at) == (
        SHOT.local,
        "+02:00",
        "exif",
        FILM.at + 1000,
    )


def test_a_zone_is_not_borrowed_from_another_moment() -> None:
    far = replace(FILM, local="2024-07-14T18:15:21", at=FILM.at + 12 * 60_000)
    assert resolved(original("a.heic", SHOT), original("a.mov", far, Role.LIVE_VIDEO)) == SHOT


def test_a_movie_that_only_knows_the_instant_tells_the_zone_of_a_trip() -> None:
    """It was shown in the zone of home; the still's own clock was in Tokyo."""
    still = Captured("2024-07-15T01:03:22", "", "exif", FILM.at + 9 * 3_600_000 + 1000)
    found = resolved(original("a.heic", still), original("a.mov", FILM, Role.LIVE_VIDEO))
    assert (found.local, found.offset, found.at) == (still.local, "+09:00", FILM.at + 1000)


def test_what_a_person_decided_is_sure() -> None:
    assert confidence(replace(SHOT, source="person")) == "sure"


def test_iclouds_word_has_its_zone_where_it_knows_one() -> None:
    remote = Remote(CloudRef("z", "r"), "m", "t", "n", 1_720_973_001_000, 1)
    assert cloud_claim(None) is None
    assert cloud_claim(replace(remote, taken_at=0)) is None
    instant, there = cloud_claim(remote), cloud_claim(replace(remote, offset_s=7200))
    assert instant == Claim("cloud:asset", "2024-07-14 16:03:21", is_utc=True)
    assert there == Claim("cloud:asset", "2024-07-14 18:03:21", offset="+02:00")


def test_a_partner_speaks_when_the_primary_knows_nothing() -> None:
    found = resolved(original("IMG_1.heic"), original("IMG_1.mov", FILM, Role.LIVE_VIDEO))
    assert (found.local, found.source) == (FILM.local, "partner")


def test_without_a_date_inside_the_order_is_sidecar_name_cloud_mtime() -> None:
    sidecar = original("IMG_20180725_163423.jpg.xmp", replace(FILM, source="sidecar"), Role.SIDECAR)
    named, bare = original("IMG_20180725_163423.jpg"), original("IMG_1.jpg")
    cloud = Claim("cloud:asset", "2019-01-01 10:00:00", is_utc=True)
    assert resolved(named, sidecar, cloud=cloud).source == "sidecar"
    assert resolved(named, cloud=cloud).local == "2018-07-25T16:34:23"
    assert resolved(bare, cloud=cloud).local == "2019-01-01T11:00:00"
    assert resolved(bare) == Captured("2020-09-13T14:26:40", "+02:00", "mtime", 1_600_000_000_000)


def test_the_time_of_the_last_save_is_believed_only_before_the_mtime() -> None:
    saved = Captured("2010-05-05T10:00:00", "", "modified", 1273053600000)
    assert resolved(original("IMG_20180725_163423.jpg", saved)).source == "filename"
    assert resolved(original("IMG_1.jpg", saved)) == saved


def test_nothing_is_believed_when_even_the_mtime_is_absurd() -> None:
    found, note = resolve([original("IMG_1.jpg", mtime_s=0)], now=NOW)
    assert found is None
    assert "mtime" in note


def test_confidence_tells_a_wall_clock_with_zone_from_a_guess() -> None:
    assert [confidence(c) for c in (FILM, SHOT, replace(SHOT, source="mtime"))] == [
        "sure",
        "likely",
        "guess",
    ]


def test_a_zone_that_had_to_be_assumed_makes_a_date_likely_and_no_more() -> None:
    film = Claim("quicktime:CreateDate", "2024-06-30 22:30:00", is_utc=True)
    cases: list[tuple[list[Claim], str, str]] = [
        ([film], "a.mov", "likely"),
        ([film, Claim(PLACE, "+35.6894+139.6917/")], "a.mov", "likely"),
        ([film], "VID_20240630_152955.mp4", "sure"),
        ([Claim("quicktime:CreationDate", "2024-07-01 07:30:00+0900"), film], "a.mov", "sure"),
        ([], "a.mov", "guess"),
    ]
    for claims, name, level in cases:
        found, note = believe(claims, now=NOW, name=name, home=BERLIN)
        seen = Inspection(Media.MOV, captured=found, date_note=note)
        whole = Asset(
            AssetId(1),
            name,
            Kind.VIDEO,
            "folder",
            1,
            (replace(original(name), inspection=seen),),
            captured=found,
        )
        assert confidence_of(whole) == level, claims
        if found:
            assert confidence_of(replace(whole, captured=replace(found, source="person"))) == "sure"
