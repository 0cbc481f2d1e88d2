"""The nouns. Frozen: a changed fact is a new fact. Times `*_at` are UTC epoch milliseconds, sizes bytes."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple, NewType

AssetId = NewType("AssetId", int)
OriginalId = NewType("OriginalId", int)
Digest = NewType("Digest", str)  # blake3, 64 hex digits
BatchId = NewType("BatchId", int)
SiteKey = NewType(
    "SiteKey", str
)  # POSIX path relative to the root of a site; foreign bytes as surrogates


class Site(StrEnum):
    """Where bytes can be. A copy is bytes at one site under one key."""

    CLOUD = "cloud"
    INCOMING = "incoming"
    SPOOL = "spool"  # processing/: our own working area
    PHONE = "phone"  # pixel_sync/; a copy there: the phone has announced these bytes
    ARCHIVE = "archive"  # nas_archive/
    LIBRARY = "library"
    DUPLICATES = "duplicates"
    QUARANTINE = "quarantine"


class Rung(StrEnum):
    """The truth ladder: what is known of a file on its way to Google Photos. Never more than was seen."""

    INDEXED = "indexed"  # Syncthing on this machine lists exactly these bytes
    PHONE_HAS = "phone-has"  # the phone announces this very version, whole
    PHONE_HASH = "phone-hash"  # the helper on the phone has hashed the file there: the same bytes
    PHONE_FREED = "phone-freed"  # it had it, and has removed it since
    PHONE_CHANGED = "phone-changed"  # it had it, and has other bytes under that name now
    GOOGLE_HAS = "google-has"  # somebody has looked at Google Photos: see `how`


class Kind(StrEnum):
    """What one capture is, from the originals it is made of."""

    PHOTO = "photo"
    VIDEO = "video"
    LIVE_PHOTO = "live_photo"
    RAW = "raw"
    RAW_JPEG = "raw_jpeg"
    UNKNOWN = "unknown"  # not looked at yet, or nothing we understand


class Role(StrEnum):
    """What one original is within its asset."""

    PRIMARY = "primary"
    LIVE_VIDEO = "live_video"  # the movie half of a Live Photo
    RAW = "raw"  # the RAW beside a JPEG or HEIC of the same shot
    EDITED = "edited"  # IMG_E0001 beside IMG_0001
    SIDECAR = "sidecar"


class Media(StrEnum):
    """A container format, told from its content and never from its name."""

    JPEG = "jpeg"
    HEIC = "heic"
    AVIF = "avif"
    PNG = "png"
    GIF = "gif"
    WEBP = "webp"
    TIFF = "tiff"
    RAW = "raw"  # DNG, CR2, CR3, NEF, RAF, ARW, RW2 …
    MOV = "mov"
    MP4 = "mp4"
    AVI = "avi"
    MATROSKA = "matroska"
    MPEG = "mpeg"  # program or transport stream
    SIDECAR = "sidecar"  # .AAE, .XMP, .JSON: told by content and name

    @property
    def is_video(self) -> bool:
        return self in _VIDEOS

    @property
    def is_photo(self) -> bool:
        return self is not Media.SIDECAR and self not in _VIDEOS


_VIDEOS = frozenset({Media.MOV, Media.MP4, Media.AVI, Media.MATROSKA, Media.MPEG})


class Place(NamedTuple):
    site: Site
    key: SiteKey


@dataclass(frozen=True, slots=True)
class Captured:
    """When the shutter went, in the wall-clock time of the place where it did."""

    local: str  # ISO 8601 without offset: "2024-07-14T18:03:22" (sub-seconds kept when known)
    offset: str  # "+02:00", or "" when nobody knows
    source: str  # exif, xmp, iptc, quicktime, riff, png, sidecar, filename, partner, cloud, mtime …
    at: int  # the same instant in UTC ms (offset unknown: read as if local were UTC)


@dataclass(frozen=True, slots=True)
class Claim:
    """One date that somebody wrote down. Which one to believe is for policy/dates.py to say."""

    tag: str  # where it stands: "exif:DateTimeOriginal", "quicktime:CreateDate", "filename:IMG_"
    text: str  # as it was written: "2024:07:14 18:03:22", "2024-07-14T18:03:22+0200"
    offset: str = ""  # when it stands apart from the text, as in EXIF
    fraction: str = ""  # digits of the second, likewise
    is_utc: bool = False  # an instant: nobody wrote down what the clock on the wall said


@dataclass(frozen=True, slots=True)
class Inspection:
    """What the header and the structure of one file say. Made by an adapter, believed by nobody else."""

    media: Media | None  # None: nothing we know
    extension: str = ""  # the right one for the content, with its dot, lower case: ".heic"
    width: int = 0
    height: int = 0
    duration_s: float = 0.0
    content_id: str = ""  # Apple's content identifier: the same in both halves of a Live Photo
    captured: Captured | None = None  # the best claim found inside the file itself
    flaw: str = ""  # stable code, "" when sound: intake.truncated, intake.too_many_pixels …
    flaw_detail: str = ""
    date_note: str = ""  # why a date was not believed, or how its time zone was found


@dataclass(frozen=True, slots=True)
class Original:
    """One file as it came. `digest`, `inspection` and `group_key` are filled in by intake."""

    id: OriginalId
    role: Role
    name: str  # as it was dropped, whatever bytes it had (surrogateescape)
    source_key: SiteKey  # where it was seen, below incoming/
    spool_key: SiteKey  # its one name below processing/, fixed when first seen
    size: int
    mtime_ns: int
    digest: Digest | None = None
    inspection: Inspection | None = None
    shelf: SiteKey = SiteKey("")  # where a person's undo wants it to lie in the library again


@dataclass(frozen=True, slots=True)
class Copy:
    """An original's bytes, seen whole at a place."""

    original: OriginalId
    place: Place
    digest: Digest
    verified_at: int
    method: str  # o_direct, dontneed, reread, rename, link


