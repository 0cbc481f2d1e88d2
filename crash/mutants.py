"""
The protocol broken on purpose, one step at a time: each of these daemons passes a clean run, and each must be caught.

`python -m crash.mutants` prints by what and after how many points each was caught, and names those that survive.
A mutation is put into the memory of the daemon's process; no file is changed.
"""

import argparse
import errno
import os
import shutil
import stat
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from blake3 import blake3

from crash import points, power, rot, taken
from crash.rig import Rig, warm
from crash.tally import Tally
from crash.worlds import WORLDS
from mediad.adapters import reading, roots, syscalls
from mediad.adapters.durable import arrival, files, lot, parts
from mediad.adapters.durable.room import Rooms
from mediad.journal import journal
from mediad.model import Digest, Place
from mediad.ports import Sighting
from mediad.stages import clean, finding

SKIPPED: Final = "SURVIVED"
_real_fsync = os.fsync


@dataclass(frozen=True)
class Mutant:
    """`by`: the proof that must catch it; `every`: how closely that has to look."""

    name: str
    world: str
    by: str
    apply: Callable[[], None]
    every: int = 1


def _set(owner: Any, name: str, value: Any) -> None:
    setattr(owner, name, value)


def _nonatomic() -> None:
    """The bytes are written under the final name."""
    _set(parts, "part_of", lambda target: parts.split(target.key)[1])
    _set(parts, "rename_noreplace", lambda touch, *_: touch("rename"))


def _early_unlink() -> None:
    """What is taken in leaves the drop folder first, and gets its new name then."""

    def rename(touch: parts.Touch, old: tuple[int, str], new: tuple[int, str]) -> None:
        if parts.is_there(*new):
            raise FileExistsError(errno.EEXIST, new[1])
        fd = os.open(old[1], os.O_RDONLY, dir_fd=old[0])
        seen = os.fstat(fd)
        content = b"".join(bytes(piece) for piece in syscalls.chunks(fd))
        os.close(fd)
        os.unlink(old[1], dir_fd=old[0])
        touch("create")
        fd = os.open(new[1], os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666, dir_fd=new[0])
        syscalls.write_all(fd, memoryview(content))
        os.utime(fd, ns=(seen.st_atime_ns, seen.st_mtime_ns))
        os.close(fd)

    _set(parts, "rename_noreplace", rename)


def _journal_first() -> None:
    """What is verified in its part counts as there; it gets its name a moment later."""
    named, later = lot.Lot.name, threading.Thread
    real_read_back = reading.read_back

    def name(self: lot.Lot) -> None:
        if self.takes or self.target.site != "archive":
            named(self)
            return
        again = lot.Lot(
            self.source.__class__(self.source.site, os.dup(self.source.fd), set(), lambda _: None),
            self.target.__class__(self.target.site, os.dup(self.target.fd), set(), lambda _: None),
            self.members, lambda _: None, Rooms(0), self._orphans,
        )  # fmt: skip

        def soon() -> None:
            time.sleep(0.05)
            named(again)
            again.release()

        later(target=soon).start()

    def read_back(root: roots.Root, key: str, *more: Any) -> Sighting | None:
        found = real_read_back(root, key, *more)
        above, _ = parts.split(key)
        part = f"{above}/{parts.part_of(Place(root.site, key))}".lstrip("/")  # type: ignore[arg-type]
        return found or real_read_back(root, part, *more)

    _set(lot.Lot, "name", name)
    _set(reading, "read_back", read_back)


def _no_fsync_of(kind: Callable[[int], bool]) -> None:
    def fsync(fd: int) -> None:
        if not kind(os.fstat(fd).st_mode):
            _real_fsync(fd)

    _set(os, "fsync", fsync)


def _no_fsync() -> None:
    """Nothing is ever synced."""
    _no_fsync_of(lambda _: True)
    _set(syscalls, "sync_file_system", lambda _: None)


def _no_fsync_of_files() -> None:
    _no_fsync_of(stat.S_ISREG)
    _set(syscalls, "sync_file_system", lambda _: None)


def _no_fsync_of_folders() -> None:
    _no_fsync_of(stat.S_ISDIR)
    _set(roots.Root, "settle", lambda self, **_: self.dirty.clear())


def _no_syncfs() -> None:
    """What a lot shares in place of many syncs is left out."""
    _set(syscalls, "sync_file_system", lambda _: None)


