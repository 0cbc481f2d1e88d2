"""
What mediad needs of the world, in its own words. adapters/ and testing/ keep these promises; stages see nothing else.

Methods that take several places answer in the same order, an error in the place of the answer that failed: one bad
member never spoils its lot. Every method may be called again after a crash at any moment.
"""

from collections.abc import AsyncIterator, Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from mediad.config import Settings
from mediad.errors import MediadError
from mediad.model import (
    Asset,
    AssetId,
    BatchId,
    Digest,
    Inspection,
    Media,
    OriginalId,
    Place,
    Site,
    SiteKey,
)
from mediad.state import Position


class Clock(Protocol):
    """Time and chance, so that tests hold both in their hands."""

    def now(self) -> int:
        """UTC in milliseconds: for showing and for ages. May jump."""
        ...

    def monotonic(self) -> float:
        """Seconds that never go back: for intervals and time-outs."""
        ...

    async def sleep(self, seconds: float) -> None: ...

    def jitter(self) -> float:
        """A random number in [0, 1)."""
        ...


@dataclass(frozen=True, slots=True)
class Sighting:
    """A file as it was seen: not followed if it is a link, not opened if it is no regular file."""

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int
    is_regular: bool = True
    is_open_for_writing: bool = (
        False  # some process still writes it (lease test), where the system can tell
    )
    unchanged_since: int = 0  # UTC ms since when this process has seen exactly this (incoming only)
    digest: Digest | None = None  # only from `read_back`
    method: str = ""  # how the medium was read: o_direct, dontneed, reread
    what: str = "file"  # file, folder, symlink, fifo, socket, device


@dataclass(frozen=True, slots=True)
class Put:
    """Bring the bytes of `source` to `target`; the digest says which bytes they must be."""

    source: Place
    target: Place
    digest: Digest | None  # None: not hashed yet (taking a file in from another file system)
    mtime_ns: int
    size: int = 0


@dataclass(frozen=True, slots=True)
class Room:
    """What a site's file system has, in bytes; `disk` is the same for sites that share one."""

    free: int
    total: int
    disk: int


class Leave(Protocol):
    """Leave to remove one asset's files at one site. Only policy/deletion.py makes one (a Warrant)."""

    @property
    def asset(self) -> Asset: ...

    @property
    def places(self) -> tuple[tuple[Place, Digest], ...]:
        """Each file to remove with the digest that was proved elsewhere for it."""
        ...


class Files(Protocol):
    """
    The folders. The only port that places or removes media; its real side is adapters/durable.py.

    Errors: Retryable (io.*: busy, ESTALE, EIO), NeedsOperator with `site` set (space.full, archive.unmounted,
    archive.read_only …), Refused (place.taken: other bytes are already under this key; place.changed: the source
    is not what it was).
    """

    async def sight(self, places: Sequence[Place]) -> Sequence[Sighting | MediadError | None]:
        """By stat only; None: nothing there."""
        ...

    async def read_back(self, places: Sequence[Place]) -> Sequence[Sighting | MediadError | None]:
        """
        The digest of what the medium gives back now, past the page cache.

        A place that this process itself wrote and read back in the last minutes is answered from that reading, as
        long as the same inode with the same size and mtime is still there under the name.
        """
        ...

    async def copy(self, puts: Sequence[Put]) -> Sequence[MediadError | None]:
        """
        All or nothing for each: a reader sees no file, or the whole file.

        It is read back from the medium before it gets its name. Never replaces: the same bytes already there are
        success, other bytes are Refused(place.taken).
        """
        ...

    async def move(self, puts: Sequence[Put]) -> Sequence[MediadError | None]:
        """A rename that replaces nothing; across file systems a verified copy, then the source goes."""
        ...

    async def link(self, puts: Sequence[Put]) -> Sequence[MediadError | None]:
        """A second name for the same bytes where the file system can; otherwise as `copy`."""
        ...

    async def remove(self, leaves: Sequence[Leave]) -> Sequence[MediadError | None]:
        """Remove what the warrants name, and nothing else; a file already gone is success."""
        ...

    async def discard(self, places: Sequence[Place]) -> None:
        """Remove our own candidates below processing/renditions/; refuses every other place (Bug)."""
        ...

    async def prune(self, spares: Callable[[str], bool]) -> int:
        """
        Remove the folders below incoming/ that are empty and have rested for a minute; returns how many.

        Never incoming/ itself, nothing that holds anything, and no folder whose name `spares` says yes to.
        """
        ...

    async def room_at(self, site: Site) -> Room: ...


class Guard(Protocol):
    """Is a folder still the folder that was enrolled, writable, and with room?"""

    async def check(self, site: Site) -> MediadError | None:
        """None: all is well. Looks afresh each time, and takes a folder that has come back into use again."""
        ...


