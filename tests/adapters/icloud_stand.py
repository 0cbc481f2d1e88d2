"""A real adapter before the small iCloud of mediad/testing: what its tests share."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from mediad.adapters.icloud import ICloud
from mediad.adapters.icloud.security_key import Ring
from mediad.config import Settings
from mediad.model import CloudRef, Remote, RemoteFile, Site
from mediad.ports import Fetch, SignInState, Zone
from mediad.testing.clock import StoppedClock
from mediad.testing.icloud import Account, FakeICloud, Library, Person
from tests.adapters.folders import Folders, at

MTIME = 1_650_000_000_123_456_789
PRIMARY = Zone("PrimarySync", "")


@dataclass
class Stand:
    """An account, its library, who owns it, and the adapter that asks for it."""

    root: Path
    server: FakeICloud
    clock: StoppedClock
    folders: Folders
    person: Person
    words: dict[str, object]
    ring: Ring = field(default_factory=Ring)

    @property
    def account(self) -> Account:
        return self.server.account

    def settings(self) -> Settings:
        words = {"enabled": True, "username": self.account.apple_id, "gateway": self.server.address}
        return Settings.model_validate({"root": self.root, "icloud": {**words, **self.words}})

    def adapter(self) -> ICloud:
        folders = self.folders
        return ICloud(
            self.settings,
            self.clock,
            folders.files(),
            lambda place: folders.paths[place.site] / place.key,
            lambda: self.root / "state" / "icloud",
            self.ring,
        )

    @asynccontextmanager
    async def cloud(self, *, signed_in: bool = True) -> AsyncIterator[ICloud]:
        cloud = self.adapter()
        try:
            if signed_in:
                await self.sign_in(cloud)
            yield cloud
        finally:
            await cloud.aclose()

    async def sign_in(self, cloud: ICloud) -> None:
        assert (await cloud.door.login(self.account.password)).state is SignInState.NEED_CODE
        if cloud.sign_in().code_by == "sms":
            now = await cloud.door.code(self.account.sms_code)
        else:
            now = await cloud.door.code(self.account.device_code)
        assert now.state is SignInState.READY, now

    def asked(self, path: str) -> int:
        """How many requests there were so far with these words in their path."""
        return sum(1 for seen in self.server.remembered.seen if path in seen.host + seen.path)


@asynccontextmanager
async def standing(root: Path, **words: object) -> AsyncIterator[Stand]:
    clock = StoppedClock()
    server = FakeICloud(clock, library=Library(clock))
    async with server.serving():
        yield Stand(
            root, server, clock, Folders(root / "folders"), Person(server.library), dict(words)
        )


def fetches(remotes: Sequence[Remote]) -> list[Fetch]:
    """Every file of theirs, each to a place of its own."""
    return [wish(remote.ref, file) for remote in remotes for file in remote.files]


def wish(ref: CloudRef, file: RemoteFile) -> Fetch:
    return Fetch(ref, file, at(Site.INCOMING, f".icloud/{ref.record[:8]}/{file.name}"), MTIME)
