"""
What a file is called: foreign names made safe, templates rendered, clashes avoided.

A name that leaves here is one harmless path component on every file system that mediad may write to: never empty,
never `..`, no separator, no control character, UTF-8, at most NAME_BYTES long. The original name itself is kept in the
journal byte for byte.
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final, NamedTuple, overload

from mediad.errors import NeedsOperator
from mediad.model import Asset, Digest, Media, Original, Role, SiteKey

NAME_BYTES: Final = (
    200  # of the 255 a file system allows: room for our prefixes, suffixes and `.part`
)
EXTENSION_BYTES: Final = 40
REMEMBERED: Final = 4096  # names; every look at a lot asks for the same ones again
UNNAMED: Final = "unnamed"
TOKENS: Final = ("YYYY", "MM", "DD", "name", "stem", "ext", "kind", "source", "digest8")

_TOKEN = re.compile(r"\{([^{}]*)\}")
# C0, DEL, C1, what Windows and SMB refuse, and marks that turn the direction of the text around them.
_UNSAFE = re.compile(r'[\x00-\x1f\x7f-\x9f/\\:*?"<>|\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]')
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_RESERVED = re.compile(r"(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(?:\..*)?", re.IGNORECASE)
_EXTENSION = re.compile(
    r"(?P<stem>.+?)(?P<ext>(?:\.[0-9A-Za-z]{2,5})?(?:\.supplemental-metadata)?\.(?:aae|xmp|json|thm)|\.[0-9A-Za-z]{1,5})",
    re.IGNORECASE | re.DOTALL,
)

# The extensions that say the same thing; the first is the one we would give.
_FAMILIES: Final[Mapping[Media, tuple[str, ...]]] = {
    Media.JPEG: (".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".insp"),
    Media.HEIC: (".heic", ".heif", ".hif"),
    Media.AVIF: (".avif",),
    Media.PNG: (".png", ".apng"),
    Media.GIF: (".gif",),
    Media.WEBP: (".webp",),
    Media.TIFF: (".tiff", ".tif"),
    Media.MOV: (".mov", ".qt", ".lrv"),
    Media.MP4: (".mp4", ".m4v", ".3gp", ".3g2", ".insv", ".lrv"),
    Media.AVI: (".avi",),
    Media.MATROSKA: (".mkv", ".webm"),
    Media.MPEG: (".mpg", ".mpeg", ".ts", ".mts", ".m2ts", ".m2t", ".vob", ".mod"),
}  # fmt: skip


class Member(NamedTuple):
    """One file of an asset that is to get a place: whose, and under which name it would like to be."""

    original: Original
    name: str


@lru_cache(maxsize=REMEMBERED)
def safe_name(name: str, extension: str = "") -> str:
    """
    A harmless name as close to the given one as can be; `extension` (with its dot) replaces the name's own.

    Foreign bytes show as percent escapes. Idempotent; two names may come out alike.
    """
    if extension:
        name = split(name)[0] + extension
    text = unicodedata.normalize("NFC", _SURROGATE.sub(_escape, name))
    return _within(_trim(_UNSAFE.sub("_", text)))


@lru_cache(maxsize=REMEMBERED)
def split(name: str) -> tuple[str, str]:
    """Stem and extension; a sidecar's whole tail is its extension: IMG_1 and .HEIC.xmp."""
    parts = _EXTENSION.fullmatch(name)
    return (parts["stem"], parts["ext"]) if parts else (name, "")


def aside_keys(original: Original) -> tuple[SiteKey, SiteKey]:
    """Its keys in duplicates/ or quarantine/: the plain name, and the one that nobody else can have."""
    plain = safe_name(original.name)
    return SiteKey(plain), SiteKey(_suffixed(plain, str(original.id)))


def archive_name(original: Original) -> str:
    return safe_name(original.name)


def library_name(original: Original, extension: str = "") -> str:
    """
    The name people will browse: with the extension that tells the truth.

    `extension` is that of the rendition which stands for the original, if one does.
    """
    media = original.inspection.media if original.inspection else None
    right = extension or (original.inspection.extension if original.inspection else "")
    own = split(original.name)[1].casefold()
    wrong = right and own != right.casefold() and not _same_family(own, right)
    may_correct = media in _FAMILIES or bool(extension)
    return safe_name(original.name, right if wrong and may_correct else "")


@lru_cache(maxsize=16)
def faults(template: str) -> tuple[str, ...]:
    """What is wrong with a template, in words; nothing when it can be used."""
    found = [
        f"{{{token}}} is unknown; known are {', '.join(f'{{{t}}}' for t in TOKENS)}"
        for token in dict.fromkeys(_TOKEN.findall(template))
        if token not in TOKENS
    ]
    parts = template.split("/")
    if {"", ".", ".."} & set(parts):
        found.append(
            "every part between slashes needs a name: no leading, trailing or double slash, no . or .."
        )
    if re.search(r"[{}]", _TOKEN.sub("", template)):
        found.append("a brace is not closed")
    tokens = set(_TOKEN.findall(parts[-1]))
    if not ("name" in tokens or ("ext" in tokens and tokens & {"stem", "digest8"})):
        found.append("the last part must hold {name}, or {ext} with {stem} or {digest8}")
    return tuple(found)


