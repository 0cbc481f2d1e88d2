"""
A MOV or MP4 film, read into what can be known of it for certain: boxes, tracks, chunks, frame times.

Counts are believed only when the bytes are there, nothing is allocated on a file's word alone, and what is not
understood whole is NotUnderstood. mov_check says whether a film may be taken apart and put together again.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate, chain, pairwise, repeat
from typing import BinaryIO, NamedTuple

from mediad.adapters.bmff import Box, FileView, NotUnderstood, boxes, number, read

MAX_MOOV_BYTES = 32 << 20  # an hour at 60 frames a second takes about 4
MAX_TRACKS = 64
MAX_SAMPLES = 2_000_000  # of one track: nine hours at 60 frames a second
MAX_CHUNKS = 1_000_000  # of all tracks together

_HOLDS = {b"moov": b"trak", b"trak": b"mdia", b"mdia": b"minf", b"minf": b"stbl"}
_TOP = frozenset({b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"uuid", b"meta", b"udta"})
_TOP |= {b"sefd", b"pdin"}
FRAGMENTS = frozenset({b"moof", b"sidx", b"ssix", b"styp", b"mfra", b"mvex"})
OF_OLD_FRAMES = frozenset({b"cslg", b"sdtp", b"stps", b"sgpd", b"sbgp", b"csgp"})
TABLES = frozenset({b"stsd", b"stts", b"ctts", b"stss", b"stsc", b"stsz", b"stco", b"co64"})
CODEC = frozenset({b"avcC", b"hvcC", b"av1C"})
OF_PICTURE = frozenset({b"colr", b"pasp", b"clap", b"fiel", b"gama", b"mdcv", b"clli", b"SmDm"})
OF_PICTURE |= {b"CoLL", b"amve", b"cclv", b"chrm", b"st3d", b"sv3d"}
_PCM = frozenset({b"sowt", b"twos", b"raw ", b"NONE", b"lpcm", b"in24", b"in32", b"fl32", b"fl64"})


_ENTRY_HEAD = 86  # a video sample entry before its boxes


class Fragmented(NotUnderstood):
    """A film in fragments, as streaming services make them."""


class SeveralDescriptions(NotUnderstood):
    """A track that changes its coding on the way."""


@dataclass(slots=True, eq=False)
class Node:
    """A box of `moov`, taken apart only as far as the sample tables."""

    type: bytes
    payload: bytes  # what is not boxes: all of a leaf, the zero bytes at the end of a container
    children: list["Node"] | None = None

    def whole(self) -> bytes:
        body = b"".join(node.whole() for node in self.children or ()) + self.payload
        return struct.pack(">I4s", len(body) + 8, self.type) + body

    def some(self, kind: bytes) -> "Node | None":
        found = [node for node in self.children or () if node.type == kind]
        if len(found) > 1:
            raise NotUnderstood(f"{len(found)} {kind!r} boxes in one {self.type!r}")
        return found[0] if found else None

    def only(self, *path: bytes) -> "Node":
        node = self
        for kind in path:
            below = node.some(kind)
            if below is None:
                raise NotUnderstood(f"no {kind!r} box in {node.type!r}")
            node = below
        return node


class Span(NamedTuple):
    start: int
    end: int


@dataclass(slots=True, eq=False)
class Track:
    node: Node
    handler: bytes
    timescale: int
    stbl: Node
    chunks: list[Span]
    per_chunk: list[int]
    sizes: Sequence[int] = ()  # of the video track's frames


@dataclass(slots=True)
class Movie:
    file: BinaryIO
    top: list[Box]
    moov: Node
    tracks: list[Track]
    video: Track = field(init=False)

    def __post_init__(self) -> None:
        videos = [track for track in self.tracks if track.handler == b"vide"]
        if len(videos) != 1:
            raise NotUnderstood(f"{len(videos)} video tracks")
        self.video = videos[0]
        self.video.sizes = _frame_sizes(self.video.stbl)


# Reading


def movie(file: BinaryIO) -> Movie:
    view = FileView(file.fileno())
    top = list(boxes(view, 0, len(view)))
    if any(box.type in FRAGMENTS for box in top):
        raise Fragmented("the film is in fragments")
    for box in top:
        if box.type not in _TOP:
            raise NotUnderstood(f"a {box.type!r} box beside the film")
    moovs = [box for box in top if box.type == b"moov"]
    if len(moovs) != 1 or moovs[0].end - moovs[0].start > MAX_MOOV_BYTES:
        raise NotUnderstood(f"{len(moovs)} moov boxes, or one of more than {MAX_MOOV_BYTES} bytes")
    content = read(view, moovs[0].body, moovs[0].end - moovs[0].body)
    moov = _node(content, Box(b"moov", -8, 0, len(content)))
    return Movie(file, top, moov, _tracks(moov))


def _tracks(moov: Node) -> list[Track]:
    tracks: list[Track] = []
    for node in moov.children or ():
        if node.type == b"trak":
            tracks.append(_track(node))
            if len(tracks) > MAX_TRACKS or sum(len(track.chunks) for track in tracks) > MAX_CHUNKS:
                raise NotUnderstood("too many tracks or chunks")
    return tracks


def _node(content: bytes, box: Box) -> Node:
    if box.body - box.start != 8:  # noqa: PLR2004 - the plain header; nothing in moov needs another
        raise NotUnderstood(f"a {box.type!r} box with a long header")
    if box.type not in (*_HOLDS, b"stbl"):
        return Node(box.type, content[box.body : box.end])
    held = list(boxes(content, box.body, box.end))
    end = held[-1].end if held else box.body
    inner = _HOLDS.get(box.type)
    children = [
        _node(content, child)
        if child.type == inner
        else Node(child.type, content[child.body : child.end])
        for child in held
    ]
    return Node(box.type, content[end : box.end], children)


def content_of(file: BinaryIO, box: Box) -> bytes:
    """A whole top-level box that is not media."""
    if box.end - box.start > MAX_MOOV_BYTES:
        raise NotUnderstood(f"a {box.type!r} box of {box.end - box.start} bytes")
    return read(FileView(file.fileno()), box.start, box.end - box.start)


def handler_of(trak: Node) -> bytes:
    return read(trak.only(b"mdia", b"hdlr").payload, 8, 4)


def _track(trak: Node) -> Track:
    handler = handler_of(trak)
    mdhd = trak.only(b"mdia", b"mdhd").payload
    timescale = number(mdhd, 20 if mdhd[:1] == b"\1" else 12, 4)
    if not timescale:
        raise NotUnderstood("a track without a timescale")
    stbl = trak.only(b"mdia", b"minf", b"stbl")
    offsets = _offsets(stbl)
    per_chunk = _per_chunk(stbl, len(offsets))
    lengths = _lengths(stbl, handler, per_chunk)
    chunks = [Span(at, at + length) for at, length in zip(offsets, lengths, strict=True)]
    return Track(trak, handler, timescale, stbl, chunks, per_chunk)


def _rows(node: Node, row: str, most: int = MAX_SAMPLES) -> list[tuple[int, ...]]:
    """The rows of a table box; the count is believed only when the bytes are there."""
    count, size = number(node.payload, 4, 4), struct.calcsize(row)
    if count > most:
        raise NotUnderstood(f"{count} rows in {node.type!r}")
    return list(struct.iter_unpack(row, read(node.payload, 8, count * size)))


def _offsets(stbl: Node) -> list[int]:
    short, long = stbl.some(b"stco"), stbl.some(b"co64")
    if short is not None and long is None:
        return [at for (at,) in _rows(short, ">I", MAX_CHUNKS)]
    if long is not None and short is None:
        return [at for (at,) in _rows(long, ">Q", MAX_CHUNKS)]
    raise NotUnderstood("a track without exactly one table of chunk offsets")


def _per_chunk(stbl: Node, chunks: int) -> list[int]:
    rows = _rows(stbl.only(b"stsc"), ">III")
    firsts = [first for first, _, _ in rows] + [chunks + 1]
    if (chunks and firsts[0] != 1) or any(a >= b for a, b in pairwise(firsts)):
        raise NotUnderstood("the map of samples to chunks does not add up")
    if any(description != 1 or not per for _, per, description in rows):
        raise SeveralDescriptions("a track with several sample descriptions")
    runs = (repeat(rows[i][1], after - first) for i, (first, after) in enumerate(pairwise(firsts)))
    return list(chain.from_iterable(runs)) if chunks else []


def _lengths(stbl: Node, handler: bytes, per_chunk: list[int]) -> list[int]:
    """Bytes of each chunk."""
    stsz = stbl.only(b"stsz")
    fixed, count = number(stsz.payload, 4, 4), number(stsz.payload, 8, 4)
    if sum(per_chunk) != count:
        raise NotUnderstood(f"{sum(per_chunk)} samples in chunks, {count} in the table of sizes")
    if fixed:
        samples, size = (1, fixed)
        if fixed == 1 and handler == b"soun":
            samples, size = _sound_frame(stbl)
        if any(per % samples for per in per_chunk):
            raise NotUnderstood("a chunk that ends within a packet of sound")
        return [per // samples * size for per in per_chunk]
    ends = [0, *accumulate(_listed_sizes(stsz.payload, count))]
    bounds = [0, *accumulate(per_chunk)]
    return [ends[after] - ends[first] for first, after in pairwise(bounds)]


def _listed_sizes(payload: bytes, count: int) -> tuple[int, ...]:
    if count > MAX_CHUNKS:
        raise NotUnderstood(f"{count} samples")
    return struct.unpack(f">{count}I", read(payload, 12, 4 * count))


def _sound_frame(stbl: Node) -> tuple[int, int]:
    """QuickTime writes 1 for the sample size of plain sound; then samples a packet and bytes a packet are here."""
    stsd = stbl.only(b"stsd").payload
    version = number(stsd, 24, 2)
    if version == 0 and read(stsd, 12, 4) in _PCM:
        bits = number(stsd, 32, 2) * number(stsd, 34, 2)
        samples, size = 1, bits // 8
    elif version == 1:
        samples, size = number(stsd, 44, 4), number(stsd, 52, 4)
    elif version == 2:  # noqa: PLR2004 - QuickTime's third sound description
        samples, size = number(stsd, 76, 4), number(stsd, 72, 4)
    else:
        samples, size = 0, 0
    if not samples or not size:
        raise NotUnderstood("a sound track whose sample size is not told")
    return samples, size


def _frame_sizes(stbl: Node) -> tuple[int, ...]:
    payload = stbl.only(b"stsz").payload
    fixed, count = number(payload, 4, 4), number(payload, 8, 4)
    if not 0 < count <= MAX_SAMPLES:
        raise NotUnderstood(f"{count} frames")
    return (fixed,) * count if fixed else _listed_sizes(payload, count)


def _spread(rows: Sequence[tuple[int, ...]], frames: int) -> list[int]:
    """(count, value) rows as one value a frame."""
    if sum(count for count, _ in rows) != frames:
        raise NotUnderstood("a table of times does not cover the frames")
    return list(chain.from_iterable(repeat(value, count) for count, value in rows))


def times(video: Track) -> tuple[list[int], list[int]]:
    """Decoding and presentation time of each frame, in decoding order."""
    frames = len(video.sizes)
    steps = _spread(_rows(video.stbl.only(b"stts"), ">Ii"), frames)
    if min(steps) < 0:
        raise NotUnderstood("decoding times run backwards")
    decoded = [0, *accumulate(steps)][:frames]
    ctts = video.stbl.some(b"ctts")
    if ctts is None:
        return decoded, decoded
    late = _spread(_rows(ctts, ">Ii"), frames)
    return decoded, [at + by for at, by in zip(decoded, late, strict=True)]


def shown(video: Track) -> tuple[list[int], list[int]]:
    """When each frame is shown, in turn, and which of them, counted in turn, a decoder can start at."""
    _, at = times(video)
    ticks = sorted(at)
    stss = video.stbl.some(b"stss")
    points = range(1, len(at) + 1) if stss is None else [row for (row,) in _rows(stss, ">I")]
    if any(not 0 < point <= len(at) for point in points):
        raise NotUnderstood("a sync point that is no frame")
    turn = {tick: n for n, tick in enumerate(ticks)}
    return ticks, sorted({turn[at[point - 1]] for point in points}) or [0]


def description(video: Track) -> tuple[bytes, bytes, list[tuple[bytes, bytes]]]:
    """The one sample entry of a video track: its kind, its fixed head, and its boxes with their types."""
    stsd = video.stbl.only(b"stsd").payload
    size, kind = number(stsd, 8, 4), read(stsd, 12, 4)
    if number(stsd, 4, 4) != 1:
        raise SeveralDescriptions("not exactly one description of the picture")
    if size < _ENTRY_HEAD or number(stsd, 24, 2):
        raise NotUnderstood("a description of the picture that is not the usual")
    entry = read(stsd, 8, size)
    parts = [(box.type, entry[box.start : box.end]) for box in boxes(entry, _ENTRY_HEAD, size)]
    return kind, entry[:_ENTRY_HEAD], parts
