"""The configuration in force and what follows from it: the law, what is off, the pools, what a reload may not move."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from mediad.config import Fault, Loaded, Settings
from mediad.stages.registry import STAGES
from mediad.state import WHEN_OFF, Workflow

CONFIG_NAME: Final = "mediad.toml"


class Rules:
    """The configuration in force, and what follows from it for the law. A reload swaps it whole."""

    def __init__(self, loaded: Loaded) -> None:
        self.take(loaded)
        # The file to watch; where there is none it may be made later. What it was when it was read, as near as can be.
        self.file = loaded.file or self.settings.root / CONFIG_NAME
        self.seen = mark(self.file)

    def take(self, loaded: Loaded) -> None:
        self.loaded = loaded
        self.settings: Settings = loaded.settings
        self._law = self.settings.law()
        self._off = {**_not_built(), **self.settings.off()}

    def law(self) -> Workflow:
        return self._law

    def off(self) -> Mapping[str, str]:
        return self._off


def pools_of(settings: Settings) -> Mapping[str, int]:
    """0 means: from the machine."""
    cores = os.cpu_count() or 1
    pools = settings.pools
    return {
        "settle": 2,
        "batch": 1,  # who makes batches must see the last one before the next
        "network": settings.icloud.at_once,
        "delete": 1,  # who counts what may still go today must see the last ones gone
        "hash": pools.hash or min(4, cores),
        "copy": pools.copy or min(4, cores),
        "photo": pools.photo or cores,
        "video": pools.video or 1,
    }


def _not_built() -> Mapping[str, str]:
    """Stages of the law that this version cannot do yet pass, and say so."""
    able = {stage for _, stage in WHEN_OFF} - {s.name for s in STAGES}
    return dict.fromkeys(able, "off: this version of mediad does not do this yet")


def needs_restart(now: Loaded, new: Loaded) -> Sequence[Fault]:
    """What cannot change under a running daemon."""
    why = "cannot change while mediad runs; restart it to move folders"
    return [
        Fault(f"{new.file}: {key}", why)
        for key in ("root", "folders")
        if getattr(now.settings, key) != getattr(new.settings, key)
    ]


def mark(file: Path) -> tuple[int, int, int] | None:
    try:
        seen = file.stat()
    except OSError:
        return None
    return (seen.st_mtime_ns, seen.st_size, seen.st_ino)
