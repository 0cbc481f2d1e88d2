"""Guards the reading of Apple's records: all of a real library, and no record that can make it stumble."""

import base64
import copy
import gzip
import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mediad.adapters.icloud import records
from mediad.adapters.icloud.records import Raw
from mediad.model import CloudRef, Kind, Remote, Resource

ZONE = "PrimarySync"
MARK = base64.b64encode(b"\x01" + b"m" * 20).decode()
MOVIE = base64.b64encode(b"\x01" + b"v" * 20).decode()
EDIT = base64.b64encode(b"\x01" + b"e" * 20).decode()


def res(mark: str, size: int = 100) -> dict[str, Any]:
    url = "https://cvws.icloud-content.com/B/x/${f}?e=1533044225&s=secret"
    return {"value": {"fileChecksum": mark, "size": size, "downloadURL": url}, "type": "ASSETID"}


def master(**fields: object) -> dict[str, Any]:
    base: dict[str, Any] = {
        "filenameEnc": {"value": base64.b64encode(b"IMG_1.HEIC").decode(), "type": "ENCRYPTED_BYTES"},
        "itemType": {"value": "public.heic"},
        "resOriginalRes": res(MARK),
        "resOriginalFileType": {"value": "public.heic"},
    }  # fmt: skip
    return {"recordName": MARK, "recordType": "CPLMaster", "fields": _with(base, fields)}


def asset(**fields: object) -> dict[str, Any]:
    base: dict[str, Any] = {
        "masterRef": {"value": {"recordName": MARK}},
        "assetDate": {"value": 1_000},
        "addedDate": {"value": 2_000},
        "timeZoneOffset": {"value": 3_600},
    }
    return {
        "recordName": "A-1",
        "recordType": "CPLAsset",
        "recordChangeTag": "1a",
        "fields": _with(base, fields),
    }


def _with(base: dict[str, Any], fields: dict[str, object]) -> dict[str, Any]:
    return {k: v for k, v in {**base, **fields}.items() if v is not None}


def read(of: Raw, its: Raw | None) -> Remote:
    return records.remote(of, its, ZONE)


def name(value: object, kind: str = "STRING") -> str:
    return read(asset(), master(filenameEnc={"value": value, "type": kind})).name


@pytest.fixture
def library() -> list[dict[str, Any]]:
    shared = Path(os.environ.get("MEDIAD_SHARED", Path(__file__).parents[3] / "shared"))
    kept = shared / "data" / "icloud" / "library.json.gz"
    if not kept.is_file():
        pytest.skip("no recorded iCloud here: set MEDIAD_SHARED")
    found: list[dict[str, Any]] = json.loads(gzip.decompress(kept.read_bytes()))["records"]
    return found


def test_a_recorded_library_is_read_whole(library: list[dict[str, Any]]) -> None:
    page = records.sort_out(library, ZONE)
    remotes = [read(a, page.masters[records.master_of(a)]) for a in page.assets.values()]
    assert len(remotes) == 201
    assert page.lacking == []
    assert [r.flaw for r in remotes if r.flaw] == []
    assert Counter(f.resource for r in remotes for f in r.files) == {
        Resource.ORIGINAL: 201, Resource.LIVE_VIDEO: 77, Resource.EDITED: 17,
    }  # fmt: skip
    assert Counter(r.kind for r in remotes) == {
        Kind.PHOTO: 105, Kind.LIVE_PHOTO: 77, Kind.VIDEO: 19,
    }  # fmt: skip
    assert all(r.files[0].fingerprint == r.master for r in remotes)
    assert all(r.change_tag and r.taken_at and r.added_at for r in remotes)
    assert len(page.albums) == 16


def test_each_recorded_file_has_an_address_and_its_end(library: list[dict[str, Any]]) -> None:
    page = records.sort_out(library, ZONE)
    for one in page.assets.values():
        its = page.masters[records.master_of(one)]
        places = records.locations(one, its)
        assert {f.fingerprint for f in read(one, its).files} <= places.keys()
        for place in places.values():
            assert "${f}" not in place.url
            assert place.expires_at is not None


