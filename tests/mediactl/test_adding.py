"""Guards `add`: the source stays, nothing is overwritten, nothing half copied ever has its real name."""

import os
from pathlib import Path

from tests.mediactl.typed import a_terminal


async def test_files_and_folders_are_copied_and_left_alone(tmp_path: Path) -> None:
    source = tmp_path / "cards"
    (source / "DCIM").mkdir(parents=True)
    (source / "DCIM" / "a.jpg").write_bytes(b"aaa")
    (source / "b.jpg").write_bytes(b"bb")
    os.utime(source / "b.jpg", ns=(1, 1_600_000_000_123_456_789))
    single = tmp_path / "c.jpg"
    single.write_bytes(b"c")
    async with a_terminal(tmp_path / "root") as terminal:
        said = await terminal.type("add", str(source), str(single), "--json")
        incoming = terminal.world.settings.folders.incoming
    assert said.code == 0
    found = sorted(str(p.relative_to(incoming)) for p in incoming.rglob("*") if p.is_file())
    assert found == ["c.jpg", "cards/DCIM/a.jpg", "cards/b.jpg"]
    assert (incoming / "cards/b.jpg").stat().st_mtime_ns == 1_600_000_000_123_456_789
    assert single.read_bytes() == b"c"
    assert (source / "DCIM" / "a.jpg").read_bytes() == b"aaa"
    assert len(said.doc["added"]) == 3


async def test_a_taken_name_gets_a_suffix(tmp_path: Path) -> None:
    file = tmp_path / "a.jpg"
    file.write_bytes(b"new")
    async with a_terminal(tmp_path / "root") as terminal:
        incoming = terminal.world.settings.folders.incoming
        (incoming / "a.jpg").write_bytes(b"old")
        assert (await terminal.type("add", str(file))).code == 0
        assert (await terminal.type("add", str(file))).code == 0
    assert {p.name: p.read_bytes() for p in incoming.iterdir()} == {
        "a.jpg": b"old", "a-1.jpg": b"new", "a-2.jpg": b"new",
    }  # fmt: skip


async def test_when_one_path_does_not_exist_nothing_is_added(tmp_path: Path) -> None:
    file = tmp_path / "a.jpg"
    file.write_bytes(b"a")
    async with a_terminal(tmp_path / "root") as terminal:
        said = await terminal.type("add", str(file), str(tmp_path / "none.jpg"))
        assert list(terminal.world.settings.folders.incoming.iterdir()) == []
    assert said.code == 2
    assert "none.jpg" in said.err


async def test_the_drop_folder_is_not_added_to_itself(tmp_path: Path) -> None:
    async with a_terminal(tmp_path / "root") as terminal:
        assert (await terminal.type("add", str(tmp_path))).code == 2
        assert (await terminal.type("add", str(terminal.world.settings.folders.incoming))).code == 2


async def test_what_is_no_file_is_left_out_and_named(tmp_path: Path) -> None:
    source = tmp_path / "odd"
    source.mkdir()
    os.mkfifo(source / "pipe")
    (source / "dangling").symlink_to("nowhere")
    (source / "a.jpg").write_bytes(b"a")
    async with a_terminal(tmp_path / "root") as terminal:
        said = await terminal.type("add", str(source))
        incoming = terminal.world.settings.folders.incoming
    assert said.code == 0
    assert "pipe" in said.err
    assert "dangling" in said.err
    assert [p.name for p in (incoming / "odd").iterdir()] == ["a.jpg"]


async def test_what_does_not_fit_is_not_begun(tmp_path: Path) -> None:
    huge = tmp_path / "huge.mov"
    with huge.open("wb") as file:
        file.truncate(1 << 42)
    async with a_terminal(tmp_path / "root") as terminal:
        said = await terminal.type("add", str(huge))
        assert list(terminal.world.settings.folders.incoming.iterdir()) == []
    assert said.code == 1
    assert "do not fit" in said.err


async def test_a_name_of_foreign_bytes_and_of_full_length_is_added(tmp_path: Path) -> None:
    odd = tmp_path / os.fsdecode(b"gar\xe7on.jpg")
    odd.write_bytes(b"a")
    long = tmp_path / ("n" * 251 + ".jpg")
    long.write_bytes(b"b")
    async with a_terminal(tmp_path / "root") as terminal:
        said = await terminal.type("add", str(odd), str(long), "--json")
        incoming = terminal.world.settings.folders.incoming
    assert said.code == 0
    assert {os.fsencode(p.name) for p in incoming.iterdir()} == {
        b"gar\xe7on.jpg",
        os.fsencode(long.name),
    }
