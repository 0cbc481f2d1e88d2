"""The lines to what lies outside: each made when it is first wanted, because what it speaks through loads slowly."""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from mediad.adapters.durable import DurableFiles
from mediad.adapters.no_cloud import NoCloud
from mediad.adapters.no_phone import NoPhone
from mediad.config import Settings
from mediad.model import Place
from mediad.ports import Clock, Cloud, Heard, Phone, SignIn, SignInDoor
from mediad.syncthing_events import Source


class Reached(Phone, Source, Protocol):
    """What adapters.syncthing.SyncthingPhone is to the daemon."""

    def hear(self, heard: Heard) -> None: ...

    async def aclose(self) -> None: ...


class Line:
    def __init__(
        self, settings: Callable[[], Settings], clock: Clock, path_of: Callable[[Place], Path]
    ) -> None:
        self._made_from = (settings, clock, path_of)
        self._settings = settings
        self._reached: Reached | None = None

    def phone(self) -> Phone:
        """Under the configuration in force."""
        return self.reached() if self._settings().syncthing.url else NoPhone()

    def reached(self) -> Reached:
        from mediad.adapters.syncthing import SyncthingPhone  # noqa: PLC0415 - see above

        if self._reached is None:
            self._reached = SyncthingPhone(*self._made_from)
        return self._reached

    def hear(self, heard: Heard) -> None:
        self.reached().hear(heard)

    async def aclose(self) -> None:
        if self._reached is not None:
            await self._reached.aclose()


class Apple(Cloud, Protocol):
    """What adapters.icloud.ICloud is to the daemon."""

    @property
    def door(self) -> SignInDoor: ...

    async def aclose(self) -> None: ...


class CloudLine:
    """The line to iCloud, and the door through which a person signs in."""

    def __init__(
        self,
        settings: Callable[[], Settings],
        clock: Clock,
        files: DurableFiles,
        path_of: Callable[[Place], Path],
    ) -> None:
        self._made_from = (
            settings,
            clock,
            files,
            path_of,
            lambda: settings().folders.state / "icloud",
        )
        self._settings = settings
        self._reached: Apple | None = None

    def cloud(self) -> Cloud:
        """Under the configuration in force."""
        return self._apple() if self._settings().icloud.enabled else NoCloud()

    def door(self) -> SignInDoor | None:
        """None: iCloud is off."""
        return self._apple().door if self._settings().icloud.enabled else None

    async def refresh(self) -> SignIn:
        return await self._apple().door.refresh()

    def _apple(self) -> Apple:
        from mediad.adapters.icloud import ICloud  # noqa: PLC0415 - see above

        if self._reached is None:
            self._reached = ICloud(*self._made_from)
        return self._reached

    async def aclose(self) -> None:
        if self._reached is not None:
            await self._reached.aclose()
