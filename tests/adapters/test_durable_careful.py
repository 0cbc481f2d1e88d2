"""Guards the second looks of the file layer: at what changed between two calls, and at whose fault a fault is."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest

from mediad.adapters import syscalls
from mediad.adapters.durable import room
from mediad.adapters.durable.lot import Lot
from mediad.adapters.durable.orphans import Orphans
from mediad.adapters.durable.parts import part_of
from mediad.adapters.durable.room import Rooms
from mediad.errors import Bug, MediadError, NeedsOperator, Refused, Retryable
from mediad.model import Digest, Place, Site
from mediad.ports import Put
from mediad.testing import Power
from mediad.testing.files import digest_of
from tests.adapters.folders import MTIME, Folders, at
from tests.adapters.test_durable import Faulty, Pass, other_disk

__all__ = ["other_disk"]

SAMPLE = b"a sample"


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    return Folders(tmp_path)


class Meanwhile(Power):
    """Somebody else does something just before a step of ours, once."""

    def __init__(self, what: str, deed: Callable[[], None], nth: int = 1) -> None:
        super().__init__()
        self.what, self.deed, self.nth = what, deed, nth

    def touch(self, what: str = "") -> None:
        super().touch(what)
        if what == self.what and self.seen.count(what) == self.nth:
            self.deed()


def codes(answers: Any) -> list[str | None]:
    return [a.code if isinstance(a, MediadError) else None for a in answers]


def puts_of(folders: Folders, count: int, *, missing: int = 0) -> list[Put]:
    there = [
        folders.put(folders.drop(Site.SPOOL, f"{n}.jpg", b"%d" % n), Site.LIBRARY, f"{n}.jpg")
        for n in range(count)
    ]
    lost = [
        Put(at(Site.SPOOL, f"x{n}"), at(Site.LIBRARY, f"x{n}"), None, 0) for n in range(missing)
    ]
    return [*lost, *there]


# -- whose fault it is ----------------------------------------------------------------------------


@pytest.mark.parametrize("verb", ["copy", "move", "link"])
async def test_a_fault_of_all_does_not_hide_the_fault_of_one(folders: Folders, verb: str) -> None:
    answers = await getattr(folders.files(Faulty("fsync folders")), verb)(
        puts_of(folders, 2, missing=1)
    )
    assert answers[0] is not None
    assert answers[0].code not in {None, answers[1].code}
    assert codes(answers[1:]) == ["io.error"] * 2


async def test_wrong_bytes_are_found_out_in_a_lot_as_well(folders: Folders) -> None:
    puts = puts_of(folders, 7)
    puts[3] = Put(puts[3].source, puts[3].target, digest_of(b"other bytes"), 0)
    answers = await folders.files().copy(puts)
    assert codes(answers) == [None, None, None, "place.changed", None, None, None]
    assert "library/3.jpg" not in folders.under(Site.LIBRARY)


async def test_of_a_warrant_that_meets_other_bytes_the_rest_stays_too(folders: Folders) -> None:
    files = folders.files()
    places = [folders.drop(Site.SPOOL, f"{n}.jpg", b"%d" % n) for n in range(2)]
    leave = Pass(((places[0], digest_of(b"other bytes")), (places[1], digest_of(b"1"))))
    assert codes(await files.remove([leave])) == ["place.changed"]
    assert len(folders.under(Site.SPOOL)) == 2


async def test_a_removal_that_cannot_be_synced_hides_no_refusal(folders: Folders) -> None:
    places = [folders.drop(Site.SPOOL, f"{n}.jpg", b"%d" % n) for n in range(2)]
    wrong, right = Pass(((places[0], digest_of(b"x")),)), Pass(((places[1], digest_of(b"1")),))
    answers = await folders.files(Faulty("fsync folders")).remove([wrong, right])
    assert codes(answers) == ["place.changed", "io.error"]


@pytest.mark.parametrize("swap", ["another file", "a link to it"])
async def test_what_took_the_name_since_it_was_read_is_not_removed(
    folders: Folders, monkeypatch: pytest.MonkeyPatch, swap: str
) -> None:
    files = folders.files()
    place = folders.drop(Site.SPOOL, "a.jpg", b"picture")
    path = folders.paths[Site.SPOOL] / "a.jpg"
    chunks = syscalls.chunks

    def then_swapped(*more: Any, **words: Any) -> Iterator[memoryview]:
        yield from chunks(*more, **words)
        path.rename(path.with_name("aside.jpg"))
        if swap == "another file":
            path.write_bytes(b"somebody's")
        else:
            path.symlink_to("aside.jpg")

    monkeypatch.setattr(syscalls, "chunks", then_swapped)
    answers = await files.remove([Pass(((place, digest_of(b"picture")),))])
    assert codes(answers) == ["place.changed"]
    assert path.is_symlink() or path.read_bytes() == b"somebody's"


@pytest.mark.parametrize("count", [1, 7])
@pytest.mark.parametrize("theirs", [b"somebody's", b"0"], ids=["other bytes", "the same bytes"])
async def test_a_name_that_is_taken_at_the_last_moment_is_not_taken_away(
    folders: Folders, count: int, theirs: bytes
) -> None:
    puts = puts_of(folders, count)
    path = folders.paths[Site.LIBRARY] / "0.jpg"

    def take() -> None:
        path.write_bytes(theirs)

    answers = await folders.files(Meanwhile("rename", take)).copy(puts)
    assert codes(answers)[0] == ("place.taken" if theirs != b"0" else None)
    assert codes(answers)[1:] == [None] * (count - 1)
    assert path.read_bytes() == theirs
    assert not list(folders.paths[Site.LIBRARY].glob(".mediad-*.part"))


@pytest.mark.parametrize("hashed", [True, False])
async def test_bytes_that_the_disk_has_spoilt_are_the_disks_fault(
    folders: Folders, *, hashed: bool
) -> None:
    puts = [replace(p, digest=p.digest if hashed else None) for p in puts_of(folders, 7)]
    folder = folders.paths[Site.LIBRARY]

    def rot() -> None:
        (folder / part_of(puts[3].target)).write_bytes(b"x")

    answers = await folders.files(Meanwhile("syncfs", rot)).copy(puts)
    assert codes(answers) == [None] * 3 + ["io.mismatch"] + [None] * 3


# -- links and folders ------------------------------------------------------------------------------


async def test_a_folder_is_not_moved_as_a_file(folders: Folders) -> None:
    files = folders.files()
    (folders.paths[Site.SPOOL] / "2024").mkdir()
    [answer] = await files.move([Put(at(Site.SPOOL, "2024"), at(Site.LIBRARY, "2024"), None, 0)])
    assert codes([answer]) == ["place.not_a_file"]
    assert (folders.paths[Site.SPOOL] / "2024").is_dir()


async def test_a_link_that_takes_the_sources_name_gives_nobody_elses_file_away(
    folders: Folders,
) -> None:
    put = puts_of(folders, 1)[0]
    path = folders.paths[Site.SPOOL] / "0.jpg"
    secret = folders.root / "secret"
    secret.write_bytes(b"secret")

    def swap() -> None:
        path.unlink()
        path.symlink_to(secret)

    await folders.files(Meanwhile("link", swap)).link([put])
    assert secret.stat().st_nlink == 1


@pytest.mark.parametrize("verb", ["copy", "link"])
async def test_a_link_under_the_targets_name_is_no_copy(folders: Folders, verb: str) -> None:
    files = folders.files()
    put = puts_of(folders, 1)[0]
    (folders.paths[Site.LIBRARY]).mkdir(exist_ok=True)
    (folders.paths[Site.LIBRARY] / "0.jpg").symlink_to(folders.paths[Site.SPOOL] / "0.jpg")
    [answer] = await getattr(files, verb)([put])
    assert isinstance(answer, Refused)


async def test_a_candidate_comes_from_a_file_and_no_link(folders: Folders) -> None:
    files = folders.files()
    secret = folders.root / "secret"
    secret.write_bytes(b"secret")
    made = folders.paths[Site.SPOOL] / "out.jpg"
    made.symlink_to(secret)
    with pytest.raises(MediadError):
        await files.adopt(made, at(Site.SPOOL, "renditions/a.jpg"))
    assert not (folders.paths[Site.SPOOL] / "renditions" / "a.jpg").exists()


@pytest.mark.parametrize(
    "place", [at(Site.SPOOL, "1-a.jpg"), at(Site.ARCHIVE, "renditions/a.jpg")], ids=str
)
async def test_only_the_place_of_candidates_is_written_and_emptied_at_will(
    folders: Folders, place: Place
) -> None:
    files = folders.files()
    folders.drop(place.site, place.key, b"picture")
    made = folders.paths[Site.SPOOL] / "out.jpg"
    made.write_bytes(b"rendition")
    with pytest.raises(Bug):
        await files.adopt(made, place)
    with pytest.raises(Bug):
        await files.discard([at(Site.SPOOL, "renditions/fine.jpg"), place])
    assert (folders.paths[place.site] / place.key).read_bytes() == b"picture"


@pytest.mark.parametrize("verb", ["move", "link"])
async def test_what_is_done_is_not_said_to_have_failed_because_the_disk_goes_away_afterwards(
    folders: Folders, verb: str
) -> None:
    """Nothing had to be copied, so nothing is opened for a copy any more."""
    shelf = folders.paths[Site.QUARANTINE]

    def unplug() -> None:
        shelf.rename(shelf.with_name("unplugged"))

    files = folders.files(Meanwhile("fsync folders", unplug))
    put = replace(puts_of(folders, 1)[0], target=at(Site.QUARANTINE, "0.jpg"))
    assert await getattr(files, verb)([put]) == [None]
    assert (folders.root / "unplugged" / "0.jpg").read_bytes() == b"0"


# -- no work twice ----------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 3, 7])
async def test_what_is_there_already_is_not_written_again(folders: Folders, count: int) -> None:
    puts = puts_of(folders, count)
    assert await folders.files().copy(puts) == [None] * count
    power = Power()
    assert await folders.files(power).copy(puts) == [None] * count
    assert not {"create", "write", "rename"} & set(power.seen)


@pytest.mark.parametrize(("count", "syncs"), [(1, 0), (3, 0), (7, 1)])
async def test_only_a_lot_of_many_waits_for_the_whole_disk(
    folders: Folders, count: int, syncs: int
) -> None:
    power = Power()
    assert await folders.files(power).copy(puts_of(folders, count)) == [None] * count
    assert power.seen.count("syncfs") == syncs
    assert power.seen.count("write") == count


async def test_where_nobody_is_left_there_is_nothing_to_sync(folders: Folders) -> None:
    power = Power()
    answers = await folders.files(power).copy(puts_of(folders, 0, missing=7))
    assert None not in answers
    assert "syncfs" not in power.seen


async def test_the_size_it_had_is_no_matter_where_nobody_knows_its_bytes(folders: Folders) -> None:
    source = folders.drop(Site.SPOOL, "a.jpg", b"picture")
    put = Put(source, at(Site.LIBRARY, "a.jpg"), None, MTIME, size=5)
    assert await folders.files().copy([put]) == [None]


async def test_a_file_of_another_size_is_not_even_begun(folders: Folders) -> None:
    source = folders.drop(Site.SPOOL, "a.jpg", b"picture")
    power = Power()
    put = Put(source, at(Site.LIBRARY, "a.jpg"), digest_of(b"picture"), MTIME, size=5)
    assert codes(await folders.files(power).copy([put])) == ["place.changed"]
    assert "create" not in power.seen


# -- room, handles --------------------------------------------------------------------------------


def a_lot(folders: Folders, reserve: int) -> Lot:
    roots = folders.roots()
    touch = Power().touch
    rooms = Rooms(reserve)
    return Lot(roots.open(Site.SPOOL), roots.open(Site.LIBRARY), [], touch, rooms, Orphans(touch))


@pytest.mark.parametrize(
    ("reserve", "sizes"),
    [
        (0, (1_000_000,)),  # no reserve: to the last byte
        (1 << 60, (900_000,)),  # a reserve larger than the disk is a share of it
        (10_000, (600_000, 389_000)),
    ],
)
def test_what_has_room_goes(
    folders: Folders, monkeypatch: pytest.MonkeyPatch, reserve: int, sizes: tuple[int, ...]
) -> None:
    monkeypatch.setattr(room, "room_of", lambda _: (1_000_000, 1_000_000))
    lot = a_lot(folders, reserve)
    for size in sizes:
        lot._allot(size)
    with pytest.raises(NeedsOperator):
        lot._allot(500_000)
    lot.release()


def handles() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_a_lot_that_was_given_up_does_nothing_more_and_leaves_no_handle(folders: Folders) -> None:
    folders.files()
    before = handles()
    lot = a_lot(folders, 0)
    with lot.held():
        lot.release()
        assert handles() > before
    assert handles() == before
    with pytest.raises(Retryable, match="given up"), lot.held():
        raise AssertionError("it goes on")


# -- the sample of the self-test --------------------------------------------------------------------


def trial_of(folders: Folders) -> Path:
    return folders.paths[Site.LIBRARY] / f".mediad-selftest-{digest_of(SAMPLE)[:16]}.jpg"


async def test_a_sample_that_a_kill_has_left_proves_nothing(folders: Folders) -> None:
    power = Power()
    files = folders.files(power)
    folders.drop(Site.LIBRARY, trial_of(folders).name, SAMPLE)
    await files.try_out(Site.LIBRARY, SAMPLE)
    assert "create" in power.seen, "it is written anew"


async def test_a_sample_that_cannot_be_taken_back_is_told(folders: Folders) -> None:
    with pytest.raises(MediadError):
        await folders.files(Faulty("unlink")).try_out(Site.LIBRARY, SAMPLE)


async def test_a_sample_that_comes_back_as_other_bytes_is_no_success(folders: Folders) -> None:
    trial = trial_of(folders)

    def rot() -> None:
        trial.write_bytes(b"rotten")

    files = folders.files(Meanwhile("fsync folders", rot))
    with pytest.raises(Retryable) as fault:
        await files.try_out(Site.LIBRARY, SAMPLE)
    assert fault.value.code == "io.mismatch"


async def test_a_trial_that_is_given_up_leaves_nothing(folders: Folders) -> None:
    with anyio.CancelScope() as scope:
        token = anyio.lowlevel.current_token()

        def give_up() -> None:
            anyio.from_thread.run_sync(scope.cancel, token=token)

        files = folders.files(
            Meanwhile("fsync folders", give_up)
        )  # the sample has its name by then
        await files.try_out(Site.LIBRARY, SAMPLE)
    assert scope.cancelled_caught
    assert folders.under(Site.LIBRARY, Site.SPOOL) == {}


async def test_what_changes_while_it_is_measured_has_no_measure(folders: Folders) -> None:
    place = folders.drop(Site.LIBRARY, "a.jpg", b"picture")

    def of(_: int) -> Digest:
        (folders.paths[Site.LIBRARY] / "a.jpg").write_bytes(b"another")
        return digest_of(b"picture")

    [answer] = await folders.files().measure([place], of)
    assert isinstance(answer, Retryable)