class Candidates(Sequence[tuple[SiteKey, ...]]):
    """The keys of an asset's files, best first; worked out when asked for, as the first is mostly free."""

    def __init__(self, asset: Asset, members: Sequence[Member], template: str) -> None:
        identity = _identity(asset)
        self._template = template
        self._names = _one_stem(members)
        self._suffixes = ("", identity[:8], identity[:16])
        self._words = _words(asset, identity)

    def __len__(self) -> int:
        return len(self._suffixes)

    @overload
    def __getitem__(self, nth: int) -> tuple[SiteKey, ...]: ...

    @overload
    def __getitem__(self, nth: slice) -> Sequence[tuple[SiteKey, ...]]: ...

    def __getitem__(self, nth: int | slice) -> tuple[SiteKey, ...] | Sequence[tuple[SiteKey, ...]]:
        if isinstance(nth, slice):
            return tuple(self)[nth]
        suffix = self._suffixes[nth]
        return tuple(_render(self._template, self._words, name, suffix) for name in self._names)


def candidates(asset: Asset, members: Sequence[Member], template: str) -> Candidates:
    """
    Where an asset's files may go, best first; each candidate has one key a member, in their order.

    All members share folder and stem. The second and third candidate add a part of the asset's identity, for when
    other bytes already are under the first: the same asset finds the same keys after every restart.
    """
    wrong = faults(template)
    if wrong:
        raise NeedsOperator(
            f"the template {template!r} cannot be used: {'; '.join(wrong)}. No file was placed",
            code="config.template",
            remedy="correct archive.template or sort.template, then `mediactl reload`",
        )
    return Candidates(asset, members, template)


def _one_stem(members: Sequence[Member]) -> list[str]:
    """Each member's name with the primary's stem, unless that would make two of one name or hide that it is an edit."""
    stem = split(safe_name(members[0].name))[0]
    used: set[str] = set()
    names = []
    for original, wanted in members:
        own = safe_name(wanted)
        shared = safe_name(stem + split(own)[1])
        choices = [own] if original.role is Role.EDITED else [shared, own]
        choices.append(_suffixed(own, str(original.id)))
        name = next(n for n in choices if n.casefold() not in used)
        used.add(name.casefold())
        names.append(name)
    return names


def _words(asset: Asset, identity: Digest) -> Mapping[str, str]:
    day = _day(asset)
    return {
        "YYYY": f"{day.year:04}", "MM": f"{day.month:02}", "DD": f"{day.day:02}",
        "kind": asset.kind.value, "source": asset.source, "digest8": identity[:8],
    }  # fmt: skip


def _render(template: str, words: Mapping[str, str], name: str, suffix: str) -> SiteKey:
    stem, extension = split(_suffixed(name, suffix) if suffix else name)
    own = {"name": stem + extension, "stem": stem, "ext": extension.removeprefix(".")}
    words = {**words, **own}
    parts = [_TOKEN.sub(lambda m: words[m[1]], part) for part in template.split("/")]
    return SiteKey("/".join(map(safe_name, parts)))


def _day(asset: Asset) -> datetime:
    if asset.captured:
        return datetime.fromisoformat(asset.captured.local)
    return datetime.fromtimestamp(asset.seen_at / 1000, UTC)


def _identity(asset: Asset) -> Digest:
    """What tells this asset from every other: also where duplicates are not looked for and it has no identity."""
    return asset.identity or asset.originals[0].digest or Digest(f"{asset.id:064x}"[::-1])


def _suffixed(name: str, suffix: str) -> str:
    stem, extension = split(name)
    return _within(
        f"{_cut(stem, NAME_BYTES - EXTENSION_BYTES - len(suffix) - 1)}-{suffix}{extension}"
    )


def _same_family(one: str, other: str) -> bool:
    return any({one, other.casefold()} <= set(family) for family in _FAMILIES.values())


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    is_foreign_byte = 0xDC80 <= code <= 0xDCFF  # noqa: PLR2004 - how Python keeps a byte that is no UTF-8
    return f"%{code & 0xFF:02X}" if is_foreign_byte else "_"


def _trim(text: str) -> str:
    """No hidden files, no options for careless scripts, nothing that Windows would cut off or refuse."""
    text = text.lstrip(". ").rstrip(". ")
    if text.startswith("-"):
        text = "_" + text[1:]
    if _RESERVED.fullmatch(text):
        text = "_" + text
    return text or UNNAMED


def _within(text: str) -> str:
    if len(text.encode()) <= NAME_BYTES:
        return text
    stem, extension = split(text)
    return _trim(_cut(stem, NAME_BYTES - len(extension.encode())) + extension)


def _cut(text: str, limit: int) -> str:
    """As much of the beginning as fits, never half a character."""
    return text.encode()[:limit].decode(errors="ignore").rstrip(". ")
