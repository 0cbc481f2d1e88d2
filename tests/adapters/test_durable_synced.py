"""
Guards that what is said to be there is on the disk, and not only on its way: bytes, names, and folders made for them.

A model of what a power cut would take watches every call. Whatever is written or named is at risk until it is synced.
"""

import os
from pathlib import Path
from typing import Any

import pytest

from mediad.adapters import reading, syscalls
from mediad.adapters.durable import DurableFiles
from mediad.adapters.durable.parts import part_of
from mediad.adapters.roots import Root
from mediad.model import Place, Site
from mediad.ports import Sighting
from mediad.testing import Power
from mediad.testing.files import digest_of
from tests.adapters.folders import Folders, at
from tests.adapters.test_durable import Pass, other_disk

__all__ = ["other_disk"]

Inode = tuple[int, int]
GROUNDS = ("same disk", "other disk", "network", "other disk, network")


class AtRisk:
    """The files whose bytes, and the folders whose names, a power cut would take."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.is_network = False
        self.bytes: set[Inode] = set()
        self.names: set[Inode] = set()
        self.sources: dict[
            str, Path
        ] = {}  # by the name of the source: what must be safe before it goes
        self._real = {
            n: getattr(os, n)
            for n in ("open", "fsync", "mkdir", "link", "rename", "replace", "unlink")
        }
        self._rename, self._syncfs = syscalls.rename_noreplace, syscalls.sync_file_system
        for name in self._real:
            monkeypatch.setattr(os, name, getattr(self, f"_{name}_"))
        monkeypatch.setattr(syscalls, "rename_noreplace", self._rename_noreplace_)
        monkeypatch.setattr(syscalls, "sync_file_system", self._sync_file_system_)

    def write(self, path: Path, content: bytes) -> None:
        """A person's, or what a crash has left: nobody has synced it."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        self.bytes.add(_inode(path.stat()))
        self.names |= {_inode(p.stat()) for p in (path.parent, path.parent.parent)}

    def is_safe(self, path: Path, root: Path) -> bool:
        folders = [p for p in path.parents if p.is_relative_to(root)]
        return _inode(path.stat()) not in self.bytes and not self.names & {
            _inode(p.stat()) for p in folders
        }

    def _open_(self, path: Any, flags: int, *more: Any, **words: Any) -> int:
        fd: int = self._real["open"](path, flags, *more, **words)
        if flags & os.O_ACCMODE != os.O_RDONLY:
            self.bytes.add(_inode(os.fstat(fd)))
            if flags & os.O_CREAT:
                self._named(words.get("dir_fd"))
        return fd

    def _fsync_(self, fd: int) -> None:
        self._real["fsync"](fd)
        self.bytes.discard(_inode(os.fstat(fd)))
        self.names.discard(_inode(os.fstat(fd)))

    def _sync_file_system_(self, fd: int) -> None:
        self._syncfs(fd)
        if self.is_network:  # there it promises nothing about the server
            return
        disk = os.fstat(fd).st_dev
        self.bytes = {i for i in self.bytes if i[0] != disk}
        self.names = {i for i in self.names if i[0] != disk}

    def _mkdir_(self, path: Any, *more: Any, **words: Any) -> None:
        self._real["mkdir"](path, *more, **words)
        self._named(words.get("dir_fd"))

    def _link_(self, old: Any, new: Any, **words: Any) -> None:
        self._real["link"](old, new, **words)
        self._named(words.get("dst_dir_fd"))

    def _rename_(self, old: Any, new: Any, **words: Any) -> None:
        self._real["rename"](old, new, **words)
        self._named(words.get("src_dir_fd"), words.get("dst_dir_fd"))

    def _replace_(self, old: Any, new: Any, **words: Any) -> None:
        assert _inode(os.stat(old, dir_fd=words.get("src_dir_fd"))) not in self.bytes
        self._real["replace"](old, new, **words)
        self._named(words.get("src_dir_fd"), words.get("dst_dir_fd"))

    def _rename_noreplace_(self, old_fd: int, old: str, new_fd: int, new: str) -> None:
        if old.startswith(".mediad-"):
            assert _inode(os.stat(old, dir_fd=old_fd)) not in self.bytes, "a name for bytes at risk"
        self._rename(old_fd, old, new_fd, new)
        self._named(old_fd, new_fd)

    def _unlink_(self, name: Any, *, dir_fd: int | None = None) -> None:
        kept = self.sources.get(name)
        if kept is not None:
            assert self.is_safe(kept, kept.parents[1]), "the source goes before its copy is safe"
        self._real["unlink"](name, dir_fd=dir_fd)
        self._named(dir_fd)

    def _named(self, *folders: int | None) -> None:
        self.names |= {_inode(os.fstat(fd)) for fd in folders if fd is not None}


