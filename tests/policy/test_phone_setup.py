"""Guards the set-up of Syncthing: every fault is told with its remedy, and none that could delete here goes unseen."""

from dataclasses import replace
from typing import Any

import pytest

from mediad.policy.phone_setup import CODES, Wanted, changes, device_of, folder_of, lint
from mediad.ports import SetUp, SharedFolder

PHONE, TABLET = "PHONE12-AAAAAAA", "TABLET1-BBBBBBB"
PATH = "/srv/photos/pixel_sync"
GOOD = SharedFolder(
    "photos", "Photos", PATH, "sendonly", is_paused=False, devices=(PHONE,), encrypted_for=(),
    ignore_delete=False, marker=".stfolder", state="idle",
)  # fmt: skip
WANTED = Wanted("photos", PHONE, PATH)
FOUND = Wanted("", "", PATH)


def set_up(*folders: SharedFolder, **said: Any) -> SetUp:
    all_well = SetUp(
        "v1.19.2", "HOST", folders, {PHONE: "Pixel 5"}, frozenset(), connected=frozenset({PHONE})
    )
    return replace(all_well, **said)


def folder(**said: Any) -> SharedFolder:
    return replace(GOOD, **said)


@pytest.mark.parametrize("wanted", [WANTED, FOUND, Wanted("", "", PATH + "/")])
def test_where_all_is_well_there_is_nothing_to_say_or_change(wanted: Wanted) -> None:
    assert lint(set_up(GOOD), wanted) == []
    assert changes(set_up(GOOD), wanted) == []
    assert folder_of(set_up(GOOD), wanted) == GOOD
    assert device_of(set_up(GOOD), wanted) == PHONE


UNSAFE = {
    "syncthing.folder_missing": set_up(),
    "syncthing.folder_named": set_up(folder(id="other")),
    "syncthing.folder_path": set_up(folder(path="/elsewhere")),
    "syncthing.folder_type": set_up(folder(type="sendreceive")),
    "syncthing.not_shared": set_up(folder(devices=())),
    "syncthing.device_unknown": set_up(GOOD, devices={TABLET: "Tab"}),
    "syncthing.device_paused": set_up(GOOD, paused_devices=frozenset({PHONE})),
    "syncthing.folder_paused": set_up(folder(is_paused=True, state="")),
    "syncthing.encrypted": set_up(folder(encrypted_for=(PHONE,))),
    "syncthing.ignores": set_up(folder(ignores=("*.MOV",))),
    "syncthing.marker_missing": set_up(folder(state="error", error="folder marker missing")),
    "syncthing.folder_error": set_up(folder(state="error", error="no space left")),
    "syncthing.too_old": set_up(GOOD, syncthing="v1.11.1"),
}
WARNINGS = {
    "syncthing.watch_error": set_up(folder(watch_error="too many open files")),
    "syncthing.ignore_delete": set_up(folder(ignore_delete=True)),
    "syncthing.not_accepted": set_up(folder(unheard_of=(PHONE,))),
}


@pytest.mark.parametrize("code", UNSAFE)
def test_each_fault_is_a_finding_of_its_own_that_stops_the_lane(code: str) -> None:
    [fault] = lint(UNSAFE[code], WANTED)
    assert (fault.code, fault.is_unsafe) == (code, True)
    assert fault.remedy


def test_every_code_is_known_by_name() -> None:
    assert {*UNSAFE, *WARNINGS, "syncthing.folder_offered"} == CODES


@pytest.mark.parametrize("code", WARNINGS)
def test_what_only_slows_things_down_is_told_and_stops_nothing(code: str) -> None:
    [fault] = lint(WARNINGS[code], WANTED)
    assert (fault.code, fault.is_unsafe) == (code, False)


def test_a_folder_that_the_phone_offers_instead_is_named() -> None:
    offered = {"camera": PHONE, "theirs": TABLET}
    missing, offer = lint(set_up(offered=offered), FOUND)
    assert (missing.code, offer.code) == ("syncthing.folder_missing", "syncthing.folder_offered")
    assert "camera" in offer.message
    assert "theirs" not in offer.message
    not_accepted, offer = lint(set_up(folder(unheard_of=(PHONE,)), offered=offered), WANTED)
    assert (not_accepted.code, offer.code) == ("syncthing.not_accepted", "syncthing.folder_offered")
    assert "accept photos" in offer.remedy


def test_what_else_the_phone_offers_is_nobodys_business_once_ours_is_accepted() -> None:
    assert lint(set_up(GOOD, offered={"camera": PHONE}), WANTED) == []
    assert lint(set_up(folder(unheard_of=(TABLET,))), WANTED) == []


@pytest.mark.loss("DL3")
@pytest.mark.parametrize("type_", ["sendreceive", "receiveonly", "receiveencrypted", ""])
def test_only_a_folder_that_sends_only_is_safe(type_: str) -> None:
    [fault] = lint(set_up(folder(type=type_)), WANTED)
    assert "delete the file here" in fault.message
    [change] = changes(set_up(folder(type=type_)), WANTED)
    assert (change.subject, change.id, change.key, change.now, change.value) == (
        "folder", "photos", "type", type_, "sendonly",
    )  # fmt: skip


