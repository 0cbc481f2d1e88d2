"""
Everything that a run needs of this machine, looked at now; each finding says what to do about it.

Works with and without a daemon: it asks the folders and the programs of the host, never an adapter. Changes nothing.
"""

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Final, TypeAlias

import anyio
from anyio import CapacityLimiter, to_thread

from mediad.config import Settings
from mediad.config.schema import all_secrets
from mediad.service.answers import FindingDoc
from mediad.service.findings import PATIENCE_S as PROGRAM_S
from mediad.service.findings import finding
from mediad.service.unit import unit_findings

__all__ = ["filesystem_of", "finding", "findings_in_time", "host_findings"]

OLDEST_SQLITE: Final = (3, 37)  # STRICT tables
PATIENCE_S: Final = 1.5 * PROGRAM_S  # a program that hangs tells so itself before
_BUILT: Final = 2024
Check: TypeAlias = Callable[[], Iterable[FindingDoc]]
_NETWORK: Final = ("nfs", "cifs", "smb", "fuse.sshfs", "9p", "ceph")


def host_findings(settings: Settings, file: Path | None) -> list[FindingDoc]:
    """Blocks while it looks: call it in a thread."""
    checks = [*_checks(settings, file).values(), _clock]  # a daemon that runs tells of it by itself
    return [found for check in checks for found in check()]


async def findings_in_time(settings: Settings, file: Path | None) -> list[FindingDoc]:
    """
    As `host_findings`; what a hung disk keeps from being told is named.

    A thread that hangs in it is left behind, and counts against nobody.
    """
    found: list[FindingDoc] = []
    for what, check in _checks(settings, file).items():
        with anyio.move_on_after(PATIENCE_S) as waiting:
            found += await to_thread.run_sync(
                partial(_all, check), abandon_on_cancel=True, limiter=CapacityLimiter(1)
            )
        if waiting.cancelled_caught:
            found.append(_unanswered(what))
    return found


def _checks(settings: Settings, file: Path | None) -> dict[str, Check]:
    """By what they look at, in words for people."""
    return {
        "the folders": partial(_folders, settings),
        "the disks": partial(_disks, settings),
        "the archive's disk": partial(_archive, settings),
        "the programs": partial(_programs, settings),
        "the libraries": _libraries,
        "the configuration file": partial(_secrets, settings, file),
        "the service": partial(unit_findings, settings, file),
    }


def _unanswered(what: str) -> FindingDoc:
    return finding(
        "doctor.unanswered",
        f"{what}: no answer within {PATIENCE_S:.0f} s, so nothing is said of them here; no file is touched by that",
        level="warning",
        remedy="ask again when the machine is less busy; a disk or a server that hangs is named by itself",
    )


def _all(check: Check) -> list[FindingDoc]:
    return list(check())


def _folders(settings: Settings) -> Iterator[FindingDoc]:
    for name, path in settings.folders.all().items():
        code = f"folder.{name}"
        if not path.exists():
            near = next(p for p in path.parents if p.exists())
            if os.access(near, os.W_OK | os.X_OK):
                yield finding(code, f"{path} does not exist yet; mediad makes it when it starts")
            else:
                yield finding(
                    code, f"{path} does not exist and cannot be made in {near}", level="fault",
                    remedy=f"mkdir -p {path} and give it to the user that mediad runs as",
                )  # fmt: skip
        elif not path.is_dir():
            yield finding(
                code, f"{path} is no folder", level="fault",
                remedy=f"move that file away, or set folders.{name} to another path",
            )  # fmt: skip
        elif not os.access(path, os.R_OK | os.W_OK | os.X_OK):
            yield _closed(code, path, path.stat().st_uid)
        else:
            yield finding(code, f"{path} is there and can be written")


def _closed(code: str, path: Path, owner: int) -> FindingDoc:
    """To its owner that is a fault. Anybody else asks while the daemon is away, and only its own user can tell."""
    if owner == os.geteuid():
        return finding(
            code, f"{path} cannot be read and written, though it belongs to this user", level="fault",
            remedy=f"chmod u+rwx {path}, or check that its disk is not mounted read-only",
        )  # fmt: skip
    return finding(
        code, f"{path} cannot be read and written by this user: it belongs to another (uid {owner})",
        level="fault", remedy="ask as the user that mediad runs as; if that is this one, give it the folder with chown",
    )  # fmt: skip


