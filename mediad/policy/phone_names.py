"""
Under which names an asset's files may lie in the folder that is shared with the phone.

Flat, NFC, accepted by Android, and nothing that Syncthing takes for one of its own. The phone's storage does not tell
upper from lower case, so neither does `folded`: two names that fold alike are one.
"""

import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from typing import Final

from mediad.model import Asset, OriginalId, Role, SiteKey
from mediad.policy.naming import NAME_BYTES, Member, candidates, safe_name, split

# Syncthing's temporary files and the losers of its conflicts; names that Android's scanner passes over.
_TEMPORARY: Final = re.compile(r"^~syncthing~", re.IGNORECASE)
_CONFLICT: Final = re.compile(r"[.~]sync-conflict-", re.IGNORECASE)
_HIDDEN: Final = re.compile(
    r"(?P<stem>.*)\.(?P<tail>tmp|temp|part|partial|download|crdownload|nomedia)",
    re.IGNORECASE | re.DOTALL,
)
_MOVING: Final = ".MP"
_MOVING_EXTENSIONS: Final = frozenset({"JPG", "jpg", "JPEG", "jpeg", "HEIC", "heic"})
_PLAIN: Final = {".heic": ".heic", ".heif": ".heic", ".hif": ".heic"}  # any other is a JPEG's


def folded(key: str) -> str:
    """What two names have in common that the phone cannot keep apart."""
    return unicodedata.normalize("NFD", unicodedata.normalize("NFD", key).casefold())


def phone_name(name: str) -> str:
    """A name that arrives on the phone as it left here. Idempotent."""
    name = _CONFLICT.sub("-sync-conflict-", safe_name(name))
    name = _TEMPORARY.sub("_syncthing_", name)
    if hidden := _HIDDEN.fullmatch(name):
        name = f"{hidden['stem']}_{hidden['tail']}"
    return safe_name(name)


def choices(
    asset: Asset,
    members: Sequence[Member],
    kept: Mapping[OriginalId, SiteKey],
    moving: Collection[OriginalId] = (),
) -> list[tuple[SiteKey, ...]]:
    """
    The keys of an asset's files, best first; each choice has one key a member, in their order, all of one stem.

    `kept`: the members that already have a name on the phone stay under it, and the others come to them. `moving`:
    those that are motion photos, whose names say so.
    """
    wished = [Member(m.original, phone_name(m.name)) for m in members]
    found = list(candidates(asset, wished, "{name}"))
    if first := next((kept[m.original.id] for m in members if m.original.id in kept), None):
        stem = split(first)[0].removesuffix(_MOVING)
        found.insert(0, tuple(SiteKey(_with_stem(m, stem)) for m in wished))
    mine = [
        tuple(
            kept.get(m.original.id) or (_moving(key) if m.original.id in moving else key)
            for m, key in zip(members, keys, strict=True)
        )
        for keys in found
    ]
    return [keys for keys in mine if len({folded(k) for k in keys}) == len(keys)]


def _moving(key: SiteKey) -> SiteKey:
    """As Google's format has it: a reader may take a file of another name for a still."""
    stem, extension = split(key)
    right = (
        extension
        if extension[1:] in _MOVING_EXTENSIONS
        else _PLAIN.get(extension.casefold(), ".jpg")
    )
    room = NAME_BYTES - len((_MOVING + right).encode())
    return SiteKey(stem.encode()[:room].decode(errors="ignore") + _MOVING + right)


def _with_stem(member: Member, stem: str) -> str:
    """An edit keeps the name that says so."""
    if member.original.role is Role.EDITED:
        return member.name
    extension = split(member.name)[1]
    room = NAME_BYTES - len(extension.encode())
    return phone_name(stem.encode()[:room].decode(errors="ignore") + extension)
