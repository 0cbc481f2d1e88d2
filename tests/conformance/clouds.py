"""Guards nothing by itself: the clouds that keep the promises of ports.Cloud, each with hands to do what people do."""

from collections.abc import Sequence
from typing import Final, Protocol

from mediad.adapters.icloud import ICloud
from mediad.model import CloudRef, Place, Resource, Site
from mediad.ports import Cloud
from mediad.testing.clock import StoppedClock
from mediad.testing.cloud import MemoryCloud
from mediad.testing.files import MemoryFiles
from mediad.testing.icloud.bodies import Body
from mediad.testing.icloud.person import HEIC, JPEG, MOVIE
from mediad.testing.icloud.rows import File
from tests.adapters.icloud_stand import Stand

HOME: Final = "PrimarySync"
TAKEN_AT: Final = 1_700_000_000_000
_PARTS: Final = {Resource.LIVE_VIDEO: "resOriginalVidCompl"}
_KINDS: Final = {"JPG": JPEG, "HEIC": HEIC, "MOV": MOVIE}


class World(Protocol):
    """A cloud, and those who use the same library from their phones."""

    @property
    def cloud(self) -> Cloud: ...

    def take(
        self,
        name: str,
        content: bytes,
        *,
        more: Sequence[tuple[Resource, str, bytes]] = (),
        favourite: bool = False,
        hidden: bool = False,
    ) -> CloudRef: ...

    def edit(self, ref: CloudRef, name: str, content: bytes) -> None: ...

    def touch(self, ref: CloudRef, *, favourite: bool) -> None: ...

    def expunge(self, ref: CloudRef) -> None: ...

    def take_out(self, album: str, ref: CloudRef) -> None: ...

    def drop_album(self, record: str) -> None: ...

    def put(self, site: Site, key: str, content: bytes) -> Place:
        """A file of ours."""
        ...

    def read(self, place: Place) -> bytes | None: ...

    def pass_time(self, seconds: float) -> None: ...


class Memory:
    def __init__(self) -> None:
        self.clock = StoppedClock()
        self.files = MemoryFiles(self.clock)
        self.memory = MemoryCloud(self.files, self.clock, page=2)

    @property
    def cloud(self) -> Cloud:
        return self.memory

    def take(
        self,
        name: str,
        content: bytes,
        *,
        more: Sequence[tuple[Resource, str, bytes]] = (),
        favourite: bool = False,
        hidden: bool = False,
    ) -> CloudRef:
        return self.memory.take(name, content, more=more, favourite=favourite, hidden=hidden)

    def edit(self, ref: CloudRef, name: str, content: bytes) -> None:
        self.memory.edit(ref, name, content)

    def touch(self, ref: CloudRef, *, favourite: bool) -> None:
        self.memory.set(ref, favourite=favourite)

    def expunge(self, ref: CloudRef) -> None:
        self.memory.expunge(ref)

    def take_out(self, album: str, ref: CloudRef) -> None:
        self.memory.take_out(album, ref)

    def drop_album(self, record: str) -> None:
        self.memory.drop_album(record)

    def put(self, site: Site, key: str, content: bytes) -> Place:
        return self.files.drop(site, key, content)

    def read(self, place: Place) -> bytes | None:
        file = self.files.files.get(place)
        return file.content if file else None

    def pass_time(self, seconds: float) -> None:
        self.clock.advance(seconds)


class Real:
    """The adapter, signed in before the small iCloud."""

    def __init__(self, stand: Stand, adapter: ICloud) -> None:
        self.stand, self.adapter = stand, adapter

    @property
    def cloud(self) -> Cloud:
        return self.adapter

    def take(
        self,
        name: str,
        content: bytes,
        *,
        more: Sequence[tuple[Resource, str, bytes]] = (),
        favourite: bool = False,
        hidden: bool = False,
    ) -> CloudRef:
        files = [_file("resOriginal", name, content)]
        files += [_file(_PARTS[resource], label, body) for resource, label, body in more]
        record = self.stand.person.add(name, files, taken_at=TAKEN_AT).record
        if favourite:
            self.stand.person.favour(record)
        if hidden:
            self.stand.person.hide(record)
        return CloudRef(HOME, record)

    def edit(self, ref: CloudRef, name: str, content: bytes) -> None:  # noqa: ARG002 - it has none there
        self.stand.person.edit(ref.record, Body.of(content))

    def touch(self, ref: CloudRef, *, favourite: bool) -> None:
        self.stand.person.favour(ref.record, is_favourite=favourite)

    def expunge(self, ref: CloudRef) -> None:
        self.stand.person.expunge(ref.record)

    def take_out(self, album: str, ref: CloudRef) -> None:
        self.stand.person.take_out(album, ref.record)

    def drop_album(self, record: str) -> None:
        self.stand.person.delete_album(record)

    def put(self, site: Site, key: str, content: bytes) -> Place:
        return self.stand.folders.drop(site, key, content)

    def read(self, place: Place) -> bytes | None:
        path = self.stand.folders.paths[place.site] / place.key
        return path.read_bytes() if path.exists() else None

    def pass_time(self, seconds: float) -> None:
        self.stand.clock.advance(seconds)


def _file(part: str, name: str, content: bytes) -> File:
    return File(part, _KINDS[name.rpartition(".")[2]], Body.of(content), 8, 8)