def _inode(seen: os.stat_result) -> Inode:
    return seen.st_dev, seen.st_ino


@pytest.fixture
def at_risk(monkeypatch: pytest.MonkeyPatch) -> AtRisk:
    return AtRisk(monkeypatch)


@pytest.fixture(params=GROUNDS)
def folders(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    other_disk: Path,
    at_risk: AtRisk,
    monkeypatch: pytest.MonkeyPatch,
) -> Folders:
    ground: str = request.param
    if "network" in ground:
        at_risk.is_network = True
        monkeypatch.setattr(Root, "is_network", True)
    home = other_disk if "other disk" in ground else tmp_path / "library"
    return Folders(tmp_path, library=home)


def sources(folders: Folders, at_risk: AtRisk, many: int) -> list[Place]:
    for n in range(many):
        at_risk.write(folders.paths[Site.SPOOL] / f"{n}.jpg", b"picture %d" % n)
    return [at(Site.SPOOL, f"{n}.jpg") for n in range(many)]


def wish(folders: Folders, source: Place) -> tuple[Place, Path]:
    n = int(source.key[0])
    key = f"{n % 2}/{n}.jpg"
    return at(Site.LIBRARY, key), folders.paths[Site.LIBRARY] / key


@pytest.mark.parametrize("many", [1, 7])
@pytest.mark.parametrize("verb", ["copy", "move", "link"])
async def test_what_is_said_to_be_done_survives_a_power_cut(
    folders: Folders, at_risk: AtRisk, verb: str, many: int
) -> None:
    files = folders.files()
    there = sources(folders, at_risk, many)
    if verb == "link":
        at_risk.bytes.clear()  # a second name of a file brings no bytes
    puts = [folders.put(s, Site.LIBRARY, wish(folders, s)[0].key) for s in there]
    if verb == "move":
        at_risk.sources = {s.key: wish(folders, s)[1] for s in there}
    assert await getattr(files, verb)(puts) == [None] * many
    root = folders.paths[Site.LIBRARY]
    assert all(at_risk.is_safe(wish(folders, s)[1], root) for s in there)
    if verb == "move":
        assert _inode(folders.paths[Site.SPOOL].stat()) not in at_risk.names, (
            "it would be back after a cut"
        )


@pytest.mark.parametrize("many", [1, 7])
@pytest.mark.parametrize("verb", ["copy", "move", "link"])
async def test_what_a_crash_left_there_is_made_safe_before_it_counts(
    folders: Folders, at_risk: AtRisk, verb: str, many: int
) -> None:
    files = folders.files()
    there = sources(folders, at_risk, many)
    puts = [folders.put(s, Site.LIBRARY, wish(folders, s)[0].key) for s in there]
    for source, put in zip(there, puts, strict=True):
        content = (folders.paths[Site.SPOOL] / source.key).read_bytes()
        at_risk.write(folders.paths[Site.LIBRARY] / put.target.key, content)
    if verb == "move":
        at_risk.sources = {s.key: wish(folders, s)[1] for s in there}
    assert await getattr(files, verb)(puts) == [None] * many
    root = folders.paths[Site.LIBRARY]
    assert all(at_risk.is_safe(wish(folders, s)[1], root) for s in there)
    left = sorted(p.name for p in folders.paths[Site.SPOOL].glob("*.jpg"))
    assert left == ([] if verb == "move" else [s.key for s in there])


