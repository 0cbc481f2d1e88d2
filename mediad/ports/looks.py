"""What a picture looks like, in a few bytes. Its real side is adapters/looker.py."""

from dataclasses import dataclass
from typing import Protocol

from mediad.model import Media, Place


@dataclass(frozen=True, slots=True)
class Impression:
    """
    For finding pictures that look the same, and for nothing else: nothing is ever removed or joined by it.

    Upright, of any size. Two numbers of the coarse structure of its light (which waves are stronger than their
    median), and a few means of its colours.
    """

    low: int  # 64 bits: the longest waves, by which neighbours are found
    bits: int  # 256 bits
    tint: bytes  # 32 means of Cb and Cr
    is_flat: bool  # a wall, the night, a blank page: there is nothing to know it by


class Looker(Protocol):
    async def look(self, place: Place, media: Media) -> Impression:
        """
        Decode a photo at a small size, in a process with limits.

        Refused(compress.*): this picture cannot be looked at, now or later. Anything else: not just now.
        """
        ...

    async def rest(self) -> None:
        """Nothing is to be looked at for a while: give back what is kept for the next one."""
        ...
