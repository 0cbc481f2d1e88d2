"""
The session's two files, kept safe: whole or as they were at the last good moment, and never readable for others.

pyicloud writes them in place after every request; a crash in the middle of that would cost the trust of the device,
and a person another code.
"""

import json
import os
from collections.abc import Callable
from http.cookiejar import LoadError, LWPCookieJar
from pathlib import Path
from typing import Any, Final

_GOOD: Final = ".good"
_TRIED: Final = "password-tried"
_PAUSES: Final = "pauses"
_MOST: Final = 4 << 20


class Kept:
    """`folder` is ours alone. The names are pyicloud's: what of the account's name is a letter or digit."""

    def __init__(self, folder: Path, account: str) -> None:
        stem = "".join(char for char in account if char.isalnum() or char == "_")
        self.folder = folder
        self._standing = folder / f"{stem}.standing"
        self._parses: dict[Path, Callable[[Path], bool]] = {
            folder / f"{stem}.session": _is_session,
            folder / f"{stem}.cookiejar": _is_cookiejar,
        }

    def prepare(self) -> None:
        """Before pyicloud reads them: what does not parse is put back, or away; all of it is ours alone."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.folder.chmod(0o700)
        broken = [path for path, parses in self._parses.items() if not parses(path)]
        if broken and all(parses(_good(path)) for path, parses in self._parses.items()):
            for path in self._parses:  # both: they are of one moment
                _write(path, _good(path).read_bytes())
        for path, parses in self._parses.items():
            if path.exists() and not parses(path):
                path.unlink()
        self.hide()

    def hide(self) -> None:
        """Pyicloud opens them with the umask's rights: they exist before, with none for others."""
        for path in self._parses:
            if path.suffix == ".session" and not path.exists():
                _write(path, b"{}")
            for there in (path, _good(path)):
                if there.exists():
                    there.chmod(0o600)

    def keep(self) -> None:
        """What is there now has just proved good."""
        if all(parses(path) for path, parses in self._parses.items()):
            for path in self._parses:
                _write(_good(path), path.read_bytes())

    def tried_at(self) -> int:
        """UTC ms, when mediad last used a stored password by itself; 0: never. A restart is no reason to try again."""
        try:
            return int((self.folder / _TRIED).read_text()[:20])
        except (OSError, ValueError):
            return 0

    def trying(self, at: int) -> None:
        _write(self.folder / _TRIED, str(at).encode())

    def standing(self) -> dict[str, Any]:
        """How the sign-in stood when that was last noted: sign_in.py's own words. Empty: well, or nobody knows."""
        return _object(self._standing)

    def stand(self, words: dict[str, Any]) -> None:
        if not words:
            self._standing.unlink(missing_ok=True)
            return
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write(self._standing, json.dumps(words).encode())

    def forget(self) -> None:
        for path in self._parses:
            path.unlink(missing_ok=True)
            _good(path).unlink(missing_ok=True)


def pauses(folder: Path) -> dict[str, Any]:
    """For how long Apple is left alone, whoever's account it is: breaker.py's own words."""
    return _object(folder / _PAUSES)


def keep_pauses(folder: Path, words: dict[str, Any]) -> None:
    if not words:
        (folder / _PAUSES).unlink(missing_ok=True)
        return
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    _write(folder / _PAUSES, json.dumps(words).encode())


def _object(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_bytes()) if path.stat().st_size <= _MOST else {}
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _good(path: Path) -> Path:
    return path.with_name(path.name + _GOOD)


def _is_session(path: Path) -> bool:
    try:
        return path.stat().st_size <= _MOST and isinstance(json.loads(path.read_bytes()), dict)
    except (OSError, ValueError):
        return False


def _is_cookiejar(path: Path) -> bool:
    """Whole: of one that is cut off in a line, the lines before would do for pyicloud, and sign the person out."""
    try:
        content = path.read_bytes() if path.stat().st_size <= _MOST else b""
        if not content.endswith(b"\n") or b"\0" in content:
            return False
        LWPCookieJar(str(path)).load(ignore_discard=True, ignore_expires=True)
    except (OSError, LoadError, ValueError):
        return False
    return True


def _write(path: Path, content: bytes) -> None:
    """Whole or not at all, durable on return."""
    part = path.with_name(path.name + ".part")
    part.unlink(missing_ok=True)
    fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        left = memoryview(content)
        while left:
            left = left[os.write(fd, left) :]
        os.fsync(fd)
    finally:
        os.close(fd)
    part.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