@pytest.mark.parametrize(
    ("words", "ends_at"),
    [
        ("e=1533044225&s=x", 1_533_044_225_000), ("o=A&e=7", 7_000), ("e=7#e=8", 7_000), ("fe=7", None),
        ("e=", None), ("e=7x", None), ("e=-7", None), ("e=" + "1" * 13, None), ("e=\u0667", None),
    ],
)  # fmt: skip
def test_an_address_ends_when_it_says_so_and_is_not_guessed_at(
    words: str, ends_at: int | None
) -> None:
    its = res(MARK)
    its["value"]["downloadURL"] = f"https://cvws.icloud-content.com/B/x/${{f}}?{words}"
    places = records.locations(asset(), master(resOriginalRes=its))
    assert [p.expires_at for p in places.values()] == ([ends_at] if words.isascii() else [])


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_nothing_that_a_record_lacks_or_holds_makes_it_stumble(data: st.DataObject) -> None:
    odd = st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20),
        st.lists(st.integers(), max_size=2), st.dictionaries(st.text(max_size=5), st.none(), max_size=2),
    )  # fmt: skip
    one, its = copy.deepcopy(asset(resJPEGFullRes=res(EDIT))), copy.deepcopy(master())
    for record in (one, its):
        for place in (record, record["fields"], *record["fields"].values()):
            for key in list(place):
                if data.draw(st.integers(0, 6)) == 0:
                    place[key] = data.draw(odd)
            if not isinstance(record["fields"], dict):
                break
    page = records.sort_out([one, its, data.draw(odd)], ZONE)
    remote = records.remote(one, data.draw(st.sampled_from([its, None])), ZONE, "_me")
    records.locations(one, its)
    assert isinstance(remote.name, str)
    assert all(f.size > 0 and f.fingerprint for f in remote.files)
    assert isinstance(page.lacking, list)


@pytest.mark.parametrize(
    ("its", "word"),
    [
        (None, "without its original"),
        (master(resOriginalRes=None), "no original"),
        (master(resOriginalRes={"value": {"size": 5}}), "fingerprint"),
        (master(resOriginalRes=res(MARK, 0)), "no size"),
        (master(resOriginalRes=res("")), "fingerprint"),
        (master(resOriginalRes=res("\n")), "fingerprint"),
        (master(resOriginalVidComplRes=None, resOriginalVidComplFingerprint={"value": MOVIE}), "live-video"),
    ],
    ids=["master", "file", "fingerprint", "size", "empty", "no word", "half of a Live Photo"],
)  # fmt: skip
def test_what_cannot_be_fetched_says_why(its: Raw | None, word: str) -> None:
    assert word in read(asset(), its).flaw


@pytest.mark.parametrize(
    "form", ["AAAA", base64.b64encode(b"\x02" + b"m" * 20).decode(), "no base64"]
)
def test_a_fingerprint_of_another_form_is_no_reason_to_leave_a_photo_behind(form: str) -> None:
    found = read(asset(), master(resOriginalRes=res(form)))
    assert found.flaw == ""
    [file] = found.files
    assert (file.fingerprint, file.is_provable) == (form, False)


def test_a_file_without_an_address_is_no_flaw_but_has_no_address() -> None:
    bare = master(resOriginalRes={"value": {"fileChecksum": MARK, "size": 5}})
    assert read(asset(), bare).flaw == ""
    assert records.locations(asset(), bare) == {}


def test_all_files_of_an_asset_are_one_plan() -> None:
    one = asset(
        resJPEGFullRes=res(EDIT), resJPEGFullFileType={"value": "public.jpeg"},
        resVidFullRes=res(MOVIE), resVidFullFileType={"value": "com.apple.quicktime-movie"},
    )  # fmt: skip
    its = master(
        resOriginalAltRes=res(EDIT), resOriginalAltFileType={"value": "com.adobe.raw-image"},
        resOriginalVidComplRes=res(MOVIE),
        resOriginalVidComplFileType={"value": "com.apple.quicktime-movie"},
    )  # fmt: skip
    assert [(f.resource, f.name) for f in read(one, its).files] == [
        (Resource.ORIGINAL, "IMG_1.HEIC"),
        (Resource.ALTERNATIVE, "IMG_1.DNG"),
        (Resource.LIVE_VIDEO, "IMG_1.MOV"),
        (Resource.EDITED, "IMG_1-edited.JPG"),
        (Resource.EDITED_VIDEO, "IMG_1-edited.MOV"),
    ]


