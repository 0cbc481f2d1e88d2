"""Photos and videos: what everything around the codec costs, beside the plain libraries on the same files."""

import os
import resource
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

from PIL import Image, ImageFilter

from bench.side import BIN, Row, Table, compare, fresh, sh, single, timed
from mediad.adapters.video import render_video
from mediad.adapters.video_gates import judge_video
from mediad.adapters.workers import Limits
from mediad.model import Media
from mediad.ports import Recipe

PHOTOS = 8
SIDE = (3264, 2448)  # 8 MP
CLIP_SECONDS = 4
SCORES = ("ssim_db", "vmaf", "xpsnr_db")


def photo(path: Path, seed: int) -> Path:
    """Eight megapixels with soft structure and grain, like a picture and unlike a test card."""
    rough = Image.effect_noise((SIDE[0] // 16, SIDE[1] // 16), 90 + seed % 20).resize(SIDE)
    soft = rough.filter(ImageFilter.GaussianBlur(2))
    grain = Image.effect_noise(SIDE, 12)
    Image.merge(
        "RGB", (soft, Image.blend(soft, grain, 0.2), grain.point(lambda v: v // 2 + 60))
    ).save(path, "JPEG", quality=95)
    return path


def clip(path: Path) -> Path:
    """Movement and a little grain, a point to start from each second, as phones film."""
    sh(
        "ffmpeg", "-v", "error", "-y", "-f", "lavfi", "-i",
        f"testsrc2=size=1280x720:rate=30:duration={CLIP_SECONDS},noise=alls=4:allf=t",
        "-c:v", "libx264", "-preset", "ultrafast", "-g", "30", "-crf", "12", path,
    )  # fmt: skip
    return path


def plain_pillow(job: tuple[Path, Path]) -> None:
    source, target = job
    with Image.open(source) as picture:
        picture.save(target, "JPEG", quality=75, optimize=True)


def pillow_run(files: list[Path], _: int) -> float:
    target = fresh("pillow")

    def both_cores() -> None:
        with ProcessPoolExecutor(2) as pool:
            list(pool.map(plain_pillow, [(f, target / f.name) for f in files]))

    return len(files) * SIDE[0] * SIDE[1] / 1e6 / timed(both_cores)


def mediad_run(files: list[Path], figure: float, encoder: str, _: int) -> float:
    root = fresh("encode")
    (root / "incoming").mkdir()
    for file in files:
        (root / "incoming" / file.name).hardlink_to(file)
    env = {
        "MEDIAD_INGEST__SETTLE_SECONDS": "0", "MEDIAD_LOG__LEVEL": "warning",
        "MEDIAD_COMPRESS__PHOTO__ENCODER": encoder,
    }  # fmt: skip
    took = timed(partial(sh, BIN / "mediad", "--root", root, "--once", **env))
    return figure / took


def plain_ffmpeg(source: Path) -> None:
    """Preset and rate factor of the recipe, ffmpeg's own threads, and mediad's low priority: all else is equal."""
    target = fresh("ffmpeg") / "out.mp4"
    sh(
        "nice", "-n10", "ffmpeg", "-v", "error", "-i", source, "-c:v", "libx265", "-preset", "fast",
        "-crf", "24", "-x265-params", "log-level=error", "-c:a", "copy", target,
    )  # fmt: skip


class Meter:
    """Frames a second of one contender, and beside them frames for each second of CPU time, which load leaves alone."""

    def __init__(self, frames: float, run: Callable[[], object]) -> None:
        self._frames, self._run = frames, run
        self.per_cpu_second: list[float] = []

    def __call__(self, _: int) -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        took = timed(self._run)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        self.per_cpu_second.append(self._frames / used)
        return self._frames / took


def tiers(source: Path) -> list[Row]:
    """What each tier makes of a film: its size and its score."""
    rows = []
    for tier, crf in (("light", 24), ("medium", 26), ("heavy", 28)):
        recipe = Recipe("bench", Media.MP4, crf=crf, encoder="libx265")
        target = fresh("tier") / "film.mp4"
        making = render_video(source, target, recipe, Limits())
        judged = judge_video(source, target, recipe, Limits(), making)
        share = judged.size / source.stat().st_size
        rows.append(single(f"{tier}, rate factor {crf}: size", "of the original", [share]))
        scores = {k: v for k, v in (judged.figures or {}).items() if k in SCORES}
        rows += [
            single(f"{tier}, rate factor {crf}: {name}", "dB", [float(str(score))])
            for name, score in scores.items()
        ]
    return rows


def videos(rounds: int) -> list[Table]:
    film = clip(fresh("media") / "clip.mp4")
    frames = CLIP_SECONDS * 30.0
    ours = Meter(frames, lambda: mediad_run([film], frames, "auto", 0))
    plain = Meter(frames, partial(plain_ffmpeg, film))
    contenders: dict[str, Callable[[int], float]] = {
        "mediad --once, x265": ours,
        "plain ffmpeg, x265": plain,
    }
    goals = {"plain ffmpeg, x265": "≥ 0.95"}
    wall = compare(contenders, "frames/s", rounds=rounds, ours="mediad --once, x265", goals=goals)
    again = {name: meter.per_cpu_second.__getitem__ for name, meter in (
        ("mediad --once, x265", ours), ("plain ffmpeg, x265", plain),
    )}  # fmt: skip
    cpu = compare(again, "frames/CPU-s", rounds=rounds, ours="mediad --once, x265", goals=goals)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    cpu.append(single("largest process", "MiB", [peak]))
    note = (
        "mediad's figure is the whole process: taking in, hashing, a read-back archive copy, the encode, decoding the "
        "candidate to its end, comparing it with the source, and the library copy. Frames per CPU second do not depend "
        f"on what else the machine does; the load was {os.getloadavg()[0]:.0f} on {os.cpu_count()} cores."
    )
    command = "python -m bench encode"
    return [
        Table("Video, 720p H.264", command, wall, note),
        Table("Video, 720p H.264, CPU time", command, cpu),
        Table("Video, tiers", command, tiers(film)),
    ]


def photos(rounds: int) -> list[Table]:
    folder = fresh("media")
    files = [photo(folder / f"IMG_{n:04}.jpg", n) for n in range(PHOTOS)]
    megapixels = PHOTOS * SIDE[0] * SIDE[1] / 1e6
    contenders: dict[str, Callable[[int], float]] = {
        "mediad --once, jpegli": partial(mediad_run, files, megapixels, "jpegli"),
        "mediad --once, pillow": partial(mediad_run, files, megapixels, "pillow"),
        "plain Pillow, two processes": partial(pillow_run, files),
    }
    rows = compare(
        contenders, "MP/s", rounds=rounds, ours="mediad --once, pillow",
        goals={"plain Pillow, two processes": "≥ 0.95"},
    )  # fmt: skip
    note = (
        "mediad's figure is the whole process: taking in, hashing, a read-back archive copy, the encode, decoding the "
        "candidate to its end, comparing it with the source, and the library copy."
    )
    return [Table("Photos, 8 MP JPEG", "python -m bench encode", rows, note)]


def run(rounds: int) -> list[Table]:
    return photos(rounds) + videos(rounds)
