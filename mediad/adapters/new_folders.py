"""Folders that are made once and must be there after a power cut, for all that is put into them is lost with them."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


def make_durable(path: Path) -> None:
    """
    As mkdir -p, with the name of every folder on the way synced into the one above it.

    Of those too that are there: who made them may have been killed before it synced.
    """
    path.mkdir(parents=True, exist_ok=True)
    disk = path.stat().st_dev
    for above in path.parents:
        with suppress(PermissionError):  # where we may not read, we made nothing
            fd = os.open(above, _FOLDER)
            try:
                if os.fstat(fd).st_dev != disk:
                    return
                os.fsync(fd)
            finally:
                os.close(fd)
