"""What stages may ask the journal. Its real side is mediad/journal/."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from mediad.model import Asset, AssetId, BatchId, CloudRef, Digest, Place, SiteKey
from mediad.ports.cloud import RemoteRow, SelfTest
from mediad.state import Position


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
    """What stages may ask the journal. It moves nothing by their asking."""

    async def asset(self, asset: AssetId) -> Asset | None: ...

    async def keeper(self, asset: AssetId) -> Partner | None:
        """
        The asset that this one is an exact duplicate of, with where it stands; None: it is none, or nobody knows.

        A keeper that has joined another asset since, or is a duplicate itself by now, is followed to the last one.
        """
        ...

    async def claimed(self, places: Sequence[Place]) -> frozenset[Place]:
        """Those of these places where a copy is recorded, whoever's it is."""
        ...

    async def keepers_of(
        self, lot: Sequence[tuple[AssetId, Sequence[Digest]]]
    ) -> Sequence[AssetId | None]:
        """For each asset the earlier one that already has all of these originals, if there is one."""
        ...

    async def makers_of(
        self, lot: Sequence[tuple[AssetId, Sequence[Digest]]]
    ) -> Sequence[Asset | None]:
        """For each the asset from whose originals mediad made all of these bytes, or has them as originals."""
        ...

    async def partners_of(self, lot: Sequence[Kin]) -> Sequence[Sequence[Partner]]:
        """For each the assets that may be its other half."""
        ...

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

    async def remotes(self, refs: Sequence[CloudRef]) -> Mapping[CloudRef, RemoteRow]:
        """Assets of iCloud as they were last listed; unknown ones are left out."""
        ...

    async def remotes_of_master(self, zone: str, master: str) -> Sequence[RemoteRow]:
        """All that share the bytes of one original in iCloud (duplicates made on the phone), by record name."""
        ...

    async def deletions_since(self, at: int) -> int:
        """How many assets mediad moved to Recently Deleted since then (UTC ms)."""
        ...

    async def listed_remotes(self) -> int:
        """How many assets iCloud has, as far as the journal knows."""
        ...

    async def selftest(self) -> SelfTest | None: ...

    async def albums(self, zone: str) -> Mapping[str, str]:
        """Names of iCloud's albums by record name."""
        ...

    async def album_for(self, zone: str, name: str) -> str:
        """The record name of mediad's own album: chosen when first asked for, and on the disk before this returns."""
        ...

    async def ignore_fingerprints(self, fingerprints: Sequence[str]) -> None:
        """Remember, before the first byte is sent, what is ours: it is never fetched back."""
        ...
