"""
Which files are one shot: Live Photos, RAW beside JPEG, edits, sidecars.

Apple's content identifier is proof. A shared folder and stem is only a hint, because cameras count to 9999 and begin
again: it needs capture times that agree, or a place in the group that is still free. What stays apart by mistake is
two assets, each safe; what joined by mistake would move and be deleted together, so doubt keeps files apart.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum
from typing import Final, NamedTuple

from mediad.model import Asset, Captured, Kind, Media, Original, Role

LIVE_APART_MS: Final = 3_000
RAW_APART_MS: Final = 2_000
LIVE_LONGEST_S: Final = 6.0
# Without capture times only files that came together belong together.
NAME_ONLY_MS: Final = 10 * 60_000

_SIDECAR = re.compile(
    r"(?P<photo>.+?)(?:\.supplemental-metadata)?\.(?:aae|xmp|json|thm)", re.DOTALL
)
_EXTENSION = re.compile(r"(?P<stem>.+)\.[0-9a-z]{2,5}", re.DOTALL)
_APPLE_EDIT = re.compile(r"img_e(?P<number>\d{4,})")
_APPLE_BESIDE = re.compile(r"img_[eo](?P<number>\d{4,})")  # O: the edit before this one, in an .AAE
_LIVE_VIDEO = re.compile(r"(?P<stem>.+)_hevc", re.DOTALL)
_PIXEL_RAW = re.compile(r"(?P<stem>.+)\.raw-0\d\.(?:mp\.)?(?:cover|original)", re.DOTALL)


class Fit(NamedTuple):
    """May two assets be one? Never without the reason."""

    ok: bool
    why: str


class Slot(StrEnum):
    """A place in a group. Each is taken once, but for sidecars."""

    PHOTO = "photo"
    RAW = "raw"
    VIDEO = "video"
    EDITED_PHOTO = "edited photo"
    EDITED_VIDEO = "edited video"
    SIDECAR = "sidecar"


def group_key(folder: str, name: str) -> str:
    """What files of one shot have in common by their names: the folder, and the stem without case and Apple's marks."""
    return f"{folder}/{_stem(name)}"


def key_of(original: Original) -> str:
    return group_key(original.source_key.rpartition("/")[0], original.name)


def taken(asset: Asset) -> tuple[Original, ...]:
    """The originals whose bytes we have: a half that vanished before it was taken has no digest."""
    return tuple(o for o in asset.originals if o.digest is not None)


def kind_of(originals: Sequence[Original]) -> Kind:
    slots = {_slot(o) for o in originals}
    has_photo = bool(slots & {Slot.PHOTO, Slot.EDITED_PHOTO})
    has_video = bool(slots & {Slot.VIDEO, Slot.EDITED_VIDEO})
    if has_photo and has_video:
        return Kind.LIVE_PHOTO
    if Slot.RAW in slots:
        return Kind.RAW_JPEG if has_photo else Kind.RAW
    if has_photo:
        return Kind.PHOTO
    return Kind.VIDEO if has_video else Kind.UNKNOWN


def roles(originals: Sequence[Original]) -> tuple[Original, ...]:
    """The same originals, the primary first, each knowing its part."""
    ordered = sorted(originals, key=lambda o: (_rank(o), o.id))
    first, rest = ordered[0], ordered[1:]
    return replace(first, role=Role.PRIMARY), *(replace(o, role=_role(o)) for o in rest)


def lacks_partner(asset: Asset) -> bool:
    """Is this, as far as it tells itself, only a part of a shot: a lone sidecar, or one half of a Live Photo?"""
    slots = {_slot(o) for o in asset.originals}
    if slots == {Slot.SIDECAR}:
        return True
    return bool(content_ids(asset)) and not {Slot.PHOTO, Slot.VIDEO} <= slots


def is_sidecar(original: Original) -> bool:
    return original.inspection is not None and original.inspection.media is Media.SIDECAR


def is_sidecar_only(asset: Asset) -> bool:
    return {_slot(o) for o in asset.originals} == {Slot.SIDECAR}


def is_video_only(asset: Asset) -> bool:
    return {_slot(o) for o in asset.originals} <= {Slot.VIDEO, Slot.EDITED_VIDEO}


def may_join(host: Asset, guest: Asset) -> Fit:
    """May the guest's originals become the host's? Both are inspected; the answer does not depend on who is who."""
    slots = [_slot(o) for o in (*host.originals, *guest.originals)]
    if None in slots:
        return Fit(ok=False, why="one of them is no media")
    single = [s for s in slots if s is not Slot.SIDECAR]
    if len(single) != len(set(single)):
        return Fit(ok=False, why="two of the same kind are two shots")
    ids, others = content_ids(host), content_ids(guest)
    if ids and others:
        if ids & others:
            return Fit(ok=True, why="the same Apple content identifier")
        return Fit(ok=False, why="different Apple content identifiers")
    if not {key_of(o) for o in host.originals} & {key_of(o) for o in guest.originals}:
        return Fit(ok=False, why="different names")
    return _fit_by_name(host, guest)


def _fit_by_name(host: Asset, guest: Asset) -> Fit:
    for sidecars, other in ((guest, host), (host, guest)):
        if is_sidecar_only(sidecars):
            return _fit_sidecar(sidecars, other)
    fits = [_fit_pair(a, b) for a in host.originals for b in guest.originals]
    refusal = next((f for f in fits if not f.ok), None)
    if refusal:
        return refusal
    if not _times_known(host, guest) and abs(host.seen_at - guest.seen_at) > NAME_ONLY_MS:
        return Fit(
            ok=False,
            why="the same name, but they came long apart and do not say when they were taken",
        )
    return next((f for f in fits if f.why), Fit(ok=True, why="the same name"))


