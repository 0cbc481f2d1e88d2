"""Guards what gives way to a file that is there already: only what has the very same bytes, read on both sides."""

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mediad.adapters import reading, syscalls
from mediad.model import Site
from mediad.ports import Sighting
from mediad.testing.files import digest_of
from tests.adapters.folders import Folders
from tests.adapters.test_durable import other_disk
from tests.adapters.test_durable_careful import Meanwhile, codes
from tests.adapters.test_durable_synced import unread

__all__ = ["other_disk"]


@pytest.fixture(params=["same disk", "other disk"])
def folders(request: pytest.FixtureRequest, tmp_path: Path, other_disk: Path) -> Folders:
    home = other_disk if request.param == "other disk" else tmp_path / "library"
    return Folders(tmp_path, library=home)


@pytest.mark.parametrize("there", [b"first", b"second"], ids=["the old bytes", "the new bytes"])
async def test_what_has_got_other_bytes_does_not_give_way(folders: Folders, there: bytes) -> None:
    """Even where these are there, too: nobody knows of them yet."""
    files = folders.files()
    source = folders.drop(Site.SPOOL, "a.jpg", b"first")
    put = folders.put(source, Site.LIBRARY, "a.jpg")
    folders.drop(Site.SPOOL, "a.jpg", b"second")
    folders.drop(Site.LIBRARY, "a.jpg", there)
    assert codes(await files.move([put])) == ["place.changed"]
    assert (folders.paths[Site.SPOOL] / "a.jpg").read_bytes() == b"second"
    assert (folders.paths[Site.LIBRARY] / "a.jpg").read_bytes() == there


@pytest.mark.parametrize("hashed", [True, False])
@pytest.mark.parametrize("verb", ["copy", "move", "link"])
async def test_the_same_bytes_are_there_once_and_what_moves_gives_way(
    folders: Folders, verb: str, *, hashed: bool
) -> None:
    files = folders.files()
    source = folders.drop(Site.SPOOL, "a.jpg", b"picture")
    put = folders.put(source, Site.LIBRARY, "a.jpg", hashed=hashed)
    folders.drop(Site.LIBRARY, "a.jpg", b"picture")
    assert await getattr(files, verb)([put]) == [None]
    assert (folders.paths[Site.SPOOL] / "a.jpg").exists() is (verb != "move")
    assert (folders.paths[Site.LIBRARY] / "a.jpg").read_bytes() == b"picture"


@pytest.mark.parametrize("verb", ["copy", "move", "link"])
async def test_of_bytes_that_nobody_has_hashed_the_others_stay_beside(
    folders: Folders, verb: str
) -> None:
    files = folders.files()
    source = folders.drop(Site.SPOOL, "a.jpg", b"picture")
    put = folders.put(source, Site.LIBRARY, "a.jpg", hashed=False)
    folders.drop(Site.LIBRARY, "a.jpg", b"another")
    assert codes(await getattr(files, verb)([put])) == ["place.taken"]
    assert (folders.paths[Site.SPOOL] / "a.jpg").read_bytes() == b"picture"
    assert (folders.paths[Site.LIBRARY] / "a.jpg").read_bytes() == b"another"


@pytest.mark.parametrize("verb", ["copy", "link"])
async def test_what_is_there_is_there_whatever_has_become_of_its_source(
    folders: Folders, verb: str
) -> None:
    files = folders.files()
    put = folders.put(folders.drop(Site.SPOOL, "a.jpg", b"first"), Site.LIBRARY, "a.jpg")
    folders.drop(Site.LIBRARY, "a.jpg", b"first")
    folders.drop(Site.SPOOL, "a.jpg", b"second")
    assert await getattr(files, verb)([put]) == [None]
    assert (folders.paths[Site.SPOOL] / "a.jpg").read_bytes() == b"second"


async def test_what_is_there_is_read_from_the_medium_and_that_is_remembered(
    folders: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = folders.files()
    put = folders.put(folders.drop(Site.SPOOL, "a.jpg", b"picture"), Site.LIBRARY, "a.jpg")
    folders.drop(Site.LIBRARY, "a.jpg", b"picture")
    assert await files.copy([put]) == [None]
    monkeypatch.setattr(reading, "read_medium", unread)
    [seen] = await files.read_back([put.target])
    assert isinstance(seen, Sighting)
    assert (seen.digest, seen.method != "cached") == (digest_of(b"picture"), True)


def writes(path: Path) -> None:
    path.write_bytes(b"somebody's own")


def puts_another(path: Path) -> None:
    path.rename(path.with_name("aside.jpg"))
    path.write_bytes(b"picture")


def puts_a_link(path: Path) -> None:
    path.rename(path.with_name("aside.jpg"))
    path.symlink_to("aside.jpg")


DEEDS = pytest.mark.parametrize("deed", [writes, puts_another, puts_a_link])


async def it_stays(folders: Folders, deed: Callable[[Path], None]) -> None:
    path = folders.paths[Site.SPOOL] / "a.jpg"
    files = folders.files(Meanwhile("fsync folders", lambda: deed(path)))
    put = folders.put(folders.drop(Site.SPOOL, "a.jpg", b"picture"), Site.LIBRARY, "a.jpg")
    assert codes(await files.move([put])) == ["place.changed"]
    kept = {p.name: p.read_bytes() for p in folders.paths[Site.SPOOL].glob("*.jpg")}
    if deed is writes:
        assert kept == {"a.jpg": b"somebody's own"}
    else:
        assert kept == {"a.jpg": b"picture", "aside.jpg": b"picture"}
    assert (folders.paths[Site.LIBRARY] / "a.jpg").read_bytes() == b"picture"


@DEEDS
async def test_a_source_that_is_another_one_since_it_was_compared_stays(
    folders: Folders, deed: Callable[[Path], None]
) -> None:
    folders.drop(Site.LIBRARY, "a.jpg", b"picture")
    await it_stays(folders, deed)


@DEEDS
async def test_a_source_that_is_another_one_since_it_was_copied_stays(
    tmp_path: Path, other_disk: Path, deed: Callable[[Path], None]
) -> None:
    await it_stays(Folders(tmp_path, library=other_disk), deed)


@pytest.mark.parametrize("verb", ["move", "link"])
async def test_a_disk_that_fails_is_told_of_and_no_copy_is_made_instead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    folders = Folders(tmp_path)
    files = folders.files()
    owner, name = (syscalls, "rename_noreplace") if verb == "move" else (os, "link")
    real = getattr(owner, name)
    failed: list[int] = []

    def fails_once(*more: Any, **words: Any) -> None:
        if not failed:
            failed.append(errno.EIO)
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        real(*more, **words)

    monkeypatch.setattr(owner, name, fails_once)
    put = folders.put(folders.drop(Site.SPOOL, "a.jpg", b"picture"), Site.LIBRARY, "a.jpg")
    assert codes(await getattr(files, verb)([put])) == ["io.error"]
    assert failed
    assert folders.under(Site.SPOOL, Site.LIBRARY) == {"spool/a.jpg": b"picture"}
