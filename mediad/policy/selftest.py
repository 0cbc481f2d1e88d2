"""What a self-test is worth: it speaks for the very parts that it went through, and for no others. Pure."""

import hashlib
import json
from typing import Final

from mediad.config import Settings
from mediad.ports import SelfTest

RUN_IT: Final = "mediactl selftest"


def seal(settings: Settings) -> str:
    """Changes with every setting that leads to other parts: another disk, another phone, another account."""
    folders, icloud, syncthing = settings.folders, settings.icloud, settings.syncthing
    parts = (
        (str(folders.nas_archive), settings.archive.enabled),
        (str(folders.library), str(folders.pixel_sync), settings.phone.enabled),
        (syncthing.url, syncthing.folder_id, syncthing.device_id),
        (icloud.username.casefold(), icloud.domain, bool(icloud.gateway), icloud.album),
    )
    return hashlib.sha256(json.dumps(parts).encode("utf-8", "replace")).hexdigest()[:12]


def detail(settings: Settings, words: str) -> str:
    """What the journal keeps of it."""
    return f"{words} [{seal(settings)}]"


def fault_of(selftest: SelfTest | None, settings: Settings) -> str:
    """Why it does not allow a deletion under these settings; "": it does."""
    if selftest is None:
        return "no self-test was ever made"
    if not selftest.ok:
        return f"the last self-test found a fault: {words_of(selftest)}"
    if not selftest.detail.endswith(f"[{seal(settings)}]"):
        return "the last self-test was of other parts: the configuration has changed since"
    return ""


def words_of(selftest: SelfTest) -> str:
    return selftest.detail.rpartition(" [")[0] or selftest.detail