def _fit_sidecar(sidecars: Asset, other: Asset) -> Fit:
    """IMG_1.HEIC.xmp names its photo in full, and means no other; IMG_1.AAE means the stem."""
    names = {_fold(o.name) for o in other.originals}
    for sidecar in sidecars.originals:
        named = _SIDECAR.fullmatch(_fold(sidecar.name))
        photo = named["photo"] if named else ""
        if _EXTENSION.fullmatch(photo) and photo not in names and not is_sidecar_only(other):
            return Fit(ok=False, why="the sidecar names another file")
    return Fit(ok=True, why="a sidecar of the same name")


def _fit_pair(a: Original, b: Original) -> Fit:
    """Two originals of one name: what their kinds and times say. An empty reason: nothing against it."""
    pair = {_slot(a), _slot(b)}
    if pair == {Slot.PHOTO, Slot.VIDEO}:
        return _fit_live(*((a, b) if _slot(b) is Slot.VIDEO else (b, a)))
    if pair == {Slot.PHOTO, Slot.RAW}:
        if _apart(a, b, RAW_APART_MS):
            return Fit(ok=False, why="the RAW was taken at another time")
        return Fit(ok=True, why="RAW and JPEG of one shot")
    if pair == {Slot.RAW, Slot.VIDEO}:
        return Fit(ok=False, why="a RAW and a movie are two shots")
    if pair in ({Slot.PHOTO, Slot.EDITED_PHOTO}, {Slot.VIDEO, Slot.EDITED_VIDEO}):
        return Fit(ok=True, why="the edited form of the same shot")
    return Fit(ok=True, why="")


def _fit_live(photo: Original, video: Original) -> Fit:
    still, movie = photo.inspection, video.inspection
    if still is None or movie is None or still.media not in {Media.HEIC, Media.JPEG}:
        return Fit(ok=False, why="only HEIC and JPEG have a live half")
    if movie.media not in {Media.MOV, Media.MP4}:
        return Fit(ok=False, why="only MOV and MP4 are live halves")
    if movie.duration_s > LIVE_LONGEST_S:
        return Fit(ok=False, why="the movie is too long for the live half of a photo")
    if _apart(photo, video, LIVE_APART_MS):
        return Fit(ok=False, why="the movie was taken at another time")
    return Fit(ok=True, why="the live half of the same shot")


def _apart(a: Original, b: Original, limit_ms: int) -> bool:
    times = _captured(a), _captured(b)
    if times[0] is None or times[1] is None:
        return False
    gap = abs(times[0].at - times[1].at)
    if not (times[0].offset and times[1].offset):
        # One of them does not know its time zone: zones differ by whole quarters of an hour, up to 26 h.
        quarter = 15 * 60_000
        if gap > 26 * 4 * quarter + limit_ms:
            return True
        gap = min(gap % quarter, quarter - gap % quarter)
    return gap > limit_ms


def _times_known(host: Asset, guest: Asset) -> bool:
    return all(any(_captured(o) for o in asset.originals) for asset in (host, guest))


def _captured(original: Original) -> Captured | None:
    return original.inspection.captured if original.inspection else None


def content_ids(asset: Asset) -> set[str]:
    return {o.inspection.content_id for o in asset.originals if o.inspection} - {""}


def _slot(original: Original) -> Slot | None:
    media = original.inspection.media if original.inspection else None
    if media is None:
        return None
    if media is Media.SIDECAR:
        return Slot.SIDECAR
    # By name, or because iCloud says so of it.
    edited = original.role is Role.EDITED or _APPLE_EDIT.fullmatch(_bare(original.name)) is not None
    if media.is_video:
        return Slot.EDITED_VIDEO if edited else Slot.VIDEO
    if media is Media.RAW:
        return Slot.RAW
    return Slot.EDITED_PHOTO if edited else Slot.PHOTO


_ORDER: Final = (*Slot, None)


def _rank(original: Original) -> int:
    """A photo leads; without one the RAW, the movie, an edit: a stranger never leads what is understood."""
    return _ORDER.index(_slot(original))


_ROLES: Final = {
    Slot.PHOTO: Role.EDITED,  # a second photo, as only iCloud has them: under its own name beside the first
    Slot.VIDEO: Role.LIVE_VIDEO,
    Slot.RAW: Role.RAW,
    Slot.EDITED_PHOTO: Role.EDITED,
    Slot.EDITED_VIDEO: Role.EDITED,
}


def _role(original: Original) -> Role:
    """Of one that is not the primary."""
    slot = _slot(original)
    return _ROLES.get(slot, Role.SIDECAR) if slot else Role.SIDECAR


def _fold(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def _bare(name: str) -> str:
    """The folded name without its extension, and without a sidecar's: IMG_1.HEIC.xmp → img_1."""
    folded = _fold(name)
    sidecar = _SIDECAR.fullmatch(folded)
    inner = sidecar["photo"] if sidecar else folded
    plain = _EXTENSION.fullmatch(inner)
    return plain["stem"] if plain else inner


def _stem(name: str) -> str:
    bare = _bare(name)
    edit = _APPLE_BESIDE.fullmatch(bare)
    if edit:
        return f"img_{edit['number']}"
    for mark in (_LIVE_VIDEO, _PIXEL_RAW):
        marked = mark.fullmatch(bare)
        if marked:
            return marked["stem"]
    return bare
