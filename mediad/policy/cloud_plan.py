"""
Which assets of iCloud are fetched, what their files are called here, and why the others are not. Pure.

Filters decide about what is new. What was fetched once is ours to look after: its later edits come whatever they say.
"""

import json
from dataclasses import replace
from itertools import chain
from typing import Final, NamedTuple

from mediad.config.outside import ICloud
from mediad.model import Remote, RemoteFile, Resource
from mediad.policy.naming import safe_name, split

FILTERED: Final = "filtered: "
OURS: Final = "uploaded by mediad"
IN_BIN: Final = "in Recently Deleted"
NO_FILE: Final = "iCloud lists no file of it"
NAME_CHARS: Final = 200
DAY_MS: Final = 86_400_000

_BESIDE: Final = {
    Resource.ORIGINAL: "",
    Resource.ALTERNATIVE: "-alternative",
    Resource.LIVE_VIDEO: "-live",
    Resource.EDITED: "-edited",
    Resource.EDITED_VIDEO: "-edited",
}


class Known(NamedTuple):
    """What the journal says of an asset that iCloud lists."""

    albums: frozenset[str] = frozenset()  # names and record names of those that it is in
    is_fetched: bool = False  # some file of it is ours already
    ignored: frozenset[str] = frozenset()  # fingerprints of what mediad has uploaded


def wants_zone(rules: ICloud, zone: str) -> bool:
    return not rules.zones or zone in rules.zones


def plan(remote: Remote, known: Known, rules: ICloud, now: int) -> tuple[Remote, str]:
    """The asset with its files named as they are to lie here, and why it is not fetched; "": it is."""
    return replace(remote, files=named(remote)), why_not(remote, known, rules, now)


def why_not(remote: Remote, known: Known, rules: ICloud, now: int) -> str:
    if known.ignored and known.ignored & {f.fingerprint for f in remote.files}:
        return OURS
    if not remote.files:
        return remote.flaw or NO_FILE
    if known.is_fetched:
        return ""
    if remote.is_deleted:
        return IN_BIN
    return next((FILTERED + why for why in _filters(remote, known, rules, now) if why), "")


def named(remote: Remote) -> tuple[RemoteFile, ...]:
    """No two files of one asset under one name, whatever iCloud calls them and however the disk writes it."""
    used: set[str] = set()
    files = []
    for file in remote.files:
        own = label(file.name or remote.name, remote.ref.record)
        stem, extension = split(own)
        beside = f"{stem}{_BESIDE[file.resource]}"
        more = (f"{beside}-{n}{extension}" for n in range(2, 99))
        choices = chain((own, beside + extension), more)
        name = next(c for c in choices if safe_name(c).casefold() not in used)
        used.add(safe_name(name).casefold())
        files.append(replace(file, name=name))
    return tuple(files)


def label(name: str, record: str) -> str:
    """A name that a row of the journal can hold: no folder, text that can be written, not too long, never empty."""
    last = name[-20 * NAME_CHARS :].replace("\\", "/").rstrip("/").rpartition("/")[2]
    text = last.encode("utf-8", "replace").decode("utf-8").strip()
    if text in {"", ".", ".."}:
        return f"{record[:8] or 'unnamed'}"
    stem, extension = split(text)
    return stem[: NAME_CHARS - len(extension)] + extension


def _filters(remote: Remote, known: Known, rules: ICloud, now: int) -> tuple[str, ...]:
    at = remote.added_at if rules.days_by == "added" else remote.taken_at
    is_old = rules.days > 0 and at < now - rules.days * DAY_MS
    is_elsewhere = bool(rules.albums) and not known.albums & set(rules.albums)
    return (
        "" if wants_zone(rules, remote.ref.zone) else "in a library that icloud.zones leaves out",
        "in the Hidden album (icloud.hidden)" if remote.is_hidden and not rules.hidden else "",
        "no favourite (icloud.favourites_only)"
        if rules.favourites_only and not remote.is_favourite
        else "",
        f"{rules.days_by} before the last icloud.days" if is_old else "",
        "in none of the albums of icloud.albums" if is_elsewhere else "",
    )


def filters_of(rules: ICloud) -> str:
    """The filters in one line: when it changes, what was left out is judged again."""
    return json.dumps(
        [
            rules.days,
            rules.days_by,
            rules.hidden,
            rules.favourites_only,
            sorted(rules.zones),
            sorted(rules.albums),
        ]
    )
