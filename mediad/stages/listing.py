"""
The files of a batch in the shared folder, and what Syncthing lists of them.

An entry of its index is only believed where its size, its time and, if it tells any, its hash of the blocks are those
of the file that is here: then its version stands for these very bytes.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from mediad.errors import MediadError, Retryable
from mediad.model import Place, Placement, Site
from mediad.policy.phone import fits
from mediad.ports import Entry, Indexed, Ports, Sighting
from mediad.stages import lots


@dataclass(frozen=True, slots=True)
class File:
    """One file of a batch, as it is in the shared folder now."""

    placement: Placement
    there: Sighting | None
    said: Indexed | None = None
    entry: Entry | None = None  # what Syncthing lists here, if that is about these very bytes
    source: Place | None = None  # where the right bytes were read back, if there is nothing here

    @property
    def place(self) -> Place:
        return Place(Site.PHONE, self.placement.key)

    @property
    def is_other(self) -> bool:
        """Read back, and found to be something else."""
        return self.there is not None and self.there.digest != self.placement.digest

    @property
    def bound(self) -> Placement:
        """The placement, with the version that stands for its bytes from now on."""
        if self.entry is None or self.there is None:
            return self.placement
        return replace(
            self.placement,
            mtime_ns=self.there.mtime_ns,
            version=self.entry.version,
            blocks=self.entry.blocks_hash,
        )


Files: TypeAlias = tuple[File, ...]


def files_of(placements: Sequence[Placement], seen: lots.Seen) -> Files:
    return tuple(File(p, s) for p, s in zip(placements, seen, strict=True))


def places_of(placements: Sequence[Placement]) -> list[Place]:
    return [Place(Site.PHONE, p.key) for p in placements]


async def listed(groups: Sequence[Files | MediadError], io: Ports) -> list[Files | MediadError]:
    """With what Syncthing says of each; asked once for all."""
    keys = lots.each(lambda files: [f.placement.key for f in files], groups)
    said = await lots.spread(io.phone.indexed, keys)
    return lots.each(
        lambda pair: tuple(replace(f, said=s) for f, s in zip(*pair, strict=True)),
        lots.pair(groups, said),
    )


async def bound(groups: Sequence[Files | MediadError], io: Ports) -> list[Files | MediadError]:
    """With the entry that stands for the bytes that are here, where there is one."""
    return [
        g if isinstance(g, MediadError) else tuple([await _bound(f, io) for f in g]) for g in groups
    ]


async def have_scanned(groups: Sequence[Files], io: Ports) -> list[MediadError | None]:
    """Tell Syncthing of exactly these files. Who is not listed after that needs time, not another look at once."""
    keys = [f.placement.key for files in groups for f in files]
    if not keys:
        return [None] * len(groups)
    await io.phone.scan(keys)
    seen = await lots.sight(io.files, [[f.place for f in files] for files in groups])
    now = lots.each(
        lambda pair: files_of([f.placement for f in pair[0]], pair[1]), lots.pair(groups, seen)
    )
    return [_answer(files) for files in await bound(await listed(now, io), io)]


async def _bound(file: File, io: Ports) -> File:
    seen, here = file.there, file.said.here if file.said else None
    if seen is None or here is None or not fits(here, seen):
        return replace(file, entry=None)
    if here.blocks_hash and not await io.phone.blocks_hash(file.place, here):
        return replace(file, entry=None)
    return replace(file, entry=here)


def _answer(files: Files | MediadError) -> MediadError | None:
    if isinstance(files, MediadError):
        return files
    missed = next((f for f in files if f.entry is None), None)
    if missed is None:
        return None
    return Retryable(
        f"Syncthing was told of {missed.placement.key} and does not list it as it is here; the file itself is safe",
        code="phone.not_indexed",
        remedy="see that Syncthing ignores nothing in pixel_sync and can read it: `mediactl syncthing`",
    )
