"""Guards a file that comes over a network: killed at any step, it is whole under its name or gone on with."""

import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pytest
from blake3 import blake3

from mediad.adapters.durable import DurableFiles
from mediad.adapters.durable.parts import part_of
from mediad.errors import Refused, Retryable
from mediad.model import Site
from mediad.testing import Killed, Power
from tests.adapters.folders import MTIME, Folders, at

TARGET = at(Site.INCOMING, ".icloud/a/IMG_1.JPG")
CONTENT = bytes(range(256)) * 40


class Proof:
    def __init__(self, wanted: bytes = CONTENT) -> None:
        self._wanted = blake3(wanted).digest()
        self._seen = blake3()

    def update(self, piece: memoryview | bytes, /) -> None:
        self._seen.update(piece)

    def holds(self) -> bool:
        return self._seen.digest() == self._wanted


async def receive(files: DurableFiles, content: bytes = CONTENT, *, step: int = 3_000) -> bool:
    async with files.receive(TARGET, len(CONTENT), Proof) as arrival:
        while arrival.have < len(content) and not arrival.is_there:
            piece = content[arrival.have : arrival.have + step]
            await files.in_thread(TARGET.site, partial(arrival.write, piece))
        return await files.in_thread(TARGET.site, partial(arrival.finish, MTIME))


async def test_killed_anywhere_it_is_gone_on_with_and_ends_whole(tmp_path: Path) -> None:
    cut_at, was_killed = 0, True
    while was_killed:
        cut_at += 1
        folders = Folders(tmp_path / str(cut_at))
        was_killed = False
        try:
            await receive(folders.files(Power(cut_at)))
        except Killed:
            was_killed = True
            named = folders.under(Site.INCOMING).get(f"incoming/{TARGET.key}")
            assert named in {None, CONTENT}
        assert await receive(folders.files())
        assert folders.under(Site.INCOMING) == {f"incoming/{TARGET.key}": CONTENT}
    assert cut_at > 8


async def test_wrong_bytes_get_no_name_and_leave_nothing(tmp_path: Path) -> None:
    folders = Folders(tmp_path)
    assert not await receive(folders.files(), b"\0" * len(CONTENT))
    assert not await receive(folders.files(), CONTENT[:-1])
    assert folders.under(Site.INCOMING) == {}


async def test_what_the_disk_spoils_gets_no_name(tmp_path: Path) -> None:
    folders = Folders(tmp_path)
    part = folders.paths[Site.INCOMING] / ".icloud/a" / part_of(TARGET)

    def spoil(step: str) -> None:  # after the last byte came, before it is read back
        if step == "fsync":
            with part.open("r+b") as file:
                file.seek(5_000)
                file.write(b"rot")

    files = DurableFiles(folders.roots(), folders.clock, touch=spoil)
    assert not await receive(files)
    assert folders.under(Site.INCOMING) == {}
    assert await receive(folders.files())


async def test_a_rotten_part_is_found_out_though_its_size_is_right(tmp_path: Path) -> None:
    folders = Folders(tmp_path)
    folders.drop(Site.INCOMING, ".icloud/a/x", b"")
    part = folders.paths[Site.INCOMING] / ".icloud/a" / part_of(TARGET)
    part.write_bytes(bytes(len(CONTENT)))
    assert not await receive(folders.files())
    assert not part.exists()


async def test_many_small_pieces_come_in_one_write(tmp_path: Path) -> None:
    files = Folders(tmp_path).files()
    pieces = [CONTENT[n : n + 3] for n in range(0, len(CONTENT), 3)]
    assert len(pieces) > 1024
    async with files.receive(TARGET, len(CONTENT), Proof) as arrival:
        await files.in_thread(TARGET.site, partial(arrival.write, *pieces))
        assert arrival.have == len(CONTENT)
        assert await files.in_thread(TARGET.site, partial(arrival.finish, MTIME))
        assert arrival.seen is not None


async def test_a_write_that_stops_short_is_gone_on_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = Folders(tmp_path)
    real = os.writev

    def short(fd: int, pieces: Sequence[bytes]) -> int:
        return real(fd, [b"".join(pieces)[:5_000]])

    monkeypatch.setattr(os, "writev", short)
    async with folders.files().receive(TARGET, len(CONTENT), Proof) as arrival:
        arrival.write(CONTENT[:4_000], CONTENT[4_000:4_500], CONTENT[4_500:6_000], CONTENT[6_000:])
        assert arrival.finish(MTIME)
    assert folders.under(Site.INCOMING) == {f"incoming/{TARGET.key}": CONTENT}


async def test_the_file_has_the_time_that_it_was_given(tmp_path: Path) -> None:
    folders = Folders(tmp_path)
    assert await receive(folders.files())
    path = folders.paths[Site.INCOMING] / TARGET.key
    assert path.stat().st_mtime_ns == MTIME


async def test_more_bytes_than_there_should_be_are_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused):
        await receive(Folders(tmp_path).files(), CONTENT + b"more", step=len(CONTENT) + 4)


async def test_one_file_has_one_writer(tmp_path: Path) -> None:
    files = Folders(tmp_path).files()
    async with files.receive(TARGET, len(CONTENT), Proof):
        with pytest.raises(Retryable) as caught:
            await receive(files)
        assert caught.value.code == "io.busy"
    assert await receive(files)


async def test_a_part_with_a_second_name_is_never_written_to(tmp_path: Path) -> None:
    folders = Folders(tmp_path)
    finished = folders.drop(Site.INCOMING, ".icloud/a/other.jpg", b"\0" * 100)
    above = folders.paths[Site.INCOMING] / ".icloud/a"
    (above / part_of(TARGET)).hardlink_to(above / "other.jpg")
    assert await receive(folders.files())
    assert (folders.paths[Site.INCOMING] / finished.key).read_bytes() == b"\0" * 100


async def test_a_link_in_the_place_of_the_part_is_not_followed(tmp_path: Path) -> None:
    folders = Folders(tmp_path)
    folders.drop(Site.INCOMING, ".icloud/a/other.jpg", b"theirs")
    above = folders.paths[Site.INCOMING] / ".icloud/a"
    (above / part_of(TARGET)).symlink_to("other.jpg")
    assert await receive(folders.files())
    assert (above / "other.jpg").read_bytes() == b"theirs"


async def test_what_is_measured_is_what_lies_there(tmp_path: Path) -> None:
    folders = Folders(tmp_path)
    place = folders.drop(Site.SPOOL, "a.jpg", b"12345")
    found = await folders.files().measure([place, at(Site.SPOOL, "b.jpg")], lambda _fd: "seen")
    assert list(found) == ["seen", None]
