"""
CloudKit's records of Photos, read into the model. Pure and total: what is missing or odd is a flaw, never an exception.

An asset of iCloud is two records: the CPLMaster (the original, shared by duplicates) and the CPLAsset (what a person
sees and edits). Names in them are labels; they are cut, and freed of folders and of what is no text.
"""

import base64
import binascii
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from mediad.adapters.icloud.types import extension_for, is_raw, is_video
from mediad.model import CloudRef, Kind, Remote, RemoteFile, Resource
from mediad.ports import Album, Member

Raw = Mapping[str, object]

PRIMARY: Final = "PrimarySync"
SHARED: Final = "SharedSync-"
BETWEEN: Final = "-IN-"
NAME_CHARS: Final = 200
_NAME_RAW: Final = 4096  # of an encoded name that is looked at: beyond that it is no name
_RECORD_CHARS: Final = 255
_WORD_CHARS: Final = 512  # of a field that is a word, not a text
_LARGEST: Final = 2**53
_LATEST: Final = 253_402_300_799_999  # the end of the year 9999
_FINGERPRINT: Final = (21, 0x01)
_ENDS: Final = re.compile(r"[?&]e=([0-9]{1,12})(?:[&#]|\Z)")  # of a signed address: its last second
_NOBODY: Final = frozenset({"_defaultOwner", "__defaultOwner__"})

MASTER_KEYS: Final = tuple(
    f"{stem}{part}"
    for stem in ("resOriginal", "resOriginalAlt", "resOriginalVidCompl")
    for part in ("Res", "FileType", "Fingerprint")
)
ASSET_KEYS: Final = tuple(
    f"{stem}{part}" for stem in ("resJPEGFull", "resVidFull") for part in ("Res", "FileType", "Fingerprint")
)  # fmt: skip
KEYS: Final = (
    "filenameEnc", "itemType", *MASTER_KEYS, *ASSET_KEYS,
    "masterRef", "assetDate", "addedDate", "timeZoneOffset", "isFavorite", "isHidden", "isDeleted", "isExpunged",
    "dateExpunged", "adjustmentType", "assetSubtypeV2", "albumNameEnc", "albumType", "itemId", "containerId",
    "recordName", "recordType", "recordChangeTag",
)  # fmt: skip
"""What is asked for of each record: renditions and metadata would make a page ten times as large."""


class Location(NamedTuple):
    url: str
    expires_at: int | None  # UTC ms


@dataclass(slots=True)
class Page:
    """Some records, sorted by what they are."""

    assets: dict[str, Raw] = field(default_factory=dict)
    masters: dict[str, Raw] = field(default_factory=dict)
    albums: dict[str, Album] = field(default_factory=dict)
    members: dict[str, Member] = field(default_factory=dict)
    members_gone: dict[str, None] = field(default_factory=dict)
    gone: dict[str, None] = field(default_factory=dict)

    @property
    def lacking(self) -> list[str]:
        """Masters that assets here need and that are not here."""
        wanted = dict.fromkeys(master_of(asset) for asset in self.assets.values())
        return [name for name in wanted if name and name not in self.masters]


def sort_out(records: Iterable[object], zone: str) -> Page:
    """The newest word about a record is the last one."""
    page = Page()
    for item in records:
        if isinstance(item, dict) and (name := _word(item.get("recordName"), _RECORD_CHARS)):
            _put(page, item, name, zone)
    return page


def _put(page: Page, record: Raw, name: str, zone: str) -> None:
    kind = record.get("recordType")
    is_gone = record.get("deleted") is True or _flag(record, "isExpunged")
    if kind == "CPLMaster" and not is_gone:
        page.masters[name] = record
    elif kind == "CPLAlbum":
        if is_gone or _number(record, "albumType", 0) == 0:
            is_gone = is_gone or _flag(record, "isDeleted")
            page.albums[name] = Album(name, _label(record, "albumNameEnc"), zone, is_gone)
    elif kind == "CPLContainerRelation" or (is_gone and BETWEEN in name):
        _put_member(page, record, name, zone, is_gone=is_gone or _flag(record, "isDeleted"))
    elif is_gone or (kind == "CPLAsset" and _flag(record, "isDeleted")):
        page.assets.pop(name, None)
        page.gone[name] = None
    elif kind == "CPLAsset":
        page.gone.pop(name, None)
        page.assets[name] = record


