"""
The roots of the sites, each opened and recognised anew for every lot.

A guarded root (archive, library) is enrolled once: a marker file with a random id lies in it, and we remember that id
and whether the folder was a mount. What is not that same folder, mounted and writable, is not opened: an absent mount
never looks like absent files, and nothing is written below a mount point. No handle is kept between lots, so a
person can unmount when they like and work goes on by itself when the folder is back.

The folder that is shared with the phone carries no marker, which would be sent there: it is known by its mount.
"""

import errno
import os
import stat
import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final, Protocol, Self
from uuid import uuid4

from mediad.adapters import syscalls
from mediad.adapters.errnos import faults_of
from mediad.adapters.mount_points import TOP, is_mount, misses_mount, mount_of
from mediad.adapters.new_folders import make_durable
from mediad.adapters.scout import Scout
from mediad.errors import MediadError, NeedsOperator
from mediad.model import Site

MARKER: Final = ".mediad-site"
FSTAB: Final = Path("/etc/fstab")
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_MANY_FOLDERS: Final = 4  # from here on one syncfs is cheaper
_MARKER_SAYS: Final = "\nmediad knows this folder by this file. Without it nothing is written here: please leave it.\n"


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What we knew a guarded root by when we first met it."""

    marker: str
    was_mount: bool
    fs: str  # ext4, nfs, cifs …: for the person


class Enrolments(Protocol):
    """The memory of the guard. Called from worker threads; what is saved is durable on return."""

    def load(self, site: Site) -> Enrolment | None: ...

    def save(self, site: Site, enrolment: Enrolment) -> None: ...


class Root:
    """
    One opened root: every path of a lot is walked from its handle, by no link and no `..`.

    Folders are opened once and stay open until the lot is over. `dirty` holds the folders that must be synced before
    a name in them may be relied on.
    """

    def __init__(
        self, site: Site, fd: int, settled: set[tuple[int, int]], touch: Callable[[str], None]
    ) -> None:
        self.site = site
        self.fd = fd
        self.dev = os.fstat(fd).st_dev
        self.fs = syscalls.fs_type(fd)
        self.dirty: set[str] = set()
        self._settled = settled
        self._settling: set[tuple[int, int]] = set()
        self._folders = {"": fd}
        self._touch = touch
        self._lock = threading.RLock()

    @property
    def is_network(self) -> bool:
        """Where a syncfs promises nothing about the server."""
        return self.fs in syscalls.NETWORK

    def open(self, key: str, flags: int = _READ) -> int:
        return syscalls.open_beneath(self.fd, key, flags)

    def folder(self, key: str, *, make: bool = False) -> int:
        """The handle of a folder; `make`: with all the folders above it, and all to be synced."""
        with self._lock:
            if key not in self._folders:
                self._folders[key] = self._made(key) if make else self.open(key, _FOLDER)
            return self._folders[key]

    def _made(self, key: str) -> int:
        above, _, name = key.rpartition("/")
        parent = self.folder(above, make=True)
        is_new = False
        try:
            fd = self.open(key, _FOLDER)
        except FileNotFoundError:
            self._touch("mkdir")
            try:
                os.mkdir(name, 0o777, dir_fd=parent)  # the umask of the service decides
                is_new = True
            except FileExistsError:
                pass  # another lot was quicker
            fd = self.open(key, _FOLDER)
        seen = os.fstat(fd)
        # One made before a crash may be there and yet not be durable: trust only what this process has synced.
        if is_new or (seen.st_dev, seen.st_ino) not in self._settled:
            self.dirty.add(above)
            self._settling.add((seen.st_dev, seen.st_ino))
        return fd

    def settle(self, *, whole: bool = False) -> None:
        """Make the names in all dirty folders durable; `whole`: and every byte written since the lot began."""
        with self._lock:
            if not self.dirty and not whole:
                return
            self._touch("fsync folders")
            if whole or (len(self.dirty) > _MANY_FOLDERS and not self.is_network):
                syscalls.sync_file_system(self.fd)
            else:
                for key in sorted(self.dirty):
                    os.fsync(self.folder(key))
            self.dirty.clear()
            self._settled |= self._settling

    def close(self) -> None:
        for fd in self._folders.values():
            os.close(fd)
        self._folders.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Roots:
    """Where each site is, and whether it is still what it was."""

    def __init__(
        self,
        paths: Mapping[Site, Path],
        enrolments: Enrolments,
        *,
        guarded: Collection[Site] = (Site.ARCHIVE, Site.LIBRARY),
        by_mount: Collection[Site] = (Site.PHONE,),
        fstab: Path = FSTAB,
        touch: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.paths = dict(paths)
        self.guarded = frozenset(guarded)
        self._by_mount = frozenset(by_mount)
        self._enrolments = enrolments
        self._known: dict[Site, Enrolment] = {}
        self._settled: dict[Site, set[tuple[int, int]]] = {site: set() for site in Site}
        self._fstab = fstab
        self._touch = touch
        self._networks: set[Site] = set()  # as they were when last opened
        self._locks = {site: threading.Lock() for site in paths}  # a hung root holds only its own
        self._scouts = {site: Scout() for site in paths}

    @property
    def own(self) -> frozenset[Site]:
        """What is made where it is missing; a guarded root is only ever made once."""
        return frozenset(self.paths) - self.guarded

    def make(self, site: Site) -> None:
        """At the start: one of our own folders, where it is missing."""
        with faults_of(site):
            if not self._is_unmounted(site):
                make_durable(self.paths[site])

    async def check(self, site: Site) -> MediadError | None:
        """What keeps this root from being used now, if anything does. It hangs with the mount, and may be cancelled."""
        return await self._scouts[site].ask(partial(self.fault_of, site))

    def fault_of(self, site: Site) -> MediadError | None:
        try:
            self.open(site).close()
        except MediadError as fault:
            return fault
        return None

    def open(self, site: Site) -> Root:
        """The root of a site, recognised: raises NeedsOperator with the site when it may not be used."""
        with faults_of(site):
            fd = self._opened_guarded(site) if site in self.guarded else self._opened(site)
            try:
                root = Root(site, fd, self._settled[site], self._touch)
            except OSError:
                os.close(fd)
                raise
            if root.is_network:
                self._networks.add(site)
            else:
                self._networks.discard(site)
            return root

    def is_network(self, site: Site) -> bool:
        return site in self._networks

    def accept(self, site: Site) -> None:
        """A person says: what is there now is the right folder (a new disk). Enrol it."""
        with faults_of(site), self._locks[site]:
            self._refuse_unmounted(site)
            fd = os.open(self.paths[site], _FOLDER)
            try:
                self._enrol(site, fd)
            finally:
                os.close(fd)

    def _opened(self, site: Site) -> int:
        if self._is_unmounted(site):
            raise _unmounted(site, self.paths[site])
        try:
            fd = os.open(self.paths[site], _FOLDER)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise NeedsOperator(
                f"the folder of {site}, {self.paths[site]}, is not there; nothing is made in its place, and what"
                " was in it counts as out of reach, not as gone",
                code=f"{site}.missing",
                remedy="mount or make the folder again; mediad goes on by itself",
                site=site.value,
            ) from error
        if site in self._by_mount:
            try:
                self._recognise_mount(site, fd)
            except BaseException:
                os.close(fd)
                raise
        return fd

    def _is_unmounted(self, site: Site) -> bool:
        """Is the mount gone on which we knew it to lie, or one that fstab wants there?"""
        if site not in self._by_mount:
            return False
        path = self.paths[site].resolve()
        if misses_mount(path, self._fstab):
            return True
        known = self._known.get(site) or self._enrolments.load(site)
        if known is None:
            return False
        self._known[site] = known
        return path.is_relative_to(known.marker) and not mount_of(path).is_relative_to(known.marker)

    def _recognise_mount(self, site: Site, fd: int) -> None:
        """Elsewhere than before it is another folder, and remembered anew."""
        mount = mount_of(self.paths[site].resolve())
        if self._is_unmounted(site) or os.fstat(fd).st_dev != mount.stat().st_dev:
            raise _unmounted(site, self.paths[site])
        fs = syscalls.FS_NAMES.get(syscalls.fs_type(fd), "other")
        found = Enrolment(str(mount), mount != TOP, fs)
        if found != self._known.get(site):
            with self._locks[site]:
                self._remember(site, found)

    def _opened_guarded(self, site: Site) -> int:
        self._refuse_unmounted(site)
        with self._locks[site]:
            known = self._known.get(site) or self._enrolments.load(site)
            path = self.paths[site]
            if known is None:
                make_durable(path)
            try:
                fd = os.open(path, _FOLDER)
            except (FileNotFoundError, NotADirectoryError) as error:
                raise _unmounted(site, path) from error
            try:
                self._recognise(site, fd, known)
            except BaseException:
                os.close(fd)
                raise
            return fd

    def _recognise(self, site: Site, fd: int, known: Enrolment | None) -> None:
        """Everything is asked of the handle that the writes will go through."""
        if os.fstatvfs(fd).f_flag & os.ST_RDONLY:
            raise _read_only(site, self.paths[site])
        if known is None:
            self._enrol(site, fd)
            return
        is_mounted = is_mount(fd)
        if known.was_mount and not is_mounted:
            raise _unmounted(site, self.paths[site])
        if read_marker(fd) != (site.value, known.marker):
            raise _replaced(site, self.paths[site])
        self._known[site] = known
        if is_mounted and not known.was_mount:
            self._remember(site, replace(known, was_mount=True))

    def _enrol(self, site: Site, fd: int) -> None:
        found = read_marker(fd)
        if found is not None and found[0] != site.value:
            raise NeedsOperator(
                f"{self.paths[site]} is marked as the folder of {found[0]}, not of {site}; nothing is written there",
                code=f"{site}.replaced",
                remedy=f"check [folders]: two sites must not share a folder; else remove {MARKER} there",
                site=site.value,
            )
        marker = found[1] if found else write_marker(fd, site)
        fs = syscalls.FS_NAMES.get(syscalls.fs_type(fd), "other")
        self._remember(site, Enrolment(marker, is_mount(fd), fs))

    def _remember(self, site: Site, enrolment: Enrolment) -> None:
        self._enrolments.save(site, enrolment)
        self._known[site] = enrolment

    def _refuse_unmounted(self, site: Site) -> None:
        if misses_mount(self.paths[site].resolve(), self._fstab):
            raise _unmounted(site, self.paths[site])


def read_marker(fd: int) -> tuple[str, str] | None:
    """(site, id) of the marker in an opened folder."""
    try:
        marker_fd = os.open(MARKER, _READ, dir_fd=fd)
    except FileNotFoundError:
        return None
    try:
        if not stat.S_ISREG(os.fstat(marker_fd).st_mode):
            return None
        words = os.read(marker_fd, 256).decode(errors="replace").split("\n")[0].split()
    finally:
        os.close(marker_fd)
    return (words[0], words[1]) if len(words) > 1 else None


def write_marker(fd: int, site: Site) -> str:
    marker = str(uuid4())
    write_small(fd, MARKER, f"{site} {marker}{_MARKER_SAYS}")
    return marker


def write_small(folder_fd: int, name: str, text: str) -> None:
    """A small file of our own, whole or not at all, durable on return, and read back before it gets its name."""
    part, raw = f"{name}.part", text.encode()
    fd = os.open(part, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o644, dir_fd=folder_fd)
    try:
        syscalls.write_all(fd, memoryview(raw))
        os.fsync(fd)
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        if os.pread(fd, len(raw) + 1, 0) != raw:
            raise OSError(errno.EIO, "other bytes came back than were written", part)
    finally:
        os.close(fd)
    os.replace(part, name, src_dir_fd=folder_fd, dst_dir_fd=folder_fd)
    os.fsync(folder_fd)


def _unmounted(site: Site, path: Path) -> NeedsOperator:
    return NeedsOperator(
        f"the disk or share of {site} is not mounted at {path}; nothing is written there, and the files in it count as"
        " out of reach, not as gone",
        code=f"{site}.unmounted",
        remedy=f"mount it (mount {path}); mediad goes on by itself",
        site=site.value,
    )


def _replaced(site: Site, path: Path) -> NeedsOperator:
    return NeedsOperator(
        f"{path} is not the folder that mediad knows as {site}: its marker {MARKER} is missing or another one;"
        " nothing is written there",
        code=f"{site}.replaced",
        remedy="mount the disk that was there before; for a new disk, say so once: mediactl nas init PATH",
        site=site.value,
    )


def _read_only(site: Site, path: Path) -> NeedsOperator:
    return NeedsOperator(
        f"{site} at {path} is mounted read-only; nothing was written and nothing is lost",
        code=f"{site}.read_only",
        remedy="mount it for writing; `mediactl doctor` tells if only the service's sandbox keeps it from that"
        ", and the way out; a disk that turned read-only by itself wants a look at its health",
        site=site.value,
    )
