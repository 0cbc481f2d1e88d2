"""
What mediad needs of the world, in its own words. adapters/ and testing/ keep these promises; stages see nothing else.

Methods that take several places answer in the same order, an error in the place of the answer that failed: one bad
member never spoils its lot. Every method may be called again after a crash at any moment.
"""

from collections.abc import AsyncIterator, Callable, Container, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from mediad.config import Settings
from mediad.errors import MediadError
from mediad.model import (
    Asset,
    Digest,
    Inspection,
    Media,
    Place,
    Site,
    SiteKey,
)
from mediad.ports.cloud import (
    Album,
    Changed,
    Cloud,
    Deleted,
    Delta,
    Fetch,
    Member,
    RemoteRow,
    SelfTest,
    SignIn,
    SignInDoor,
    SignInState,
    Uploaded,
    Zone,
)
from mediad.ports.ledger import Kin, Ledger, OpenBatch, Partner
from mediad.ports.phone import (
    Change,
    Entry,
    Heard,
    Indexed,
    Opinion,
    Phone,
    PhoneLink,
    SetUp,
    SharedFolder,
)

__all__ = [
    "Album",
    "Change",
    "Changed",
    "Clock",
    "Cloud",
    "Deleted",
    "Delta",
    "Drop",
    "Encoder",
    "Entry",
    "Fetch",
    "Files",
    "Found",
    "Guard",
    "Halves",
    "Heard",
    "Indexed",
    "Inspector",
    "Judgement",
    "Kin",
    "Leave",
    "Ledger",
    "Member",
    "OpenBatch",
    "Opinion",
    "Partner",
    "Phone",
    "PhoneLink",
    "Ports",
    "Put",
    "Recipe",
    "RemoteRow",
    "Room",
    "SelfTest",
    "SetUp",
    "SharedFolder",
    "Sighting",
    "SignIn",
    "SignInDoor",
    "SignInState",
    "Uploaded",
    "Zone",
]  # fmt: skip


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
    sha256: str = ""  # only from `reread`, and only if asked for


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

    async def reread(
        self, places: Sequence[Place], *, sha256: bool = False
    ) -> Sequence[Sighting | MediadError | None]:
        """
        As `read_back`, and from the medium whoever read it lately: nothing is answered from memory.

        After everybody else's work where the disk knows of such an order. `sha256`: with that digest as well.
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

    def promised(self, site: Site, size: int) -> AbstractAsyncContextManager[None]:
        """
        So many bytes are kept there meanwhile for who writes by other means, and promised to nobody else.

        Raises NeedsOperator(space.full) where that would leave less than the reserve, before anything is written.
        """
        ...

    async def try_out(self, site: Site, sample: bytes) -> Sighting:
        """
        Is what is put into the archive, or the library, really there? Puts a sample of our own there and removes it.

        It goes in as every copy does and is read back from the medium. Nothing of it stays, and nothing else is
        touched. Raises what a copy would.
        """
        ...


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
    crf: int = 0  # videos and HEICs
    encoder: str = ""  # auto, jpegli, pillow; libx265, libx264, libsvtav1
    extension: str = ""  # of the rendition, with its dot
    target: float = 0.0  # the score to search the setting for; 0: `quality` or `crf` as it is
    metric: str = ""  # of `target`: ssimulacra2 of photos; vmaf, xpsnr of videos
    search_s: float = 0.0  # how long that search may take
    # of videos
    hardware: str = (
        "off"  # off, auto, or the one family of hardware encoders that may be taken: vaapi …
    )
    dolby_vision: bool = False  # its layer may be lost


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


@dataclass(frozen=True, slots=True)
class Halves:
    """A Live Photo's still and film, each with what its bytes must be."""

    still: Place
    still_digest: Digest
    film: Place
    film_digest: Digest
    size: int = 0  # of both


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

    async def join(self, halves: Halves, candidate: Place) -> None:
        """
        Make one motion photo of both, whole and durable, or raise; the same halves give the same bytes.

        Refused(motion.*, compress.*) when these two are better sent as two files.
        """
        ...

    async def judge_joined(self, halves: Halves, candidate: Place) -> Judgement | None:
        """
        None: there is none, or not of these halves. Else it was read: still, film, and what finds the film in it.

        What `join` refused is answered with that code in `failed`, and `is_gone`, while the process lives.
        """
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
    cloud: Cloud
    settings: Settings  # the snapshot under which this piece of work runs
