"""
Real power cuts: the daemon runs in a machine of its own (User-mode Linux) on a real ext4, and the machine is killed.

`python -m crash.uml --cuts 100`. What its kernel had not yet written is gone for good; what is on the disk is replayed
from ext4's own journal by the next mount, and judged as after any other crash. Needs root, `linux.uml` (Debian's
`user-mode-linux`) and a few hundred MB below --scratch, which must not lie in /dev, /proc or /run.
"""

import argparse
import os
import random
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from crash.rig import Rig, warm
from crash.tally import Tally
from crash.uml_init import ENDED, READY
from crash.worlds import WORLDS, World

KERNEL: Final = "linux.uml"
UUID: Final = "6d656469-6164-4d75-8d4c-6c6f73742130"  # the folders are enrolled with that of their file system
DISK_MB: Final = 96
PATIENCE_S: Final = 600.0
HOME: Final = Path(__file__).parents[1]


class OnDisk(Rig):
    """Its root is a mounted image from the first start on."""

    def __init__(self, world: World, base: Path) -> None:
        self.image = base.with_suffix(".img")
        super().__init__(world, base)

    def _prepare(self) -> None:
        self.root.mkdir()
        make(self.image)
        with mounted(self.image, self.root):
            super()._prepare()

    def fresh(self) -> None:
        """The disk as it is before each run."""
        make(self.image, self._template)


@dataclass(frozen=True)
class Heard:
    """`at`: seconds after it was ready to lose its power, each with the line of the console."""

    lines: Sequence[tuple[float, str]]

    @property
    def took_s(self) -> float:
        return next((at for at, line in self.lines if line.startswith(ENDED)), 0.0)

    @property
    def is_ready(self) -> bool:
        return any(line.startswith(READY) for _, line in self.lines)

    def __str__(self) -> str:
        return "\n".join(line for _, line in self.lines[-20:])


def run(rig: OnDisk, cut_after_s: float | None) -> Heard:
    """One life of the daemon: to its end, or to so many seconds after it was ready."""
    return boot(
        rig.image, rig.root, "-m", "crash.uml_init", cut_after_s=cut_after_s, **rig.settings
    )


