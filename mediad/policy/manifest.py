"""The lines of a manifest, exactly as `sha256sum -c` and `b3sum -c` read them. Pure."""

from typing import Final, Literal, TypeAlias

from mediad.model import SiteKey

Form: TypeAlias = Literal["sha256", "b3"]
FORMS: Final = ("sha256", "b3")
# What each tool writes another way, with a backslash before the line to say so.
_ESCAPES: Final = {
    "sha256": ((b"\\", b"\\\\"), (b"\n", b"\\n"), (b"\r", b"\\r")),
    "b3": ((b"\\", b"\\\\"), (b"\n", b"\\n")),
}


def line(digest: str, key: SiteKey, form: Form) -> bytes | None:
    """One file. None: the tool cannot be told this name (b3sum knows only UTF-8)."""
    raw = key.encode("utf-8", "surrogateescape")
    if form == "b3" and not _is_text(raw):
        return None
    name = raw
    for odd, plain in _ESCAPES[form]:
        name = name.replace(odd, plain)
    mark = b"" if name == raw else b"\\"
    return mark + digest.encode() + b"  " + name + b"\n"


def _is_text(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True
