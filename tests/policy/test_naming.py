"""Guards every name that mediad writes: harmless on every file system, the same after every restart."""

import unicodedata
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediad.errors import NeedsOperator
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
from mediad.policy.naming import (
    NAME_BYTES,
    Member,
    archive_name,
    aside_keys,
    candidates,
    faults,
    library_name,
    safe_name,
    split,
)  # fmt: skip

SUMMER = Captured("2024-07-14T18:03:22", "+02:00", "exif", 1_720_972_802_000)
DIGEST = Digest("0123456789abcdef" * 4)


def original(
    name: str, media: Media | None = Media.JPEG, extension: str = "", number: int = 7
) -> Original:
    inspection = Inspection(media, extension)
    return Original(
        OriginalId(number),
        Role.PRIMARY,
        name,
        SiteKey(name),
        SiteKey("0-x"),
        9,
        1,
        DIGEST,
        inspection,
    )


def asset(*originals: Original) -> Asset:
    return Asset(
        AssetId(1), originals[0].name, Kind.PHOTO, "folder", 1_700_000_000_000, originals,
        identity=DIGEST, captured=SUMMER,
    )  # fmt: skip


SAFE = {
    "IMG_0001.HEIC": "IMG_0001.HEIC",
    "Ferien am Meer.jpg": "Ferien am Meer.jpg",
    "": "unnamed",
    ".": "unnamed",
    "..": "unnamed",
    "../../etc/passwd": "_.._etc_passwd",
    "a/b\\c.jpg": "a_b_c.jpg",
    ".hidden.jpg": "hidden.jpg",
    "-rf.jpg": "_rf.jpg",
    " .-x": "_x",
    "end. . ": "end",
    "con": "_con",
    "Com1.jpg": "_Com1.jpg",
    "console.jpg": "console.jpg",
    "a\nb\x00c\x7f\x85.jpg": "a_b_c__.jpg",
    'q"<>|?*:.jpg': "q_______.jpg",
    "\udcff\udc80.jpg": "%FF%80.jpg",
    "\ud800.jpg": "_.jpg",
    "cafe\u0301.jpg": "café.jpg",
    "\u202egpj.exe": "_gpj.exe",
    "\udcca\u0301.jpg": "%CÁ.jpg",
    "日本.jpg": "日本.jpg",
}


@pytest.mark.parametrize(("name", "safe"), SAFE.items())
def test_a_foreign_name_becomes_harmless(name: str, safe: str) -> None:
    assert safe_name(name) == safe


def test_a_long_name_keeps_its_beginning_and_its_extension() -> None:
    assert safe_name("x" * 300 + ".HEIC") == "x" * (NAME_BYTES - 5) + ".HEIC"
    umlauts = safe_name("ü" * 300 + ".jpg.json")
    assert umlauts.endswith("ü.jpg.json")
    assert NAME_BYTES - 1 <= len(umlauts.encode()) <= NAME_BYTES


def test_the_extension_can_be_replaced() -> None:
    assert safe_name("IMG_1.HEIC", ".jpg") == "IMG_1.jpg"
    assert safe_name("noextension", ".jpg") == "noextension.jpg"


NAMES = st.one_of(
    st.text(max_size=300),
    st.binary(max_size=300).map(lambda b: b.decode("utf-8", "surrogateescape")),
    st.text(alphabet="./-\\ \x00~con.A\u0301\udcffü", max_size=250),
)


def assert_harmless(name: str) -> None:
    assert name not in {"", ".", ".."}
    assert not set(name) & {"/", "\0", "\n", "\\"}
    assert name[0] not in ".- "
    assert name[-1] not in ". "
    assert len(name.encode()) <= 255
    assert unicodedata.is_normalized("NFC", name)


@given(NAMES)
def test_no_name_does_harm_and_twice_is_once(name: str) -> None:
    safe = safe_name(name)
    assert_harmless(safe)
    assert len(safe.encode()) <= NAME_BYTES
    assert safe_name(safe) == safe


@given(NAMES, st.sampled_from(["", "{stem}", "{name}{YYYY}", "{source}-{kind}"]))
def test_no_template_leads_out_of_the_folder(name: str, part: str) -> None:
    template = f"{part or 'x'}/{{name}}"
    for [key] in candidates(
        asset(original(name)), [Member(original(name), safe_name(name))], template
    ):
        for component in key.split("/"):
            assert_harmless(component)


@pytest.mark.parametrize(
    ("name", "stem", "extension"),
    [
        ("IMG_1.HEIC", "IMG_1", ".HEIC"),
        ("IMG_1.HEIC.xmp", "IMG_1", ".HEIC.xmp"),
        ("IMG_1.aae", "IMG_1", ".aae"),
        ("IMG_1.jpg.supplemental-metadata.json", "IMG_1", ".jpg.supplemental-metadata.json"),
        ("a.b.jpg", "a.b", ".jpg"),
        ("noext", "noext", ""),
        (".jpg", ".jpg", ""),
        ("v1. a thing", "v1. a thing", ""),
    ],
)
def test_a_sidecars_whole_tail_is_its_extension(name: str, stem: str, extension: str) -> None:
    assert split(name) == (stem, extension)


