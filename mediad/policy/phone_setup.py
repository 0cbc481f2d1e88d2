"""
Is Syncthing set up so that nothing on the phone can touch anything here, and what is announced can be believed?

Each fault is a finding of its own with its remedy; while an unsafe one stands, nothing is placed and nothing confirmed.
"""

import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Final, NamedTuple

from mediad.ports import Change, SetUp, SharedFolder

SETUP: Final = "`mediactl syncthing setup` shows the change and makes it"
WHERE: Final = "type Send & Receive, in a place where Google Photos looks, such as DCIM/mediad"
LABEL: Final = "mediad"
MARKER: Final = ".stfolder"
CODES: Final = frozenset(
    f"syncthing.{fault}"
    for fault in (
        "device_paused", "device_unknown", "encrypted", "folder_error", "folder_missing", "folder_named",
        "folder_offered", "folder_path", "folder_paused", "folder_type", "ignore_delete", "ignores", "marker_missing",
        "not_accepted", "not_shared", "too_old", "watch_error",
    )
)  # fmt: skip
"""Everything that a look at the set-up can find; what it does not find is not so, or not so any more."""
OLDEST: Final = (1, 12)  # the first with /rest/config

_VERSION: Final = re.compile(r"v?(\d+)\.(\d+)")


class Wanted(NamedTuple):
    folder_id: str  # "": found by its path
    device_id: str  # "": the folder's only other device
    path: str


class Fault(NamedTuple):
    code: str
    message: str
    remedy: str
    is_unsafe: bool = True


def folder_of(set_up: SetUp, wanted: Wanted) -> SharedFolder | None:
    """The folder that carries the files to the phone."""
    if wanted.folder_id:
        return next((f for f in set_up.folders if f.id == wanted.folder_id), None)
    return _at_path(set_up, wanted)


def device_of(set_up: SetUp, wanted: Wanted) -> str:
    """The phone's device id; "" when it cannot be told."""
    if wanted.device_id:
        return wanted.device_id if wanted.device_id in set_up.devices else ""
    folder = folder_of(set_up, wanted)
    shared = folder.devices if folder else ()
    for others in (shared, tuple(set_up.devices)):
        if others:
            return others[0] if len(others) == 1 else ""
    return ""


def lint(set_up: SetUp, wanted: Wanted) -> list[Fault]:
    """Everything that is wrong, the worst first: no fault hides another one."""
    folder = folder_of(set_up, wanted)
    device = device_of(set_up, wanted)
    faults = [
        *_of_version(set_up),
        *(_of_folder(folder, wanted) if folder else _no_folder(set_up, wanted)),
        *_of_device(set_up, wanted, device),
        *(_of_sharing(folder, device) if folder and device else ()),
        *(_of_state(folder) if folder else ()),
        *_of_acceptance(set_up, folder, device),
    ]
    return sorted(faults, key=lambda fault: not fault.is_unsafe)


def changes(set_up: SetUp, wanted: Wanted) -> list[Change]:
    """What to change in Syncthing, in this order; nothing when all is as it should be. Never moves a folder."""
    folder = folder_of(set_up, wanted)
    device = device_of(set_up, wanted)
    found = []
    if wanted.device_id and not device:
        device = wanted.device_id
        found.append(_new_device(device))
    elif device in set_up.paused_devices:
        found.append(
            Change(
                "device",
                device,
                "paused",
                now=True,
                value=False,
                why="the phone's device is paused",
            )
        )
    if folder is not None:
        found += _mended(folder, device)
    elif _at_path(set_up, wanted) is None:
        found.append(_new_folder(set_up, wanted, device))
    return found


# -- findings -----------------------------------------------------------------------------------


def _of_version(set_up: SetUp) -> Iterator[Fault]:
    said = _VERSION.match(set_up.syncthing)
    if said and (int(said[1]), int(said[2])) < OLDEST:
        yield Fault(
            "syncthing.too_old",
            f"Syncthing {set_up.syncthing} is older than 1.12: it cannot be asked how it is set up",
            "update Syncthing on this machine",
        )


