"""What lies in processing/ itself, by name alone: neither our own temporary names nor the folders in it."""

import os
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Final

import anyio

from mediad.adapters.errnos import faults_of
from mediad.adapters.scout import Scout
from mediad.errors import Retryable
from mediad.model import Site, SiteKey

PATIENCE_S: Final = 30.0
MOST: Final = 100_000  # looked at; more than these change nothing in what a person is told


async def files_in(processing: Path, scout: Scout) -> list[SiteKey]:
    """A folder that hangs is one that cannot be asked, and holds nobody up."""
    with anyio.move_on_after(PATIENCE_S):
        return await scout.ask(partial(_files_in, processing))
    raise Retryable(
        f"the folder of {Site.SPOOL} has not answered for {PATIENCE_S:.0f} s; nothing is lost",
        code=f"{Site.SPOOL}.hung",
        remedy="check its disk or its server; mediad goes on by itself when the folder answers",
        site=Site.SPOOL,
    )


def _files_in(folder: Path) -> list[SiteKey]:
    with faults_of(Site.SPOOL), os.scandir(folder) as entries:
        return [
            SiteKey(entry.name)
            for entry in islice(entries, MOST)
            if not entry.name.startswith(".mediad-") and not entry.is_dir(follow_symlinks=False)
        ]
