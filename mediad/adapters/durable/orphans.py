"""
Parts that a crash left in a folder: they go when a daemon that did not make them first puts something there.

Mostly the next try copies to the same name and takes the old part with it. But what was being copied into the library
may be linked after a restart, as the archive holds it by then; and which of two namesakes gets the plain name is
decided by who comes first; and a power cut may take the batch that a name in the shared folder was given in. Then
nobody would ask for the old part again.
"""

import os
import threading
from contextlib import suppress
from typing import Final

from mediad.adapters.durable.parts import PART, Touch
from mediad.model import Site

# Not those of the spool, where what came over a network is gone on with.
SHELVES: Final = (Site.ARCHIVE, Site.LIBRARY, Site.DUPLICATES, Site.QUARANTINE, Site.PHONE)


class Orphans:
    """
    Once for each folder in the life of a process, before its own first part there.

    Called from worker threads; a root that hangs holds up only its own site.
    """

    def __init__(self, touch: Touch) -> None:
        self._touch = touch
        self._locks = {site: threading.Lock() for site in SHELVES}
        self._swept: set[tuple[Site, str]] = set()

    def sweep(self, site: Site, key: str, folder: int) -> None:
        if site not in self._locks:
            return
        with self._locks[site]:
            if (site, key) not in self._swept:
                self._drop_parts(folder)
                self._swept.add((site, key))

    def _drop_parts(self, folder: int) -> None:
        with suppress(PermissionError):  # what may be written and not listed is swept by nobody
            for name in filter(PART.fullmatch, os.listdir(folder)):
                self._touch("unlink")
                with suppress(FileNotFoundError):
                    os.unlink(name, dir_fd=folder)