def _no_folder(set_up: SetUp, wanted: Wanted) -> Iterator[Fault]:
    other = _at_path(set_up, wanted)
    if other is None:
        yield Fault(
            "syncthing.folder_missing",
            f"Syncthing shares no folder {wanted.folder_id or wanted.path}; nothing can reach the phone",
            SETUP,
        )
    else:
        yield Fault(
            "syncthing.folder_named",
            f"Syncthing shares {wanted.path} under the id {other.id}, not {wanted.folder_id}",
            f'set syncthing.folder_id = "{other.id}", or leave it empty',
        )


def _of_folder(folder: SharedFolder, wanted: Wanted) -> Iterator[Fault]:
    if not _is_same_path(folder.path, wanted.path):
        yield Fault(
            "syncthing.folder_path",
            f"Syncthing's folder {folder.id} is {folder.path}; mediad's is {wanted.path}: what is placed in the one"
            " never reaches the other",
            "make folders.pixel_sync and the folder's path in Syncthing the same",
        )
    if folder.type != "sendonly":
        yield Fault(
            "syncthing.folder_type",
            f"the folder {folder.id} is {folder.type or 'of no known type'}, not send only: a deletion on the phone"
            " would delete the file here too",
            SETUP,
        )
    if folder.ignores:
        yield Fault(
            "syncthing.ignores",
            f"the folder {folder.id} has ignore patterns ({', '.join(folder.ignores[:3])}): files that they fit never"
            " reach the phone, and Syncthing does not tell",
            SETUP,
        )
    if folder.ignore_delete:
        yield Fault(
            "syncthing.ignore_delete",
            f"the folder {folder.id} ignores deletions here (ignoreDelete): what the phone has freed may not be seen",
            f"{SETUP}; the setting belongs on the phone, not here",
            is_unsafe=False,
        )


def _of_device(set_up: SetUp, wanted: Wanted, device: str) -> Iterator[Fault]:
    if device in set_up.paused_devices:
        yield Fault(
            "syncthing.device_paused",
            f"the phone ({_name(set_up, device)}) is paused in Syncthing: nothing is sent to it",
            f"resume the device in Syncthing; {SETUP}",
        )
    if device:
        return
    if wanted.device_id:
        what = f"Syncthing knows no device {wanted.device_id}"
        remedy = f"check syncthing.device_id; {SETUP}"
    else:
        names = ", ".join(sorted(set_up.devices.values())) or "none at all"
        what = f"which device is the phone cannot be told; Syncthing knows {names}"
        remedy = "set syncthing.device_id to the phone's id (Syncthing on the phone shows it)"
    yield Fault("syncthing.device_unknown", f"{what}; nothing can reach the phone", remedy)


def _of_sharing(folder: SharedFolder, device: str) -> Iterator[Fault]:
    if device not in folder.devices:
        yield Fault(
            "syncthing.not_shared",
            f"the folder {folder.id} is not shared with the phone; nothing can reach it",
            f"share it with the phone in Syncthing; {SETUP}",
        )
    if device in folder.encrypted_for:
        yield Fault(
            "syncthing.encrypted",
            f"the folder {folder.id} goes to the phone encrypted: what is announced there is no picture",
            SETUP,
        )


def _of_state(folder: SharedFolder) -> Iterator[Fault]:
    if folder.is_paused:
        yield Fault(
            "syncthing.folder_paused",
            f"the folder {folder.id} is paused in Syncthing: nothing is sent, and nothing can be seen of the phone",
            f"resume the folder in Syncthing; {SETUP}",
        )
    elif _lacks_marker(folder):
        yield Fault(
            "syncthing.marker_missing",
            f"the folder {folder.id} has lost its marker {folder.marker}: Syncthing takes its disk for missing",
            f"see that the disk is mounted; then {SETUP}",
        )
    elif folder.state == "error" or folder.error:
        yield Fault(
            "syncthing.folder_error",
            f"Syncthing has stopped the folder {folder.id}: {folder.error or 'it does not say why'}",
            "put right what Syncthing says; it goes on by itself",
        )
    if folder.watch_error:
        yield Fault(
            "syncthing.watch_error",
            f"Syncthing cannot watch the folder {folder.id}: {folder.watch_error}; mediad tells it of each file itself",
            "mostly the limit of inotify watches: raise fs.inotify.max_user_watches",
            is_unsafe=False,
        )


