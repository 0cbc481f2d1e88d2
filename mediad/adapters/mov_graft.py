"""
Graft a newly coded picture track into the MOV or MP4 film that it was coded from.

Everything else of the original stays byte for byte: dates, places, keys, sound, timed metadata (the still moment of a
Live Photo), the decoding times and the chunk layout of the picture track itself. New are sample sizes, offsets, sync
points, composition offsets, the codec's own description, and an edit list moved by the coder's constant delay.
"""

import os
import struct
from collections.abc import Iterator, Sequence
from itertools import accumulate, groupby
from pathlib import Path
from typing import BinaryIO, NamedTuple

from mediad.adapters.bmff import Box, NotUnderstood, boxes, number
from mediad.adapters.mov_check import check
from mediad.adapters.mov_film import (
    CODEC,
    OF_OLD_FRAMES,
    OF_PICTURE,
    TABLES,
    Movie,
    Node,
    Span,
    Track,
    content_of,
    description,
    handler_of,
    movie,
    times,
)

_COMPRESSOR = slice(50, 82)  # its name, within a sample entry
_DIMENSIONS = slice(32, 36)
_MOST_32 = 0xFFFFFFFF
_MOST_SIGNED_32 = 0x7FFFFFFF
_COPY_BYTES = 1 << 20
_EDIT_ROWS = {0: ">IiI", 1: ">QqI"}  # by version


class _Edit(NamedTuple):
    duration: int  # in ticks of the movie
    at: int  # in ticks of the track; negative: nothing is shown
    rate: int


class _Piece(NamedTuple):
    """One chunk of the new mdat: where its bytes come from, and whose offset it becomes."""

    at: int  # of the same moment in the original: sound and picture stay interleaved as they were
    track: int
    chunk: int
    file: BinaryIO
    spans: list[Span]

    @property
    def size(self) -> int:
        return sum(end - start for start, end in self.spans)


def graft(source: Path, encoded: Path, target: Path, *, dolby_vision: bool = False) -> int:
    """
    Write `target` (new, fsynced): `source` with the picture of `encoded`, and its times. Returns the number of frames.

    Raises NotUnderstood, and then there is no target, when either film is not understood whole or when `encoded`
    has not exactly the frames of `source` at exactly their times.
    """
    with source.open("rb") as old_file, encoded.open("rb") as new_file:
        old, new = movie(old_file), movie(new_file)
        check(old, dolby_vision=dolby_vision)
        _edits(old.video)  # understood even where it needs no change
        pieces = _pieces(old, new)
        _put_track(old.video, new.video)
        with target.open("xb") as out:
            try:
                _write(old, pieces, out)
            except BaseException:
                target.unlink()
                raise
    return len(new.video.sizes)


def graftable(source: Path, *, dolby_vision: bool = False) -> None:
    """Raises NotUnderstood when `graft` would refuse this original, before hours are spent on coding it."""
    with source.open("rb") as file:
        film = movie(file)
        check(film, dolby_vision=dolby_vision)
        times(film.video)
        _edits(film.video)


def changed(source: Path, candidate: Path) -> list[str]:
    """What a candidate lost, gained or changed beyond what a graft may: paths of boxes; empty when all was kept."""
    with source.open("rb") as old_file, candidate.open("rb") as new_file:
        before, after = dict(_kept(movie(old_file))), dict(_kept(movie(new_file)))
    paths = before.keys() | after.keys()
    return sorted(path for path in paths if before.get(path) != after.get(path))


def moved(source: Path, candidate: Path) -> bool:
    """Is any frame shown at another time than before, or cut in another way by the edit list?"""
    with source.open("rb") as old_file, candidate.open("rb") as new_file:
        return _presentation(movie(old_file).video) != _presentation(movie(new_file).video)


def _presentation(video: Track) -> tuple[list[int], list[_Edit]]:
    _, shown = times(video)
    first = min(shown)
    edits = [edit._replace(at=edit.at - first) if edit.at >= 0 else edit for edit in _edits(video)]
    return sorted(at - first for at in shown), edits


def _edits(video: Track) -> list[_Edit]:
    edts = video.node.some(b"edts")
    if edts is None:
        return [_Edit(_whole_duration(video), 0, 1 << 16)]
    elst, row = _edit_list(edts.payload)
    content = edts.payload[elst.start : elst.stop]
    edits = [_Edit(*numbers) for numbers in struct.iter_unpack(row, content)]
    if sum(edit.at >= 0 for edit in edits) > 1:  # where players enter depends on the sync points
        raise NotUnderstood("it is cut together of several pieces")
    return edits


def _kept(film: Movie) -> Iterator[tuple[str, bytes]]:
    head, tail = _beside(film)
    for at, box in enumerate(head + tail):
        yield f"{at}.{box.type.decode('latin-1')}", content_of(film.file, box)
    yield from _kept_below(film.moov, "moov", is_video=False)


