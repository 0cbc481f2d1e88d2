"""Photos and videos: what everything around the codec costs, beside the plain libraries on the same files."""

import subprocess
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

from PIL import Image, ImageFilter

from bench.side import BIN, Table, compare, fresh, sh, timed

PHOTOS = 8
SIDE = (3264, 2448)  # 8 MP
CLIP_SECONDS = 4


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
    sh(
        "ffmpeg", "-v", "error", "-y", "-f", "lavfi", "-i",
        f"testsrc2=size=1280x720:rate=30:duration={CLIP_SECONDS},noise=alls=12:allf=t",
        "-c:v", "libx264", "-preset", "ultrafast", "-crf", "12", path,
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


def ffmpeg_run(source: Path, _: int) -> float:
    target = fresh("ffmpeg") / "out.mp4"
    argv = ["ffmpeg", "-v", "error", "-i", source, "-c:v", "libx265", "-preset", "fast", "-crf", "24",
            "-x265-params", "log-level=error", "-c:a", "copy", target]  # fmt: skip
    return CLIP_SECONDS * 30 / timed(partial(subprocess.run, argv, check=True))


def run(rounds: int) -> list[Table]:
    folder = fresh("media")
    files = [photo(folder / f"IMG_{n:04}.jpg", n) for n in range(PHOTOS)]
    megapixels = PHOTOS * SIDE[0] * SIDE[1] / 1e6
    contenders: dict[str, Callable[[int], float]] = {
        "mediad --once, jpegli": partial(mediad_run, files, megapixels, "jpegli"),
        "mediad --once, pillow": partial(mediad_run, files, megapixels, "pillow"),
        "plain Pillow, two processes": partial(pillow_run, files),
    }
    photos = compare(
        contenders, "MP/s", rounds=rounds, ours="mediad --once, pillow",
        goals={"plain Pillow, two processes": "≥ 0.95"},
    )  # fmt: skip
    video = clip(folder / "clip.mp4")
    videos = compare(
        {
            "mediad --once, x265": partial(mediad_run, [video], CLIP_SECONDS * 30.0, "auto"),
            "plain ffmpeg, x265": partial(ffmpeg_run, video),
        },
        "frames/s", rounds=rounds, ours="mediad --once, x265", goals={"plain ffmpeg, x265": "≥ 0.95"},
    )  # fmt: skip
    note = (
        "mediad's figure is the whole process: taking in, hashing, a read-back archive copy, the encode, decoding the "
        "candidate to its end, comparing it with the source, and the library copy."
    )
    command = "python -m bench encode"
    return [
        Table("Photos, 8 MP JPEG", command, photos, note),
        Table("Video, 720p H.264", command, videos, note),
    ]
