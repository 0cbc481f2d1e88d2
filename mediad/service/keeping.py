"""Looking after the record: backups of the journal while the work goes on."""

from pathlib import Path

from mediad.errors import Refused
from mediad.journal import name_at
from mediad.service.parts import Parts


class Keeping:
    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def backup(self, target: Path | None) -> Path:
        """A checked copy of the journal while the work goes on; never in the place of another file."""
        settings = self._parts.loaded().settings
        now = self._parts.ports().clock.now()
        path = target or settings.folders.state / "backups" / name_at(now)
        if path.exists() and target is not None:
            raise Refused(
                f"{path} exists already and was left as it is",
                code="backup.exists",
                remedy="name a file that does not exist yet",
            )
        await self._parts.journal.backup(path)
        return path