def test_no_fault_hides_another_and_the_worst_come_first() -> None:
    bad = folder(type="sendreceive", devices=(), is_paused=True, ignores=("a",), watch_error="x")
    codes = [f.code for f in lint(set_up(bad, paused_devices=frozenset({PHONE})), WANTED)]
    assert codes[-1] == "syncthing.watch_error"
    assert set(codes) == {
        "syncthing.folder_type", "syncthing.not_shared", "syncthing.folder_paused",
        "syncthing.ignores", "syncthing.device_paused", "syncthing.watch_error",
    }  # fmt: skip


def test_an_error_without_a_word_is_still_one() -> None:
    [fault] = lint(set_up(folder(state="error")), WANTED)
    assert "does not say why" in fault.message


@pytest.mark.parametrize("version", ["v1.12.0", "v1.30.0", "v2.1.3-rc.1", "unknown-dev"])
def test_a_version_that_can_be_asked_is_no_fault(version: str) -> None:
    assert lint(set_up(GOOD, syncthing=version), WANTED) == []


def test_which_device_is_the_phone_is_never_guessed() -> None:
    both = {PHONE: "Pixel", TABLET: "Tab"}
    shared = folder(devices=(PHONE, TABLET))
    assert device_of(set_up(shared, devices=both), FOUND) == ""
    assert device_of(set_up(shared, devices=both), WANTED) == PHONE
    assert device_of(set_up(GOOD, devices=both), FOUND) == PHONE
    assert device_of(set_up(devices=both), FOUND) == ""
    assert device_of(set_up(), FOUND) == PHONE
    assert device_of(set_up(devices={}), FOUND) == ""
    [fault] = lint(set_up(shared, devices=both), FOUND)
    assert fault.code == "syncthing.device_unknown"
    assert "Pixel, Tab" in fault.message


def test_another_device_that_gets_it_encrypted_is_none_of_ours() -> None:
    shared = folder(devices=(PHONE, TABLET), encrypted_for=(TABLET,))
    assert lint(set_up(shared, devices={PHONE: "", TABLET: ""}), WANTED) == []


def test_a_folder_that_is_not_there_is_made_safe_from_the_start() -> None:
    [change] = changes(set_up(), WANTED)
    assert (change.subject, change.id, change.key, change.now) == ("folder", "photos", "", None)
    assert change.value == {
        "id": "photos", "label": "mediad", "path": PATH, "type": "sendonly", "paused": False,
        "fsWatcherEnabled": True, "ignorePerms": True, "ignoreDelete": False,
        "markerName": ".stfolder", "devices": [{"deviceID": PHONE, "encryptionPassword": ""}],
    }  # fmt: skip


def test_a_new_folder_takes_an_id_that_nobody_has() -> None:
    others = [folder(id=i, path=f"/{i}") for i in ("mediad", "mediad-2")]
    [change] = changes(set_up(*others), FOUND)
    assert change.id == "mediad-3"


def test_a_phone_that_syncthing_does_not_know_comes_first() -> None:
    device, made = changes(set_up(devices={}), WANTED)
    assert (device.subject, device.id, device.now) == ("device", PHONE, None)
    assert made.subject == "folder"
    [alone] = changes(set_up(devices={}), FOUND)
    assert isinstance(alone.value, dict)
    assert alone.value["devices"] == []


def test_a_folder_under_another_id_or_path_is_a_persons_to_sort_out() -> None:
    assert changes(set_up(folder(id="other")), WANTED) == []
    assert changes(set_up(folder(path="/elsewhere")), WANTED) == []


def test_everything_else_is_mended() -> None:
    bad = folder(
        type="sendreceive", devices=(TABLET,), ignore_delete=True, is_paused=True, ignores=("*.MOV",),
        error="folder marker missing (this indicates…)", state="error",
    )  # fmt: skip
    paused = frozenset({PHONE})
    devices = {PHONE: "Pixel", TABLET: "Tab"}
    found = changes(set_up(bad, devices=devices, paused_devices=paused), WANTED)
    assert [(c.subject, c.key, c.value) for c in found] == [
        ("device", "paused", False),
        ("folder", "type", "sendonly"),
        (
            "folder",
            "devices",
            [{"deviceID": d, "encryptionPassword": ""} for d in (TABLET, PHONE)],
        ),
        ("folder", "ignoreDelete", False),
        ("folder", "paused", False),
        ("ignores", "", []),
        ("marker", "", ".stfolder"),
    ]
    assert all(c.why for c in found)


def test_a_phone_that_got_it_encrypted_gets_it_plain() -> None:
    [change] = changes(set_up(folder(encrypted_for=(PHONE,))), WANTED)
    assert (change.key, change.value) == (
        "devices", [{"deviceID": PHONE, "encryptionPassword": ""}],
    )  # fmt: skip


def test_another_devices_password_is_never_lost_by_ours() -> None:
    """Without it, that device would get the files as they are."""
    bad = folder(devices=(TABLET,), encrypted_for=(TABLET,))
    devices = {PHONE: "Pixel", TABLET: "Tab"}
    [fault] = lint(set_up(bad, devices=devices), WANTED)
    assert fault.code == "syncthing.not_shared"
    assert changes(set_up(bad, devices=devices), WANTED) == []
