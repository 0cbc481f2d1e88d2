"""Guards the model of a power cut: it keeps what fsync promises, and nothing that it does not."""

from crash.cuts import MODELS, Cut, cuts, written
from crash.recorder import Disk, Op

ROOT, FOLDER, OLD, NEW = 1, 2, 3, 4


def disk() -> Disk:
    return Disk(ROOT, {ROOT: {"old": OLD}}, {OLD: b"old"}, {OLD: 7})


def op(kind: str, *args: object, told: str = "") -> Op:
    return Op(kind, args, 0, told or kind)


MADE = (op("name", ROOT, "part", NEW), op("write", NEW, 0, b"new"), op("times", NEW, 9))
NAMED = op("move", ROOT, "part", ROOT, "file", NEW)


def last(*ops: Op, model: str = "worst") -> dict[str, bytes | None]:
    """What there is after the last change."""
    found = [c for c in cuts(disk(), ops, (model,), 1) if c.nth == len(ops)]
    return contents(found[-1])


def contents(cut: Cut) -> dict[str, bytes | None]:
    return {path: lies[0] if lies else None for path, lies in cut.tree.items()}


def test_what_was_there_before_stays() -> None:
    assert all(contents(c) == {"old": b"old"} for c in cuts(disk(), (), MODELS, 3))


def test_without_a_sync_of_the_file_its_bytes_are_gone() -> None:
    assert last(*MADE, NAMED, op("sync", ROOT)) == {"old": b"old", "file": b""}
    assert last(*MADE, NAMED, model="jmax") == {"old": b"old", "file": b""}


def test_without_a_sync_of_the_folder_its_name_is_gone() -> None:
    assert last(*MADE, op("sync", NEW), NAMED) == {"old": b"old"}
    assert last(*MADE, op("sync", NEW), NAMED, model="jmin") == {"old": b"old", "part": b"new"}


def test_with_both_it_is_there() -> None:
    synced = (*MADE, op("sync", NEW), NAMED, op("sync", ROOT))
    assert all(last(*synced, model=m) == {"old": b"old", "file": b"new"} for m in MODELS)


def test_a_sync_of_the_whole_file_system_is_both() -> None:
    synced = (*MADE, NAMED, op("sync-all"))
    assert all(last(*synced, model=m) == {"old": b"old", "file": b"new"} for m in MODELS)


def test_a_new_folder_needs_a_sync_of_the_one_above() -> None:
    ops = (
        op("name", ROOT, "folder", FOLDER, told="mkdir folder"),
        op("name", FOLDER, "file", NEW),
        op("write", NEW, 0, b"new"),
        op("sync", NEW),
        op("sync", FOLDER),
    )
    assert last(*ops) == {"old": b"old"}
    assert last(*ops, op("sync", ROOT)) == {"old": b"old", "folder": None, "folder/file": b"new"}


def test_a_move_between_folders_may_be_half_done() -> None:
    """Entry by entry: a file system without a journal may have the new name and keep the old one."""
    ops = (
        op("name", ROOT, "folder", FOLDER, told="mkdir folder"),
        op("sync", ROOT),
        op("move", ROOT, "old", FOLDER, "old", OLD),
        op("sync", FOLDER),
    )
    assert last(*ops) == {"old": b"old", "folder": None, "folder/old": b"old"}


def test_any_page_of_what_is_not_synced_may_be_missing() -> None:
    content = b"1" * 4096 + b"2" * 4096
    ops = (op("name", ROOT, "file", NEW), op("sync", ROOT), op("write", NEW, 0, content))
    torn = {contents(c)["file"] for c in cuts(disk(), ops, ("torn",), 40) if c.nth == len(ops)}
    assert torn == {b"", b"1" * 4096, bytes(4096) + b"2" * 4096, content}


def test_a_write_behind_the_end_leaves_a_hole() -> None:
    assert written(b"a", 3, b"b") == b"a\0\0b"


def test_the_time_of_a_file_is_as_durable_as_its_bytes() -> None:
    [*_, cut] = cuts(disk(), (*MADE, op("sync", ROOT)), ("worst",), 1)
    assert cut.tree["part"] == (b"", 1_000_000_000_000_000_000)