@pytest.mark.parametrize(
    ("original", "alternative", "kind"),
    [
        ("public.jpeg", "com.adobe.raw-image", Kind.RAW_JPEG),
        ("com.canon.cr2-raw-image", "public.jpeg", Kind.RAW_JPEG),
        ("com.sony.arw-raw-image", "", Kind.RAW),
        ("com.apple.quicktime-movie", "", Kind.VIDEO),
        ("public.png", "", Kind.PHOTO),
        ("com.example.unheard-of", "", Kind.UNKNOWN),
    ],
)
def test_the_kind_is_told_from_the_types(original: str, alternative: str, kind: Kind) -> None:
    more = {"resOriginalAltRes": res(EDIT), "resOriginalAltFileType": {"value": alternative}}
    its = master(resOriginalFileType={"value": original}, **(more if alternative else {}))
    assert read(asset(), its).kind is kind


def test_both_forms_of_a_name_are_read() -> None:
    assert name("Grüße 1.JPG") == "Grüße 1.JPG"
    assert (
        name(base64.b64encode("Grüße 1.JPG".encode()).decode(), "ENCRYPTED_BYTES") == "Grüße 1.JPG"
    )


@pytest.mark.parametrize(
    ("written", "becomes"),
    [
        ("../../etc/passwd", "passwd"),
        ("/etc/shadow", "shadow"),
        ("C:\\Users\\anna\\a.jpg", "a.jpg"),
        ("a\nb\0c.jpg", "a_b_c.jpg"),
        ("..", f"{MARK[:8]}.HEIC"),
        ("/", f"{MARK[:8]}.HEIC"),
        ("", f"{MARK[:8]}.HEIC"),
    ],
)
def test_a_name_is_a_label_and_never_a_path(written: str, becomes: str) -> None:
    assert name(written) == becomes


@pytest.mark.parametrize("kind", ["STRING", "ENCRYPTED_BYTES"])
def test_ten_megabytes_are_no_name(kind: str) -> None:
    assert name("A" * 10_000_000, kind) == f"{MARK[:8]}.HEIC"


def test_a_long_name_is_cut_and_keeps_its_extension() -> None:
    cut = name("x" * 3_000 + ".HEIC")
    assert len(cut) == records.NAME_CHARS
    assert cut.endswith(".HEIC")


def test_dates_beyond_reason_are_none() -> None:
    odd = read(
        asset(assetDate={"value": 10**18}, addedDate=None) | {"created": {"timestamp": 7}}, master()
    )
    assert (odd.taken_at, odd.added_at) == (7, 7)


def test_what_was_deleted_is_gone_and_what_came_back_is_not() -> None:
    deleted = asset(isDeleted={"value": 1})
    page = records.sort_out([asset(), deleted], ZONE)
    assert (list(page.assets), list(page.gone)) == ([], ["A-1"])
    page = records.sort_out([deleted, asset()], ZONE)
    assert (list(page.assets), list(page.gone)) == (["A-1"], [])


def test_tombstones_and_memberships_are_told_apart() -> None:
    page = records.sort_out(
        [
            {"recordName": "A-9", "recordType": None, "deleted": True},
            {"recordName": "A-1-IN-B", "recordType": None, "deleted": True},
            {"recordName": "A-2-IN-B", "recordType": "CPLContainerRelation", "fields": {}},
            {"recordName": "B", "recordType": "CPLAlbum", "deleted": True},
            {"recordName": "F", "recordType": "CPLAlbum", "fields": {"albumType": {"value": 3}}},
        ],
        ZONE,
    )
    assert list(page.gone) == ["A-9"]
    assert list(page.members_gone) == ["A-1-IN-B"]
    assert [(m.asset, m.album) for m in page.members.values()] == [("A-2", "B")]
    assert [(a.record, a.is_gone) for a in page.albums.values()] == [("B", True)]


def test_in_a_shared_library_only_what_i_put_there_is_mine() -> None:
    one = asset() | {"created": {"userRecordName": "_me"}}
    shared = "SharedSync-1"
    assert records.remote(one, master(), shared, "_me").is_ours
    assert not records.remote(one, master(), shared, "_you").is_ours
    assert not records.remote(asset(), master(), shared, "").is_ours
    assert records.remote(asset(), master(), ZONE, "").is_ours
    assert records.remote(one, master(), shared, "_me").ref == CloudRef(shared, "A-1")
