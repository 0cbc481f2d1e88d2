"""Indexes as Syncthing keeps them: entries, version vectors, and which of two versions wins."""

import unicodedata
from base64 import b64encode
from collections.abc import Iterable, Mapping
from dataclasses import replace
from fnmatch import fnmatchcase
from hashlib import sha256

from mediad.model import SiteKey
from mediad.ports import Entry


def changed(known: Entry | None, now: Entry | None, fresh: Entry) -> Entry | None:
    """The entry that a scan makes; None: nothing has changed."""
    if now is None:
        return fresh if known is not None and not known.is_deleted else None
    if known is not None and not known.is_deleted and content(known) == content(now):
        return None
    return replace(now, version=fresh.version, modified_by=fresh.modified_by)


def bumped(known: Entry | None, device: str, now: int) -> Entry:
    """The next version by this device, nothing in it yet. Its counter is the time, and always grows."""
    counters = dict(vector(known))
    counters[device[:7]] = max(counters.get(device[:7], 0) + 1, now // 1000)
    version = ",".join(f"{who}:{count}" for who, count in sorted(counters.items()))
    second = now // 1000 * 1_000_000_000
    return Entry(version, 0, second, is_deleted=True, modified_by=device[:7])


def content(entry: Entry | None) -> tuple[int, int | None] | None:
    return None if entry is None else (entry.size, entry.mtime_ns)


def vector(entry: Entry | None) -> Mapping[str, int]:
    pairs = entry.version.split(",") if entry is not None and entry.version else ()
    return {who: int(count) for who, _, count in (pair.partition(":") for pair in pairs)}


def covers(entry: Entry | None, other: Entry) -> bool:
    """Is it that version, or one made from it?"""
    mine = vector(entry)
    return entry is not None and all(
        mine.get(who, 0) >= count for who, count in vector(other).items()
    )


def wins(entry: Entry, other: Entry) -> bool:
    """Which of two is the newest everywhere: what was made from the other; else by mtime, then by device."""
    if covers(entry, other) or covers(other, entry):
        return not covers(other, entry)
    if entry.mtime_ns != other.mtime_ns:
        return (entry.mtime_ns or 0) > (other.mtime_ns or 0)
    return min(vector(entry)) < min(vector(other))


def is_ignored(key: SiteKey, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(key, pattern) for pattern in patterns)


def can_be_indexed(key: SiteKey) -> bool:
    is_temporary = key.startswith((".syncthing.", "~syncthing~")) and key.endswith(".tmp")
    is_text = not any("\ud800" <= char <= "\udfff" for char in key)
    return is_text and not is_temporary


def nfc(key: SiteKey) -> SiteKey:
    return SiteKey(unicodedata.normalize("NFC", key))


def blocks_hash(bytes_: bytes) -> str:
    return b64encode(sha256(bytes_).digest()).decode()
