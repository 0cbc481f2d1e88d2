"""
The rate factor with which a HEIC just looks as good as was asked for, and whether its rendition does.

Measured on parts of tiles, as the decoder gives them: a HEIC's picture may be turned and cut when it is shown, its
tiles are not.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Final, NamedTuple

from PIL import Image

from mediad.adapters.heic_coder import STRICT, coding, damaged, decoding, is_full, last, ran, raw
from mediad.adapters.photo_target import Aim, Aimed, Box, Cell, Search, cells, chosen
from mediad.adapters.workers import Limits
from mediad.errors import Refused

_FINEST: Final = 14  # of the rate factors that are searched
_COARSEST: Final = 28
_POINTS: Final = 3.0  # what one of them is worth about: 1 to 4, by the picture
_SCALE: Final = [(n - 16) * 255 / 219 for n in range(256)]
_COLOUR_SCALE: Final = [(n - 128) * 255 / 224 + 128 for n in range(256)]


class Unusable(Exception):
    """Tiles, as ffmpeg says."""


class Tiles:
    """Coded tiles of one picture, decoded."""

    def __init__(
        self, stream: Path, count: int, colours: Mapping[str, str], limits: Limits
    ) -> None:
        """
        `colours` as heic_coder.said has them. Raises Unusable when not all of the tiles can be decoded.

        Their pixels lie beside `stream`, in a file without a name: it takes no more room than it is of use.
        """
        self.colours = colours
        self._count = count
        self._limits = limits
        self._size = int(colours["width"]), int(colours["height"])
        self._each = self._size[0] * self._size[1] * 3 // 2
        whole = replace(limits, file_bytes=count * self._each)
        pixels = stream.with_suffix(".decoded")
        pixels.touch()
        done = ran([*STRICT, str(stream), *decoding(), str(pixels)], whole, stream.parent)
        words = done.stderr.strip()
        if done.returncode or words or pixels.stat().st_size != whole.file_bytes:
            raise Unusable(words)
        with pixels.open("rb") as file:
            self._pixels = mmap(file.fileno(), 0, access=ACCESS_READ)
        pixels.unlink()

    @classmethod
    def of_source(
        cls, stream: Path, count: int, colours: Mapping[str, str], limits: Limits
    ) -> "Tiles":
        """Raises Refused where the constructor raises Unusable."""
        try:
            return cls(stream, count, colours, limits)
        except Unusable as why:
            raise damaged(str(why)) from None

    def coded_again(self, stream: Path) -> "Tiles":
        """The same tiles as a coder made them. Raises Refused when they are not as many, as large and as sound."""
        try:
            return Tiles(stream, self._count, self.colours, self._limits)
        except Unusable as why:
            raise Refused(
                f"not all of its tiles came out of the coder ({last(str(why))}); the photo stays as it is",
                code="compress.unreadable",
            ) from None

    def measured(self) -> list[Cell]:
        """Where these tiles are measured; nowhere when they are too small."""
        return chosen(
            cell
            for tile in range(self._count)
            for cell in cells(self._size, self._tile(tile).light.reduce(2), tile)
        )

    def parts(self, where: Sequence[Cell]) -> "list[_Planes]":
        return [self._tile(cell.tile).part(cell.box) for cell in where]

    def pictures(self, where: Sequence[Cell]) -> list[Image.Image]:
        return [part.picture(full=is_full(self.colours)) for part in self.parts(where)]

    def _tile(self, number: int) -> "_Planes":
        start = number * self._each
        return _Planes.of(self._pixels[start : start + self._each], self._size)


class _Planes(NamedTuple):
    """A tile, or a part of one: its light, and its two colours half as wide and high."""

    light: Image.Image
    blue: Image.Image
    red: Image.Image

    @classmethod
    def of(cls, pixels: bytes, size: tuple[int, int]) -> "_Planes":
        half = size[0] // 2, size[1] // 2
        light, colour = size[0] * size[1], half[0] * half[1]
        return cls(
            Image.frombytes("L", size, pixels[:light]),
            Image.frombytes("L", half, pixels[light : light + colour]),
            Image.frombytes("L", half, pixels[light + colour :]),
        )

    def part(self, box: Box) -> "_Planes":
        left, top, right, bottom = (edge // 2 for edge in box)
        half = left, top, right, bottom
        return _Planes(self.light.crop(box), self.blue.crop(half), self.red.crop(half))

    def pixels(self) -> bytes:
        return b"".join(plane.tobytes() for plane in self)

    def picture(self, *, full: bool) -> Image.Image:
        """In red, green and blue. `full`: its black is 0, else 16."""
        light, *colours = self
        if not full:
            light = light.point(_SCALE)
            colours = [plane.point(_COLOUR_SCALE) for plane in colours]
        whole = [light, *(plane.resize(light.size) for plane in colours)]
        return Image.merge("YCbCr", whole).convert("RGB")


class Fit:
    """One photo's search, first on parts and then on the whole: how finely a tile is coded depends on those before."""

    def __init__(self, tiles: Tiles, aim: Aim, folder: Path, limits: Limits) -> None:
        """Works in `folder`."""
        self.figures: dict[str, object] = {}
        self._tiles = tiles
        self._aim = aim
        self._folder = folder
        self._limits = limits
        self._where = tiles.measured()
        self._search = Search(tiles.pictures(self._where), aim)

    def searched(self, code: Callable[[int], Path], usual: int) -> tuple[int, Path]:
        """
        A rate factor and the tiles coded with it: about the coarsest that is enough, as far as there is time.

        `code` codes all tiles; `usual` is where nothing can be measured. Raises Refused when no rate factor will do.
        """
        crf = self._on_parts(usual)
        coded = code(crf)
        best: tuple[int, Path] | None = None
        tried = set[int]()
        while self._where:
            tried.add(crf)
            above = self._score(coded) - self._aim.target
            if above >= 0:
                best = crf, coded.rename(coded.with_name("enough.hevc"))
            further = min(max(crf + int(above // _POINTS), _FINEST), _COARSEST)
            is_known = further in tried or (best is not None and further <= best[0])
            if is_known or self._search.is_late:
                break
            crf, coded = further, code(further)
        self.figures["coded_whole"] = max(1, len(tried))
        return best or (crf, coded)

    def _on_parts(self, usual: int) -> int:
        if not self._where:
            self.figures["search"] = "its tiles are too small to be measured"
            return usual
        parts = self._tiles.parts(self._where)
        pixels = self._folder / "parts.yuv"
        pixels.write_bytes(b"".join(part.pixels() for part in parts))
        size = parts[0].light.size
        coded = cache(lambda crf: self._coded(pixels, size, crf))
        try:
            found, figures = self._search.run(lambda n, crf: coded(crf)[n], _FINEST, _COARSEST)
        except Unusable:  # for whatever reason: it is told when the whole is coded
            found, figures = None, {"search": "a part could not be coded"}
        self.figures.update(figures)
        return usual if found is None else found

    def _score(self, coded: Path) -> float:
        return aimed(self._tiles, self._tiles.coded_again(coded), self._aim).lowest()

    def _coded(self, pixels: Path, size: tuple[int, int], crf: int) -> list[Image.Image]:
        colours = self._tiles.colours
        made = pixels.with_name("parts.hevc")
        command = [*raw(size, colours), str(pixels), *coding(crf, colours), str(made)]
        if ran(command, self._limits, self._folder).returncode:
            raise Unusable
        shape = {**colours, "width": str(size[0]), "height": str(size[1])}
        again = Tiles(made, len(self._where), shape, self._limits)
        return again.pictures([Cell(0, n, (0, 0, *size)) for n in range(len(self._where))])


def aimed(old: Tiles, new: Tiles, aim: Aim) -> Aimed:
    """What a rendition with the tiles `new` has to reach."""
    where = old.measured()
    return Aimed(aim.target, list(zip(old.pictures(where), new.pictures(where), strict=True)))