@dataclass(frozen=True, slots=True)
class Rendition:
    """Bytes made from an original by a recipe; `place` is where they are now."""

    original: OriginalId
    recipe: str  # "photo-jpegli-q88/1": what was asked for, and the version of the code that did it
    place: Place
    digest: Digest
    size: int
    figures: Mapping[str, object] = field(default_factory=dict)  # sizes, tool versions, scores


class CloudRef(NamedTuple):
    """Which asset of iCloud: its zone, and the record name of its CPLAsset. Names of files are only labels."""

    zone: str
    record: str


_PROVABLE_BYTES = 21


class Resource(StrEnum):
    """What one of iCloud's files is within its asset."""

    ORIGINAL = "original"
    ALTERNATIVE = "alternative"  # the RAW beside a JPEG, or the JPEG beside a RAW
    LIVE_VIDEO = "live-video"
    EDITED = "edited"  # what the person made of it: a JPEG
    EDITED_VIDEO = "edited-video"


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """One file that iCloud keeps of an asset."""

    resource: Resource
    name: (
        str  # what it is to be called here: a label, made harmless before it becomes part of a path
    )
    size: int
    fingerprint: str  # Apple's, base64; the same bytes have the same one
    original: OriginalId | None = None  # ours, once it is listed in the journal
    is_proved: bool = False  # what we took in has this fingerprint; deletion needs it of every file

    @property
    def is_provable(self) -> bool:
        """Is the fingerprint of the one form that anybody can work out from the bytes: 0x01 and a SHA-1?"""
        try:
            raw = base64.b64decode(self.fingerprint, validate=True)
        except ValueError:
            return False
        return len(raw) == _PROVABLE_BYTES and raw[0] == 1


@dataclass(frozen=True, slots=True)
class Remote:
    """An asset as iCloud last listed it, all of its files with it."""

    ref: CloudRef
    master: str  # record name of the CPLMaster
    change_tag: str
    name: str
    taken_at: int
    added_at: int
    offset_s: int | None = None  # of the time zone it was taken in
    is_favourite: bool = False
    is_hidden: bool = False
    is_deleted: bool = False  # in Recently Deleted
    is_ours: bool = True  # False: contributed by somebody else to a shared library
    kind: Kind = Kind.UNKNOWN
    files: tuple[RemoteFile, ...] = ()
    albums: tuple[str, ...] = ()  # record names
    flaw: str = ""  # why it cannot be fetched, in a sentence: a record without a file, an unknown fingerprint


