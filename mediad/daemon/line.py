"""The line to the phone's Syncthing: made when it is first wanted, because its HTTP client is slow to import."""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from mediad.adapters.no_phone import NoPhone
from mediad.config import Settings
from mediad.model import Place
from mediad.ports import Clock, Heard, Phone
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
