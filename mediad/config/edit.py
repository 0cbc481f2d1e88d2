"""Changing one setting in a person's own file: comments, order and spacing stay; a wrong value is never written."""

import os
import secrets
from pathlib import Path
from typing import cast

import tomlkit
from tomlkit.container import Container
from tomlkit.exceptions import ParseError

from mediad.config.faults import ConfigFaults, Fault, unknown
from mediad.config.loader import build
from mediad.config.schema import KEYS, Key
from mediad.config.sources import read_text


def set_value(file: Path, dotted_key: str, text: str) -> None:
    """Raises ConfigFaults and leaves the file as it was when the whole would not be a right configuration."""
    path = tuple(dotted_key.split("."))
    key = KEYS.get(path)
    if key is None:
        raise ConfigFaults([Fault(f"{file}: {dotted_key}", unknown(path))])
    target = file.resolve()  # a link to the real file stays a link
    before = read_text(target) if target.exists() else ""
    after = _changed(before, key, text, file)
    build(after, file, root=_stand_in_root(after, file), environ={})
    _replace(target, after)


def _changed(before: str, key: Key, text: str, file: Path) -> str:
    try:
        document = tomlkit.parse(before)
    except ParseError as error:
        what = f"this is no TOML, so nothing was changed: {error}"
        raise ConfigFaults([Fault(f"{file}:{error.line}", what)]) from error
    table = cast("Container", document)
    for name in key.path[:-1]:
        if name not in table:
            table[name] = tomlkit.table()
        table = cast("Container", table[name])
    table[key.path[-1]] = key.native(text)
    return tomlkit.dumps(document)


def _stand_in_root(text: str, file: Path) -> Path | None:
    """A file beside its own root need not name it."""
    return None if "root" in tomlkit.parse(text) else file.absolute().parent


def _replace(target: Path, text: str) -> None:
    """Whole or not at all; owner and mode stay as they were."""
    part = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    old = target.stat() if target.exists() else None
    try:
        with part.open("xb", buffering=0) as out:
            os.fchmod(out.fileno(), old.st_mode & 0o777 if old else 0o600)
            if old is not None and (old.st_uid, old.st_gid) != (os.geteuid(), os.getegid()):
                os.fchown(out.fileno(), old.st_uid, old.st_gid)
            out.write(text.encode())
            os.fsync(out.fileno())
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    folder = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
