"""What lies in processing/ itself, by name alone: neither our own temporary names nor the folders in it."""

import os
from itertools import islice
from pathlib import Path
from typing import Final

from anyio import to_thread

from mediad.adapters.errnos import faults_of
from mediad.model import Site, SiteKey

MOST: Final = 100_000  # looked at; more than these change nothing in what a person is told


async def files_in(processing: Path) -> list[SiteKey]:
    return await to_thread.run_sync(_files_in, processing, abandon_on_cancel=True)


def _files_in(folder: Path) -> list[SiteKey]:
    with faults_of(Site.SPOOL), os.scandir(folder) as entries:
        return [
            SiteKey(entry.name)
            for entry in islice(entries, MOST)
            if not entry.name.startswith(".mediad-") and not entry.is_dir(follow_symlinks=False)
        ]
