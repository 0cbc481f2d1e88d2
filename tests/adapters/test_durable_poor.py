"""Guards the way round for file systems that can do less: no rename that replaces nothing, no links, no sendfile."""

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mediad.adapters import syscalls
from mediad.errors import Refused
from mediad.model import Site
from mediad.ports import Put, Sighting
from tests.adapters.folders import Folders, at
from tests.adapters.test_durable_careful import Meanwhile, codes

NO_FLAG = pytest.mark.parametrize(
    "flag", [errno.EINVAL, errno.ENOSYS, errno.ENOTSUP], ids=errno.errorcode.get
)
NO_LINK = pytest.mark.parametrize(
    "link", [errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK], ids=errno.errorcode.get
)


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    return Folders(tmp_path)


def refuses(number: int) -> Callable[..., None]:
    def refused(*_: Any, **__: Any) -> None:
        raise OSError(number, os.strerror(number))

    return refused


def one(folders: Folders) -> Put:
    return folders.put(folders.drop(Site.SPOOL, "a.jpg", b"picture"), Site.LIBRARY, "a.jpg")


@pytest.fixture
def no_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the flag nor links: FAT behind FUSE."""
    monkeypatch.setattr(syscalls, "rename_noreplace", refuses(errno.EINVAL))
    monkeypatch.setattr(os, "link", refuses(errno.EPERM))


@NO_FLAG
@NO_LINK
@pytest.mark.parametrize("verb", ["copy", "move", "link"])
async def test_a_disk_that_knows_neither_the_flag_nor_links_gets_the_file(
    folders: Folders, monkeypatch: pytest.MonkeyPatch, verb: str, flag: int, link: int
) -> None:
    monkeypatch.setattr(syscalls, "rename_noreplace", refuses(flag))
    monkeypatch.setattr(os, "link", refuses(link))
    assert await getattr(folders.files(), verb)([one(folders)]) == [None]
    left = {} if verb == "move" else {"spool/a.jpg": b"picture"}
    assert folders.under(Site.SPOOL, Site.LIBRARY) == {**left, "library/a.jpg": b"picture"}


@pytest.mark.usefixtures("no_names")
@pytest.mark.parametrize("verb", ["copy", "move", "link"])
@pytest.mark.parametrize("theirs", ["a file", "a link to nothing"])
async def test_there_too_a_name_that_is_taken_at_the_last_moment_is_not_taken_away(
    folders: Folders, verb: str, theirs: str
) -> None:
    path = folders.paths[Site.LIBRARY] / "a.jpg"

    def take() -> None:
        if theirs == "a file":
            path.write_bytes(b"theirs")
        else:
            path.symlink_to("nothing")

    files = folders.files(Meanwhile("rename", take))
    [answer] = await getattr(files, verb)([one(folders)])
    assert isinstance(answer, Refused)
    assert path.is_symlink() or path.read_bytes() == b"theirs"
    assert (folders.paths[Site.SPOOL] / "a.jpg").read_bytes() == b"picture"


async def test_a_disk_that_fails_where_it_knows_no_flag_is_told_of(
    folders: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(syscalls, "rename_noreplace", refuses(errno.EINVAL))
    monkeypatch.setattr(os, "link", refuses(errno.EIO))
    assert codes(await folders.files().copy([one(folders)])) == ["io.error"]
    assert folders.under(Site.LIBRARY) == {}


async def test_there_too_a_link_is_moved_as_the_link_that_it_is(
    folders: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(syscalls, "rename_noreplace", refuses(errno.EINVAL))
    files = folders.files()
    secret = folders.root / "secret"
    secret.write_bytes(b"secret")
    (folders.paths[Site.SPOOL] / "odd").symlink_to(secret)
    aside = Put(at(Site.SPOOL, "odd"), at(Site.QUARANTINE, "odd"), None, 0)
    assert await files.move([aside]) == [None]
    [seen] = await files.sight([aside.target])
    assert isinstance(seen, Sighting)
    assert (seen.what, secret.stat().st_nlink) == ("symlink", 1)


def sends_half(number: int) -> Callable[[int, int, int], None]:
    def send(out_fd: int, in_fd: int, size: int) -> None:
        os.sendfile(out_fd, in_fd, 0, size // 2)
        raise OSError(number, os.strerror(number))

    return send


@NO_FLAG
async def test_bytes_that_cannot_be_sent_are_written_from_the_first(
    folders: Folders, monkeypatch: pytest.MonkeyPatch, flag: int
) -> None:
    monkeypatch.setattr(syscalls, "send", sends_half(flag))
    assert await folders.files().copy([one(folders)]) == [None]
    assert folders.under(Site.LIBRARY) == {"library/a.jpg": b"picture"}


async def test_a_disk_that_fails_while_bytes_are_sent_is_told_of(
    folders: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(syscalls, "send", sends_half(errno.EIO))
    assert codes(await folders.files().copy([one(folders)])) == ["io.error"]
    assert folders.under(Site.LIBRARY) == {}
