"""Guards nothing by itself: the clouds that keep the promises of ports.Cloud, each with hands to do what people do."""

from collections.abc import Sequence
from typing import Protocol

from mediad.model import CloudRef, Place, Resource, Site
from mediad.ports import Cloud
from mediad.testing.clock import StoppedClock
from mediad.testing.cloud import MemoryCloud
from mediad.testing.files import MemoryFiles


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