def _put_member(page: Page, record: Raw, name: str, zone: str, *, is_gone: bool) -> None:
    if is_gone:
        page.members.pop(name, None)
        page.members_gone[name] = None
        return
    asset, _, album = name.partition(BETWEEN)
    asset = _word(value(record, "itemId"), _RECORD_CHARS) or asset
    album = _word(value(record, "containerId"), _RECORD_CHARS) or album
    if asset and album:
        page.members_gone.pop(name, None)
        page.members[name] = Member(name, asset, album, zone)


def value(record: Raw, name: str) -> object:
    fields = record.get("fields")
    entry = fields.get(name) if isinstance(fields, dict) else None
    return entry.get("value") if isinstance(entry, dict) else None


def master_of(asset: Raw) -> str:
    ref = value(asset, "masterRef")
    return _word(ref.get("recordName"), _RECORD_CHARS) if isinstance(ref, dict) else ""


def change_tag(record: Raw) -> str:
    return _word(record.get("recordChangeTag"), _RECORD_CHARS)


def remote(asset: Raw, master: Raw | None, zone: str, me: str = "") -> Remote:
    """`me`: the owner of the person's own library, by which their share in a shared one is known."""
    plan = _planned(asset, master)
    added = _time(asset, "addedDate") or _stamp(asset, "created")
    taken = _time(asset, "assetDate")
    return Remote(
        ref=CloudRef(zone, _word(asset.get("recordName"), _RECORD_CHARS)),
        master=master_of(asset),
        change_tag=change_tag(asset),
        name=plan.name,
        taken_at=added if taken is None else taken,
        added_at=added,
        offset_s=_offset(asset),
        is_favourite=_flag(asset, "isFavorite"),
        is_hidden=_flag(asset, "isHidden"),
        is_deleted=_flag(asset, "isDeleted") or asset.get("deleted") is True,
        is_ours=zone == PRIMARY or _creator(asset) in _NOBODY | ({me} - {""}),
        kind=_kind(master, plan.files),
        files=tuple(plan.files),
        flaw=plan.flaw,
    )


@dataclass(slots=True)
class _Plan:
    name: str
    files: list[RemoteFile] = field(default_factory=list)
    flaw: str = ""


_MASTER: Final = (
    (Resource.ORIGINAL, "resOriginal", ""),
    (Resource.ALTERNATIVE, "resOriginalAlt", ""),
    (Resource.LIVE_VIDEO, "resOriginalVidCompl", ""),
)
_ASSET: Final = (
    (Resource.EDITED, "resJPEGFull", "-edited"),
    (Resource.EDITED_VIDEO, "resVidFull", "-edited"),
)


def _planned(asset: Raw, master: Raw | None) -> _Plan:
    if master is None:
        return _Plan("", flaw="iCloud lists the photo without its original")
    name = _label(master, "filenameEnc")
    ext = extension_for(_type(master, "resOriginal") or _item_type(master))
    plan = _Plan(name or f"{_plain(master_of(asset))[:8] or 'unnamed'}{ext}")
    for record, rows in ((master, _MASTER), (asset, _ASSET)):
        for resource, stem, suffix in rows:
            _plan_one(plan, record, resource, stem, suffix)
    if not plan.flaw and not any(f.resource is Resource.ORIGINAL for f in plan.files):
        plan.flaw = "iCloud lists no original file of it"
    return plan


def _plan_one(plan: _Plan, record: Raw, resource: Resource, stem: str, suffix: str) -> None:
    found = value(record, f"{stem}Res")
    if found is None and value(record, f"{stem}Fingerprint") is None:
        return
    row = found if isinstance(found, dict) else {}
    size = _whole(row.get("size"), -1)
    fingerprint = _word(row.get("fileChecksum"), _WORD_CHARS)
    if size <= 0 or not fingerprint:
        plan.flaw = plan.flaw or f"iCloud tells no size or no fingerprint of its file ({resource})"
        return
    name = _named(plan.name, resource, _type(record, stem), suffix)
    plan.files.append(RemoteFile(resource, name, size, fingerprint))


def _named(name: str, resource: Resource, uti: str, suffix: str) -> str:
    if resource is Resource.ORIGINAL:
        return name
    stem, dot, ext = name.rpartition(".")
    ext = extension_for(uti) or (
        ".MOV" if resource is Resource.LIVE_VIDEO else f".{ext}" if dot else ""
    )
    return f"{stem if dot else name}{suffix}{ext}"


def is_fingerprint(text: str) -> bool:
    """In the one form whose making is known: 0x01 and a SHA-1."""
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return False
    return bool(raw) and (len(raw), raw[0]) == _FINGERPRINT


