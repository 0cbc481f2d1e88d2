"""Guards that the halves of one shot find each other, and that two shots never become one."""

from dataclasses import replace
from itertools import permutations

import pytest

from mediad.model import (
    Asset,
    AssetId,
    Captured,
    Digest,
    Inspection,
    Kind,
    Media,
    Original,
    OriginalId,
    Role,
    SiteKey,
)  # fmt: skip
from mediad.policy.grouping import (
    NAME_ONLY_MS,
    content_ids,
    group_key,
    is_sidecar_only,
    key_of,
    kind_of,
    lacks_partner,
    may_join,
    roles,
    taken,
)  # fmt: skip

T = 1_700_000_000_000


def at(ms: int, offset: str = "+02:00") -> Captured:
    return Captured("2023-11-14T22:13:20", offset, "exif", T + ms)


def shot(
    name: str, media: Media | None, *, number: int = 1, cid: str = "",
    taken_at: Captured | None = None, long: float = 2.0,
) -> Asset:  # fmt: skip
    inspection = Inspection(
        media, duration_s=long if media and media.is_video else 0, content_id=cid, captured=taken_at
    )
    plain = name.rpartition("/")[2]
    file = Original(
        OriginalId(number),
        Role.PRIMARY,
        plain,
        SiteKey(name),
        SiteKey(f"0-{plain}"),
        9,
        1,
        inspection=inspection,
    )
    return Asset(AssetId(number), plain, Kind.UNKNOWN, "folder", T, (file,))


def joined(*parts: Asset) -> Asset:
    return replace(parts[0], originals=tuple(o for p in parts for o in p.originals))


def still(ms: int, offset: str = "+02:00") -> Asset:
    return shot("IMG_1.HEIC", Media.HEIC, taken_at=at(ms, offset))


def movie(ms: int) -> Asset:
    return shot("IMG_1.MOV", Media.MOV, number=9, taken_at=at(ms))


def raw(ms: int) -> Asset:
    return shot("IMG_1.DNG", Media.RAW, number=9, taken_at=at(ms))


def with_id(name: str, media: Media, content_id: str, number: int = 1) -> Asset:
    return shot(name, media, number=number, cid=content_id, long=60)


HEIC = shot("IMG_1.HEIC", Media.HEIC)
MOV = shot("IMG_1.MOV", Media.MOV, number=2)
JPEG = shot("IMG_1.JPG", Media.JPEG, number=3)
DNG = shot("IMG_1.DNG", Media.RAW, number=4)
AAE = shot("IMG_1.AAE", Media.SIDECAR, number=5)
EDIT = shot("IMG_E0001.HEIC", Media.HEIC, number=6)
PLAIN = shot("IMG_0001.HEIC", Media.HEIC, number=7)
EDITED_MOVIE = shot("IMG_E0001.MOV", Media.MOV, number=8)


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("IMG_1.HEIC", "img_1"),
        ("img_1.mov", "img_1"),
        ("IMG_E1234.HEIC", "img_1234"),
        ("IMG_O1234.AAE", "img_1234"),
        ("IMG_E1.HEIC", "img_e1"),
        ("IMG_1.HEIC.xmp", "img_1"),
        ("IMG_1.jpg.json", "img_1"),
        ("IMG_1.jpg.supplemental-metadata.json", "img_1"),
        ("IMG_1_HEVC.MOV", "img_1"),
        ("PXL_1.RAW-01.COVER.jpg", "pxl_1"),
        ("PXL_1.RAW-02.ORIGINAL.dng", "pxl_1"),
        ("PXL_1.RAW-01.MP.COVER.jpg", "pxl_1"),
        ("noextension", "noextension"),
        (".jpg", ".jpg"),
        ("a.b.c.jpg", "a.b.c"),
        ("Ångström.JPG".replace("Å", "A\u030a"), "ångström"),
        ("\udcff.jpg", "\udcff"),
    ],
)
def test_one_shot_has_one_key(name: str, stem: str) -> None:
    assert group_key("2024/trip", name) == f"2024/trip/{stem}"


def test_the_same_name_in_another_folder_is_another_key() -> None:
    assert key_of(shot("a/IMG_1.HEIC", Media.HEIC).originals[0]) == "a/img_1"
    assert key_of(HEIC.originals[0]) == "/img_1"
    assert not may_join(shot("a/IMG_1.HEIC", Media.HEIC), MOV).ok


JOIN = [
    (HEIC, MOV, "the live half of the same shot"),
    (JPEG, shot("IMG_1.mp4", Media.MP4, number=9), "the live half of the same shot"),
    (JPEG, DNG, "RAW and JPEG of one shot"),
    (HEIC, AAE, "a sidecar of the same name"),
    (MOV, AAE, "a sidecar of the same name"),
    (AAE, shot("IMG_1.xmp", Media.SIDECAR, number=9), "a sidecar of the same name"),
    (HEIC, shot("IMG_1.HEIC.xmp", Media.SIDECAR, number=9), "a sidecar of the same name"),
    (PLAIN, EDIT, "the edited form of the same shot"),
    (shot("IMG_0001.MOV", Media.MOV), EDITED_MOVIE, "the edited form of the same shot"),
    (EDIT, EDITED_MOVIE, "the same name"),
    (joined(HEIC, AAE), MOV, "the live half of the same shot"),
    (with_id("a/x.HEIC", Media.HEIC, "C"), with_id("b/y.MOV", Media.MOV, "C", 9), "the same Apple content identifier"),
    (shot("IMG_1.HEIC", Media.HEIC, cid="C"), MOV, "the live half of the same shot"),
    (still(0), movie(3000), "the live half of the same shot"),
    # one of the clocks does not know its zone: 2 h and 1 s apart
    (still(7_201_000, ""), movie(0), "the live half of the same shot"),
    (still(0), raw(2000), "RAW and JPEG of one shot"),
]  # fmt: skip