@pytest.mark.parametrize("many", [1, 7])
async def test_a_move_that_a_crash_has_cut_short_is_made_safe(
    folders: Folders, at_risk: AtRisk, many: int
) -> None:
    """The name is there, the source is gone, and nobody knows whether either is on the disk."""
    files = folders.files()
    there = sources(folders, at_risk, many)
    puts = [folders.put(s, Site.LIBRARY, wish(folders, s)[0].key) for s in there]
    for source, put in zip(there, puts, strict=True):
        path = folders.paths[Site.SPOOL] / source.key
        at_risk.write(folders.paths[Site.LIBRARY] / put.target.key, path.read_bytes())
        path.unlink()
    at_risk.bytes.clear()  # a rename moves no bytes, and the first try had synced them
    assert await files.move(puts) == [None] * many
    root = folders.paths[Site.LIBRARY]
    assert all(at_risk.is_safe(wish(folders, s)[1], root) for s in there)


async def test_what_was_removed_stays_removed(folders: Folders, at_risk: AtRisk) -> None:
    files = folders.files()
    [place] = sources(folders, at_risk, 1)
    leave = Pass(((place, digest_of(b"picture 0")),))
    assert await files.remove([leave]) == [None]
    assert _inode(folders.paths[Site.SPOOL].stat()) not in at_risk.names


async def test_a_candidate_is_safe_when_it_has_its_name(folders: Folders, at_risk: AtRisk) -> None:
    files = folders.files()
    made = folders.paths[Site.SPOOL] / "scratch" / "out.jpg"
    at_risk.write(made, b"rendition")
    target = at(Site.SPOOL, "renditions/a.jpg")
    await files.adopt(made, target)
    path = folders.paths[Site.SPOOL] / target.key
    assert path.read_bytes() == b"rendition"
    assert not made.exists()
    assert at_risk.is_safe(path, folders.paths[Site.SPOOL])


def unread(*_: Any, **__: Any) -> reading.Reading:
    raise AssertionError("it is read again, though it was read a moment ago")


async def read_back(files: DurableFiles, place: Place) -> Sighting:
    [seen] = await files.read_back([place])
    assert isinstance(seen, Sighting)
    return seen


@pytest.mark.parametrize("verb", ["copy", "link"])
async def test_what_was_read_back_in_the_act_need_not_be_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    """And it was the medium that was read, not the page cache."""
    folders = Folders(tmp_path)
    files = folders.files()
    put = folders.put(folders.drop(Site.SPOOL, "a.jpg", b"picture"), Site.LIBRARY, "a.jpg")
    await read_back(files, put.source)
    assert await getattr(files, verb)([put]) == [None]
    monkeypatch.setattr(reading, "read_medium", unread)
    seen = await read_back(files, put.target)
    assert (seen.digest, seen.method != "cached") == (digest_of(b"picture"), True)


async def test_what_was_written_to_since_it_was_read_back_is_read_again(tmp_path: Path) -> None:
    folders = Folders(tmp_path)
    path = folders.paths[Site.LIBRARY] / "a.jpg"

    class Somebody(Power):
        def touch(self, what: str = "") -> None:
            if what == "fsync folders" and path.exists():
                path.write_bytes(b"somebody's own")

    files = folders.files(Somebody())
    put = folders.put(folders.drop(Site.SPOOL, "a.jpg", b"picture"), Site.LIBRARY, "a.jpg")
    assert await files.copy([put]) == [None]
    assert (await read_back(files, put.target)).digest == digest_of(b"somebody's own")


async def test_a_part_of_a_file_that_is_there_goes(tmp_path: Path) -> None:
    folders = Folders(tmp_path)
    files = folders.files()
    put = folders.put(folders.drop(Site.SPOOL, "a.jpg", b"picture"), Site.LIBRARY, "a.jpg")
    assert await files.copy([put]) == [None]
    part = folders.paths[Site.LIBRARY] / part_of(put.target)
    part.write_bytes(b"half a pic")
    assert await files.copy([put]) == [None]
    assert not part.exists()


async def test_of_many_that_move_each_folder_is_synced_once_and_the_disk_once(
    tmp_path: Path,
) -> None:
    folders, power = Folders(tmp_path), Power()
    places = [folders.drop(Site.SPOOL, f"{n}.jpg", b"%d" % n) for n in range(20)]
    puts = [folders.put(p, Site.LIBRARY, p.key) for p in places]
    assert await folders.files(power).move(puts) == [None] * 20
    assert [what for what in power.seen if "sync" in what] == ["fsync folders"] * 2
