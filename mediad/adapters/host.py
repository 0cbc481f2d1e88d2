"""
What mediad needs of the machine itself: programs, decoders, limits of the kernel, folders that answer.

Looks and changes nothing. A dead NAS costs PATIENCE_S and a finding, never the answer. What the folders hold and how
full the disks are is asked elsewhere (service/doctor.py).
"""

import os
import resource
import shutil
import sqlite3
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from itertools import permutations
from pathlib import Path
from typing import Final, Literal, TypeAlias, TypeVar

import anyio
from anyio import CapacityLimiter, to_thread

from mediad.adapters import video_hardware, video_score
from mediad.adapters.confined import is_shut
from mediad.config import Settings

PATIENCE_S: Final = 5.0
SOCKET_BYTES: Final = 107  # what fits into sockaddr_un, with its end
WATCHES: Final = 8192
OPEN_FILES: Final = 1024
INOTIFY: Final = Path("/proc/sys/fs/inotify/max_user_watches")
PYTHON: Final = (3, 11)
SQLITE: Final = (3, 37)  # STRICT tables
EARLIEST_S: Final = 1_735_689_600  # 2025: this program did not exist before
LATEST_S: Final = 4_102_444_800  # 2100
_DAY_S: Final = 86400

Level: TypeAlias = Literal["ok", "warning", "fault"]