APART = [
    (HEIC, JPEG, "two of the same kind are two shots"),
    (MOV, shot("IMG_1.mp4", Media.MP4, number=9), "two of the same kind are two shots"),
    (joined(HEIC, MOV), shot("IMG_1.MP4", Media.MP4, number=9), "two of the same kind are two shots"),
    (HEIC, shot("IMG_1.bin", None, number=9), "one of them is no media"),
    (replace(HEIC, originals=(replace(HEIC.originals[0], inspection=None),)), MOV, "one of them is no media"),
    (HEIC, shot("IMG_2.MOV", Media.MOV, number=9), "different names"),
    (DNG, MOV, "a RAW and a movie are two shots"),
    (HEIC, shot("IMG_1.JPG.xmp", Media.SIDECAR, number=9), "the sidecar names another file"),
    (HEIC, shot("IMG_1.avi", Media.AVI, number=9), "only MOV and MP4 are live halves"),
    (shot("IMG_1.png", Media.PNG), MOV, "only HEIC and JPEG have a live half"),
    (HEIC, shot("IMG_1.MOV", Media.MOV, number=9, long=6.1), "the movie is too long for the live half of a photo"),
    (with_id("a.HEIC", Media.HEIC, "C"), with_id("a.MOV", Media.MOV, "D", 9), "different Apple content identifiers"),
    (still(0), movie(3001), "the movie was taken at another time"),
    (still(3_600_000), movie(0), "the movie was taken at another time"),
    (still(400_000, ""), movie(0), "the movie was taken at another time"),
    (still(40 * 3_600_000, ""), movie(0), "the movie was taken at another time"),
    (still(0), raw(2001), "the RAW was taken at another time"),
]  # fmt: skip


@pytest.mark.parametrize(("host", "guest", "why"), JOIN)
def test_halves_of_one_shot_join_whoever_came_first(host: Asset, guest: Asset, why: str) -> None:
    assert may_join(host, guest) == (True, why)
    assert may_join(guest, host) == (True, why)


@pytest.mark.parametrize(("host", "guest", "why"), APART)
def test_two_shots_stay_two_whoever_came_first(host: Asset, guest: Asset, why: str) -> None:
    assert may_join(host, guest) == (False, why)
    assert may_join(guest, host) == (False, why)


def test_a_name_alone_joins_only_what_came_together() -> None:
    later = replace(MOV, seen_at=T + NAME_ONLY_MS + 1)
    assert not may_join(HEIC, later).ok
    assert may_join(HEIC, replace(MOV, seen_at=T + NAME_ONLY_MS)).ok
    dated = still(0)
    dated_later = replace(shot("IMG_1.MOV", Media.MOV, taken_at=at(0)), seen_at=T * 2)
    assert may_join(dated, dated_later).ok


KINDS = [
    ((HEIC,), Kind.PHOTO, [Role.PRIMARY]),
    ((MOV,), Kind.VIDEO, [Role.PRIMARY]),
    ((DNG,), Kind.RAW, [Role.PRIMARY]),
    ((AAE,), Kind.UNKNOWN, [Role.PRIMARY]),
    ((EDIT,), Kind.PHOTO, [Role.PRIMARY]),
    ((shot("a.bin", None),), Kind.UNKNOWN, [Role.PRIMARY]),
    ((HEIC, MOV, AAE), Kind.LIVE_PHOTO, [Role.PRIMARY, Role.LIVE_VIDEO, Role.SIDECAR]),
    ((JPEG, DNG), Kind.RAW_JPEG, [Role.PRIMARY, Role.RAW]),
    ((PLAIN, EDIT, EDITED_MOVIE), Kind.LIVE_PHOTO, [Role.PRIMARY, Role.EDITED, Role.EDITED]),
    ((MOV, shot("gone.jpg", None, number=9)), Kind.VIDEO, [Role.PRIMARY, Role.SIDECAR]),
]  # fmt: skip


@pytest.mark.parametrize(("parts", "kind", "parts_played"), KINDS)
def test_the_kind_and_the_roles_do_not_depend_on_the_order(
    parts: tuple[Asset, ...], kind: Kind, parts_played: list[Role]
) -> None:
    answers = set()
    for order in permutations(o for p in parts for o in p.originals):
        assert kind_of(order) is kind
        assert [o.role for o in roles(order)] == parts_played
        answers.add(tuple(o.id for o in roles(order)))
    assert answers == {tuple(p.originals[0].id for p in parts)}


@pytest.mark.parametrize(
    ("asset", "lacks"),
    [
        (HEIC, False),
        (AAE, True),
        (shot("IMG_1.HEIC", Media.HEIC, cid="C"), True),
        (shot("IMG_1.MOV", Media.MOV, cid="C"), True),
        (joined(shot("IMG_1.HEIC", Media.HEIC, cid="C"), MOV), False),
        (joined(HEIC, AAE), False),
    ],
)
def test_a_half_knows_that_it_is_one(asset: Asset, lacks: bool) -> None:  # noqa: FBT001 - a table
    assert lacks_partner(asset) is lacks


def test_what_was_never_taken_is_not_among_the_taken() -> None:
    have = replace(HEIC.originals[0], digest=Digest("a" * 64))
    assert taken(replace(HEIC, originals=(have, *MOV.originals))) == (have,)
    assert is_sidecar_only(AAE)
    assert not is_sidecar_only(HEIC)
    assert (
        content_ids(replace(HEIC, originals=(replace(HEIC.originals[0], inspection=None),)))
        == set()
    )
