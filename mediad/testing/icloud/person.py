"""What the owner of a library does on the phone, and what a test puts there."""

import uuid
from collections.abc import Sequence

from mediad.testing.icloud.bodies import Body, jpeg, movie, raw
from mediad.testing.icloud.library import Library, Zone, new_record
from mediad.testing.icloud.rows import (
    RECOVERABLE_MS,
    AlbumRow,
    AssetRow,
    File,
    MasterRow,
    MemberRow,
)

JPEG = "public.jpeg"
HEIC = "public.heic"
MOVIE = "com.apple.quicktime-movie"
DNG = "com.adobe.raw-image"


class Person:
    """Acts on one zone, `PrimarySync` unless told otherwise."""

    def __init__(self, library: Library, zone: Zone | None = None) -> None:
        self.library, self.zone = library, zone or library.primary

    def add(
        self, name: str, files: Sequence[File], *, taken_at: int, offset_s: int = 0
    ) -> AssetRow:
        """A new photo or film; the same bytes again share their master."""
        record = self.library.keep(files[0])
        if record not in self.zone.rows:
            self.zone.put(MasterRow(record=record, name=name, files=list(files)))
        return self.zone.put(
            AssetRow(
                record=new_record(), master=record, taken_at=taken_at, offset_s=offset_s,
                added_at=self.library.clock.now(),
                subtype=2 if any(f.part == "resOriginalVidCompl" for f in files) else 0,
            )
        )  # fmt: skip

    def shoot(self, name: str, *, taken_at: int | None = None, size: int = 2_000) -> AssetRow:
        """A photo of its own."""
        at = self._now(taken_at)
        body = jpeg(self._seed(name), taken_at=at, size=size)
        return self.add(name, [File("resOriginal", JPEG, body, 8, 8)], taken_at=at)

    def shoot_live(self, name: str, *, taken_at: int | None = None) -> AssetRow:
        """A photo and its film, which name each other."""
        at = self._now(taken_at)
        pair = str(uuid.uuid5(uuid.NAMESPACE_OID, self._seed(name))).upper()
        still = jpeg(self._seed(name), taken_at=at, size=2_000, pair=pair)
        film = movie(self._seed(name), taken_at=at, size=3_000, pair=pair)
        files = [
            File("resOriginal", JPEG, still, 8, 8),
            File("resOriginalVidCompl", MOVIE, film, 16, 16),
        ]
        return self.add(name, files, taken_at=at)

    def film(self, name: str, *, taken_at: int | None = None, size: int = 4_000) -> AssetRow:
        at = self._now(taken_at)
        body = movie(self._seed(name), taken_at=at, size=size)
        return self.add(name, [File("resOriginal", MOVIE, body, 16, 16)], taken_at=at)

    def shoot_raw(self, name: str, *, taken_at: int | None = None) -> AssetRow:
        """RAW beside JPEG: the JPEG is the original, the RAW the alternative."""
        at = self._now(taken_at)
        still = jpeg(self._seed(name), taken_at=at, size=2_000)
        digital = raw(self._seed(name), taken_at=at, size=5_000)
        files = [File("resOriginal", JPEG, still, 8, 8), File("resOriginalAlt", DNG, digital, 8, 8)]
        return self.add(name, files, taken_at=at)

    def shoot_burst(self, name: str, count: int, *, taken_at: int | None = None) -> list[AssetRow]:
        """Several in a second, which the phone shows as one."""
        at, burst = self._now(taken_at), new_record()
        stem, _, tail = name.rpartition(".")
        shots = [self.shoot(f"{stem}-{n}.{tail}", taken_at=at + 100 * n) for n in range(count)]
        for shot in shots:
            shot.burst = burst
            self.zone.put(shot)
        return shots

    def contribute(self, record: str, who: str = "_somebody-else") -> AssetRow:
        """In a shared library: it is another person's."""
        asset = self.zone.asset(record)
        asset.contributor = who
        return self.zone.put(asset)

    def edit(self, record: str, body: Body | None = None) -> AssetRow:
        """The picture as the person made it; the original stays. Again: another one in its place."""
        asset = self.zone.asset(record)
        is_film = self.zone.master(asset.master).files[0].uti == MOVIE
        made = body or (movie if is_film else jpeg)(
            f"edited {record} {self.zone.change}", taken_at=asset.taken_at, size=1_800
        )
        asset.edited = [
            File("resVidFull" if is_film else "resJPEGFull", MOVIE if is_film else JPEG, made, 8, 8)
        ]
        return self.zone.put(asset)

    def revert(self, record: str) -> AssetRow:
        asset = self.zone.asset(record)
        asset.edited = []
        return self.zone.put(asset)

    def favour(self, record: str, *, is_favourite: bool = True) -> AssetRow:
        asset = self.zone.asset(record)
        asset.is_favourite = is_favourite
        return self.zone.put(asset)

    def hide(self, record: str, *, is_hidden: bool = True) -> AssetRow:
        asset = self.zone.asset(record)
        asset.is_hidden = is_hidden
        return self.zone.put(asset)

    def duplicate(self, record: str) -> AssetRow:
        """As "Duplicate" on the phone: another asset of the same master."""
        asset = self.zone.asset(record)
        return self.zone.put(
            AssetRow(
                record=new_record(), master=asset.master, taken_at=asset.taken_at,
                offset_s=asset.offset_s, added_at=self.library.clock.now(), subtype=asset.subtype,
            )
        )  # fmt: skip

    def delete(self, record: str) -> AssetRow:
        """To Recently Deleted."""
        asset = self.zone.asset(record)
        asset.expunged_at = self.library.clock.now() + RECOVERABLE_MS
        return self.zone.put(asset)

    def recover(self, record: str) -> AssetRow:
        asset = self.zone.asset(record)
        asset.expunged_at = None
        return self.zone.put(asset)

    def expunge(self, record: str) -> None:
        """Out of Recently Deleted, for good; the master goes with its last asset."""
        master = self.zone.asset(record).master
        self.library.bury(self.zone, record)
        if not self.zone.assets_of(master):
            self.library.bury(self.zone, master)

    def make_album(self, name: str, record: str | None = None) -> AlbumRow:
        position = 1_024 * (1 + sum(1 for _ in self.zone.of(AlbumRow)))
        return self.zone.put(AlbumRow(record=record or new_record(), name=name, position=position))

    def add_to(self, album: str, record: str) -> MemberRow:
        name = f"{record}-IN-{album}"
        return self.zone.put(MemberRow(record=name, asset=record, album=album))

    def take_out(self, album: str, record: str) -> None:
        self.library.bury(self.zone, f"{record}-IN-{album}")

    def delete_album(self, record: str) -> AlbumRow:
        """The album goes, its photos stay."""
        album = self.zone.album(record)
        album.expunged_at = self.library.clock.now() + RECOVERABLE_MS
        return self.zone.put(album)

    def _now(self, at: int | None) -> int:
        return self.library.clock.now() // 1000 * 1000 if at is None else at

    def _seed(self, name: str) -> str:
        return f"{name} {self.library.change}"
