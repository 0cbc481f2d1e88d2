"""Guards the names on the phone: harmless to Android and to Syncthing, one stem a shot, never two that fold alike."""

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediad.model import Asset, AssetId, Digest, Kind, Original, OriginalId, Role, SiteKey
from mediad.policy.naming import NAME_BYTES, Member
from mediad.policy.phone_names import choices, folded, phone_name

IDENTITY = Digest("0123456789abcdef" * 4)
SYNCTHING = re.compile(
    r"\.syncthing\..*\.tmp|~syncthing~.*|.*\.sync-conflict-.*|\.st(folder|ignore)", re.DOTALL
)


def asset(*names: str, roles: tuple[Role, ...] = ()) -> tuple[Asset, list[Member]]:
    parts = roles or (Role.PRIMARY, *[Role.LIVE_VIDEO] * (len(names) - 1))
    originals = tuple(
        Original(OriginalId(n), role, name, SiteKey(name), SiteKey(f"0-{n}"), 9, 1, IDENTITY)
        for n, (name, role) in enumerate(zip(names, parts, strict=True), 1)
    )
    whole = Asset(AssetId(1), names[0], Kind.PHOTO, "folder", 1, originals, identity=IDENTITY)
    return whole, [Member(o, o.name) for o in originals]


@pytest.mark.parametrize(
    ("name", "there"),
    [
        ("IMG_0001.HEIC", "IMG_0001.HEIC"),
        ("Strand 🏖️ 1.jpg", "Strand 🏖️ 1.jpg"),
        ("cafe\u0301.jpg", "caf\u00e9.jpg"),
        ('a"b*c/d:e<f>g?h\\i|j.jpg', "a_b_c_d_e_f_g_h_i_j.jpg"),
        (".stfolder", "stfolder"),
        (".stignore", "stignore"),
        (".nomedia", "nomedia"),
        (".syncthing.IMG_1.JPG.tmp", "syncthing.IMG_1.JPG_tmp"),
        ("~syncthing~IMG_1.JPG.tmp", "_syncthing_IMG_1.JPG_tmp"),
        (".~syncthing~x.jpg", "_syncthing_x.jpg"),
        ("IMG_1.sync-conflict-20240101-120000-ABCDEFG.jpg", "IMG_1-sync-conflict-20240101-120000-ABCDEFG.jpg"),
        (".sync-conflict-1.jpg", "sync-conflict-1.jpg"),
        ("x.tmp", "x_tmp"),
        ("x.JPG.part", "x.JPG_part"),
        ("temp.jpg", "temp.jpg"),
    ],
)  # fmt: skip
def test_a_name_arrives_as_it_left(name: str, there: str) -> None:
    assert phone_name(name) == there


@given(st.text(max_size=300) | st.from_regex(SYNCTHING))
def test_no_name_is_one_of_syncthings_own_or_refused_by_android(name: str) -> None:
    there = phone_name(name)
    assert not SYNCTHING.fullmatch(there.casefold())
    assert not set(there) & set('"*/:<>?\\|\0\n')
    assert there
    assert not there.startswith(".")
    assert unicodedata.is_normalized("NFC", there)
    assert len(there.encode()) <= NAME_BYTES
    assert phone_name(there) == there


def test_upper_and_lower_case_are_one_on_the_phone() -> None:
    assert folded("IMG_1.JPG") == folded("img_1.jpg")
    assert folded("CAFE\u0301.JPG") == folded("caf\u00e9.jpg")
    assert folded("IMG_1.JPG") != folded("IMG_2.JPG")


def test_the_members_of_a_shot_share_their_stem_and_the_later_choices_say_which_shot() -> None:
    whole, members = asset("IMG_1.HEIC", "IMG_1.MOV")
    assert choices(whole, members, {}) == [
        ("IMG_1.HEIC", "IMG_1.MOV"),
        ("IMG_1-01234567.HEIC", "IMG_1-01234567.MOV"),
        ("IMG_1-0123456789abcdef.HEIC", "IMG_1-0123456789abcdef.MOV"),
    ]