def _kept_below(node: Node, path: str, *, is_video: bool) -> Iterator[tuple[str, bytes]]:
    yield path, node.payload
    new = {b"stco", b"co64"}
    if is_video:
        new |= {b"edts"} | OF_OLD_FRAMES | (TABLES - {b"stts", b"stsc"})
    for at, child in enumerate(child for child in node.children or () if child.type not in new):
        video = is_video or (child.type == b"trak" and handler_of(child) == b"vide")
        name = child.type.decode("latin-1")
        yield from _kept_below(child, f"{path}/{at}.{name}", is_video=video)


def _beside(film: Movie) -> tuple[list[Box], list[Box]]:
    """The boxes beside moov and mdat: those at the front, and the others, which stay at the end."""
    inner = [at for at, box in enumerate(film.top) if box.type in (b"moov", b"mdat")]
    others = [box for box in film.top[inner[0] :] if box.type not in (b"moov", b"mdat")]
    return film.top[: inner[0]], others


# The new picture track


def _put_track(old: Track, new: Track) -> None:
    """Make the tables of `old` describe the frames of `new`; the time of each frame stays what it was."""
    late, shift = _lateness(old, new)
    composition = [Node(b"ctts", _composition(late))] if any(late) else []
    sync = [node for node in new.stbl.children or () if node.type == b"stss"]
    sizes = struct.pack(f">III{len(new.sizes)}I", 0, 0, len(new.sizes), *new.sizes)
    tables: list[Node] = []
    for node in old.stbl.children or ():
        match node.type:
            case b"stsd":
                tables.append(Node(b"stsd", _description(old, new)))
            case b"stts":
                tables += [node, *composition, *sync]
            case b"stsz":
                tables.append(Node(b"stsz", sizes))
            case b"stsc" | b"stco" | b"co64":
                tables.append(node)
            case _:  # these describe the old frames only: `check` let nothing else through
                pass
    old.stbl.children = tables
    if shift:
        _put_edits(old, shift)


def _lateness(old: Track, new: Track) -> tuple[list[int], int]:
    """How much later than decoded each new frame is shown, and by how much all of them are now shown later."""
    if len(old.sizes) != len(new.sizes):
        raise NotUnderstood(f"{len(old.sizes)} frames became {len(new.sizes)}")
    if old.timescale != new.timescale:
        raise NotUnderstood(f"the timescale {old.timescale} became {new.timescale}")
    decoded, shown = times(old)
    _, coded = times(new)
    in_turn = sorted(range(len(coded)), key=coded.__getitem__)
    wanted = sorted(shown)
    if len({coded[frame] - at for frame, at in zip(in_turn, wanted, strict=True)}) != 1:
        raise NotUnderstood("frames moved in time")
    late = [0] * len(coded)
    for frame, at in zip(in_turn, wanted, strict=True):
        late[frame] = at - decoded[frame]
    shift = max(0, -min(late))  # no frame is shown before it is decoded
    return [by + shift for by in late], shift


def _composition(late: Sequence[int]) -> bytes:
    if max(late) > _MOST_SIGNED_32:
        raise NotUnderstood("a frame is shown too late for the table")
    runs = [(len(list(same)), by) for by, same in groupby(late)]
    return struct.pack(">II", 0, len(runs)) + b"".join(struct.pack(">II", *run) for run in runs)


def _description(old: Track, new: Track) -> bytes:
    """The original's words about the picture (size, colour, aspect, aperture, HDR), the coder's about its code."""
    (_, head, parts), (kind, new_head, new_parts) = description(old), description(new)
    if head[_DIMENSIONS] != new_head[_DIMENSIONS]:
        raise NotUnderstood("the picture changed its size")
    config = [content for part, content in new_parts if part in CODEC]
    if len(config) != 1:
        raise NotUnderstood("the coder does not describe its code")
    renamed = bytearray(head)
    renamed[4:8] = kind
    renamed[_COMPRESSOR] = new_head[_COMPRESSOR]
    entry = renamed + config[0] + b"".join(content for part, content in parts if part in OF_PICTURE)
    entry[:4] = struct.pack(">I", len(entry))
    return struct.pack(">II", 0, 1) + bytes(entry)


def _put_edits(video: Track, shift: int) -> None:
    """The presentation begins where it began: edits point into media that are now `shift` later."""
    edts = video.node.some(b"edts")
    if edts is not None:
        edts.payload = _shifted(edts.payload, shift)
        return
    entry = struct.pack(">IIQqI", 1 << 24, 1, _whole_duration(video), shift, 1 << 16)
    children = video.node.children or []
    after = [node.type for node in children].index(b"tkhd") + 1
    elst = struct.pack(">I4s", len(entry) + 8, b"elst") + entry
    children.insert(after, Node(b"edts", elst))


def _whole_duration(video: Track) -> int:
    tkhd = video.node.only(b"tkhd").payload
    return number(tkhd, 28, 8) if tkhd[:1] == b"\1" else number(tkhd, 20, 4)