@dataclass(frozen=True, slots=True)
class RemoteFact:
    """What was seen of an asset in iCloud, or of what we took from it. None, and "": nothing new about that."""

    ref: CloudRef
    marked_at: int | None = None  # 0: it is in the album no longer
    deleted_at: int | None = None  # when mediad put it into Recently Deleted; 0: it is back
    recoverable_until: int | None = None
    replacement: CloudRef | None = None
    change_tag: str = ""
    proved: tuple[RemoteFile, ...] = ()  # what we took in was seen to have their fingerprints
    unproved: tuple[RemoteFile, ...] = ()  # of these that is true no longer


@dataclass(frozen=True, slots=True)
class Placement:
    """One file of a batch: which bytes lie under which name in the folder that Syncthing shares with the phone."""

    original: OriginalId
    batch: BatchId
    key: SiteKey  # below pixel_sync/; never given to another file, whatever becomes of this one
    digest: Digest  # of what is sent: the original's bytes, or its rendition's
    size: int
    mtime_ns: int
    version: str = ""  # Syncthing's for exactly these bytes (ports.Entry.version); "": not indexed
    blocks: str = ""  # its blocksHash, recomputed here and equal; "" where Syncthing tells none
    film: OriginalId | None = (
        None  # it is a motion photo made of `original` and of this one: neither's own bytes
    )

    @property
    def halves(self) -> tuple[OriginalId, ...]:
        """The originals that are in the file."""
        return (self.original,) if self.film is None else (self.original, self.film)


@dataclass(frozen=True, slots=True)
class Witness:
    """One rung of the truth ladder that was seen for one original."""

    original: OriginalId
    rung: Rung
    at: int
    # availability, pixel-api, sent-bytes, deletion, newer-version, helper, takeout, evidence-file, by-hand
    how: str
    detail: Mapping[str, object] = field(default_factory=dict)  # device, version, event, who, why


@dataclass(frozen=True, slots=True)
class Asset:
    """One capture that moves as one. `originals[0]` is the primary."""

    id: AssetId
    name: str
    kind: Kind
    source: str  # folder, icloud
    seen_at: int
    originals: tuple[Original, ...]
    copies: tuple[Copy, ...] = ()
    renditions: tuple[Rendition, ...] = ()
    identity: Digest | None = None  # digest over the originals' digests; one asset only has it
    captured: Captured | None = None
    keeper: AssetId | None = None  # the asset that this one is an exact duplicate of
    placements: tuple[Placement, ...] = ()  # the newest of each original that was ever in a batch
    witnesses: tuple[Witness, ...] = ()
    remote: Remote | None = None  # as iCloud last listed it, if it came from there


@dataclass(frozen=True, slots=True)
class Evidence:
    """
    Something that was seen, with everything it taught us. Never something we meant to do.

    The journal keeps it as JSON beside the transition and applies what was learnt in the same transaction.
    """

    kind: str  # a fixed word: stat, read-back, rename, off by configuration, skipped by hand …
    at: int
    note: str = ""  # a sentence for the person
    code: str = ""  # stable code when there is something wrong: intake.truncated
    remedy: str = ""
    copies: tuple[Copy, ...] = ()
    gone: tuple[Place, ...] = ()  # copies that are seen to be there no longer
    originals: tuple[Original, ...] = ()  # as they are known now
    renditions: tuple[Rendition, ...] = ()
    kind_now: Kind | None = None
    captured: Captured | None = None
    identity: Digest | None = None
    keeper: AssetId | None = None
    placements: tuple[Placement, ...] = ()
    witnesses: tuple[Witness, ...] = ()
    remotes: tuple[RemoteFact, ...] = ()
    figures: Mapping[str, object] = field(default_factory=dict)
