"""
A throwaway Debian with a real systemd as PID 1: a cached tree below, a RAM disk above, systemd-nspawn around it.

Needs root, systemd-container and mmdebstrap. Nothing in the tree is ever changed. What happens in a box outlives its
reboots, and is gone with it.
"""

import hashlib
import os
import platform
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Self

SUITE: Final = platform.freedesktop_os_release().get(
    "VERSION_CODENAME", ""
)  # the package is for the Debian of here
# What a fresh Debian has, what mediad depends on and recommends, and what tests it there: so that no box fetches it.
PACKAGES: Final = (
    "systemd", "systemd-sysv", "dbus", "libnss-systemd", "procps", "iproute2", "acl",
    "python3", "ffmpeg", "libimage-exiftool-perl", "autopkgtest", "dpkg-dev",
)  # fmt: skip
CACHE: Final = Path(os.environ.get("MEDIAD_BOX_CACHE", "/var/cache/mediad-boxes"))
BOOT_S: Final = 60.0
STOP_S: Final = 60.0
_ENVIRON: Final = {
    "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LANG": "C.UTF-8", "SYSTEMD_PAGER": "cat",
    "DEBIAN_FRONTEND": "noninteractive", "TERM": "dumb",
}  # fmt: skip


# What a box is made of, tried in namespaces of its own: mounts, layers, a process tree, a control group.
PROBE: Final = """
set -e
mount -t tmpfs probe "$1"; mkdir "$1/low" "$1/up" "$1/work" "$1/both"
mount -t overlay probe -o "lowerdir=$1/low,upperdir=$1/up,workdir=$1/work" "$1/both"
umount -R /sys/fs/cgroup 2>/dev/null || true
mkdir -p /sys/fs/cgroup; mount -t cgroup2 probe /sys/fs/cgroup
"""


def missing() -> str:
    """Why there can be no box on this machine; "" when there can."""
    if os.geteuid() != 0:
        return "boxes need root"
    if platform.freedesktop_os_release().get("ID") != "debian":
        return "boxes are made of the Debian that the package is built on, and this is none"
    tools = [t for t in ("systemd-nspawn", "mmdebstrap", "nsenter") if shutil.which(t) is None]
    if tools:
        return f"{', '.join(tools)} missing: apt install systemd-container mmdebstrap"
    with tempfile.TemporaryDirectory() as point:
        namespaces = ["unshare", "--mount", "--pid", "--net", "--uts", "--ipc", "--fork"]
        tried = _tried(*namespaces, "sh", "-c", PROBE, "probe", point)
    if tried:
        return f"this machine lets nobody make a container: {tried}"
    update = ("apt-get", "-qq", "update", "-o", "APT::Update::Error-Mode=any")
    if not _tree().exists() and (tried := _tried(*update)):
        return f"no Debian mirror answers, and no box was made before: {tried}"
    return ""