def _edit_list(edts: bytes) -> tuple[range, str]:
    """Where the rows of the one edit list are, and how they are packed."""
    found = [box for box in boxes(edts, 0, len(edts)) if box.type == b"elst"]
    if len(found) != 1:
        raise NotUnderstood("not exactly one edit list")
    at = found[0].body
    version = number(edts, at, 1)
    if version not in _EDIT_ROWS:
        raise NotUnderstood(f"an edit list of version {version}")
    row = _EDIT_ROWS[version]
    rows = range(
        at + 8, at + 8 + number(edts, at + 4, 4) * struct.calcsize(row), struct.calcsize(row)
    )
    if not rows or rows.stop > found[0].end:
        raise NotUnderstood("an edit list that is cut off")
    return rows, row


def _shifted(edts: bytes, shift: int) -> bytes:
    rows, row = _edit_list(edts)
    later = bytearray(edts)
    for start in rows:
        edit = _Edit(*struct.unpack_from(row, edts, start))
        if edit.at < 0:  # an empty edit: nothing is shown
            continue
        try:
            struct.pack_into(row, later, start, *edit._replace(at=edit.at + shift))
        except struct.error as error:
            raise NotUnderstood("an edit list that ends beyond its numbers") from error
    return bytes(later)


# The new file


def _pieces(old: Movie, new: Movie) -> list[_Piece]:
    pieces = [
        _Piece(span.start, turn, chunk, old.file, [span])
        for turn, track in enumerate(old.tracks)
        if track is not old.video
        for chunk, span in enumerate(track.chunks)
    ]
    frames = list(_frames(new.video))
    turn = old.tracks.index(old.video)
    bounds = accumulate(old.video.per_chunk, initial=0)
    for chunk, (first, per) in enumerate(zip(bounds, old.video.per_chunk, strict=False)):
        at = old.video.chunks[chunk].start
        spans = _joined(frames[first : first + per])
        pieces.append(_Piece(at, turn, chunk, new.file, spans))
    return sorted(pieces, key=lambda piece: piece.at)


def _frames(video: Track) -> Iterator[Span]:
    sizes = iter(video.sizes)
    for chunk, per in zip(video.chunks, video.per_chunk, strict=True):
        at = chunk.start
        for _ in range(per):
            size = next(sizes)
            yield Span(at, at + size)
            at += size


def _joined(spans: list[Span]) -> list[Span]:
    joined: list[Span] = []
    for span in spans:
        if joined and joined[-1].end == span.start:
            joined[-1] = Span(joined[-1].start, span.end)
        else:
            joined.append(span)
    return joined


def _write(old: Movie, pieces: list[_Piece], out: BinaryIO) -> None:
    """What was in front, moov (so that a player can start at once), mdat, and what was behind."""
    head, tail = _beside(old)
    media = sum(piece.size for piece in pieces)
    others = sum(box.end - box.start for box in head + tail)
    is_large = media + others + 2 * len(old.moov.whole()) > _MOST_32
    mdat = struct.pack(">I4s", media + 8, b"mdat")
    if is_large:
        mdat = struct.pack(">I4sQ", 1, b"mdat", media + 16)

    _put_offsets(old, pieces, 0, is_large=is_large)  # for the size of moov alone
    front = sum(box.end - box.start for box in head) + len(old.moov.whole()) + len(mdat)
    _put_offsets(old, pieces, front, is_large=is_large)

    for box in head:
        _copy(old.file, Span(box.start, box.end), out)
    out.write(old.moov.whole() + mdat)
    for piece in pieces:
        for span in piece.spans:
            _copy(piece.file, span, out)
    for box in tail:
        _copy(old.file, Span(box.start, box.end), out)
    out.flush()
    taken = os.fstat(old.file.fileno())
    os.utime(out.fileno(), ns=(taken.st_mtime_ns, taken.st_mtime_ns))
    os.fsync(out.fileno())


def _put_offsets(old: Movie, pieces: list[_Piece], start: int, *, is_large: bool) -> None:
    offsets = [[0] * len(track.chunks) for track in old.tracks]
    for piece in pieces:
        offsets[piece.track][piece.chunk] = start
        start += piece.size
    for track, places in zip(old.tracks, offsets, strict=True):
        for node in track.stbl.children or ():
            if node.type in (b"stco", b"co64"):
                node.type, width = (b"co64", "Q") if is_large else (b"stco", "I")
                node.payload = struct.pack(f">II{len(places)}{width}", 0, len(places), *places)


def _copy(file: BinaryIO, span: Span, out: BinaryIO) -> None:
    at, end = span
    while at < end:
        part = os.pread(file.fileno(), min(end - at, _COPY_BYTES), at)
        if not part:
            raise NotUnderstood("a film that became shorter while it was read")
        out.write(part)
        at += len(part)
