"""
Photos with a target: how far one quality for all spreads, what a search for the score of each costs and saves.

Of the real photos (`MEDIAD_SHARED`, or `shared` beside the repository). The peer is the one quality for all with which
no photo is below the target: what a person would have to set for the same promise.
"""

import os
import resource
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple, TypeVar

from bench.side import Row, Table, fresh, single
from mediad.adapters import photo_heic, photo_jpeg
from mediad.adapters.photo_gates import Failed
from mediad.adapters.photo_target import METRIC, Aim
from mediad.adapters.workers import Limits
from mediad.errors import Refused
from mediad.policy.recipes_photo import MIN_PHOTO_BYTES, heic_crf

COMMAND = "python -m bench target"
MEDIA = Path(os.environ.get("MEDIAD_SHARED", Path(__file__).parents[2] / "shared")) / "data/media"
TIERS = (
    ("light", 85, 85.0),
    ("medium", 75, 78.0),
    ("heavy", 65, 72.0),
)  # with its quality, and a target like it
JPEGS = ("jpeg_iphone", "jpeg_camera", "jpeg_gainmap", "jpeg_motion")
HEICS = ("heic_iphone", "heic_hdr_gainmap")
HEIC_BYTES = 6_000_000  # larger ones take minutes
ENOUGH_S = 3600.0
MEASURE = Aim(0.01, ENOUGH_S)  # any score will do, but it is told

T = TypeVar("T")


class Made(NamedTuple):
    share: float  # of the size of the original
    score: float
    quality: int
    cpu_s: float


def run(rounds: int) -> list[Table]:
    """The figures do not depend on what else the machine does: one round, but for the name."""
    del rounds
    if not MEDIA.is_dir():
        return []
    jpegs = [
        path
        for group in JPEGS
        for path in sorted((MEDIA / group).iterdir())
        if path.stat().st_size >= MIN_PHOTO_BYTES and jpeg(path, 75, None)
    ]
    heics = [
        path
        for group in HEICS
        for path in sorted((MEDIA / group).iterdir())
        if MIN_PHOTO_BYTES <= path.stat().st_size <= HEIC_BYTES
    ]
    rows = [row for tier in TIERS for row in of_jpegs(jpegs, *tier)]
    note = (
        f"{len(jpegs)} real photos, coded by Pillow. SSIMULACRA 2 of the worst of three parts; the search "
        "takes the coarsest quality that reaches the target."
    )
    return [
        Table("Photos with a target, JPEG", COMMAND, rows, note),
        Table("Photos with a target, HEIC", COMMAND, of_heics(heics), f"{len(heics)} real photos."),
    ]


def of_jpegs(paths: list[Path], tier: str, quality: int, target: float) -> list[Row]:
    fixed = known(jpeg(path, quality, None) for path in paths)
    searched = {path: jpeg(path, quality, Aim(target, ENOUGH_S)) for path in paths}
    reached = {path: made for path, made in searched.items() if made}
    everyone = max(made.quality for made in reached.values())
    # One that would not be smaller at that quality stays as it is.
    same = {path: jpeg(path, everyone, None) for path in reached}
    alike = sum(path.stat().st_size * (made.share if made else 1) for path, made in same.items())
    ratio = sum(path.stat().st_size * made.share for path, made in reached.items()) / alike
    rows = [
        single(f"{tier}, quality {quality} for all: score", METRIC, [made.score for made in fixed]),
        single(f"{tier}, target {target:g}: score", METRIC, [m.score for m in reached.values()]),
        single(f"{tier}, target {target:g}: quality found", "", [m.quality for m in reached.values()]),
        single(f"{tier}, target {target:g}: bytes beside quality {everyone} for all", "times", [ratio]),
        single(f"{tier}, target {target:g}: coding and judging", "CPU-s", [m.cpu_s for m in reached.values()]),
        single(f"{tier}, quality {quality} for all: coding", "CPU-s", [made.cpu_s for made in fixed]),
    ]  # fmt: skip
    left = len(paths) - len(reached)
    if left:
        rows.append(
            single(f"{tier}, target {target:g}: not reached, so left as they are", "photos", [left])
        )
    return rows


def of_heics(paths: list[Path]) -> list[Row]:
    rows = []
    for tier, quality, target in TIERS[1:]:
        crf = heic_crf(quality)
        fixed = known(heic(path, crf, None) for path in paths)
        found = known(heic(path, crf, Aim(target, ENOUGH_S)) for path in paths)
        rows += [
            single(f"{tier}, rate factor {crf} for all: score", METRIC, [m.score for m in fixed]),
            single(f"{tier}, rate factor {crf} for all: size", "of the original", [m.share for m in fixed]),
            single(f"{tier}, target {target:g}: score", METRIC, [m.score for m in found]),
            single(f"{tier}, target {target:g}: size", "of the original", [m.share for m in found]),
            single(f"{tier}, target {target:g}: rate factor found", "", [m.quality for m in found]),
            single(f"{tier}, rate factor {crf} for all: coding", "CPU-s", [m.cpu_s for m in fixed]),
            single(f"{tier}, target {target:g}: coding and judging", "CPU-s", [m.cpu_s for m in found]),
        ]  # fmt: skip
    return rows


def jpeg(path: Path, quality: int, aim: Aim | None) -> Made | None:
    """None: it is left as it is. `quality` of Made on jpegli's or Pillow's scale, as it was coded."""
    made = fresh("target") / "made.jpg"
    try:
        (figures, seen), spent = timed(
            lambda: photo_jpeg.render(path, made, quality, "pillow", aim)
        )
        judged, more = timed(lambda: photo_jpeg.judge(path, made, quality, seen, aim or MEASURE))
    except (Refused, Failed):
        return None
    number = int(str(figures["encoder_quality"]))
    return Made(share(made, path), float(str(judged[METRIC])), number, spent + (more if aim else 0))


def heic(path: Path, crf: int, aim: Aim | None) -> Made | None:
    folder = fresh("target")
    made = folder / "made.heic"
    try:
        figures, spent = timed(lambda: photo_heic.render(path, made, crf, Limits(), aim))
        judged, more = timed(
            lambda: photo_heic.judge(path, made, crf, folder, Limits(), aim or MEASURE)
        )
    except (Refused, Failed):
        return None
    number = int(str(figures["encoder_crf"]))
    return Made(share(made, path), float(str(judged[METRIC])), number, spent + (more if aim else 0))


def share(made: Path, source: Path) -> float:
    return made.stat().st_size / source.stat().st_size


def known(found: Iterable[Made | None]) -> list[Made]:
    return [made for made in found if made]


def timed(work: Callable[[], T]) -> tuple[T, float]:
    """With its CPU seconds, those of its programs too."""
    before = cpu_s()
    done = work()
    return done, cpu_s() - before


def cpu_s() -> float:
    spent = [resource.getrusage(of) for of in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in spent)