def _tried(*command: str) -> str:
    """What went wrong; "" when nothing did."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return (done.stderr.strip() or f"status {done.returncode}") if done.returncode else ""


def _tree() -> Path:
    key = hashlib.sha256(" ".join((SUITE, *PACKAGES)).encode()).hexdigest()[:12]
    return CACHE / f"{SUITE}-{key}"


def tree() -> Path:
    """The Debian that boxes start from; made once, which takes a minute."""
    made = _tree()
    if not made.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE, prefix=".making-") as part:
            new = Path(part) / "tree"
            subprocess.run(
                ["mmdebstrap", "--quiet", "--variant=minbase", f"--include={','.join(PACKAGES)}",
                 '--aptopt=Acquire::Languages "none"', SUITE, new],
                check=True,
            )  # fmt: skip
            (new / "etc/hosts").write_text("127.0.0.1 localhost\n::1 localhost\n")
            new.rename(made)
    return made


class Box:
    """Boot, run, reboot, stop. `shared` folders are seen read-only below /mnt."""

    def __init__(self, name: str, *, shared: Sequence[Path] = ()) -> None:
        self.name = name
        self._shared = shared
        self._ram = Path(tempfile.mkdtemp(prefix=f"mediad-box-{name}-"))
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=4g,mode=755", "box", self._ram], check=True
        )
        for folder in ("upper", "work", "root"):
            (self._ram / folder).mkdir()
        layers = f"lowerdir={tree()},upperdir={self._ram}/upper,workdir={self._ram}/work"
        self.root = self._ram / "root"
        subprocess.run(["mount", "-t", "overlay", "overlay", "-o", layers, self.root], check=True)
        self._nspawn: subprocess.Popen[bytes] | None = None
        self._leader = 0

    def __enter__(self) -> Self:
        self.boot()
        return self

    def __exit__(self, *_: object) -> None:
        if self._nspawn is not None:
            self.power_off()
        subprocess.run(["umount", "-l", self.root], check=True)
        subprocess.run(["umount", "-l", self._ram], check=True)
        self._ram.rmdir()

    def inside(self, path: Path) -> Path:
        """Where the box sees what lies in a shared folder."""
        shared = next(s for s in self._shared if path.is_relative_to(s))
        return Path("/mnt") / shared.name / path.relative_to(shared)

    def boot(self) -> None:
        nspawn = [
            "systemd-nspawn", "--quiet", "--register=no", "--keep-unit", f"--machine={self.name}",
            f"--directory={self.root}", "--console=pipe", "--private-network", "--boot",
            *(f"--bind-ro={path}:{self.inside(path)}" for path in self._shared),
        ]  # fmt: skip
        # A pure cgroup v2 for the box, whatever this machine has; the mount namespace keeps that from everybody else.
        script = (
            "umount -R /sys/fs/cgroup 2>/dev/null; mount -t cgroup2 -o nsdelegate cgroup2 /sys/fs/cgroup &&"
            ' exec "$@"'
        )
        alone = ["setpriv", "--pdeathsig=KILL", "unshare", "-m", "--propagation=private"]
        with (self._ram / "console").open("ab") as console:
            self._nspawn = subprocess.Popen(
                [*alone, "sh", "-c", script, "box", *nspawn],
                stdin=subprocess.DEVNULL, stdout=console, stderr=console, start_new_session=True,
            )  # fmt: skip
        self._wait_for_boot(self._nspawn)

    def _wait_for_boot(self, nspawn: subprocess.Popen[bytes]) -> None:
        until = time.monotonic() + BOOT_S
        while time.monotonic() < until and nspawn.poll() is None:
            children = Path(f"/proc/{nspawn.pid}/task/{nspawn.pid}/children").read_text().split()
            if children:
                self._leader = int(children[0])
                said = self.run("systemctl", "is-system-running", check=False).stdout.strip()
                if said in {"running", "degraded"}:
                    return
            time.sleep(0.1)
        raise RuntimeError(f"the box did not boot:\n{(self._ram / 'console').read_text()}")

    def power_off(self) -> None:
        """In good order, as `poweroff` does it."""
        assert self._nspawn is not None
        self._nspawn.terminate()
        try:
            self._nspawn.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.cut_power()
        self._nspawn = None

    def cut_power(self) -> None:
        """Everything in it is gone at once."""
        assert self._nspawn is not None
        os.kill(self._leader, signal.SIGKILL)
        self._nspawn.wait(STOP_S)
        self._nspawn = None

    def run(
        self, *command: str | Path, check: bool = True, user: str = "", give: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """A command inside, as root or as somebody else."""
        who = ["runuser", "-u", user, "--"] if user else []
        done = subprocess.run(
            ["nsenter", f"--target={self._leader}", "--all", "--", *who, *command],
            env=_ENVIRON, input=give, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if check and done.returncode:
            raise AssertionError(
                f"{command} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
            )
        return done

    def sh(self, script: str, *, check: bool = True, user: str = "") -> str:
        """A line of shell; what it said on standard output."""
        return self.run("bash", "-c", script, check=check, user=user).stdout

    def until(self, script: str, within_s: float = 30.0) -> None:
        """Wait until a line of shell is true."""
        until = time.monotonic() + within_s
        while self.run("bash", "-c", script, check=False).returncode:
            if time.monotonic() > until:
                raise AssertionError(f"not within {within_s} s: {script}\n{self.journal()}")
            time.sleep(0.1)

    def property(self, name: str) -> str:
        return self.run("systemctl", "show", "mediad", "-p", name, "--value").stdout.strip()

    def journal(self, lines: int = 40) -> str:
        return self.run(
            "journalctl", "-u", "mediad", "--no-pager", "-n", str(lines), "-o", "cat", check=False
        ).stdout


if __name__ == "__main__":
    print(missing())  # noqa: T201 - read by scripts/try_package.sh
