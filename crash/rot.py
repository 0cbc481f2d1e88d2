"""
Copies that go bad at any moment: nothing may be removed on the word of a copy that is no longer what it was.

The run is killed at a point, the archive is spoilt there and then, and the daemon is started again. Whatever was safe
somewhere else at that moment must still be safe when it has ended.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from crash import looks
from crash.points import KILLED, At
from crash.rig import Rig
from crash.tally import Tally
from crash.worlds import World

FORGETFUL: Final = "the phone forgets"


def single(rig: Rig, tally: Tally, nth: int, how: str) -> None:
    rig.reset()
    watcher = At(str(rig.root), KILLED, nth)
    rig.run(watcher)
    if not watcher.hit:
        tally.missed += 1
        return
    _HOWS[how](rig)
    before, trashed = _safe(rig, spoilt=how != FORGETFUL), rig.outside.counts()["trashed"]
    rig.unharmed()
    bad = [f"lost {digest[:12]}" for digest in sorted(before - _safe(rig, spoilt=False))]
    if how == FORGETFUL and (more := len(rig.outside.counts()["trashed"]) - len(trashed)):
        bad.append(f"lost: {more} files went from iCloud that the phone does not have")
    tally.add(f"{how}@{nth} {watcher.hit}", watcher.hit.split()[0], bad)


def _safe(rig: Rig, *, spoilt: bool) -> set[str]:
    """The originals that are whole in a lawful place, or shown by iCloud; `spoilt`: the archive counts for nothing."""
    seen = looks.look(rig.root)
    places = [f for f in looks.LAWFUL if not (spoilt and f == "nas_archive")]
    here = {
        lies.digest
        for folder in places
        for path, lies in seen.below(folder)
        if not path.startswith(looks.CANDIDATES)
    }
    return (here | set(rig.outside.counts()["shown"])) & rig.originals


def _archived(rig: Rig) -> Iterator[Path]:
    for above, _, names in os.walk(rig.root / "nas_archive"):
        yield from (Path(above, name) for name in names if not name.startswith("."))


def _with_times(path: Path, content: bytes) -> None:
    seen = path.stat()
    path.write_bytes(content)
    os.utime(path, ns=(seen.st_atime_ns, seen.st_mtime_ns))


def _flip(rig: Rig) -> None:
    for path in _archived(rig):
        content = bytearray(path.read_bytes())
        if content:
            content[len(content) // 2] ^= 1
        _with_times(path, bytes(content))


def _swap(rig: Rig) -> None:
    """Another's bytes under each name, as many of them."""
    for path in _archived(rig):
        _with_times(path, path.read_bytes()[::-1])


def _remove(rig: Rig) -> None:
    for path in _archived(rig):
        path.unlink()


def _unmount(rig: Rig) -> None:
    """An empty folder is what a lazy unmount leaves."""
    archive = rig.root / "nas_archive"
    if archive.exists():
        shutil.rmtree(rig.base / "away", ignore_errors=True)
        archive.rename(rig.base / "away")
        archive.mkdir()


def _another_disk(rig: Rig) -> None:
    """A marker of its own, and none of our files."""
    _unmount(rig)
    (rig.root / "nas_archive").mkdir(exist_ok=True)
    (rig.root / "nas_archive" / ".mediad-site").write_text(
        "archive 00000000-0000-4000-8000-000000000000\n"
    )


def _phone_forgets(rig: Rig) -> None:
    rig.outside.make_forgetful()


_HOWS: Final[dict[str, Callable[[Rig], None]]] = {
    "one bit flips in each archived copy": _flip,
    "other bytes come into each archived copy": _swap,
    "the archived copies vanish": _remove,
    "the archive is unmounted": _unmount,
    "another disk is mounted": _another_disk,
    FORGETFUL: _phone_forgets,
}


def hows(world: World) -> list[str]:
    """What the phone has is asked for only where it is proof of something: before iCloud is emptied."""
    return [how for how in _HOWS if how != FORGETFUL or (world.has_phone and world.has_icloud)]