def locations(asset: Raw, master: Raw | None) -> dict[str, Location]:
    """By fingerprint: where each file can be fetched for the next hours."""
    found: dict[str, Location] = {}
    for record, rows in ((master, _MASTER), (asset, _ASSET)):
        for _, stem, _ in rows if record is not None else ():
            row = value(record, f"{stem}Res") if record is not None else None
            if isinstance(row, dict) and (url := _url(row.get("downloadURL"))):
                found[_word(row.get("fileChecksum"), _WORD_CHARS)] = Location(url, _expiry(url))
    return found


def expunged_at(record: Raw) -> int | None:
    return _time(record, "dateExpunged")


def is_marked_deleted(record: Raw) -> bool:
    return _flag(record, "isDeleted")


def _url(found: object) -> str:
    if not isinstance(found, str) or len(found) > _NAME_RAW or not found.isascii():
        return ""
    return found.replace("${f}", "original")


def _expiry(url: str) -> int | None:
    """Looked for, not parsed: this is asked of every file that a listing names."""
    found = _ENDS.search(url)
    return int(found[1]) * 1000 if found else None


def _kind(master: Raw | None, files: Sequence[RemoteFile]) -> Kind:
    if master is None:
        return Kind.UNKNOWN
    uti = _type(master, "resOriginal") or _item_type(master)
    has = {f.resource for f in files}
    if is_video(uti):
        return Kind.VIDEO
    if Resource.LIVE_VIDEO in has:
        return Kind.LIVE_PHOTO
    if Resource.ALTERNATIVE in has and is_raw(uti) != is_raw(_type(master, "resOriginalAlt")):
        return Kind.RAW_JPEG
    if is_raw(uti):
        return Kind.RAW
    return Kind.PHOTO if extension_for(uti) else Kind.UNKNOWN


def _item_type(master: Raw) -> str:
    return _word(value(master, "itemType"), _WORD_CHARS)


def _type(record: Raw, stem: str) -> str:
    return _word(value(record, f"{stem}FileType"), _WORD_CHARS)


def _label(record: Raw, name: str) -> str:
    """A name for people, from either of its two forms: base64 of UTF-8, or plain."""
    fields = record.get("fields")
    entry = fields.get(name) if isinstance(fields, dict) else None
    raw = entry.get("value") if isinstance(entry, dict) else None
    if not isinstance(raw, str) or not isinstance(entry, dict) or len(raw) > _NAME_RAW:
        return ""
    return _plain(raw if entry.get("type") == "STRING" else _decoded(raw))


def _decoded(raw: str) -> str:
    try:
        return base64.b64decode(raw, validate=True).decode("utf-8")
    except (binascii.Error, ValueError):
        return raw


def _plain(text: str) -> str:
    """One name of printable text: no folders, no line breaks, not too long, its extension kept."""
    last = text.replace("\\", "/").rstrip("/").rpartition("/")[2]
    last = "".join(char if char.isprintable() else "_" for char in last).strip()
    if last in {"", ".", ".."}:
        return ""
    stem, dot, ext = last.rpartition(".")
    if len(last) > NAME_CHARS and dot and len(ext) < 12:  # noqa: PLR2004 - no extension is longer
        return f"{stem[: NAME_CHARS - len(ext) - 1]}.{ext}"
    return last[:NAME_CHARS]


def _word(found: object, most: int) -> str:
    return found if isinstance(found, str) and len(found) <= most and found.isprintable() else ""


def _whole(found: object, default: int) -> int:
    is_whole = isinstance(found, int) and not isinstance(found, bool) and abs(found) <= _LARGEST
    return found if is_whole and isinstance(found, int) else default


def _number(record: Raw, name: str, default: int) -> int:
    return _whole(value(record, name), default)


def _flag(record: Raw, name: str) -> bool:
    return _number(record, name, 0) != 0 or value(record, name) is True


def _time(record: Raw, name: str) -> int | None:
    found = value(record, name)
    if isinstance(found, float) and abs(found) <= _LATEST:
        found = int(found)
    at = _whole(found, _LARGEST)
    return at if abs(at) <= _LATEST else None


def _stamp(record: Raw, name: str) -> int:
    row = record.get(name)
    at = _whole(row.get("timestamp"), 0) if isinstance(row, dict) else 0
    return at if abs(at) <= _LATEST else 0


def _creator(record: Raw) -> str:
    row = record.get("created")
    return _word(row.get("userRecordName"), _RECORD_CHARS) if isinstance(row, dict) else ""


def _offset(record: Raw) -> int | None:
    seconds = _number(record, "timeZoneOffset", 1 << 40)
    return seconds if abs(seconds) <= 26 * 3600 else None
