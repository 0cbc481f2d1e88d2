"""
What `mediactl doctor --fix` puts right: folders and permissions of mediad's own, and nothing else. Each fix is told.

Below the root and beside the journal only. No file is touched but the configuration's mode, nothing is removed, no
owner is changed, no link is followed, and a folder that was moved elsewhere, where a mount may be missing, is not made.
"""

import grp
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from mediad.config import Settings
from mediad.config.schema import all_secrets
from mediad.service.answers import FindingDoc
from mediad.service.findings import finding

FIXED: Final = "fixed.done"
GROUP: Final = "mediad"
_OWN: Final = 0o700
_SHARED: Final = 0o2070
_OTHERS: Final = 0o007


def mend(settings: Settings, file: Path | None, *, group: str = GROUP) -> list[FindingDoc]:
    """One finding for each thing that was put right, or that could not be."""
    return [*_folders(settings), *_shared(settings, group), *_closed(settings, file)]


def _folders(settings: Settings) -> Iterator[FindingDoc]:
    for name, path in settings.folders.all().items():
        if os.path.lexists(path):
            yield from _with(path, _OWN, "mediad may use it")
        elif path.is_relative_to(settings.root):
            yield _made(name, path)


def _made(name: str, path: Path) -> FindingDoc:
    """As the nearest folder above is owned: what root makes for mediad is mediad's."""
    above = next(p for p in path.parents if p.exists())
    try:
        seen = above.stat()
        for part in reversed([p for p in (path, *path.parents) if not p.exists()]):
            part.mkdir()
            if os.geteuid() == 0:
                os.chown(part, seen.st_uid, seen.st_gid, follow_symlinks=False)
    except OSError as error:
        return _failed(path, error)
    return finding(FIXED, f"made {path} (folders.{name})")


def _shared(settings: Settings, group: str) -> Iterator[FindingDoc]:
    """The drop folder, where it belongs to the group: members fill it, and mediad empties what they made in it."""
    try:
        shared = grp.getgrnam(group).gr_gid
    except KeyError:
        return
    for folder, _, _, fd in os.fwalk(settings.folders.incoming):
        if os.fstat(fd).st_gid == shared:
            yield from _mended(
                fd, Path(folder), _SHARED, f"the group {group} may fill and empty it"
            )


def _closed(settings: Settings, file: Path | None) -> Iterator[FindingDoc]:
    """What strangers need not see."""
    yield from _without(settings.folders.state, _OTHERS, "others see nothing of the journal")
    if file and all_secrets(settings):
        yield from _without(file, _OTHERS, "others cannot read the secrets in it")


def _with(path: Path, bits: int, why: str) -> Iterator[FindingDoc]:
    with _opened(path) as fd:
        if fd is not None and stat.S_ISDIR(os.fstat(fd).st_mode):
            yield from _mended(fd, path, bits, why)


def _without(path: Path, bits: int, why: str) -> Iterator[FindingDoc]:
    with _opened(path) as fd:
        if fd is not None:
            yield from _mended(fd, path, 0, why, without=bits)


@contextmanager
def _opened(path: Path) -> Iterator[int | None]:
    """Held while it is looked at and changed: what takes its name meanwhile is not. None: a link, or nothing."""
    try:
        fd = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        yield None
        return
    try:
        yield None if stat.S_ISLNK(os.fstat(fd).st_mode) else fd
    finally:
        os.close(fd)


def _mended(fd: int, path: Path, bits: int, why: str, *, without: int = 0) -> Iterator[FindingDoc]:
    seen = os.fstat(fd)
    mode = stat.S_IMODE(seen.st_mode)
    wanted = (mode | bits) & ~without
    if mode == wanted or os.geteuid() not in {0, seen.st_uid}:
        return
    try:
        os.chmod(f"/proc/self/fd/{fd}", wanted)  # noqa: PTH101 - this very file, whatever its name is now
    except OSError as error:
        yield _failed(path, error)
    else:
        yield finding(FIXED, f"{path} now has the mode {wanted:o}: {why}")


def _failed(path: Path, error: OSError) -> FindingDoc:
    return finding(
        "fixed.not", f"{path} could not be put right ({error.strerror}); it is as it was", level="fault",
        remedy="do it as its owner, or with sudo; check that its disk is not mounted read-only",
    )  # fmt: skip