@pytest.mark.parametrize(
    ("name", "media", "right", "rendition", "shown"),
    [
        ("IMG_1.JPG", Media.JPEG, ".jpg", "", "IMG_1.JPG"),
        ("IMG_1.jpeg", Media.JPEG, ".jpg", "", "IMG_1.jpeg"),
        ("IMG_1.HEIC", Media.JPEG, ".jpg", "", "IMG_1.jpg"),
        ("IMG_1.HEIC", Media.HEIC, ".heic", ".jpg", "IMG_1.jpg"),
        ("IMG_1.JPG", Media.JPEG, ".jpg", ".jpg", "IMG_1.JPG"),
        ("IMG_1.m4v", Media.MP4, ".mp4", "", "IMG_1.m4v"),
        ("IMG_1.3gp", Media.MOV, ".mov", ".mp4", "IMG_1.3gp"),
        ("IMG_1", Media.PNG, ".png", "", "IMG_1.png"),
        ("IMG_1.nef", Media.RAW, ".dng", "", "IMG_1.nef"),
        ("IMG_1.HEIC.xmp", Media.SIDECAR, ".xmp", "", "IMG_1.HEIC.xmp"),
        ("what.bin", None, "", "", "what.bin"),
        ("IMG_1.jpg", Media.JPEG, "", "", "IMG_1.jpg"),
    ],
)
def test_only_the_library_corrects_an_extension_that_lies(
    name: str, media: Media | None, right: str, rendition: str, shown: str
) -> None:
    file = original(name, media, right)
    assert library_name(file, rendition) == shown
    assert archive_name(file) == name


def test_an_original_that_was_not_inspected_keeps_its_name() -> None:
    assert library_name(replace(original("a.jpg"), inspection=None)) == "a.jpg"


def keys(template: str, *originals: Original) -> list[tuple[SiteKey, ...]]:
    return list(
        candidates(asset(*originals), [Member(o, archive_name(o)) for o in originals], template)
    )


def test_the_same_asset_has_the_same_three_chances_for_ever() -> None:
    assert keys("{YYYY}/{MM}/{name}", original("IMG_1.HEIC")) == [
        ("2024/07/IMG_1.HEIC",),
        ("2024/07/IMG_1-01234567.HEIC",),
        ("2024/07/IMG_1-0123456789abcdef.HEIC",),
    ]


def test_every_token_is_filled_in() -> None:
    template = "{YYYY}-{MM}-{DD}/{kind}/{source}/{digest8} {stem}.{ext}"
    assert keys(template, original("IMG_1.HEIC"))[0] == (
        "2024-07-14/photo/folder/01234567 IMG_1.HEIC",
    )


def test_all_members_share_the_stem_of_the_primary() -> None:
    still, movie = original("IMG_1.HEIC"), original("uuid-9.MOV", number=8)
    sidecar = original("IMG_1.HEIC.xmp", Media.SIDECAR, number=9)
    edit = replace(original("IMG_E1.HEIC", number=10), role=Role.EDITED)
    assert keys("{name}", still, movie, sidecar, edit)[:2] == [
        ("IMG_1.HEIC", "IMG_1.MOV", "IMG_1.HEIC.xmp", "IMG_E1.HEIC"),
        (
            "IMG_1-01234567.HEIC",
            "IMG_1-01234567.MOV",
            "IMG_1-01234567.HEIC.xmp",
            "IMG_E1-01234567.HEIC",
        ),
    ]


def test_two_members_never_get_one_name() -> None:
    first, other = original("IMG_1.AAE", number=1), original("IMG_O1.AAE", number=2)
    third = original("img_1.aae", number=3)
    assert keys("{name}", first, other, third)[0] == ("IMG_1.AAE", "IMG_O1.AAE", "img_1-3.aae")


def test_without_a_capture_time_the_day_it_was_seen_counts() -> None:
    undated = replace(asset(original("a.jpg")), captured=None, identity=None)
    [first, *_] = candidates(
        undated, [Member(undated.originals[0], "a.jpg")], "{YYYY}/{MM}/{DD}/{name}"
    )
    assert first == ("2023/11/14/a.jpg",)
    nameless = replace(undated, originals=(replace(undated.originals[0], digest=None),))
    assert len(set(candidates(nameless, [Member(nameless.originals[0], "a.jpg")], "{name}"))) == 3


@pytest.mark.parametrize(
    ("template", "complaint"),
    [
        ("{YYYY}/{name}", ""),
        ("{digest8}.{ext}", ""),
        ("{stem}_{kind}.{ext}", ""),
        ("{YYY}/{name}", "{YYY} is unknown; known are {YYYY}"),
        ("/{name}", "every part between slashes needs a name"),
        ("a//{name}", "every part between slashes needs a name"),
        ("../{name}", "every part between slashes needs a name"),
        ("{YYYY}/{MM", "a brace is not closed"),
        ("{name}/{YYYY}", "the last part must hold {name}"),
        ("{stem}", "the last part must hold {name}"),
        ("x.{ext}", "the last part must hold {name}"),
        ("", "every part between slashes needs a name"),
    ],
)
def test_a_template_that_cannot_work_is_told_of(template: str, complaint: str) -> None:
    told = "; ".join(faults(template))
    assert complaint in told
    assert bool(told) == bool(complaint)


def test_a_wrong_template_places_nothing() -> None:
    with pytest.raises(NeedsOperator, match="is unknown") as caught:
        keys("{FOO}/{name}", original("a.jpg"))
    assert caught.value.code == "config.template"


def test_set_aside_it_keeps_its_name_or_bears_its_number() -> None:
    assert aside_keys(original("../IMG_1.HEIC")) == ("_IMG_1.HEIC", "_IMG_1-7.HEIC")
