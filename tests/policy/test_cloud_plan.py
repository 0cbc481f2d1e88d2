"""Guards which assets of iCloud are fetched, that every other one has a reason, and that names do no harm."""

from dataclasses import replace
from typing import Any

import pytest

from mediad.config.outside import ICloud
from mediad.model import CloudRef, Kind, Remote, RemoteFile, Resource
from mediad.policy.cloud_plan import DAY_MS, FILTERED, NAME_CHARS, Known, filters_of, label, plan
from mediad.policy.naming import safe_name

NOW = 4_000_000_000_000
NOBODY = Known()


def rules(**said: object) -> ICloud:
    return ICloud.model_validate(said)


def file(resource: Resource = Resource.ORIGINAL, name: str = "IMG_0001.HEIC") -> RemoteFile:
    return RemoteFile(resource, name, 10, f"fp {resource} {name}")


def remote(*files: RemoteFile, **said: object) -> Remote:
    made = Remote(
        ref=CloudRef("PrimarySync", "RECORD-1"),
        master="M",
        change_tag="1",
        name="IMG_0001.HEIC",
        taken_at=NOW - 100 * DAY_MS,
        added_at=NOW - 10 * DAY_MS,
        kind=Kind.PHOTO,
        files=files or (file(),),
    )
    return replace(made, **said)  # type: ignore[arg-type]


def why(found: Remote, known: Known = NOBODY, **said: Any) -> str:
    return plan(found, known, rules(**said), NOW)[1]


def test_without_filters_everything_is_fetched() -> None:
    assert why(remote()) == ""
    assert why(remote(is_hidden=True)) == ""
    assert why(remote(is_ours=False)) == ""


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (remote(), {"favourites_only": True}),
        (remote(is_hidden=True), {"hidden": False}),
        (remote(), {"days": 9}),
        (remote(), {"days": 99, "days_by": "taken"}),
        (remote(), {"zones": ["SharedSync-1"]}),
        (remote(), {"albums": ["Family"]}),
    ],
)
def test_what_a_filter_leaves_out_says_which(found: Remote, said: dict[str, Any]) -> None:
    reason = why(found, **said)
    assert reason.startswith(FILTERED)
    assert f"icloud.{next(iter(said))}" in reason
    assert why(found, Known(is_fetched=True), **said) == ""


@pytest.mark.parametrize(
    ("found", "known", "said"),
    [
        (remote(is_favourite=True), NOBODY, {"favourites_only": True}),
        (remote(), NOBODY, {"days": 11}),
        (remote(), NOBODY, {"days": 101, "days_by": "taken"}),
        (remote(), Known(albums=frozenset({"Family"})), {"albums": ["Family"]}),
        (remote(), Known(albums=frozenset({"RECORD"})), {"albums": ["RECORD"]}),
        (remote(), NOBODY, {"zones": ["PrimarySync"]}),
    ],
)
def test_a_filter_lets_in_what_it_names(found: Remote, known: Known, said: dict[str, Any]) -> None:
    assert why(found, known, **said) == ""


def test_what_mediad_uploaded_and_what_lies_in_the_bin_is_not_fetched() -> None:
    ours = Known(ignored=frozenset({file().fingerprint}))
    assert why(remote(), ours) == "uploaded by mediad"
    assert why(remote(), ours._replace(is_fetched=True)) == "uploaded by mediad"
    assert why(remote(is_deleted=True)) == "in Recently Deleted"


def test_a_record_without_files_says_what_is_wrong_with_it() -> None:
    empty = replace(remote(), files=())
    assert why(replace(empty, flaw="no original")) == "no original"
    assert why(empty) == "iCloud lists no file of it"
    # What has one sound file is fetched, whatever is wrong with the others.
    assert why(remote(flaw="the edit has no fingerprint")) == ""


def names(*files: RemoteFile) -> list[str]:
    return [f.name for f in plan(remote(*files), NOBODY, rules(), NOW)[0].files]


def test_a_live_photo_an_edit_and_a_raw_keep_one_stem() -> None:
    assert names(
        file(),
        file(Resource.LIVE_VIDEO, "IMG_0001.MOV"),
        file(Resource.EDITED, "IMG_0001-edited.JPG"),
    ) == ["IMG_0001.HEIC", "IMG_0001.MOV", "IMG_0001-edited.JPG"]
    assert names(file(name="A.JPG"), file(Resource.ALTERNATIVE, "A.DNG")) == ["A.JPG", "A.DNG"]


def test_no_two_files_of_an_asset_have_one_name() -> None:
    assert names(
        file(name="A.JPG"),
        file(Resource.ALTERNATIVE, "a.jpg"),
        file(Resource.LIVE_VIDEO, "A.JPG"),
        file(Resource.EDITED, "A.JPG"),
        file(Resource.EDITED_VIDEO, "A.JPG"),
    ) == ["A.JPG", "a-alternative.jpg", "A-live.JPG", "A-edited.JPG", "A-edited-2.JPG"]


@pytest.mark.parametrize(
    "name",
    ["../../etc/passwd", "..\\..\\x", "/", "..", ".", "", "a\0b", "x" * 10_000_000 + ".HEIC", "\ud800.JPG", "🏔" * 500],
)  # fmt: skip
def test_whatever_a_name_is_it_becomes_a_label_that_can_be_kept(name: str) -> None:
    found = label(name, "RECORD-1")
    assert found
    assert "/" not in found
    assert found.encode()
    assert len(found) <= NAME_CHARS
    assert safe_name(found) not in {"", ".", ".."}
    assert label(found, "RECORD-1") == found


def test_a_long_name_keeps_its_extension() -> None:
    assert label("x" * 1000 + ".HEIC", "R").endswith(".HEIC")


def test_a_change_of_the_filters_shows_and_that_of_other_settings_does_not() -> None:
    assert filters_of(rules()) != filters_of(rules(days=3))
    assert filters_of(rules(albums=["a", "b"])) == filters_of(rules(albums=["b", "a"]))
    assert filters_of(rules()) == filters_of(rules(poll_minutes=99, at_once=1))