def _no_fsync_of_new_parents() -> None:
    made = roots.Root._made  # noqa: SLF001 - that is what a mutant is

    def forgetful(self: roots.Root, key: str) -> int:
        before = set(self.dirty)
        fd = made(self, key)
        self.dirty.clear()
        self.dirty.update(before)
        return fd

    _set(roots.Root, "_made", forgetful)


def _no_read_back() -> None:
    """What was written is not read again."""
    _set(lot.Lot, "verify", lambda _self, _m: None)


def _no_reverify() -> None:
    """Cleaning believes the journal."""

    def believed(facts: clean.Facts, _read: Sequence[Sighting | None]) -> clean.Facts:
        from dataclasses import replace  # noqa: PLC0415 - one use

        now = [replace(c, verified_at=facts.now, method="o_direct") for c in facts.remembered]
        return replace(facts, fresh=tuple(now))

    _set(clean, "_verified", believed)


def _stale_verify() -> None:
    """A reading is remembered over a restart."""
    real = reading.read_back

    def read_back(root: roots.Root, key: str, *more: Any) -> Sighting | None:
        path = Path(os.readlink(f"/proc/self/fd/{root.fd}"), key)
        memo = (
            path.parents[len(Path(key).parents)]
            / "state"
            / f"memo-{blake3(os.fsencode(path)).hexdigest()}"
        )
        if memo.exists() and path.exists():
            from dataclasses import replace  # noqa: PLC0415 - one use

            found = reading.sighting(path.stat())
            return replace(found, digest=Digest(memo.read_text()), method="o_direct")
        seen = real(root, key, *more)
        if seen is not None and seen.digest:
            memo.write_text(seen.digest)
        return seen

    _set(reading, "read_back", read_back)


def _overwrites() -> None:
    """A name that is taken is taken away."""

    def rename(_touch: parts.Touch, old: tuple[int, str], new: tuple[int, str]) -> None:
        os.rename(old[1], new[1], src_dir_fd=old[0], dst_dir_fd=new[0])

    _set(parts, "rename_noreplace", rename)
    _set(parts, "is_there", lambda _folder, _name: False)


def _dup_on_resume() -> None:
    """What a crash left set aside is taken for another's."""
    _set(finding, "_twins", lambda _original, _there: ())


def _a_new_part_each_time() -> None:
    """A part is named by chance, so that nobody finds it after a crash."""
    chance = os.urandom(4).hex()
    real = parts.part_of
    _set(parts, "part_of", lambda target: real(target).replace("mediad-", f"mediad-{chance}-"))


def _wal_normal() -> None:
    """A commit is not on the disk when it returns."""
    real = journal._prepare  # noqa: SLF001 - that is what a mutant is

    def prepare(connection: Any, *more: Any) -> bool:
        done = real(connection, *more)
        connection.execute("PRAGMA synchronous = NORMAL")
        return done

    _set(journal, "_prepare", prepare)


def _journal_unsynced() -> None:
    """The journal syncs nothing at all."""
    real = journal._prepare  # noqa: SLF001 - that is what a mutant is

    def prepare(connection: Any, *more: Any) -> bool:
        done = real(connection, *more)
        connection.execute("PRAGMA synchronous = OFF")
        return done

    _set(journal, "_prepare", prepare)


def _marker_unsynced() -> None:
    """The folder's marker is remembered before it is durable."""

    def write_small(folder_fd: int, name: str, text: str) -> None:
        fd = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644, dir_fd=folder_fd)
        os.write(fd, text.encode())
        os.close(fd)

    _set(roots, "write_small", write_small)


def _rendition_unsynced() -> None:
    """A rendition gets its name before its bytes are durable."""
    _set(files.DurableFiles, "_adopt", _adopt_without_sync)


def _adopt_without_sync(self: files.DurableFiles, made: Path, target: Place) -> None:
    with self._roots.open(target.site) as root:
        above, name = parts.split(target.key)
        os.replace(made, name, dst_dir_fd=root.folder(above, make=True))


def _arrival_unsynced() -> None:
    """What came over the network gets its name before its bytes are durable."""

    class Careless:
        def __getattr__(self, name: str) -> Any:
            return (lambda _fd: None) if name == "fsync" else getattr(os, name)

    _set(arrival, "os", Careless())


