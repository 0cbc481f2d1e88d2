"""How the journal names what arrives."""

from pathlib import PurePosixPath


def safe_name(name: str) -> str:
    return "".join(c if c.isalnum() or c in "._-" else "_" for c in name)[-80:]


def group_key(source_key: str) -> str:
    path = PurePosixPath(source_key)
    return str(path.with_name(path.stem.casefold() or path.name))