def _disks(settings: Settings) -> Iterator[FindingDoc]:
    seen: set[int] = set()
    for name, path in settings.folders.all().items():
        here = next(p for p in (path, *path.parents) if p.exists())
        device = here.stat().st_dev
        if device in seen:
            continue
        seen.add(device)
        usage = shutil.disk_usage(here)
        reserve = min(settings.safety.reserve, usage.total // 50)
        text = (
            f"the disk of {name} has {usage.free / 2**30:.1f} GiB free of {usage.total / 2**30:.1f}"
        )
        if usage.free < reserve:
            yield finding(
                "space.low", f"{text}, less than the reserve: work waits", level="fault",
                remedy="free some space, or move the folder to a larger disk",
            )  # fmt: skip
        else:
            yield finding("space.free", text)
    yield from _journal_disk(settings.folders.state)
    yield from _one_disk(settings)


def _journal_disk(state: Path) -> Iterator[FindingDoc]:
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        yield finding(
            "sqlite.old", f"SQLite {sqlite3.sqlite_version} is too old for the journal", level="fault",
            remedy="install SQLite 3.37 or newer",
        )  # fmt: skip
    kind = filesystem_of(state)
    if kind.startswith(_NETWORK):
        yield finding(
            "journal.network_filesystem", f"the state folder {state} is on {kind}, where a journal breaks",
            level="fault", remedy="set folders.state to a folder on a local disk",
        )  # fmt: skip
    else:
        yield finding(
            "journal.disk", f"the journal is on a local file system ({kind or 'unknown'})"
        )


def filesystem_of(path: Path) -> str:
    """The kind of the mounted file system that holds a path, as the kernel names it."""
    best, kind = -1, ""
    for line in Path("/proc/self/mounts").read_text("utf-8", "replace").splitlines():
        _, point, name, *_ = line.split(" ")
        folder = Path(point.encode("ascii", "replace").decode("unicode_escape"))
        if path.is_relative_to(folder) and len(folder.parts) >= best:
            best, kind = len(folder.parts), name
    return kind


def _one_disk(settings: Settings) -> Iterator[FindingDoc]:
    a, b = settings.folders.incoming, settings.folders.processing
    if a.exists() and b.exists() and a.stat().st_dev != b.stat().st_dev:
        yield finding(
            "folder.two_disks", "incoming and processing are on two disks: every file is copied once more",
            level="warning", remedy="put both on one file system; then a file is taken in by a rename",
        )  # fmt: skip


def _archive(settings: Settings) -> Iterator[FindingDoc]:
    path = settings.folders.nas_archive
    if not settings.archive.enabled or not path.exists():
        return
    if path.stat().st_dev == settings.root.stat().st_dev:
        yield finding(
            "archive.same_disk", f"the archive {path} is on the same disk as everything else: one dead disk "
            "would take both", level="warning",
            remedy="mount a NAS or a second disk there, then: mediactl nas init PATH",
        )  # fmt: skip
    else:
        yield finding("archive.disk", f"the archive {path} is on a disk of its own")


def _programs(settings: Settings) -> Iterator[FindingDoc]:
    if not settings.compress.enabled:
        return
    for name in ("ffmpeg", "ffprobe"):
        path = shutil.which(name)
        if path is None:
            yield finding(
                f"program.{name}", f"{name} is not installed: videos are kept as they are", level="fault",
                remedy="apt install ffmpeg",
            )  # fmt: skip
        else:
            yield finding(f"program.{name}", f"{name} is {path}")
    yield from _video_encoder(settings)


_ENCODERS: Final = {"hevc": "libx265", "h264": "libx264", "av1": "libsvtav1"}


def _video_encoder(settings: Settings) -> Iterator[FindingDoc]:
    ffmpeg = shutil.which("ffmpeg")
    wanted = _ENCODERS[settings.compress.video.codec]
    if ffmpeg is None:
        return
    try:
        said = subprocess.run(  # noqa: S603  # a fixed question to the program that is used anyway
            [ffmpeg, "-hide_banner", "-encoders"],
            capture_output=True, text=True, timeout=PROGRAM_S, check=False,
        ).stdout  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as fault:
        yield finding(
            "program.ffmpeg_broken", f"ffmpeg does not run: {fault}", level="fault",
            remedy="reinstall it: apt install --reinstall ffmpeg",
        )  # fmt: skip
        return
    if f" {wanted} " in said:
        yield finding("program.encoder", f"ffmpeg can encode with {wanted}")
    else:
        yield finding(
            "program.encoder", f"this ffmpeg has no {wanted}: videos are kept as they are", level="warning",
            remedy="install a full ffmpeg, or choose another compress.video.codec",
        )  # fmt: skip


def _libraries() -> Iterator[FindingDoc]:
    for name in ("blake3", "PIL", "pillow_heif"):
        if find_spec(name) is None:
            yield finding(
                "library.missing", f"the Python library {name} is missing", level="fault",
                remedy="install mediad again with all that it needs",
            )  # fmt: skip


def _clock() -> Iterator[FindingDoc]:
    year = datetime.now(UTC).year  # noqa: TID251  # the host's clock itself is what is looked at
    if year < _BUILT:
        yield finding(
            "clock.wrong", f"this machine believes it is {year}: ages and waits come out wrong",
            level="fault", remedy="set the clock: timedatectl set-ntp true",
        )  # fmt: skip
    else:
        yield finding("clock.set", "the clock is set")


def _secrets(settings: Settings, file: Path | None) -> Iterator[FindingDoc]:
    if file is None or not file.exists() or not all_secrets(settings):
        return
    if file.stat().st_mode & 0o044:
        yield finding(
            "config.readable", f"{file} can be read by others while secrets are set", level="warning",
            remedy=f"chmod 640 {file}, or move the secrets to *_file keys or systemd credentials",
        )  # fmt: skip