_PROGRAMS: Final[tuple[tuple[str, Level, str, str], ...]] = (
    ("exiftool", "warning", "rare formats stay undated, and are sorted by file time", "libimage-exiftool-perl"),
    ("setpriv", "fault", "foreign files are decoded only within limits, so none is", "util-linux"),
    ("prlimit", "fault", "foreign files are decoded only within limits, so none is", "util-linux"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Finding:
    code: str
    level: Level
    message: str
    remedy: str = ""

    @property
    def ok(self) -> bool:
        """Can a run go on with it?"""
        return self.level != "fault"


async def check_host(
    settings: Settings, *, inotify: Path = INOTIFY, confined: Callable[[], bool] = is_shut
) -> list[Finding]:
    """Every finding, good ones too: a person wants to see what was looked at."""
    found: list[Finding] = []
    answering: dict[str, Path] = {}
    for name, path in settings.folders.all().items():
        if await _in_time(path.exists) is None:
            found.append(_hangs(name, path))
        else:
            answering[name] = path
    checks: tuple[Callable[[], Iterable[Finding]], ...] = (
        _python,
        _programs,
        partial(_confinement, confined),
        partial(_decoders, settings),
        partial(_video_chip, settings),
        partial(_video_metric, settings),
        partial(_limits, inotify),
        partial(_socket, settings.socket_path),
        partial(_linked, answering),
        partial(_clock, settings.journal_path if "state" in answering else None),
    )
    for check in checks:
        found += await _in_time(partial(_all, check)) or ()
    return found


T = TypeVar("T")


def _all(check: Callable[[], Iterable[Finding]]) -> list[Finding]:
    return list(check())


async def _in_time(look: Callable[[], T]) -> T | None:
    """None: no answer. The thread is left to its hung disk, and blocks nobody but itself."""
    with anyio.move_on_after(PATIENCE_S):
        return await to_thread.run_sync(look, abandon_on_cancel=True, limiter=CapacityLimiter(1))
    return None


def _hangs(name: str, path: Path) -> Finding:
    return Finding(
        "host.folder_hangs",
        "fault",
        f"folders.{name} ({path}) does not answer: its disk or server is gone. Everything that needs it waits, "
        "and nothing is lost",
        "bring the NAS or the network back, or give the mount up with umount -l",
    )


def _python() -> Iterator[Finding]:
    python = ".".join(map(str, sys.version_info[:3]))
    text = f"Python {python}, SQLite {sqlite3.sqlite_version}"
    if sys.version_info >= PYTHON and sqlite3.sqlite_version_info >= SQLITE:
        yield Finding("host.python", "ok", text)
    else:
        yield Finding(
            "host.python", "fault", f"{text}: too old, the journal cannot be kept",
            "install Python 3.11 and SQLite 3.37 or newer (Debian 12 has both)",
        )  # fmt: skip


def _programs() -> Iterator[Finding]:
    for name, level, without, package in _PROGRAMS:
        path = shutil.which(name)
        if path:
            yield Finding("host.program", "ok", f"{name} is {path}")
        else:
            yield Finding(
                "host.program",
                level,
                f"{name} is not installed: {without}",
                f"apt install {package}",
            )


def _confinement(confined: Callable[[], bool]) -> Iterator[Finding]:
    if confined():
        yield Finding("host.confined", "ok", "what decodes foreign files gets no network")
    else:
        yield Finding(
            "host.confined", "warning", "this kernel has no seccomp filters: what decodes foreign files could reach "
            "the network", "a kernel with CONFIG_SECCOMP_FILTER has them, as Debian's has",
        )  # fmt: skip


def _decoders(settings: Settings) -> Iterator[Finding]:
    """By their packages' records: no decoder is loaded into this process."""
    needs_jpegli = settings.compress.enabled and settings.compress.photo.encoder == "jpegli"
    wanted: tuple[tuple[str, Level, str], ...] = (
        ("pillow", "fault", "no photo can be looked at"),
        ("pillow-heif", "fault", "no HEIC photo can be looked at"),
        ("pyjpegli", "fault" if needs_jpegli else "warning", "photos are compressed less well"),
    )
    for name, level, without in wanted:
        try:
            yield Finding("host.decoder", "ok", f"{name} {version(name)}")
        except PackageNotFoundError:
            remedy = f"install mediad with all it needs (pip install {name})"
            yield Finding("host.decoder", level, f"{name} is not installed: {without}", remedy)


def _video_chip(settings: Settings) -> Iterator[Finding]:
    """A trial of two seconds, once in the life of a process; nothing when no chip is asked for."""
    video = settings.compress.video
    if not settings.compress.enabled or video.hardware == "off":
        return
    works, what = video_hardware.report(video.codec, video.hardware)
    if works:
        yield Finding("host.video_hardware", "ok", what)
    else:
        yield Finding(
            "host.video_hardware", "warning", f"videos are coded in software: {what}",
            'give the service its device (groups video and render), or set compress.video.hardware = "off"',
        )  # fmt: skip


def _video_metric(settings: Settings) -> Iterator[Finding]:
    """Nothing when no film has a target."""
    video = settings.compress.video
    targets = (video.light_target, video.medium_target, video.heavy_target)
    if not settings.compress.enabled or not any(targets):
        return
    if video_score.has(video.target_metric):
        yield Finding("host.video_metric", "ok", f"ffmpeg can tell {video.target_metric}")
    else:
        yield Finding(
            "host.video_metric", "warning", f"this ffmpeg cannot tell {video.target_metric}: videos are coded with "
            "the rate factor of their tier, and no target is sought",
            "install an ffmpeg that lists it among its filters, or set the targets of compress.video to 0",
        )  # fmt: skip


def _limits(inotify: Path) -> Iterator[Finding]:
    with suppress(
        OSError, ValueError
    ):  # no inotify here: the drop folder is looked at regularly anyway
        watches = int(inotify.read_text())
        text = f"{watches} folders can be watched at once"
        if watches >= WATCHES:
            yield Finding("host.inotify", "ok", text)
        else:
            yield Finding(
                "host.inotify", "warning", f"{text}: in a deep drop folder new files are noticed late",
                "echo fs.inotify.max_user_watches=65536 > /etc/sysctl.d/60-inotify.conf && sysctl --system",
            )  # fmt: skip
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    text = f"{files} files can be open at once"
    if files == resource.RLIM_INFINITY or files >= OPEN_FILES:
        yield Finding("host.open_files", "ok", text)
    else:
        yield Finding(
            "host.open_files", "warning", f"{text}: large lots may fail and be tried again",
            "raise it: LimitNOFILE=4096 in the unit, or ulimit -n 4096",
        )  # fmt: skip


def _socket(path: Path) -> Iterator[Finding]:
    if len(os.fsencode(path)) <= SOCKET_BYTES:
        yield Finding("host.socket", "ok", f"mediactl reaches mediad at {path}")
    else:
        yield Finding(
            "host.socket", "fault",
            f"{path} is too long for a socket ({SOCKET_BYTES} bytes fit): mediactl cannot reach mediad",
            "choose a root, or folders.state, with a shorter path",
        )  # fmt: skip


def _linked(folders: Mapping[str, Path]) -> Iterator[Finding]:
    """The configuration sees spellings; two spellings may be one folder."""
    real = {name: path.resolve() for name, path in folders.items()}
    for inner, outer in permutations(real, 2):
        is_twin = real[inner] == real[outer] and inner < outer
        if is_twin or (real[inner] != real[outer] and real[inner].is_relative_to(real[outer])):
            yield Finding(
                "host.folders_linked", "fault",
                f"folders.{inner} leads through a link into folders.{outer} ({real[outer]}): files of one "
                "would be taken for those of the other",
                f"give folders.{inner} a folder of its own",
            )  # fmt: skip


def _clock(journal: Path | None) -> Iterator[Finding]:
    now = time.time()
    last = 0.0
    with suppress(OSError):
        last = journal.stat().st_mtime if journal else 0.0
    if EARLIEST_S < now < LATEST_S and now > last - _DAY_S:
        yield Finding("host.clock", "ok", "the clock is set")
    else:
        yield Finding(
            "host.clock", "fault",
            f"the clock says {time.strftime('%Y-%m-%d', time.gmtime(now))}, which cannot be: ages, waits and the "
            "folders of undated photos come out wrong",
            "set it: timedatectl set-ntp true",
        )  # fmt: skip


def make_hand_over_folders(settings: Settings) -> None:
    """Nobody works there yet, but a person looks for them. One that was moved elsewhere may be a mount: left alone."""
    folders = settings.folders
    for path in (folders.icloud_delete, folders.bridge / "icloud", folders.bridge / "pixel"):
        if path.is_relative_to(settings.root):
            path.mkdir(parents=True, exist_ok=True)
