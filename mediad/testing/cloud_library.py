"""A library of iCloud in memory, and the people who use it from their phones."""

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from mediad.model import CloudRef, Kind, Remote, RemoteFile, Resource
from mediad.ports import Album, Member, Zone
from mediad.testing.clock import StoppedClock
from mediad.testing.files import MemoryFiles

PRIMARY: Final = Zone("PrimarySync", "_me")
_SALT: Final = b"com.apple.XattrObjectSalt\0com.apple.DataObjectSalt\0"


def fingerprint_of(content: bytes) -> str:
    """Apple's name for these bytes."""
    digest = hashlib.sha1(_SALT + content, usedforsecurity=False).digest()
    return base64.b64encode(b"\x01" + digest).decode()


@dataclass(frozen=True, slots=True)
class Held:
    """An asset and its bytes."""

    remote: Remote
    contents: tuple[bytes, ...]  # in the order of remote.files
    seen_from: int = 0  # UTC ms: an upload is listed some seconds after it arrived


@dataclass
class Library:
    """What there is, and in which order it came to be so."""

    files: MemoryFiles
    clock: StoppedClock
    zones: dict[str, Zone] = field(default_factory=lambda: {PRIMARY.name: PRIMARY})
    held: dict[CloudRef, Held] = field(default_factory=dict)
    albums: dict[str, Album] = field(default_factory=dict)  # by record
    inside: dict[str, Member] = field(default_factory=dict)  # by record of the relation
    _log: list[tuple[str, str, str]] = field(default_factory=list)  # zone, what, record
    _made: int = 0

    # -- what people do -----------------------------------------------------------------------------

    def take(  # noqa: PLR0913 - all that can be said of a photo
        self,
        name: str,
        content: bytes,
        *,
        more: Sequence[tuple[Resource, str, bytes]] = (),
        zone: str = PRIMARY.name,
        kind: Kind = Kind.PHOTO,
        taken_at: int = 1_700_000_000_000,
        added_at: int | None = None,
        favourite: bool = False,
        hidden: bool = False,
        ours: bool = True,
    ) -> CloudRef:
        """A photo is taken, and is in the library at once. `more`: a Live Photo's movie, a RAW, an edit."""
        self.zones.setdefault(zone, Zone(zone, "_somebody"))
        files = [(Resource.ORIGINAL, name, content), *more]
        ref = CloudRef(zone, self._new("ASSET"))
        remote = Remote(
            ref,
            master=fingerprint_of(content),
            change_tag="",
            name=name,
            taken_at=taken_at,
            added_at=self.clock.now() if added_at is None else added_at,
            is_favourite=favourite,
            is_hidden=hidden,
            is_ours=ours,
            kind=kind,
            files=tuple(RemoteFile(r, n, len(c), fingerprint_of(c)) for r, n, c in files),
        )
        self._keep(Held(remote, tuple(c for _, _, c in files)))
        return ref

    def edit(self, ref: CloudRef, name: str, content: bytes) -> None:
        """Somebody retouches it: a rendition more, or another one."""
        was = self.held[ref]
        old = [
            (f, c)
            for f, c in zip(was.remote.files, was.contents, strict=True)
            if f.resource is not Resource.EDITED
        ]
        edited = RemoteFile(Resource.EDITED, name, len(content), fingerprint_of(content))
        files = (*(f for f, _ in old), edited)
        self._keep(Held(replace(was.remote, files=files), (*(c for _, c in old), content)))

    def set(
        self,
        ref: CloudRef,
        *,
        favourite: bool | None = None,
        hidden: bool | None = None,
        deleted: bool | None = None,
        master: str | None = None,
    ) -> None:
        """Somebody touches it: the heart, the Hidden album, the bin and back. With nothing said: its tag only."""
        was = self.held[ref]
        now = was.remote
        now = replace(
            now,
            is_favourite=now.is_favourite if favourite is None else favourite,
            is_hidden=now.is_hidden if hidden is None else hidden,
            is_deleted=now.is_deleted if deleted is None else deleted,
            master=master or now.master,
        )
        self._keep(replace(was, remote=now))

    def expunge(self, ref: CloudRef) -> None:
        """Somebody empties Recently Deleted."""
        del self.held[ref]
        self._log.append((ref.zone, "gone", ref.record))

    def put_in(self, album: str, ref: CloudRef) -> None:
        member = Member(f"{ref.record}-IN-{album}", ref.record, album, ref.zone)
        self.inside[member.record] = member
        self._log.append((ref.zone, "member", member.record))

    def take_out(self, album: str, ref: CloudRef) -> None:
        """Somebody takes it out of the album again: the veto."""
        record = f"{ref.record}-IN-{album}"
        del self.inside[record]
        self._log.append((ref.zone, "out", record))

    def new_album(self, name: str, *, zone: str = PRIMARY.name) -> str:
        record = self._new("ALBUM")
        self._album(Album(record, name, zone))
        return record

    def drop_album(self, record: str) -> None:
        """Somebody deletes the album; its photos stay."""
        self._album(replace(self.albums[record], is_gone=True))
        self.inside = {r: m for r, m in self.inside.items() if m.album != record}

    def remote(self, ref: CloudRef) -> Remote:
        return self.held[ref].remote

    def left(self) -> list[CloudRef]:
        """What is in the library, Recently Deleted left out."""
        return [ref for ref, held in self.held.items() if not held.remote.is_deleted]

    # -- how it changes ---------------------------------------------------------------------------

    def _new(self, kind: str) -> str:
        self._made += 1
        return f"{kind}-{self._made:05}"

    def _keep(self, held: Held) -> None:
        """As it is from now on, under a new tag."""
        self._made += 1
        ref = held.remote.ref
        self.held[ref] = replace(held, remote=replace(held.remote, change_tag=f"t{self._made}"))
        self._log.append((ref.zone, "asset", ref.record))

    def _album(self, album: Album) -> None:
        self.albums[album.record] = album
        self._log.append((album.zone, "album", album.record))