def test_who_has_a_name_keeps_it_and_a_late_half_comes_to_it() -> None:
    whole, members = asset("IMG_1.HEIC", "IMG_1.MOV")
    kept = {OriginalId(1): SiteKey("IMG_1-deadbeef.HEIC")}
    found = choices(whole, members, kept)
    assert found[0] == ("IMG_1-deadbeef.HEIC", "IMG_1-deadbeef.MOV")
    assert {keys[0] for keys in found} == {"IMG_1-deadbeef.HEIC"}
    assert [keys[1] for keys in found[1:]] == [
        "IMG_1.MOV", "IMG_1-01234567.MOV", "IMG_1-0123456789abcdef.MOV",
    ]  # fmt: skip


def test_a_late_edit_keeps_the_name_that_says_so() -> None:
    whole, members = asset("IMG_1.HEIC", "IMG_E1.JPG", roles=(Role.PRIMARY, Role.EDITED))
    found = choices(whole, members, {OriginalId(1): SiteKey("IMG_1.HEIC")})
    assert found[0] == ("IMG_1.HEIC", "IMG_E1.JPG")


def test_two_members_never_share_a_name_on_the_phone() -> None:
    whole, members = asset("a.jpg", "A.JPG")
    for kept in ({}, {OriginalId(1): SiteKey("a.jpg")}):
        found = choices(whole, members, kept)
        assert found
        for keys in found:
            assert len({folded(k) for k in keys}) == 2


def test_a_very_long_name_leaves_room_for_the_extension() -> None:
    whole, members = asset("ä" * 150 + ".HEIC", "ä" * 150 + ".MOV")
    for keys in choices(whole, members, {OriginalId(1): SiteKey("ö" * 97 + ".HEIC")}):
        assert all(len(k.encode()) <= NAME_BYTES for k in keys)
        assert keys[1].endswith(".MOV")


@pytest.mark.parametrize(
    ("name", "there"),
    [
        ("IMG_0001.HEIC", "IMG_0001.MP.HEIC"),
        ("IMG_0001.heif", "IMG_0001.MP.heic"),
        ("IMG_0001.Hif", "IMG_0001.MP.heic"),
        ("IMG_0001.JPG", "IMG_0001.MP.JPG"),
        ("IMG_0001.Jpg", "IMG_0001.MP.jpg"),
        ("IMG_0001.jpe", "IMG_0001.MP.jpg"),
        ("x" * 300 + ".HEIC", "x" * 192 + ".MP.HEIC"),
    ],
)
def test_a_motion_photo_is_named_so_that_readers_look_for_its_film(name: str, there: str) -> None:
    """The pattern is that of Google's motion photo format 1.0."""
    whole, members = asset(name, "IMG_0001.AAE", roles=(Role.PRIMARY, Role.SIDECAR))
    found = choices(whole, members, {}, {OriginalId(1)})
    assert found[0][0] == there
    for keys in found:
        assert re.fullmatch(r"[^\s/\\][^/\\]*MP\.(JPG|jpg|JPEG|jpeg|HEIC|heic|AVIF|avif)", keys[0])
        assert len(keys[0].encode()) <= NAME_BYTES
        assert ".MP" not in keys[1]


def test_a_sidecar_that_comes_late_joins_its_motion_photo_by_the_plain_stem() -> None:
    whole, members = asset("IMG_1.HEIC", "IMG_1.AAE", roles=(Role.PRIMARY, Role.SIDECAR))
    kept = {OriginalId(1): SiteKey("IMG_1.MP.HEIC")}
    assert choices(whole, members, kept, {OriginalId(1)})[0] == ("IMG_1.MP.HEIC", "IMG_1.AAE")


def test_a_motion_photo_joins_a_sidecar_that_was_there_before_it() -> None:
    whole, members = asset("IMG_1.HEIC", "IMG_1.AAE", roles=(Role.PRIMARY, Role.SIDECAR))
    kept = {OriginalId(2): SiteKey("IMG_1-0123.AAE")}
    found = choices(whole, members, kept, {OriginalId(1)})[0]
    assert found == ("IMG_1-0123.MP.HEIC", "IMG_1-0123.AAE")
