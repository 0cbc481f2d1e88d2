"""Whether a film may be taken apart and put together again: what is not understood whole is refused by name."""

from itertools import pairwise

from mediad.adapters.bmff import FileView, NotUnderstood, boxes, number
from mediad.adapters.mov_film import (
    CODEC,
    FRAGMENTS,
    OF_OLD_FRAMES,
    OF_PICTURE,
    TABLES,
    Fragmented,
    Movie,
    Span,
    Track,
    content_of,
    description,
)

MAX_PADDING_BYTES = 4096  # of mdat that no track speaks for; a dash cam hides its GPS log there
_SIGNED = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")  # the `uuid` of C2PA
_IN_MOOV = frozenset({b"mvhd", b"trak", b"udta", b"meta", b"iods", b"free", b"skip", b"wide"})
_IN_MOOV |= {b"uuid", b"clip", b"ctab", b"prfl"}
_KINDS = frozenset({b"avc1", b"avc3", b"hvc1", b"hev1", b"av01"})
_OF_DOLBY = frozenset({b"dvcC", b"dvvC", b"dvwC"})
_STAND_ALONE = (1, 2, 4)  # below Dolby Vision: HDR10, SDR, HLG
_OF_EYES = frozenset({b"vexu", b"hfov", b"lhvC"})
_SECRET = (b"enc", b"drm")  # how the kinds of encrypted samples begin
_OF_SECRETS = (b"saio", b"saiz", b"senc")


class Encrypted(NotUnderstood):
    """Nobody but its player may look."""


class Spatial(NotUnderstood):
    """Pictures in several layers: a second eye, or an alpha plane."""


class DolbyVision(NotUnderstood):
    """A layer of Dolby Vision over a picture that can be shown without it."""


def check(movie: Movie, *, dolby_vision: bool = False) -> None:
    """`dolby_vision`: its layer may be lost where the picture below it stands for itself."""
    for node in movie.moov.children or ():
        if node.type in FRAGMENTS:
            raise Fragmented("the film is in fragments")
        if node.type not in _IN_MOOV:
            raise NotUnderstood(f"a {node.type!r} box in moov")
    for track in movie.tracks:
        _check_track(track)
    _check_picture(movie.video, dolby_vision=dolby_vision)
    _check_offsets_elsewhere(movie)
    _check_signature(movie)
    _check_claims(movie)


def _check_track(track: Track) -> None:
    references = track.node.only(b"mdia", b"minf", b"dinf").payload
    for dref in boxes(references, 0, len(references)):
        for box in boxes(references, min(dref.body + 8, dref.end), dref.end):
            if not number(references, box.body, 4) & 1:
                raise NotUnderstood("a track that lies in another file")
    described = track.stbl.only(b"stsd").payload
    if described[12:15] in _SECRET or any(track.stbl.some(kind) for kind in _OF_SECRETS):
        raise Encrypted("an encrypted track")


def _check_picture(video: Track, *, dolby_vision: bool) -> None:
    for node in video.stbl.children or ():
        if node.type not in TABLES | OF_OLD_FRAMES:
            raise NotUnderstood(f"a {node.type!r} box among the picture's tables")
    kind, _, parts = description(video)
    if kind not in _KINDS:
        raise NotUnderstood(f"pictures of the kind {kind!r}")
    for part, content in parts:
        _check_part(part, content)
    dolby = [content for part, content in parts if part in _OF_DOLBY]
    if any(number(content, 12, 1) >> 4 not in _STAND_ALONE for content in dolby):
        raise NotUnderstood("a picture that is nothing without its Dolby Vision")
    if dolby and not dolby_vision:
        raise DolbyVision("a layer of Dolby Vision")


def _check_part(part: bytes, content: bytes) -> None:
    if part in _OF_EYES or (part == b"hvcC" and _has_layers(content)):
        raise Spatial("pictures in several layers")
    if part not in OF_PICTURE | CODEC | _OF_DOLBY | {b"btrt", b"free"}:
        raise NotUnderstood(f"a {part!r} box that describes the picture")


def _has_layers(box: bytes) -> bool:
    """Alpha or a second eye: coded beside the base picture, under another layer id."""
    at = 8 + 23
    for _ in range(number(box, 8 + 22, 1)):
        units, at = number(box, at + 1, 2), at + 3
        for _ in range(units):
            size = number(box, at, 2)
            if number(box, at + 2, 2) >> 3 & 0x3F:
                return True
            at += 2 + size
    return False


def _check_offsets_elsewhere(movie: Movie) -> None:
    """Item locations count from the start of the file and would point astray."""
    kept = [content_of(movie.file, box) for box in movie.top if box.type == b"meta"]
    kept += [node.payload for node in movie.moov.children or ()]
    kept += [node.payload for track in movie.tracks for node in track.node.children or ()]
    if any(b"iloc" in content for content in kept):
        raise NotUnderstood("items with places of their own")


def _check_signature(movie: Movie) -> None:
    """A signature is of these very bytes: a rendition would look forged."""
    view = FileView(movie.file.fileno())
    if any(b.type == b"uuid" and view[b.body : b.body + 16] == _SIGNED for b in movie.top):
        raise NotUnderstood("it is signed")


def _check_claims(movie: Movie) -> None:
    """Each chunk lies in one mdat, none in another, and no track is silent about much of it."""
    claimed = sorted(span for track in movie.tracks for span in track.chunks)
    if any(before.end > after.start for before, after in pairwise(claimed)):
        raise NotUnderstood("chunks that share bytes")
    room = [Span(box.body, box.end) for box in movie.top if box.type == b"mdat"]
    at = 0
    for span in claimed:
        while at < len(room) and span.start >= room[at].end:
            at += 1
        if at == len(room) or span.start < room[at].start or span.end > room[at].end:
            raise NotUnderstood("a chunk outside of mdat")
    _check_gaps(movie, room, claimed)


def _check_gaps(movie: Movie, room: list[Span], claimed: list[Span]) -> None:
    """What no track speaks for is thrown away: only ever zero bytes."""
    unclaimed = sum(b - a for a, b in room) - sum(b - a for a, b in claimed)
    if unclaimed > MAX_PADDING_BYTES:
        raise NotUnderstood(f"{unclaimed} bytes of media that belong to no track")
    view = FileView(movie.file.fileno())
    edges = sorted(
        [*claimed, *(Span(start, start) for start, _ in room), *(Span(end, end) for _, end in room)]
    )
    inside = (Span(before.end, after.start) for before, after in pairwise(edges))
    gaps = (
        (gap for gap in inside if any(s <= gap.start < gap.end <= e for s, e in room))
        if unclaimed
        else ()
    )
    if any(any(view[start:end]) for start, end in gaps):
        raise NotUnderstood("words in its media that belong to no track")
