"""Makes a folder on a NAS ready to be the archive: said once by a person, safe to say again."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

from mediad.adapters.errnos import faults_of
from mediad.adapters.roots import MARKER, read_marker, write_marker, write_small
from mediad.errors import Refused
from mediad.model import Site

README: Final = "README.txt"
_README_SAYS: Final = """\
This is a mediad archive: photos and videos exactly as they came out of the camera, byte for byte.

* Look at everything, copy everything, back everything up.
* Please rename, edit or delete nothing here: edit in your library instead.
* .mediad-site is how mediad recognises this disk. Without it mediad writes nothing here.
* Names that begin with .mediad- and end with .part are copies on their way; mediad tidies them up.
"""


def nas_init(path: Path, *, force: bool = False) -> list[Path]:
    """Make the folder, its README and its marker; what is there stays. Returns what was new."""
    with faults_of(Site.ARCHIVE):
        if not force and _device_of(path) == Path("/").stat().st_dev:
            raise Refused(
                f"{path} is on the system's own disk: is the NAS mounted? Nothing was made",
                code="archive.root_disk",
                remedy="mount the NAS first; if this disk is really meant, add --force",
            )
        new = [folder for folder in (path, *path.parents) if not folder.exists()][::-1]
        path.mkdir(mode=0o770, parents=True, exist_ok=True)
        if path in new:
            with suppress(
                PermissionError
            ):  # the service's sandbox; its files are the group's anyway
                path.chmod(0o2770)  # the group of the share may read along
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            if not (path / README).exists():
                write_small(fd, README, _README_SAYS)
                new.append(path / README)
            if read_marker(fd) is None:
                write_marker(fd, Site.ARCHIVE)
                new.append(path / MARKER)
        finally:
            os.close(fd)
        return new


def _device_of(path: Path) -> int:
    """Of the folder, or of what it would be made in."""
    return next(p for p in (path, *path.parents) if p.exists()).stat().st_dev
