"""A set of real folders for the tests of the file layer, and mounts where the tests may make them."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mediad.adapters.durable import DurableFiles
from mediad.adapters.roots import Enrolment, Roots
from mediad.model import Place, Site, SiteKey
from mediad.ports import Put
from mediad.testing import Power
from mediad.testing.clock import StoppedClock
from mediad.testing.files import digest_of

MTIME = 1_650_000_000_123_456_789


class Kept(dict[Site, Enrolment]):
    """The guard's memory, in memory."""

    def load(self, site: Site) -> Enrolment | None:
        return self.get(site)

    def save(self, site: Site, enrolment: Enrolment) -> None:
        self[site] = enrolment


class Folders:
    def __init__(self, root: Path, *, kept: Kept | None = None, **elsewhere: Path) -> None:
        self.root = root
        self.paths = {site: elsewhere.get(site.value, root / site.value) for site in Site}
        self.fstab = root / "fstab"
        self.kept = Kept() if kept is None else kept
        self.clock = StoppedClock()

    def roots(self, power: Power | None = None) -> Roots:
        roots = Roots(self.paths, self.kept, fstab=self.fstab, touch=(power or Power()).touch)
        for site in roots.own:
            roots.make(site)
        return roots

    def files(self, power: Power | None = None, *, reserve: int = 0) -> DurableFiles:
        power = power or Power()
        return DurableFiles(self.roots(power), self.clock, reserve_bytes=reserve, touch=power.touch)

    def drop(self, site: Site, key: str, content: bytes) -> Place:
        path = self.paths[site] / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        os.utime(path, ns=(MTIME, MTIME))
        return Place(site, SiteKey(key))

    def put(self, source: Place, site: Site, key: str, *, hashed: bool = True) -> Put:
        content = (self.paths[source.site] / source.key).read_bytes()
        return Put(source, at(site, key), digest_of(content) if hashed else None, MTIME)

    def under(self, *sites: Site) -> dict[str, bytes]:
        """Every file below the sites with its bytes; markers of the guard left out."""
        return {
            str(path.relative_to(self.root)): path.read_bytes()
            for site in sites
            for path in sorted(self.paths[site].rglob("*"))
            if path.is_file() and path.name != ".mediad-site"
        }


def at(site: Site, key: str) -> Place:
    return Place(site, SiteKey(key))


def need_mounts() -> None:
    if os.geteuid() != 0:
        pytest.skip("mounting needs root")


def mount(path: Path, options: str = "size=1m") -> None:
    need_mounts()
    path.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", path],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        pytest.skip(f"no mounts here: {done.stderr.strip()}")


def umount(path: Path, *options: str) -> None:
    subprocess.run(["umount", *options, path], check=True, capture_output=True)


def remount(path: Path, options: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{options}", path], check=True)


def is_mounted(path: Path) -> bool:
    return os.path.ismount(path)


@contextmanager
def mounted(path: Path, options: str = "size=1m") -> Iterator[None]:
    mount(path, options)
    try:
        yield
    finally:
        while os.path.ismount(path):
            umount(path, "-l")
