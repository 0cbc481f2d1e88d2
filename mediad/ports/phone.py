"""
What mediad needs of the phone at the other end of Syncthing, and what is said about it.

Nothing here removes anything on either side but a probe of our own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from mediad.errors import MediadError
from mediad.model import Place, SiteKey


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
    unheard_of: tuple[
        str, ...
    ] = ()  # connected devices that announce nothing of it: not accepted there?


@dataclass(frozen=True, slots=True)
class SetUp:
    """How Syncthing on this machine is set up, as far as mediad depends on it."""

    syncthing: str  # version
    my_id: str
    folders: tuple[SharedFolder, ...]
    devices: Mapping[str, str]  # id → name of every other device it knows
    paused_devices: frozenset[str]
    connected: frozenset[str]
    offered: Mapping[str, str] = field(
        default_factory=dict
    )  # folder id → device that offers it, taken up by nobody


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
        """
        Have exactly these names looked at now, or with none the whole folder; returns when Syncthing says it has.

        No proof of anything: a name that is not there is answered like any other.
        """
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
