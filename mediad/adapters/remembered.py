"""What was found out about files and need not be found out twice, and by what a file is known to be the same one."""

from collections import OrderedDict
from pathlib import Path
from typing import TypeAlias, TypeVar

from mediad.adapters.errnos import faults_of
from mediad.model import Site

K = TypeVar("K")
V = TypeVar("V")

Signature: TypeAlias = tuple[int, int, int]  # inode, size, mtime


class Remembered(OrderedDict[K, V]):
    """No more than `most`: what was kept longest ago is forgotten first."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self._most = most

    def keep(self, key: K, value: V) -> None:
        self[key] = value
        self.move_to_end(key)
        while len(self) > self._most:
            self.popitem(last=False)


def signature(path: Path) -> Signature | None:
    """Of what lies in processing/. None: nothing there."""
    with faults_of(Site.SPOOL):
        try:
            seen = path.lstat()
        except FileNotFoundError:
            return None
        return seen.st_ino, seen.st_size, seen.st_mtime_ns
