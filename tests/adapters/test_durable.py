"""Guards that no file is lost, torn or doubled: killed at any step, on a full disk, between disks, under odd names."""

import errno
import os
import socket
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from mediad.adapters import syscalls
from mediad.adapters.durable import DurableFiles
from mediad.adapters.durable.parts import part_of
from mediad.errors import NeedsOperator, Refused, Retryable
from mediad.model import Asset, AssetId, Digest, Kind, Place, Site
from mediad.ports import Put, Sighting
from mediad.testing import Killed, Power
from mediad.testing.files import digest_of
from tests.adapters.folders import Folders, at, mounted

NOBODY = Asset(AssetId(1), "a", Kind.PHOTO, "folder", 0, ())


@dataclass(frozen=True)
class Pass:
    places: tuple[tuple[Place, Digest], ...]
    asset: Asset = field(default=NOBODY)


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    return Folders(tmp_path)


@pytest.fixture
def other_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder on another file system than tmp_path."""
    shm = Path("/dev/shm")  # noqa: S108 - the one other file system that every machine has
    if not shm.is_dir() or shm.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("no second file system here")
    with tempfile.TemporaryDirectory(dir=shm) as folder:
        yield Path(folder)


async def run_killed(verb: str, files: DurableFiles, things: Sequence[object]) -> bool:
    try:
        await getattr(files, verb)(things)
    except Killed:
        return True
    except BaseExceptionGroup as group:
        if group.subgroup(Killed) is None:
            raise
        return True
    return False


SPOOL = {f"spool/{n}.jpg": b"picture %d" % n for n in range(6)}
MANY = [(f"{n}.jpg", f"{n % 2}/{n}.jpg") for n in range(6)]
ONE = MANY[:1]


@pytest.mark.parametrize("wishes", [ONE, MANY], ids=["one", "many"])
@pytest.mark.parametrize("verb", ["copy", "move", "link"])
@pytest.mark.parametrize("ground", ["same disk", "other disk", "nfs"])
async def test_killed_anywhere_it_ends_as_if_nothing_had_happened(
    tmp_path: Path,
    other_disk: Path,
    monkeypatch: pytest.MonkeyPatch,
    wishes: list[tuple[str, str]],
    verb: str,
    ground: str,
) -> None:
    if ground == "nfs":
        monkeypatch.setattr(syscalls, "rename_noreplace", _refuse_flag)
    cut_at, was_killed = 0, True
    while was_killed:
        cut_at += 1
        root = tmp_path / str(cut_at)
        home = other_disk / str(cut_at) if ground == "other disk" else root / "library"
        folders = Folders(root, library=home)
        folders.files()  # makes the folders
        for name, content in SPOOL.items():
            folders.drop(Site.SPOOL, Path(name).name, content)
        puts = [folders.put(at(Site.SPOOL, a), Site.LIBRARY, b) for a, b in wishes]

        was_killed = await run_killed(verb, folders.files(Power(cut_at)), puts)
        _nothing_is_torn_or_lost(home, folders, wishes)
        assert await getattr(folders.files(), verb)(puts) == [None] * len(puts)
        assert _tree(home) == {b: SPOOL[f"spool/{a}"] for a, b in wishes}
        left = {"spool/" + a for a, _ in wishes} if verb == "move" else set()
        assert folders.under(Site.SPOOL).keys() == SPOOL.keys() - left
    assert cut_at > 3


def _refuse_flag(*_: object) -> None:
    raise OSError(22, "Invalid argument")


def _tree(home: Path) -> dict[str, bytes]:
    return {
        str(p.relative_to(home)): p.read_bytes()
        for p in home.rglob("*")
        if p.is_file() and p.name != ".mediad-site"
    }


def _nothing_is_torn_or_lost(home: Path, folders: Folders, wishes: list[tuple[str, str]]) -> None:
    there, spool = _tree(home), folders.under(Site.SPOOL)
    for a, b in wishes:
        content = SPOOL[f"spool/{a}"]
        assert there.get(b, content) == content
        assert content in {there.get(b), spool.get(f"spool/{a}")}


async def test_killed_in_a_removal_it_removes_the_rest_later(tmp_path: Path) -> None:
    cut_at, was_killed = 0, True
    while was_killed:
        cut_at += 1
        folders = Folders(tmp_path / str(cut_at))
        folders.files()
        places = [folders.drop(Site.SPOOL, f"{n}.jpg", b"%d" % n) for n in range(3)]
        leave = Pass(tuple((p, digest_of(b"%d" % n)) for n, p in enumerate(places)))
        kept = folders.drop(Site.SPOOL, "kept.jpg", b"kept")
        was_killed = await run_killed("remove", folders.files(Power(cut_at)), [leave])
        assert await folders.files().remove([leave]) == [None]
        assert folders.under(Site.SPOOL) == {f"spool/{kept.key}": b"kept"}
    assert cut_at > 3


async def test_a_crash_between_link_and_unlink_cannot_empty_the_finished_file(
    folders: Folders,
) -> None:
    """Where NOREPLACE is link + unlink, the old part may be a second name of the target."""
    files = folders.files()
    wish = folders.put(folders.drop(Site.SPOOL, "a.jpg", b"picture"), Site.ARCHIVE, "a.jpg")
    assert await files.copy([wish]) == [None]
    target = folders.paths[Site.ARCHIVE] / "a.jpg"
    part = target.parent / part_of(wish.target)
    os.link(target, part)
    assert await files.copy([wish]) == [None]
    assert target.read_bytes() == b"picture"
    assert not part.exists()


async def test_what_syncthing_can_see_of_the_shared_folder_is_always_whole(tmp_path: Path) -> None:
    """Cut at every touch: only names that Syncthing leaves alone while it scans, or whole files."""
    cut_at, was_killed = 0, True
    while was_killed:
        cut_at += 1
        folders = Folders(tmp_path / str(cut_at))
        folders.files()
        sources = [folders.drop(Site.SPOOL, f"{n}.jpg", b"picture %d" % n) for n in range(6)]
        puts = [folders.put(s, Site.PHONE, s.key) for s in sources]
        was_killed = await run_killed("copy", folders.files(Power(cut_at)), puts)
        seen = {n.removeprefix("phone/"): b for n, b in folders.under(Site.PHONE).items()}
        passed_over = {n for n in seen if n.startswith(".syncthing.") and n.endswith(".tmp")}
        assert all(seen[n] == b"picture %d" % int(n[0]) for n in seen.keys() - passed_over)
    assert cut_at > 3


async def test_the_archive_gets_blocks_of_its_own(folders: Folders) -> None:
    wish = folders.put(folders.drop(Site.SPOOL, "a.jpg", b"picture"), Site.ARCHIVE, "a.jpg")
    assert await folders.files().copy([wish]) == [None]
    there = (folders.paths[Site.ARCHIVE] / "a.jpg").stat()
    assert there.st_ino != (folders.paths[Site.SPOOL] / "a.jpg").stat().st_ino
    assert there.st_nlink == 1


async def test_a_full_disk_fails_the_file_that_did_not_fit_and_no_other(tmp_path: Path) -> None:
    nas = tmp_path / "nas"
    with mounted(nas, "size=512k"):
        folders = Folders(tmp_path, archive=nas)
        files = folders.files()
        sizes = [100_000] * 3 + [400_000] + [1_000] * 4
        puts = [
            folders.put(
                folders.drop(Site.SPOOL, f"{n}.jpg", os.urandom(size)), Site.ARCHIVE, f"{n}.jpg"
            )
            for n, size in enumerate(sizes)
        ]
        answers = await files.copy(puts)
        bad = [n for n, answer in enumerate(answers) if answer is not None]
        assert len(bad) == 1
        fault = answers[bad[0]]
        assert isinstance(fault, NeedsOperator)
        assert (fault.code, fault.site) == ("space.full", "archive")
        assert _tree(nas).keys() == {f"{n}.jpg" for n in range(len(sizes))} - {f"{bad[0]}.jpg"}


async def test_a_disk_that_fills_behind_our_back_leaves_no_half_file(tmp_path: Path) -> None:
    """The count said that there was room; the file system says ENOSPC in the middle of the bytes."""
    nas = tmp_path / "nas"
    with mounted(nas, "size=512k"):
        folders = Folders(tmp_path, archive=nas)
        files = folders.files(reserve=-(10 << 20))
        small = folders.put(folders.drop(Site.SPOOL, "s.jpg", b"s"), Site.ARCHIVE, "s.jpg")
        big = folders.put(
            folders.drop(Site.SPOOL, "b.jpg", os.urandom(900_000)), Site.ARCHIVE, "b.jpg"
        )
        answers = await files.copy([big, small])
        assert isinstance(answers[0], NeedsOperator)
        assert answers[0].code == "space.full"
        assert answers[1] is None
        assert _tree(nas) == {"s.jpg": b"s"}


class Faulty(Power):
    """A disk that fails the n-th step of a kind."""

    def __init__(self, what: str, nth: int = 1) -> None:
        super().__init__()
        self.what, self.nth = what, nth

    def touch(self, what: str = "") -> None:
        super().touch(what)
        if what == self.what and self.seen.count(what) == self.nth:
            raise OSError(errno.EIO, os.strerror(errno.EIO))


async def test_a_failed_sync_of_one_file_is_its_own(folders: Folders) -> None:
    puts = [
        folders.put(folders.drop(Site.SPOOL, f"{n}.jpg", b"%d" % n), Site.ARCHIVE, f"{n}.jpg")
        for n in range(3)
    ]
    answers = await folders.files(Faulty("fsync", 2)).copy(puts)
    assert [answer is None for answer in answers].count(False) == 1
    assert len(list(folders.paths[Site.ARCHIVE].glob("*.jpg"))) == 2
    assert not list(folders.paths[Site.ARCHIVE].glob("*.part"))


async def test_a_failed_sync_of_the_folders_is_no_success(folders: Folders) -> None:
    """The name is there, but who knows for how long: asked again it is synced again."""
    wish = folders.put(folders.drop(Site.SPOOL, "a.jpg", b"picture"), Site.ARCHIVE, "a.jpg")
    (answer,) = await folders.files(Faulty("fsync folders")).copy([wish])
    assert isinstance(answer, Retryable)
    power = Power()
    assert await folders.files(power).copy([wish]) == [None]
    assert "fsync folders" in power.seen


async def test_a_failed_sync_of_the_lot_is_tried_file_by_file(
    folders: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    puts = [
        folders.put(folders.drop(Site.SPOOL, f"{n}.jpg", b"%d" % n), Site.ARCHIVE, f"{n}.jpg")
        for n in range(9)
    ]

    def refuse(_: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    power = Power()
    monkeypatch.setattr(syscalls, "sync_file_system", refuse)
    assert await folders.files(power).copy(puts) == [None] * 9
    assert power.seen.count("syncfs") == 1
    assert power.seen.count("fsync") == 9
    assert folders.under(Site.ARCHIVE) == {f"archive/{n}.jpg": b"%d" % n for n in range(9)}


async def test_a_lot_shares_its_sync(folders: Folders) -> None:
    puts = [
        folders.put(folders.drop(Site.SPOOL, f"{n}.jpg", b"%d" % n), Site.ARCHIVE, f"{n % 3}/{n}")
        for n in range(100)
    ]
    power = Power()
    assert await folders.files(power).copy(puts) == [None] * 100
    syncs = [what for what in power.seen if "sync" in what]
    assert syncs == ["syncfs", "fsync folders"]


async def test_a_reserve_is_left_free(tmp_path: Path) -> None:
    nas = tmp_path / "nas"
    with mounted(nas, "size=1m"):
        folders = Folders(tmp_path, archive=nas)
        files = folders.files(reserve=1 << 60)
        free = (await files.room_at(Site.ARCHIVE)).free
        big = folders.drop(Site.SPOOL, "a.jpg", os.urandom(free - 8192))
        (answer,) = await files.copy([folders.put(big, Site.ARCHIVE, "a.jpg")])
        assert isinstance(answer, NeedsOperator)
        assert (answer.code, answer.site) == ("space.full", "archive")
        assert _tree(nas) == {}


@pytest.mark.parametrize("kind", ["symlink", "fifo", "socket", "folder"])
async def test_what_is_no_file_is_never_opened(folders: Folders, kind: str) -> None:
    files = folders.files()
    odd = folders.paths[Site.SPOOL] / "odd"
    _make(kind, odd)
    wish = Put(at(Site.SPOOL, "odd"), at(Site.ARCHIVE, "odd"), None, 0)
    for answers in (await files.copy([wish]), await files.link([wish])):
        assert isinstance(answers[0], Refused), answers
        assert answers[0].code == "place.not_a_file"
    (seen,) = await files.read_back([wish.source])
    assert isinstance(seen, Sighting)
    assert (seen.what, seen.is_regular, seen.digest) == (kind, False, None)


@pytest.mark.parametrize("kind", ["symlink", "fifo", "socket"])
async def test_what_is_no_file_can_be_put_aside(
    tmp_path: Path, other_disk: Path, kind: str
) -> None:
    folders = Folders(tmp_path, duplicates=other_disk)
    files = folders.files()
    _make(kind, folders.paths[Site.SPOOL] / "odd")
    away = Put(at(Site.SPOOL, "odd"), at(Site.DUPLICATES, "odd"), None, 0)
    (answer,) = await files.move([away])
    assert isinstance(answer, Refused)
    assert answer.code == "place.cannot_move"
    aside = Put(at(Site.SPOOL, "odd"), at(Site.QUARANTINE, "odd"), None, 0)
    assert await files.move([aside]) == [None]
    (seen,) = await files.sight([aside.target])
    assert isinstance(seen, Sighting)
    assert seen.what == kind


def _make(kind: str, path: Path) -> None:
    match kind:
        case "symlink":
            path.symlink_to("/etc/hostname")
        case "fifo":
            os.mkfifo(path)
        case "folder":
            path.mkdir()
        case _:
            folder = os.open(path.parent, os.O_RDONLY)
            with socket.socket(socket.AF_UNIX) as server:
                server.bind(f"/proc/self/fd/{folder}/{path.name}")  # the real path may be too long
            os.close(folder)


async def test_a_linked_folder_is_not_walked_through(folders: Folders, tmp_path: Path) -> None:
    files = folders.files()
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.jpg").write_bytes(b"secret")
    (folders.paths[Site.SPOOL] / "way").symlink_to(outside)
    (folders.paths[Site.ARCHIVE]).mkdir(exist_ok=True)
    (folders.paths[Site.ARCHIVE] / "way").symlink_to(outside)
    picture = folders.drop(Site.SPOOL, "a.jpg", b"picture")
    answers = [
        *await files.sight([at(Site.SPOOL, "way/secret.jpg")]),
        *await files.copy([Put(at(Site.SPOOL, "way/secret.jpg"), at(Site.ARCHIVE, "s"), None, 0)]),
        *await files.copy([folders.put(picture, Site.ARCHIVE, "way/a.jpg")]),
        *await files.move([folders.put(picture, Site.ARCHIVE, "way/a.jpg")]),
        *await files.remove([Pass(((at(Site.SPOOL, "way/secret.jpg"), digest_of(b"secret")),))]),
    ]
    assert all(isinstance(answer, Refused) for answer in answers), answers
    assert [p.name for p in outside.iterdir()] == ["secret.jpg"]


async def test_a_source_that_changes_under_the_copy_gives_no_target(folders: Folders) -> None:
    source = folders.drop(Site.INCOMING, "a.jpg", b"first half")

    class Writer(Power):
        def touch(self, what: str = "") -> None:
            if what == "write":
                folders.drop(Site.INCOMING, "a.jpg", b"first half and second half")
                os.utime(folders.paths[Site.INCOMING] / "a.jpg")

    wish = folders.put(source, Site.SPOOL, "1-a.jpg", hashed=False)
    (answer,) = await folders.files(Writer()).copy([wish])
    assert isinstance(answer, Refused)
    assert answer.code == "place.changed"
    assert folders.under(Site.SPOOL) == {}


async def test_a_file_still_being_written_is_seen_as_such(folders: Folders) -> None:
    files = folders.files()
    place = folders.drop(Site.INCOMING, "a.jpg", b"half")
    with (folders.paths[Site.INCOMING] / "a.jpg").open("ab"):
        (during,) = await files.sight([place])
    (after,) = await files.sight([place])
    assert isinstance(during, Sighting)
    assert isinstance(after, Sighting)
    assert (during.is_open_for_writing, after.is_open_for_writing) == (True, False)


async def test_since_when_a_file_rests_is_remembered(folders: Folders) -> None:
    files = folders.files()
    place = folders.drop(Site.INCOMING, "a.jpg", b"half")
    since = []
    for content in (None, None, b"more than half"):
        if content:
            folders.drop(Site.INCOMING, "a.jpg", content)
        folders.clock.advance(10)
        (seen,) = await files.sight([place])
        assert isinstance(seen, Sighting)
        since.append(seen.unchanged_since)
    assert since[0] == since[1]
    assert since[2] == since[0] + 20_000


async def test_one_target_has_one_writer(folders: Folders) -> None:
    files = folders.files()
    wishes = [
        folders.put(folders.drop(Site.SPOOL, f"{n}.jpg", b"%d" % n), Site.ARCHIVE, "same.jpg")
        for n in range(2)
    ]
    answers = await files.copy(wishes)
    assert answers[0] is None
    assert isinstance(answers[1], Retryable)
    (again,) = await files.copy(wishes[1:])
    assert isinstance(again, Refused)
    assert again.code == "place.taken"


async def test_real_files_come_through_whole(folders: Folders, shared_media: Path) -> None:
    files = folders.files()
    media = _smallest(shared_media, 40)
    puts = [
        folders.put(
            folders.drop(Site.INCOMING, f"{n}/{p.name}", p.read_bytes()),
            Site.SPOOL,
            f"{n}-{p.name}",
        )
        for n, p in enumerate(media)
    ]
    assert await files.move(puts) == [None] * len(puts)
    onward = [Put(w.target, at(Site.ARCHIVE, w.target.key), w.digest, w.mtime_ns) for w in puts]
    assert await files.copy(onward) == [None] * len(puts)
    answers = await files.read_back([w.target for w in onward])
    assert [a.digest for a in answers if isinstance(a, Sighting)] == [w.digest for w in puts]


def _smallest(folder: Path, count: int) -> list[Path]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return sorted(files, key=lambda path: path.stat().st_size)[:count]
