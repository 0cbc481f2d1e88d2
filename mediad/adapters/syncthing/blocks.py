"""Syncthing's hash over the blocks of a file, computed from the file itself."""

import base64
import binascii
import hashlib
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Final

_SMALLEST: Final = 128 << 10
_LARGEST: Final = 16 << 20
_BLOCKS: Final = 2000  # Syncthing takes the smallest block with which there are fewer than these
_READ: Final = 1 << 20


def block_size(size: int) -> int:
    block = _SMALLEST
    while block < _LARGEST and size >= _BLOCKS * block:
        block *= 2
    return block


def makes(path: Path, size: int, wanted: str) -> bool:
    """
    Do the bytes at `path` make this blocksHash (base64)? Reads the file once, a megabyte at a time.

    2.x hashes the blocks' SHA-256; 1.23.3 to 1.30 put each block's Adler-32 behind it. Which one was meant does not
    matter: no other bytes make either.
    """
    plain, weak = hashlib.sha256(), hashlib.sha256()
    block, seen = block_size(size), 0
    with path.open("rb") as source:
        while True:
            strong, adler, length = _block(source.read, block)
            if length or not seen:
                plain.update(strong)
                weak.update(strong)
                weak.update((adler if length else 0).to_bytes(4, "big"))
            seen += length
            if length < block:
                break
    try:
        told = base64.b64decode(wanted, validate=True)
    except binascii.Error:
        return False
    return seen == size and told in {plain.digest(), weak.digest()}


def _block(read: Callable[[int], bytes], block: int) -> tuple[bytes, int, int]:
    """Of the next block: its SHA-256, its Adler-32 and how many bytes it has."""
    strong, adler, length = hashlib.sha256(), 1, 0
    while length < block and (piece := read(min(_READ, block - length))):
        strong.update(piece)
        adler = zlib.adler32(piece, adler)
        length += len(piece)
    return strong.digest(), adler, length
