"""
The rate factor with which a HEIC just looks as good as was asked for, and whether its rendition does.

Measured on parts of tiles, as the decoder gives them: a HEIC's picture may be turned and cut when it is shown, its
tiles are not.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

from PIL import Image

from mediad.adapters.heic_coder import STRICT, coding, damaged, decoding, is_full, raw
from mediad.adapters.photo_target import Aim, Aimed, Box, Cell, Search, cells, chosen
from mediad.adapters.video_probe import run
from mediad.adapters.workers import Limits

_FINEST: Final = 14  # of the rate factors that are searched
_COARSEST: Final = 28
_POINTS: Final = 3.0  # what one of them is worth about: 1 to 4, by the picture
_SCALE: Final = [(n - 16) * 255 / 219 for n in range(256)]
_COLOUR_SCALE: Final = [(n - 128) * 255 / 224 + 128 for n in range(256)]


class Tiles:
    """Coded tiles of one picture, decoded to a file of their pixels beside them."""

    def __init__(
        self, stream: Path, count: int, colours: Mapping[str, str], limits: Limits
    ) -> None:
        """`colours` as heic_coder.said has them. Raises Refused when not all of the tiles can be decoded."""
        self.colours = colours
        self._count = count
        self._limits = limits
        self._size = int(colours["width"]), int(colours["height"])
        self._pixels = stream.with_suffix(".decoded")
        self._each = self._size[0] * self._size[1] * 3 // 2
        room = replace(limits, file_bytes=count * self._each)
        done = run([*STRICT, str(stream), *decoding(), str(self._pixels)], room, stream.parent)
        if done.returncode or self._pixels.stat().st_size != room.file_bytes:
            raise damaged(done.stderr.strip())

    def coded_again(self, stream: Path) -> "Tiles":
        """The same tiles as they are in another stream."""
        return Tiles(stream, self._count, self.colours, self._limits)

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
        with self._pixels.open("rb") as file:
            file.seek(number * self._each)
            return _Planes.of(file.read(self._each), self._size)


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
        while self._where and crf not in tried:
            tried.add(crf)
            above = self._score(coded) - self._aim.target
            if above >= 0:
                best = crf, coded.rename(coded.with_name("enough.hevc"))
            further = crf + int(above // _POINTS)
            coarser_than = best[0] if best else _FINEST - 1
            if self._search.is_late or not coarser_than < further <= _COARSEST:
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
        except _NotCoded:  # for whatever reason: it is told when the whole is coded
            found, figures = None, {"search": "a part could not be coded"}
        self.figures.update(figures)
        return usual if found is None else found

    def _score(self, coded: Path) -> float:
        return aimed(self._tiles, self._tiles.coded_again(coded), self._aim).lowest()

    def _coded(self, pixels: Path, size: tuple[int, int], crf: int) -> list[Image.Image]:
        colours = self._tiles.colours
        made = pixels.with_name("parts.hevc")
        command = [*raw(size, colours), str(pixels), *coding(crf, colours), str(made)]
        if run(command, self._limits, self._folder).returncode:
            raise _NotCoded
        shape = {**colours, "width": str(size[0]), "height": str(size[1])}
        again = Tiles(made, len(self._where), shape, self._limits)
        return again.pictures([Cell(0, n, (0, 0, *size)) for n in range(len(self._where))])


def aimed(old: Tiles, new: Tiles, aim: Aim) -> Aimed:
    """What a rendition with the tiles `new` has to reach."""
    where = old.measured()
    return Aimed(aim.target, list(zip(old.pictures(where), new.pictures(where), strict=True)))


class _NotCoded(Exception):
    """A part, by the coder."""
