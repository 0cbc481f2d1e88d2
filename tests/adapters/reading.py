"""Fill in a form from bytes, as the inspector does."""

from pathlib import Path

from mediad.adapters.headers_base import Header, Source
from mediad.adapters.inspector import header


def read(tmp_path: Path, content: bytes, name: str = "a") -> Header:
    path = tmp_path / name
    path.write_bytes(content)
    with path.open("rb") as file:
        return header(Source(file.fileno(), len(content)), name)


def dates(form: Header) -> dict[str, str]:
    return {c.tag: f"{c.text}{c.offset}" for c in form.claims}
