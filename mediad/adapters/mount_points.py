"""Where file systems are mounted, and where fstab wants them to be."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

TOP: Final = Path("/")
_MOUNTED: Final = Path("/proc/self/mountinfo")


def mount_of(path: Path) -> Path:
    """The nearest mount point at or above it."""
    return next((p for p in (path, *path.parents) if p.is_mount()), TOP)


def fstab_points(fstab: Path) -> Iterator[Path]:
    try:
        lines = fstab.read_text(errors="surrogateescape").splitlines()
    except FileNotFoundError:
        return
    for line in lines:
        fields = line.split()
        if len(fields) > 1 and fields[1].startswith("/") and fields[1] != "/":
            yield Path(_unescaped(fields[1]))


def is_listed(point: Path) -> bool:
    """A bind mount from the same file system has no device of its own: only the kernel's list knows it."""
    mounts = _MOUNTED.read_text(errors="surrogateescape").splitlines()
    return any(_unescaped(line.split()[4]) == str(point) for line in mounts)


def _unescaped(field: str) -> str:
    for code, char in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        field = field.replace(code, char)
    return field
