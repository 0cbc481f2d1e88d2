"""
The installed service as systemd sees it: does it run, and may it write where its configuration sends it?

Its sandbox opens /srv/mediad and its state, and nothing else. A folder elsewhere seems to work when its disk is mounted
while mediad runs, and is read-only from the next start on: so this asks systemd, and not the disk.
"""

import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from mediad.config import Settings
from mediad.config.loader import SYSTEM_FILE
from mediad.service.answers import FindingDoc
from mediad.service.findings import PATIENCE_S, finding

UNIT: Final = "mediad.service"
_ASKED: Final = (
    "LoadState", "ActiveState", "UnitFileState", "NeedDaemonReload",
    "ReadWritePaths", "BindPaths", "StateDirectory", "ProtectSystem", "ProtectHome",
)  # fmt: skip
_HOMES: Final = (Path("/home"), Path("/root"), Path("/run/user"))

Shown = Mapping[str, str]


def show() -> Shown:
    """What systemd says of the unit; nothing where there is no systemd, or no such unit."""
    asked = ["systemctl", "show", UNIT, f"--property={','.join(_ASKED)}"]
    try:
        said = subprocess.run(  # noqa: S603 - a fixed question
            asked, capture_output=True, text=True, timeout=PATIENCE_S, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return {}
    shown = dict(line.split("=", 1) for line in said.splitlines() if "=" in line)
    return shown if shown.get("LoadState") == "loaded" else {}


def unit_findings(
    settings: Settings, file: Path | None, *, ask: Callable[[], Shown] = show
) -> Iterator[FindingDoc]:
    """Only for the system's own configuration: another daemon has no unit."""
    shown = ask() if file == SYSTEM_FILE else {}
    if shown:
        yield from _state(shown)
        yield from _paths(settings, shown)


def _state(shown: Shown) -> Iterator[FindingDoc]:
    state = shown.get("ActiveState", "")
    if state in {"active", "activating", "reloading"}:
        yield finding("unit.state", f"the service is {state}")
    else:
        yield finding(
            "unit.state", f"the service is {state}: nothing moves until it runs", level="fault",
            remedy="journalctl -u mediad -n 50 tells why; then: systemctl restart mediad",
        )  # fmt: skip
    if shown.get("UnitFileState") == "disabled":
        yield finding(
            "unit.disabled", "the service does not start with the machine", level="warning",
            remedy="systemctl enable mediad.socket mediad",
        )  # fmt: skip
    if shown.get("NeedDaemonReload") == "yes":
        yield finding(
            "unit.changed", "the unit's files were changed since systemd read them", level="warning",
            remedy="systemctl daemon-reload && systemctl restart mediad",
        )  # fmt: skip


def _paths(settings: Settings, shown: Shown) -> Iterator[FindingDoc]:
    """One finding for the root, and one for each folder that was moved out of it and out of reach."""
    wanted = {"root": settings.root}
    moved = settings.folders.all().items()
    wanted |= {f"folders.{n}": p for n, p in moved if not p.is_relative_to(settings.root)}
    for key, path in wanted.items():
        if _is_open(path, shown):
            yield finding("unit.path", f"the service may write to {path} ({key})")
        else:
            yield finding(
                "unit.path",
                f"{path} ({key}) is outside of what the service may write to: read-only for it, now or from its next"
                " start on",
                level="fault",
                remedy=f"systemctl edit mediad, paste this, then systemctl restart mediad:\n{drop_in(key, path)}",
            )  # fmt: skip


def _is_open(path: Path, shown: Shown) -> bool:
    home = shown.get("ProtectHome") if _in_home(path) else ""
    if home in {"yes", "tmpfs"}:
        return any(path.is_relative_to(p) for p in _bound(shown))
    if shown.get("ProtectSystem") != "strict" and home != "read-only":
        return True
    state = [Path("/var/lib", name) for name in shown.get("StateDirectory", "").split()]
    written = [Path(p.lstrip("-+")) for p in shown.get("ReadWritePaths", "").split()]
    return any(path.is_relative_to(p) for p in (*state, *written, *_bound(shown)))


def _bound(shown: Shown) -> Sequence[Path]:
    """SOURCE:TARGET:OPTIONS, where all but the source may be left out."""
    given = (p.lstrip("-").split(":") for p in shown.get("BindPaths", "").split())
    return [Path(words[1] if len(words) > 1 and words[1] else words[0]) for words in given]


def _in_home(path: Path) -> bool:
    return any(path.is_relative_to(home) for home in _HOMES)


def drop_in(key: str, path: Path) -> str:
    """The lines that open this folder to the service; the shipped drop-ins tell the rest of the way."""
    if _in_home(path) and key == "folders.incoming":
        return f"[Service]\nBindPaths={path}:/srv/mediad/incoming\n(and take folders.incoming out of {SYSTEM_FILE})"
    if _in_home(path):
        return f"[Service]\nProtectHome=tmpfs\nBindPaths={path}"
    if key == "root":
        return f"[Service]\nReadWritePaths={path}"
    point = _mount_point(path)
    after = f"[Unit]\nWants={_unit_of(point)}\nAfter={_unit_of(point)}\n\n" if point else ""
    return f"{after}[Service]\nReadWritePaths=-{point or path}"


def _mount_point(path: Path) -> Path | None:
    """The mount, or the line of fstab, that this path is on; None for the system's own disk."""
    points = []
    for table in ("/proc/self/mounts", "/etc/fstab"):
        try:
            lines = Path(table).read_text("utf-8", "replace").splitlines()
        except OSError:
            continue
        rows = (line.split() for line in lines if not line.startswith("#"))
        points += [Path(row[1].replace("\\040", " ")) for row in rows if len(row) > 1]
    around = [p for p in points if path.is_relative_to(p) and p != Path("/")]
    return max(around, key=lambda p: len(p.parts), default=None)


def _unit_of(point: Path) -> str:
    """As systemd names a mount: slashes become dashes, what is no letter or digit is escaped."""
    text = "/".join(point.parts[1:])
    plain = ":_."
    escaped = (
        "-" if c == "/" else c if c.isascii() and (c.isalnum() or c in plain) else
        "".join(f"\\x{b:02x}" for b in c.encode())
        for c in text
    )  # fmt: skip
    return "".join(escaped) + ".mount"