MUTANTS: Final = (
    Mutant("nonatomic: bytes under the final name", "vault", "kill", _nonatomic, 3),
    Mutant("early unlink: the source goes first", "vault", "kill", _early_unlink, 2),
    Mutant("journal first: a part counts as a copy", "vault", "kill", _journal_first, 3),
    Mutant("no fsync at all", "vault", "power", _no_fsync, 3),
    Mutant("no fsync of files", "vault", "power", _no_fsync_of_files, 3),
    Mutant("no fsync of folders", "stranger", "power", _no_fsync_of_folders, 3),
    Mutant("no fsync of new parents", "vault", "power", _no_fsync_of_new_parents, 3),
    Mutant("no syncfs where it stands for many", "vault", "power", _no_syncfs, 3),
    Mutant("no read-back of what was written", "vault", "corrupt", _no_read_back, 1),
    Mutant("no reading again before cleaning", "clean", "rot", _no_reverify, 3),
    Mutant("a reading survives a restart", "clean", "rot", _stale_verify, 2),
    Mutant("a taken name is overwritten", "vault", "taken", _overwrites, 1),
    Mutant("set aside anew after a crash", "vault", "power", _dup_on_resume, 1),
    Mutant("parts by chance", "vault", "kill", _a_new_part_each_time, 3),
    Mutant("journal: WAL with synchronous NORMAL", "vault", "power", _wal_normal, 3),
    Mutant("journal: synchronous OFF", "vault", "power", _journal_unsynced, 3),
    Mutant("the marker is not synced", "vault", "power", _marker_unsynced, 1),
    Mutant("a rendition is not synced", "compress", "power", _rendition_unsynced, 1),
    Mutant("an arrival is not synced", "icloud", "power", _arrival_unsynced, 1),
)


def main(argv: Sequence[str] | None = None) -> int:
    words = _parser().parse_args(argv)
    warm()
    base = Path(tempfile.mkdtemp(prefix="mediad-mutants-", dir=words.scratch))
    survivors = []
    try:
        for mutant in MUTANTS:
            if words.only and not any(only in mutant.name for only in words.only):
                continue
            began = time.monotonic()
            told = caught(mutant, base)
            print(f"{mutant.name}: {told} ({time.monotonic() - began:.0f} s)", flush=True)
            if told.startswith(SKIPPED):
                survivors.append(mutant.name)
    finally:
        shutil.rmtree(base, ignore_errors=True)
    print(f"{len(MUTANTS)} mutants, {len(survivors)} survived: {', '.join(survivors) or 'none'}")
    return 1 if survivors else 0


def caught(mutant: Mutant, base: Path) -> str:
    """By what and when; the first point that shows it is enough."""
    tally = Tally(mutant.name, is_quiet=True)
    try:
        rig = Rig(WORLDS[mutant.world], base / "rig", mutant.apply)
    except SystemExit as fault:
        return f"caught by an undisturbed run: {str(fault)[:80]}"
    try:
        for trial in _trials(mutant, rig, tally):
            trial()
            if tally.bad:
                what = tally.complaints[0].removeprefix(f"{mutant.name}: ")
                return f"caught by {mutant.by}, point {tally.tried}: {what[:160]}"
    finally:
        rig.close()
    return f"{SKIPPED} {tally.tried} points of {mutant.by}"


def _trials(mutant: Mutant, rig: Rig, tally: Tally) -> Iterator[Callable[[], None]]:
    if mutant.by == "power":
        record = power.record(rig)
        for n, cut in enumerate(power.states(record)):
            if n % mutant.every == 0:
                yield partial(power.single, rig, tally, record, cut)
        return
    if mutant.by == "taken":
        for n in range(1, taken.count(rig) + 1):
            yield partial(taken.single, rig, tally, n)
        return
    total = points.count(rig, "corrupt" if mutant.by == "corrupt" else points.KILLED)
    for n in range(total, 0, -mutant.every):
        if mutant.by == "rot":
            yield partial(rot.single, rig, tally, n, next(iter(rot.hows(rig.world))))
        else:
            yield partial(points.single, rig, tally, n, mutant.by)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m crash.mutants", description=__doc__)
    parser.add_argument("only", nargs="*", help="parts of names; all if none is given")
    parser.add_argument("--scratch", type=Path, default=Path("/dev/shm"), metavar="DIR")  # noqa: S108 - a tmpfs
    return parser


if __name__ == "__main__":
    sys.exit(main())
