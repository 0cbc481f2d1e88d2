"""Where file systems are mounted, and where fstab wants them to be."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

TOP: Final = Path("/")
_MOUNTED: Final = Path("/proc/self/mountinfo")


def mount_of(path: Path) -> Path:
    """The nearest mount point at or above it."""
    return next((p for p in (path, *path.parents) if p.is_mount()), TOP)


def is_mount(folder_fd: int) -> bool:
    """Lazily unmounted, a root is its own parent: no mount any more."""
    return os.fstat(folder_fd).st_dev != os.stat("..", dir_fd=folder_fd).st_dev


def misses_mount(path: Path, fstab: Path) -> bool:
    """A folder at or below a mount point of fstab is only itself while that is mounted."""
    points = [p for p in fstab_points(fstab) if path.is_relative_to(p)]
    return not all(p.is_mount() or is_listed(p) for p in points)


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