def boot(
    image: Path, root: Path, *program: str, cut_after_s: float | None = None, **words: str
) -> Heard:
    """A machine with the disk `image` and this one's files, read-only, whose first process is Python with `program`."""
    words |= {
        "CRASH_ROOT": str(root), "PYTHONDONTWRITEBYTECODE": "1", "HOME": "/root",
        "PATH": "/usr/bin:/bin:/usr/sbin:/sbin",
    }  # fmt: skip
    exports = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in words.items())
    command = shlex.join([sys.executable, *program])
    first = image.with_suffix(".init")
    first.write_text(f"#!/bin/sh\n{exports}cd {shlex.quote(str(HOME))}\nexec {command}\n")
    first.chmod(0o755)
    machine = subprocess.Popen(  # noqa: S603 - our own words
        [KERNEL, "mem=384M", "rootfstype=hostfs", "rootflags=/", "root=98:0", "ro", f"init={first}",
         "ubd0=/dev/null", f"ubd1={image}", "con=null", "con0=fd:0,fd:1", "quiet"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
        env={**os.environ, "TMPDIR": "/dev/shm"},  # noqa: S108 - its memory is a file there
    )  # fmt: skip
    try:
        return _heard(machine, cut_after_s)
    finally:
        with suppress(ProcessLookupError):  # it has helpers, which outlive it alone
            os.killpg(machine.pid, signal.SIGKILL)
        machine.wait()
        if machine.stdout:
            machine.stdout.close()


def _heard(machine: "subprocess.Popen[bytes]", cut_after_s: float | None) -> Heard:
    """What its console says, until the power goes or there is no more to say."""
    console = machine.stdout
    if console is None:
        raise SystemExit("it has no console")
    os.set_blocking(console.fileno(), False)
    lines: list[tuple[float, str]] = []
    rest, ready_at, end = b"", 0.0, time.monotonic() + PATIENCE_S
    while (now := time.monotonic()) < end:
        *whole, rest = (rest + (console.read() or b"")).split(b"\n")
        lines += [(now - ready_at, line.decode(errors="replace").strip()) for line in whole]
        if not ready_at and any(line.startswith(READY) for _, line in lines):
            ready_at = now
            end = end if cut_after_s is None else now + cut_after_s
        if machine.poll() is not None or any(line.startswith(ENDED) for _, line in lines):
            break
        time.sleep(min(0.01, max(0.0, end - now)))
    return Heard(lines)


@contextmanager
def mounted(image: Path, folder: Path) -> Iterator[None]:
    """By this machine's own kernel, which replays the journal of the file system."""
    subprocess.run(["mount", "-o", "loop", image, folder], check=True)  # noqa: S603, S607 - our own words
    try:
        yield
    finally:
        subprocess.run(["umount", folder], check=True)  # noqa: S603, S607 - likewise


def make(image: Path, tree: Path | None = None) -> None:
    image.unlink(missing_ok=True)
    with image.open("wb") as disk:
        disk.truncate(DISK_MB << 20)
    filled = ["-d", str(tree)] if tree else []
    command = [
        "mke2fs",
        "-q",
        "-F",
        "-t",
        "ext4",
        "-U",
        UUID,
        "-E",
        "lazy_itable_init=0",
        *filled,
        str(image),
    ]
    subprocess.run(command, check=True)  # noqa: S603 - our own words


def cut(rig: OnDisk, tally: Tally, after_s: float) -> None:
    rig.fresh()
    heard = run(rig, after_s)
    if not heard.is_ready:
        raise SystemExit(f"the machine did not come up: {heard}")
    with mounted(rig.image, rig.root):
        rig.log.write_bytes(b"")
        bad = rig.crashed()
        judged = rig.recovered()
    where = f"{after_s:.3f} s after the start, the last heard of it: {heard.lines[-1][1][:80]}"
    tally.add(where, "cut", [*bad, *judged.bad], judged.asked)


def nas(base: Path) -> Heard:
    """A machine whose archive lies on an NFS server that dies again and again."""
    image, folder = base / "nas.img", base / "nas"
    folder.mkdir()
    make(image)
    return boot(image, folder, "-m", "crash.uml_nas")


def cuts(world: World, base: Path, wanted: int, seed: int) -> Tally:
    """Spread over the time that an undisturbed life takes, each at a moment of its own."""
    tally, chance = Tally(f"{world.name} real power cut"), random.Random(seed)  # noqa: S311 - no secret
    rig = OnDisk(world, base / world.name)
    try:
        rig.fresh()
        took_s = run(rig, None).took_s
        if not took_s:
            raise SystemExit(f"{world.name}: an undisturbed life did not end")
        for nth in range(wanted):
            cut(rig, tally, took_s * (nth + chance.random()) / wanted)
    finally:
        rig.close()
    return tally


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m crash.uml", description=__doc__)
    parser.add_argument("--cuts", type=int, default=100, help="in each world")
    parser.add_argument(
        "--worlds", nargs="*", choices=WORLDS, default=["vault", "stranger", "clean", "compress"]
    )
    parser.add_argument(
        "--nas", action="store_true", help="instead: an NFS server dies in the middle of the work"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--scratch", type=Path, default=None, metavar="DIR")
    words = parser.parse_args(argv)
    if shutil.which(KERNEL) is None or os.geteuid() != 0:
        raise SystemExit(f"this needs root, and {KERNEL}: apt-get install user-mode-linux")
    warm()
    base = Path(tempfile.mkdtemp(prefix="mediad-uml-", dir=words.scratch))
    began, total = time.monotonic(), Tally("total")
    try:
        if words.nas:
            heard = nas(base)
            print(heard)
            return 0 if any(line.startswith(f"{ENDED} 0") for _, line in heard.lines) else 1
        for name in words.worlds:
            tally = cuts(WORLDS[name], base, words.cuts, words.seed)
            print(tally.line(), flush=True)
            total.merge(tally.plain())
    finally:
        shutil.rmtree(base, ignore_errors=True)
    print(f"{total.line()} in {time.monotonic() - began:.0f} s")
    return 1 if total.bad else 0


if __name__ == "__main__":
    sys.exit(main())