class Inspector(Protocol):
    """Reads headers and structure of foreign files: bounded work, no decoding of pictures."""

    async def inspect(
        self, places: Sequence[tuple[Place, str]]
    ) -> Sequence[Inspection | MediadError]:
        """Each with the name it was dropped under (sidecars and file-name dates need it)."""
        ...


@dataclass(frozen=True, slots=True)
class Recipe:
    """How one rendition is made. `name` with the version is what the journal remembers."""

    name: str  # "photo-jpegli-q88/1", "video-x265-crf26/1"
    media: Media
    quality: int = 0  # photos
    crf: int = 0  # videos
    encoder: str = ""  # auto, jpegli, pillow; libx265, libx264, libsvtav1
    extension: str = ""  # of the rendition, with its dot


@dataclass(frozen=True, slots=True)
class Judgement:
    """A candidate, decoded to its end and compared with its source."""

    digest: Digest
    size: int
    failed: str = (
        ""  # stable code of the first gate that said no: compress.dimensions …; "" when all passed
    )
    why: str = ""
    figures: Mapping[str, object] | None = None
    is_gone: bool = (
        False  # from memory: the candidate was thrown away since, or `render` refused to make one
    )


class Encoder(Protocol):
    """Makes renditions in worker processes with limits. Never opens an original for writing."""

    async def render(self, source: Place, candidate: Place, recipe: Recipe) -> None:
        """
        Write the candidate whole and durable, or raise.

        Refused(compress.*) when this file is better left as it is (container not understood, source damaged,
        encoder said no), Retryable, NeedsOperator.
        """
        ...

    async def judge(self, source: Place, candidate: Place, recipe: Recipe) -> Judgement | None:
        """
        None: there is no candidate. Decodes all of it; compares dimensions, rotation, duration, frames, tags.

        While the process lives it remembers: what `render` refused is answered with that code in `failed`, and a
        judged candidate that is no longer there with the old judgement, both with `is_gone`.
        """
        ...


@dataclass(frozen=True, slots=True)
class Partner:
    """Another asset that may be the other half of this one."""

    asset: Asset
    position: Position


@dataclass(frozen=True, slots=True)
class Kin:
    """Whom an asset may belong with: the same Apple content id, or folder and stem first seen after `since`."""

    asset: AssetId
    content_ids: Sequence[str]
    group_key: str
    since: int


@dataclass(frozen=True, slots=True)
class OpenBatch:
    """A batch with files still on their way to the phone."""

    id: BatchId
    pending: int  # files that the phone is not known to have, the held and the failed left out
    files: int


class Ledger(Protocol):
    """What stages may ask the journal. Reading only."""

    async def asset(self, asset: AssetId) -> Asset | None: ...

    async def keepers_of(
        self, lot: Sequence[tuple[AssetId, Sequence[Digest]]]
    ) -> Sequence[AssetId | None]:
        """For each asset the earlier one that already has all of these originals, if there is one."""
        ...

    async def partners_of(self, lot: Sequence[Kin]) -> Sequence[Sequence[Partner]]:
        """For each the assets that may be its other half."""
        ...

    async def verified_copies(self, originals: Sequence[OriginalId]) -> Sequence[Place]: ...

    async def open_batches(self, stuck_before: int) -> Sequence[OpenBatch]:
        """
        Batches that the phone has not confirmed whole, the oldest first.

        Files that are held, have failed, or were placed before `stuck_before` (UTC ms) without being confirmed count
        as open no longer: one bad file never stops the rest.
        """
        ...

    async def next_batch(self) -> BatchId: ...

    async def names_given(self, keys: Sequence[SiteKey]) -> frozenset[SiteKey]:
        """Those of these keys that a file was ever placed under, upper and lower case being the same."""
        ...

    async def arriving(self) -> int:
        """How many assets are still on their way through intake: their files may join the next batch."""
        ...


@dataclass(frozen=True, slots=True)
class Entry:
    """What one index says of one name."""

    version: str  # the version vector: "DEVICE7:counter", comma, in the order of the devices
    size: int
    mtime_ns: int | None  # None: this entry carries none
    is_deleted: bool = False
    is_invalid: bool = False  # invalid, ignored, must be scanned again, or no plain file
    modified_by: str = ""  # the first seven characters of a device's id
    blocks_hash: str = ""  # base64; "" where this Syncthing tells none


class Opinion(StrEnum):
    """A second opinion, where this machine's own index can be wrong about the phone (Syncthing 2.x)."""

    NOT_NEEDED = "not-needed"
    PHONE_API = "pixel-api"  # the phone's own Syncthing says that it has this version
    SENT_BYTES = "sent-bytes"  # as many bytes went to the phone as its files are large
    NONE = "none"  # nobody could say
    AGAINST = "against"  # somebody said no


@dataclass(frozen=True, slots=True)
class Indexed:
    """What Syncthing on this machine says of one name in the shared folder."""

    here: Entry | None  # None: this machine has no file of that name in its index
    newest: Entry | None  # the newest version that any device announces
    is_on_phone: bool  # the phone announces the newest version, whole; False proves nothing
    opinion: Opinion = Opinion.NOT_NEEDED


