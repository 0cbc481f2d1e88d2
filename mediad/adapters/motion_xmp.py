"""
What a motion photo says of itself: XMP as Google's motion photo format 1.0 has it.

A still's own packet is added to, never rewritten: what was in it stays, byte for byte. Not understood well enough to
be added to is NotUnderstood. Readers go by literal prefixes and look into the first description only, so ours go there.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple
from xml.parsers import expat

from mediad.adapters.bmff import NotUnderstood

MAX_PACKET: Final = 4 << 20
UNKNOWN_US: Final = -1

_RDF: Final = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_CAMERA: Final = "http://ns.google.com/photos/1.0/camera/"
_CONTAINER: Final = "http://ns.google.com/photos/1.0/container/"
_ITEM: Final = "http://ns.google.com/photos/1.0/container/item/"
_ABOVE: Final = (["adobe:ns:meta/ xmpmeta", f"{_RDF} RDF"], [f"{_RDF} RDF"])
_START: Final = b"<rdf:Description"
_PREFIXES: Final = (b"xmlns:GCamera", b"xmlns:Container", b"xmlns:Item")
_GOOGLES: Final = b"ns.google.com/photos"
_QUOTES: Final = b"\"'"
# Of any writer: in attributes or elements, one entry of a list each.
_ENTRY: Final = re.compile(rb"<[\w.-]+:li\b")
_PRIMARY: Final = re.compile(rb"""\bSemantic\s*(?:=\s*["']|>)\s*Primary\b""")
_LENGTH: Final = re.compile(rb"""\bLength\s*(?:=\s*["']|>)\s*0*[1-9]""")
_NEW: Final = (
    b'<?xpacket begin="\xef\xbb\xbf" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
    b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about=""/>'
    b'</rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
)


class Told(NamedTuple):
    """What readers are told."""

    still_mime: str
    film_mime: str
    film_bytes: int  # it is the last of the file
    padding: int = 0  # bytes between the end of the picture and the film
    at_us: int = UNKNOWN_US  # when in the film the still was taken


@dataclass
class _Seen:
    """Of one packet: where its first description starts, and what its attributes say."""

    path: list[str] = field(default_factory=list)
    first: int = -1
    camera: dict[str, str] = field(default_factory=dict)
    items: list[dict[str, str]] = field(default_factory=list)


def packet(told: Told, own: bytes | None = None) -> bytes:
    """`own`: the still's packet; None: it has none."""
    base = _NEW if own is None else own
    if _GOOGLES in base or any(prefix in base for prefix in _PREFIXES):
        raise NotUnderstood("its XMP says already what is in the file")
    at = _seen(base).first
    if at < 0 or not base.startswith(_START, at):
        raise NotUnderstood("its XMP describes nothing")
    said, listed = _attributes(told).encode(), _directory(told).encode()
    head, end = at + len(_START), _tag_end(base, at)
    if base[end - 1 : end] == b"/":
        tail = b">" + listed + b"</rdf:Description>" + base[end + 1 :]
        made = base[:head] + said + base[head : end - 1] + tail
    else:
        made = base[:head] + said + base[head : end + 1] + listed + base[end + 1 :]
    if told_in(made) != told:
        raise NotUnderstood("its XMP cannot be added to")
    return made


def states_length(packet: bytes) -> bool:
    """Whether it says of how many bytes the picture itself is: no longer true once that is coded anew."""
    return any(_PRIMARY.search(part) and _LENGTH.search(part) for part in _ENTRY.split(packet))


def told_in(packet: bytes) -> Told:
    """What a packet says, read as others read it. NotUnderstood where it is no motion photo's."""
    seen = _seen(packet)
    if seen.camera.get("MotionPhoto") != "1" or len(seen.items) < 2:  # noqa: PLR2004 - a still and its film
        raise NotUnderstood("not a motion photo")
    still, film = seen.items[0], seen.items[-1]
    if (still.get("Semantic"), film.get("Semantic")) != ("Primary", "MotionPhoto"):
        raise NotUnderstood("its film is not the last of the file")
    return Told(
        still.get("Mime", ""),
        film.get("Mime", ""),
        _int(film, "Length"),
        _int(still, "Padding"),
        _int(seen.camera, "MotionPhotoPresentationTimestampUs", UNKNOWN_US),
    )


def _seen(packet: bytes) -> _Seen:
    """No entity, no declaration, nothing that grows: what is not plain XML is refused before it is read."""
    if len(packet) > MAX_PACKET or b"<!" in packet or b"\0" in packet.rstrip(b"\0"):
        raise NotUnderstood("its XMP is not plain")
    seen = _Seen()
    parser = expat.ParserCreate("utf-8", namespace_separator=" ")

    def start(name: str, attributes: dict[str, str]) -> None:
        if name == f"{_RDF} Description" and seen.path in _ABOVE:
            seen.first = parser.CurrentByteIndex if seen.first < 0 else seen.first
            seen.camera |= _of(_CAMERA, attributes)
        elif name == f"{_CONTAINER} Item":
            seen.items.append(_of(_ITEM, attributes))
        seen.path.append(name)

    def end(_: str) -> None:
        seen.path.pop()

    parser.StartElementHandler, parser.EndElementHandler = start, end
    try:
        parser.Parse(packet.rstrip(b"\0"), True)  # noqa: FBT003 - expat's own order
    except expat.ExpatError:
        raise NotUnderstood("its XMP is damaged") from None
    return seen


def _of(namespace: str, attributes: Mapping[str, str]) -> dict[str, str]:
    head = f"{namespace} "
    return {k.removeprefix(head): v for k, v in attributes.items() if k.startswith(head)}


def _int(said: Mapping[str, str], name: str, otherwise: int = 0) -> int:
    try:
        return int(said.get(name, otherwise))
    except ValueError:
        raise NotUnderstood(f"its {name} is no number") from None


def _tag_end(packet: bytes, at: int) -> int:
    """Where the `>` of the start tag at `at` is: well formed, as the parser has been there."""
    quote = 0
    for n in range(at, len(packet)):
        byte = packet[n]
        if quote:
            quote = 0 if byte == quote else quote
        elif byte in _QUOTES:
            quote = byte
        elif byte == ord(">"):
            return n
    raise NotUnderstood("its XMP is damaged")


def _attributes(told: Told) -> str:
    said = {
        "xmlns:GCamera": _CAMERA,
        "xmlns:Container": _CONTAINER,
        "xmlns:Item": _ITEM,
        "GCamera:MotionPhoto": 1,
        "GCamera:MotionPhotoVersion": 1,
        "GCamera:MotionPhotoPresentationTimestampUs": told.at_us,
    }
    if told.still_mime == "image/jpeg":  # for readers of the older format, which knew JPEGs only
        said |= {
            "GCamera:MicroVideo": 1,
            "GCamera:MicroVideoVersion": 1,
            "GCamera:MicroVideoOffset": told.film_bytes,
            "GCamera:MicroVideoPresentationTimestampUs": told.at_us,
        }
    return "".join(f' {name}="{value}"' for name, value in said.items())


def _directory(told: Told) -> str:
    items = (
        (told.still_mime, "Primary", 0, told.padding),
        (told.film_mime, "MotionPhoto", told.film_bytes, 0),
    )
    listed = "".join(
        f'<rdf:li rdf:parseType="Resource"><Container:Item Item:Mime="{mime}" Item:Semantic="{semantic}"'
        f' Item:Length="{length}" Item:Padding="{padding}"/></rdf:li>'
        for mime, semantic, length, padding in items
    )
    return f"<Container:Directory><rdf:Seq>{listed}</rdf:Seq></Container:Directory>"