def _of_acceptance(set_up: SetUp, folder: SharedFolder | None, device: str) -> Iterator[Fault]:
    """The phone's part: taking up our folder, and not another one in its place."""
    if folder and device not in folder.unheard_of:
        return
    if folder:
        yield Fault(
            "syncthing.not_accepted",
            f"the phone announces nothing of the folder {folder.id}, though it is connected: it seems not to have"
            " accepted it, and nothing reaches it",
            f"accept {folder.id} in Syncthing on the phone ({WHERE}); just accepted, it takes a moment",
            is_unsafe=False,
        )
    offers = sorted(f for f, by in set_up.offered.items() if device and by == device)
    if offers:
        names = ", ".join(offers)
        yield Fault(
            "syncthing.folder_offered",
            f"the phone offers a folder of its own: {names}; the files go by another one, and the two never meet",
            f"on the phone, accept {folder.id}, and not a new folder of its own"
            if folder
            else "if it is meant for the pictures, first `mediactl config set syncthing.folder_id ID`; else let it be",
            is_unsafe=False,
        )


# -- changes ------------------------------------------------------------------------------------


def _mended(folder: SharedFolder, device: str) -> Iterator[Change]:
    if folder.type != "sendonly":
        yield _mend(
            folder, "type", folder.type, "sendonly", "a deletion on the phone must not delete here"
        )
    if device and (device not in folder.devices or device in folder.encrypted_for):
        yield from _shared(folder, device)
    if folder.ignore_delete:
        yield _mend(folder, "ignoreDelete", True, False, "what the phone has freed must be seen")  # noqa: FBT003 - values
    if folder.is_paused:
        yield _mend(folder, "paused", True, False, "a paused folder sends nothing")  # noqa: FBT003 - likewise
    if folder.ignores:
        why = "what a pattern fits never reaches the phone"
        yield Change("ignores", folder.id, "", list(folder.ignores), [], why)
    if _lacks_marker(folder):
        why = "without its marker Syncthing takes the folder's disk for missing"
        yield Change("marker", folder.id, "", None, folder.marker or MARKER, why)


def _shared(folder: SharedFolder, device: str) -> Iterator[Change]:
    """
    The whole list of devices, as Syncthing takes no less.

    Where another device has a password, which nobody tells us, it stays as it is: else that device could read all.
    """
    others = [d for d in folder.devices if d != device]
    if set(others) & set(folder.encrypted_for):
        return
    value = [{"deviceID": d, "encryptionPassword": ""} for d in (*others, device)]
    why = "the phone gets the files, as they are"
    yield _mend(folder, "devices", list(folder.devices), value, why)


def _mend(folder: SharedFolder, key: str, now: object, value: object, why: str) -> Change:
    return Change("folder", folder.id, key, now, value, why)


def _new_device(device: str) -> Change:
    value = {"deviceID": device, "name": "phone"}
    return Change("device", device, "", None, value, "Syncthing must know the phone")


def _new_folder(set_up: SetUp, wanted: Wanted, device: str) -> Change:
    taken = {f.id for f in set_up.folders}
    names = (wanted.folder_id or LABEL, *(f"{LABEL}-{n}" for n in range(2, len(taken) + 3)))
    name = next(n for n in names if n not in taken)
    value = {
        "id": name,
        "label": LABEL,
        "path": wanted.path,
        "type": "sendonly",
        "paused": False,
        "fsWatcherEnabled": True,
        "ignorePerms": True,  # a changed mode is no new version of a photograph
        "ignoreDelete": False,
        "markerName": MARKER,
        "devices": [{"deviceID": device, "encryptionPassword": ""}] if device else [],
    }
    return Change("folder", name, "", None, value, "the folder that carries the files to the phone")


# -- small things -------------------------------------------------------------------------------


def _at_path(set_up: SetUp, wanted: Wanted) -> SharedFolder | None:
    return next((f for f in set_up.folders if _is_same_path(f.path, wanted.path)), None)


def _is_same_path(one: str, other: str) -> bool:
    return PurePosixPath(one) == PurePosixPath(other)


def _lacks_marker(folder: SharedFolder) -> bool:
    return "marker" in folder.error.casefold()


def _name(set_up: SetUp, device: str) -> str:
    return set_up.devices.get(device) or device[:7]
