"""What a library consists of, each with the place of its last change: the records of CloudKit, as plain values."""

from dataclasses import dataclass, field
from typing import Final

from mediad.testing.icloud.bodies import Body
from mediad.testing.icloud.faults import Json

PRIMARY: Final = "PrimarySync"
OWNER: Final = "_0123456789abcdef0123456789abcdef"
DAY_MS: Final = 86_400_000
RECOVERABLE_MS: Final = 30 * DAY_MS


@dataclass(slots=True)
class File:
    """One of an asset's files. `part` is the beginning of its fields' names: resOriginal, resOriginalVidCompl, …"""

    part: str
    uti: str
    body: Body
    width: int = 4032
    height: int = 3024


@dataclass(slots=True, kw_only=True)
class Row:
    record: str
    tag: str = ""
    change: int = 0
    created_at: int = 0
    modified_at: int = 0


@dataclass(slots=True, kw_only=True)
class MasterRow(Row):
    """An original, named by its fingerprint."""

    name: str
    files: list[File]


@dataclass(slots=True, kw_only=True)
class AssetRow(Row):
    """What a person sees."""

    master: str
    taken_at: int
    added_at: int
    offset_s: int = 0
    is_favourite: bool = False
    is_hidden: bool = False
    expunged_at: int | None = None  # in Recently Deleted, until then
    burst: str = ""
    subtype: int = 0  # 2 Live, 3 screenshot
    edited: list[File] = field(default_factory=list)
    contributor: str = ""  # of a shared library: whose it is, if not ours
    extra: Json = field(default_factory=dict)  # fields that were written and mean nothing here

    @property
    def is_deleted(self) -> bool:
        return self.expunged_at is not None


@dataclass(slots=True, kw_only=True)
class AlbumRow(Row):
    name: str
    position: int = 0
    kind: int = 0  # 3: a folder
    expunged_at: int | None = None
    extra: Json = field(default_factory=dict)

    @property
    def is_deleted(self) -> bool:
        return self.expunged_at is not None


@dataclass(slots=True, kw_only=True)
class MemberRow(Row):
    asset: str
    album: str
    position: int = 1024


@dataclass(slots=True, kw_only=True)
class Gone(Row):
    """A record that was."""
