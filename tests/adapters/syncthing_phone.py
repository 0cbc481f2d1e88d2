"""A SyncthingPhone for tests: settings that a test may change, and the folder that they name."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from mediad.adapters.clock import SystemClock
from mediad.adapters.syncthing import SyncthingPhone
from mediad.config import Settings
from mediad.model import Place


class Told:
    """What the settings say now; `say` is a reload."""

    def __init__(self, root: Path, pixel_sync: Path, **syncthing: Any) -> None:
        self._root = root
        self._pixel_sync = pixel_sync
        self._said = {"api_key": "key", "timeout_seconds": 30.0} | syncthing
        self.settings = self._made()

    def say(self, **syncthing: Any) -> None:
        self._said |= syncthing
        self.settings = self._made()

    def path_of(self, place: Place) -> Path:
        return self.settings.path_of(place.site) / place.key

    def _made(self) -> Settings:
        return Settings.model_validate(
            {
                "root": self._root,
                "folders": {"pixel_sync": self._pixel_sync},
                "syncthing": self._said,
            }
        )


@asynccontextmanager
async def phone_of(told: Told) -> AsyncIterator[SyncthingPhone]:
    phone = SyncthingPhone(lambda: told.settings, SystemClock(), told.path_of)
    try:
        yield phone
    finally:
        await phone.aclose()
