"""A sample of our own, to see whether what is put at a site is really there: its names, and how it is first written."""

import os
from typing import Final

from blake3 import blake3

from mediad.adapters import syscalls
from mediad.adapters.durable import parts
from mediad.adapters.errnos import faults_of
from mediad.adapters.roots import Root
from mediad.errors import Bug
from mediad.model import Digest, Place, Site, SiteKey
from mediad.ports import Put

TRIED: Final = frozenset(
    {Site.ARCHIVE, Site.LIBRARY}
)  # what is put to the others is sent on, or taken in


def trial(site: Site, sample: bytes) -> Put:
    """
    Where the sample comes from and where it goes to.

    The name is made from the bytes: what a killed trial left is known by it, and what else has it is not ours.
    """
    if site not in TRIED:
        raise Bug(f"{site} is no place for a sample")
    digest = Digest(blake3(sample).hexdigest())
    name = f"mediad-selftest-{digest[:16]}.jpg"
    source = Place(Site.SPOOL, SiteKey(f"renditions/{name}"))
    return Put(source, Place(site, SiteKey(f".{name}")), digest, 0, len(sample))


def write(root: Root, place: Place, sample: bytes) -> None:
    """Into our own working area, where a candidate of that name from before gives way."""
    above, name = parts.split(place.key)
    with faults_of(place.site, place.key):
        folder = root.folder(above, make=True)
        fd = parts.new_part(folder, place)
        try:
            syscalls.write_all(fd, memoryview(sample))
        finally:
            os.close(fd)
        os.replace(parts.part_of(place), name, src_dir_fd=folder, dst_dir_fd=folder)
