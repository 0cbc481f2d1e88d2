"""
Foreign JSON, read strictly into the ports' values: a wrong type is an error and never a guess.

Unknown fields are normal. Where Syncthing writes null for an empty list, it is an empty list.
"""

import re
import unicodedata
from calendar import timegm
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from mediad.adapters.syncthing.faults import ANSWER, fault
from mediad.errors import MediadError
from mediad.model import SiteKey
from mediad.ports import Entry, Indexed

_TIME: Final = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:Z|([+-])(\d\d):(\d\d))"
)
_COUNTER: Final = re.compile(r"([A-Z2-7]{1,13}):(\d{1,20})")
_FILE_TYPES: Final = {"FILE_INFO_TYPE_FILE", "FileInfoTypeFile", "file"}
_HARMLESS_FLAGS: Final = 16 | 32  # 2.x marks its own rows as newest (16) and as needed here (32)


def misread(what: str) -> MediadError:
    """`what` is ours: the name of a field, never its content."""
    return fault(ANSWER, more=what)


def mapping(answer: object, what: str) -> Mapping[str, object]:
    if not isinstance(answer, dict):
        raise misread(f"{what} is no object")
    return answer


def sequence(answer: object, what: str) -> Sequence[object]:
    """None is the empty list that Go writes as null."""
    if answer is None:
        return ()
    if not isinstance(answer, list):
        raise misread(f"{what} is no list")
    return answer


def text(row: Mapping[str, object], key: str, default: str | None = None) -> str:
    found = row.get(key, default)
    if found is None and default is not None:
        return default
    if not isinstance(found, str):
        raise misread(f"{key} is no text")
    return found


def flag(row: Mapping[str, object], key: str, *, default: bool | None = None) -> bool:
    found = row.get(key, default)
    if not isinstance(found, bool):
        raise misread(f"{key} is neither true nor false")
    return found


def whole(row: Mapping[str, object], key: str, default: int | None = None) -> int:
    found = row.get(key, default)
    if not isinstance(found, int) or isinstance(found, bool):
        raise misread(f"{key} is no whole number")
    return found


def nanoseconds(written: str, what: str = "modified") -> int:
    """RFC 3339 with any offset to UTC nanoseconds, exactly."""
    match = _TIME.fullmatch(written)
    if match is None:
        raise misread(f"{what} is no time")
    year, month, day, hour, minute, second = (int(part) for part in match.groups()[:6])
    try:
        seconds = timegm((year, month, day, hour, minute, second))
    except ValueError:
        raise misread(f"{what} is no time") from None
    ns = int((match[7] or "").ljust(9, "0"))
    sign = -1 if match[8] == "-" else 1
    offset = sign * (int(match[9] or 0) * 3600 + int(match[10] or 0) * 60)
    return (seconds - offset) * 1_000_000_000 + ns


def version(answer: object) -> str:
    """A vector in one spelling, whatever order it was written in; "" for none."""
    counters: dict[str, int] = {}
    for counter in sequence(answer, "version"):
        match = _COUNTER.fullmatch(counter) if isinstance(counter, str) else None
        if match is None or match[1] in counters:
            raise misread("version is no version vector")
        counters[match[1]] = int(match[2])
    return ",".join(f"{device}:{count}" for device, count in sorted(counters.items()))


def entry(answer: object, key: SiteKey | None = None) -> Entry | None:
    """None: an empty record, which is how Syncthing says that this side has no such name."""
    row = mapping(answer, "file")
    name, vector = text(row, "name", ""), version(row.get("version"))
    if not name or not vector:
        return None
    if key is not None and unicodedata.normalize("NFC", name) != unicodedata.normalize("NFC", key):
        raise misread("it is about another name")
    modified = row.get("modified")
    return Entry(
        version=vector,
        size=whole(row, "size"),
        mtime_ns=None if modified is None else nanoseconds(text(row, "modified")),
        is_deleted=flag(row, "deleted"),
        is_invalid=_is_invalid(row),
        modified_by=text(row, "modifiedBy", "")[:7],
        blocks_hash=text(row, "blocksHash", ""),
    )


def _is_invalid(row: Mapping[str, object]) -> bool:
    marks = [flag(row, mark, default=False) for mark in ("invalid", "ignored", "mustRescan")]
    if any(marks):
        return True
    if whole(row, "localFlags", 0) & ~_HARMLESS_FLAGS:
        return True
    return text(row, "type") not in _FILE_TYPES


def is_available(answer: object, device: str) -> bool:
    """Does this device announce the newest version, whole? A temporary file on its way does not count."""
    found = False
    for item in sequence(answer, "availability"):
        row = mapping(item, "availability")
        who, is_partial = text(row, "id"), flag(row, "fromTemporary")
        found = found or (who == device and not is_partial)
    return found


def indexed(answer: object, key: SiteKey, device: str) -> Indexed:
    row = mapping(answer, "file")
    if "global" not in row or "local" not in row:
        raise misread("global or local is missing")
    return Indexed(
        here=entry(row["local"], key),
        newest=entry(row["global"], key),
        is_on_phone=is_available(row.get("availability"), device),
    )


def names(rows: Sequence[object], *, deleted: bool) -> Iterator[SiteKey]:
    """Of a page of needed files; `deleted`: those count too whose newest version is a deletion."""
    for item in rows:
        row = mapping(item, "file")
        if deleted or not flag(row, "deleted", default=False):
            yield SiteKey(text(row, "name"))