@dataclass(frozen=True, slots=True)
class Heard:
    """The last event that said something of the phone: only ever a reason to look."""

    id: int
    type: str
    at: str  # as Syncthing wrote it


@dataclass(frozen=True, slots=True)
class PhoneLink:
    """The phone as Syncthing on this machine knows it now."""

    device: str  # its whole id
    is_connected: bool
    since: int | None  # UTC ms: connected since; where that is not known, None
    syncthing: str  # version of Syncthing on this machine: "v1.19.2"
    heard: Heard | None = None

    @property
    def short(self) -> str:
        """How the device is named within a version."""
        return self.device[:7]


@dataclass(frozen=True, slots=True)
class SharedFolder:
    """A folder as Syncthing is set up for it."""

    id: str
    label: str
    path: str
    type: str  # sendonly, sendreceive, receiveonly, receiveencrypted
    is_paused: bool
    devices: tuple[str, ...]  # ids it is shared with, our own left out
    encrypted_for: tuple[str, ...]  # those that get it with an encryption password
    ignore_delete: bool
    marker: str
    state: str  # idle, scanning, syncing, error …; "" while paused
    error: str = ""
    watch_error: str = ""
    ignores: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SetUp:
    """How Syncthing on this machine is set up, as far as mediad depends on it."""

    syncthing: str  # version
    my_id: str
    folders: tuple[SharedFolder, ...]
    devices: Mapping[str, str]  # id → name of every other device it knows
    paused_devices: frozenset[str]
    connected: frozenset[str]


@dataclass(frozen=True, slots=True)
class Change:
    """One thing to change in Syncthing's own configuration. `value` is what its REST interface takes."""

    subject: str  # folder, device, ignores, marker
    id: str  # of the folder or the device
    key: str  # "type"; "" for the whole subject
    now: object  # None: not there
    value: object
    why: str  # a sentence for the person


class Phone(Protocol):
    """
    The phone at the other end of Syncthing. Nothing here removes anything on either side.

    Errors: with `site` "syncthing" when the link or its set-up is at fault (syncthing.unreachable, .bad_key,
    .migrating, .host_check, .folder_missing, .folder_paused …); a name's own fault without.
    """

    async def link(self) -> PhoneLink: ...

    async def scan(self, keys: Sequence[SiteKey]) -> None:
        """Have exactly these names looked at now; returns when Syncthing says that it has. No proof of anything."""
        ...

    async def indexed(self, keys: Sequence[SiteKey]) -> Sequence[Indexed | MediadError | None]:
        """In the same order; None: no device knows the name. Looked up afresh each time."""
        ...

    async def needed(self) -> frozenset[SiteKey]:
        """Names that the phone has still to fetch, as Syncthing tells: only ever a reason not to look yet."""
        ...

    async def ahead(self) -> frozenset[SiteKey]:
        """Names of which some other device announces a newer version, a deletion too: a reason to look."""
        ...

    async def blocks_hash(self, place: Place, entry: Entry) -> bool:
        """Do the bytes at this place make the entry's blocksHash? True where the entry carries none."""
        ...

    async def set_up(self) -> SetUp: ...

    async def keeps_deleted(self, patience_s: float) -> bool | None:
        """
        Ask the phone by a probe file of our own: does it keep what is removed here (ignoreDelete)?

        None: it did not answer in time. Leaves no probe behind on this side.
        """
        ...

    async def mend(self, changes: Sequence[Change]) -> None:
        """Make these changes in Syncthing's configuration; each is safe to repeat."""
        ...


@dataclass(frozen=True, slots=True)
class Found:
    """Something new in the drop folder, as it was met: nothing about it is believed yet."""

    key: SiteKey
    name: str
    size: int
    mtime_ns: int


class Drop(Protocol):
    """The drop folder: what lies in it, and a hint when that may have changed."""

    def scan(
        self, known: Container[SiteKey], *, full: bool = True
    ) -> AsyncIterator[Sequence[Found]]:
        """
        Everything there that is not known and no litter, in slices of bounded size.

        `full=False` may pass over folders that have not changed since they were last read to the end. Raises
        NeedsOperator when the folder itself cannot be read: that is never the same as an empty one.
        """
        ...

    def changes(self, *, polling: bool = False) -> AsyncIterator[None]:
        """A hint each time that something may have changed, for ever. Hints get lost; they never say what."""
        ...

    def litter(self) -> Mapping[str, int]:
        """Names that were passed over since the start, each counted once, by the reason."""
        ...


@dataclass(frozen=True, slots=True)
class Ports:
    clock: Clock
    files: Files
    inspector: Inspector
    encoder: Encoder
    ledger: Ledger
    phone: Phone
    settings: Settings  # the snapshot under which this piece of work runs
