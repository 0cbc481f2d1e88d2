"""Photos and videos: what everything around the codec costs, beside what a person would type, on the same files."""

import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from pathlib import Path

from PIL import Image, ImageFilter

from bench.side import BIN, Row, Table, compare, fresh, sh, single, timed
from mediad.adapters import photo_jpeg
from mediad.adapters.video import render_video
from mediad.adapters.video_gates import judge_video
from mediad.adapters.workers import Limits
from mediad.model import Media
from mediad.ports import Recipe

PHOTOS = 16
CARD = 48  # as many as make the start of Python small beside the work
DRAWN = 4  # of them; the others are the same pictures with other bytes beside
SIDE = (4032, 3024)  # 12 MP
FILMS = 3  # one behind the other, as they come from a holiday
SECONDS = 8
SCORES = ("ssim_db", "vmaf", "xpsnr_db")
COMMAND = "python -m bench encode"


def photo(path: Path, seed: int) -> Path:
    """Twelve megapixels with soft structure and grain, like a picture and unlike a test card, with a little EXIF."""
    rough = Image.effect_noise((SIDE[0] // 16, SIDE[1] // 16), 90 + seed % 20).resize(SIDE)
    soft = rough.filter(ImageFilter.GaussianBlur(2))
    grain = Image.effect_noise(SIDE, 12)
    picture = Image.merge(
        "RGB", (soft, Image.blend(soft, grain, 0.2), grain.point(lambda v: v // 2 + 60))
    )
    tags = Image.Exif()
    tags[0x010F], tags[0x0110], tags[0x0112] = "Maker", "Model", 6
    tags.get_ifd(0x8769)[0x9003] = f"2024:07:14 18:03:{seed:02}"
    picture.save(path, "JPEG", quality=95, exif=tags.tobytes())
    return path


def photos_in(folder: Path, count: int = PHOTOS) -> list[Path]:
    drawn = [photo(folder / f"IMG_{n:04}.jpg", n).read_bytes() for n in range(DRAWN)]
    files = []
    for n in range(count):
        note = f"{n:08}".encode()
        segment = b"\xff\xfe" + (len(note) + 2).to_bytes(2, "big") + note
        data = drawn[n % DRAWN]
        (folder / f"IMG_{n:04}.jpg").write_bytes(data[:2] + segment + data[2:])
        files.append(folder / f"IMG_{n:04}.jpg")
    return files


def clip(path: Path, size: str, seconds: int, seed: int = 1) -> Path:
    """Movement and a little grain, a point to start from each second, as phones film."""
    sh(
        "ffmpeg", "-v", "error", "-y", "-f", "lavfi", "-i",
        f"testsrc2=size={size}:rate=30:duration={seconds},noise=alls=4:allf=t:all_seed={seed}",
        "-c:v", "libx264", "-preset", "ultrafast", "-g", "30", "-crf", "12", path,
    )  # fmt: skip
    return path


def plain_pillow(job: tuple[Path, Path]) -> None:
    source, target = job
    with Image.open(source) as picture:
        picture.save(target, "JPEG", quality=75, optimize=True)


def both_cores(
    pool_of: Callable[[int], Executor],
    job: Callable[[tuple[Path, Path]], None],
    files: list[Path],
    name: str,
) -> float:
    """Megapixels a second of two at a time."""
    target = fresh(name)

    def work() -> None:
        with pool_of(2) as pool:
            list(pool.map(job, [(f, target / f.name) for f in files]))

    return len(files) * SIDE[0] * SIDE[1] / 1e6 / timed(work)


def pillow_run(files: list[Path], _: int) -> float:
    return both_cores(ProcessPoolExecutor, plain_pillow, files, "pillow")


def typed(job: tuple[Path, Path]) -> None:
    """What a person would type for one photo whose tags should stay, and who wants it on the disk."""
    source, target = job
    script = (
        'djpeg "$0" | cjpeg -quality 75 -optimize > "$1" && '
        'exiftool -q -overwrite_original -tagsFromFile "$0" -all:all -icc_profile -unsafe "$1" && sync "$1"'
    )
    sh("bash", "-c", script, source, target)


def convert(job: tuple[Path, Path]) -> None:
    """ImageMagick; it keeps EXIF and profile itself, and turns nothing."""
    source, target = job
    sh("convert", source, "-quality", "75", target)


def squeeze(job: tuple[Path, Path]) -> None:
    """With jpegoptim, to the same quality and with all tags."""
    source, target = job
    shutil.copy2(source, target)
    sh("jpegoptim", "-q", "-m75", "--strip-none", target)


def peer_run(job: Callable[[tuple[Path, Path]], None], files: list[Path], _: int) -> float:
    return both_cores(ThreadPoolExecutor, job, files, job.__name__)


def mediad_run(files: list[Path], figure: float, settings: dict[str, str], _: int) -> float:
    root = fresh("encode")
    (root / "incoming").mkdir()
    for file in files:
        (root / "incoming" / file.name).hardlink_to(file)
    env = {
        "MEDIAD_INGEST__SETTLE_SECONDS": "0",
        "MEDIAD_LOG__LEVEL": "warning",
        "PYTHONDONTWRITEBYTECODE": "",  # an installed package is compiled
        **settings,
    }
    took = timed(partial(sh, BIN / "mediad", "--root", root, "--once", **env))
    made = {path.name: path.stat().st_size for path in (root / "library").rglob("*.*")}
    kept = [file.name for file in files if made[file.name] >= file.stat().st_size]
    if kept:  # refusing is quick
        raise RuntimeError(f"not made smaller: {kept}")
    return figure / took


def plain_ffmpeg(sources: list[Path]) -> None:
    """Preset and rate factor of the recipe, ffmpeg's own threads, and mediad's low priority: all else is equal."""
    folder = fresh("ffmpeg")
    for source in sources:
        sh(
            "nice", "-n10", "ffmpeg", "-v", "error", "-i", source, "-c:v", "libx265", "-preset", "fast",
            "-crf", "24", "-x265-params", "log-level=error", "-c:a", "copy", folder / source.name,
        )  # fmt: skip


class Meter:
    """What one contender makes in a second, and in a second of CPU time, which load leaves alone."""

    def __init__(self, made: float, run: Callable[[], object]) -> None:
        self._made, self._run = made, run
        self.per_cpu_second: list[float] = []

    def __call__(self, _: int) -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        took = timed(self._run)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        self.per_cpu_second.append(self._made / used)
        return self._made / took


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


def beside_ffmpeg(title: str, films: list[Path], frames: float, rounds: int) -> list[Table]:
    ours = Meter(frames, lambda: mediad_run(films, frames, {}, 0))
    plain = Meter(frames, partial(plain_ffmpeg, films))
    contenders: dict[str, Callable[[int], float]] = {
        "mediad --once, x265": ours,
        "plain ffmpeg, x265": plain,
    }
    goals = {"plain ffmpeg, x265": "≥ 0.95"}
    wall = compare(contenders, "frames/s", rounds=rounds, ours="mediad --once, x265", goals=goals)
    again = {name: meter.per_cpu_second.__getitem__ for name, meter in (
        ("mediad --once, x265", ours), ("plain ffmpeg, x265", plain),
    )}  # fmt: skip
    cpu = compare(again, "frames/CPU-s", rounds=rounds, ours="mediad --once, x265")
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    cpu.append(single("largest process so far", "MiB", [peak]))
    note = (
        "mediad's figure is the whole process: taking in, hashing, a read-back archive copy, the encode, decoding the "
        "candidate to its end, comparing it with the source, and the library copy. Frames per CPU second do not depend "
        f"on what else the machine does; the load was {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores."
    )
    return [Table(title, COMMAND, wall, note), Table(f"{title}, CPU time", COMMAND, cpu)]


def videos(rounds: int) -> list[Table]:
    folder = fresh("media")
    films = [clip(folder / f"{n}.mp4", "1280x720", SECONDS, n) for n in range(FILMS)]
    large = [clip(folder / f"large{n}.mp4", "3840x2160", 3, n) for n in range(2)]
    short = clip(folder / "short.mp4", "1280x720", 3)
    return [
        *beside_ffmpeg(
            f"Video, 720p H.264, {FILMS} of {SECONDS} s", films, FILMS * SECONDS * 30.0, rounds
        ),
        *beside_ffmpeg("Video, 4K H.264, 2 of 3 s", large, 2 * 3 * 30.0, 1),
        Table("Video, tiers", COMMAND, tiers(short)),
    ]


def workers(rounds: int) -> Table:
    """The same photos with one worker and with two."""
    files = photos_in(fresh("media"), CARD)
    megapixels = CARD * SIDE[0] * SIDE[1] / 1e6
    two, one = ({"MEDIAD_POOLS__PHOTO": count} for count in ("2", "1"))
    rows = compare(
        {
            "two workers": partial(mediad_run, files, megapixels, two),
            "one worker": partial(mediad_run, files, megapixels, one),
        },
        "MP/s", rounds=rounds, ours="two workers", goals={"one worker": "≥ 1.8"},
    )  # fmt: skip
    rows.append(single("largest memory of a worker", "MiB", [worker_peak(files[0])]))
    note = (
        f"{CARD} photos. Beside one worker the daemon (taking in, hashing, proving, journal) has a core to itself; "
        "beside two it shares both with them, so that two cores cannot give twice as much. "
        f"The load was {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores."
    )
    return Table("Photos, 12 MP JPEG: two workers beside one", COMMAND, rows, note)


def worker_peak(photo: Path) -> float:
    """What one worker holds at most while it makes and judges one."""
    code = (
        "import sys; from pathlib import Path; from mediad.adapters import photo_jpeg as p;"
        "s, t = map(Path, sys.argv[1:]); _, seen = p.render(s, t, 75, 'auto'); p.judge(s, t, 75, seen);"
        "print(Path('/proc/self/status').read_text().split('VmHWM:')[1].split()[0])"
    )
    target = fresh("peak") / "made.jpg"
    done = subprocess.run(
        [sys.executable, "-c", code, photo, target], check=True, capture_output=True
    )
    return int(done.stdout) / 1024


def photo_tiers(files: list[Path]) -> Table:
    rows = []
    for tier, quality in (("light", 85), ("medium", 75), ("heavy", 65)):
        shares, scores = [], []
        for file in files:
            target = fresh("tier") / file.name
            _, seen = photo_jpeg.render(file, target, quality, "auto")
            figures = photo_jpeg.judge(file, target, quality, seen)
            shares.append(target.stat().st_size / file.stat().st_size)
            scores.append(float(str(figures["ssim"])))
        rows.append(single(f"{tier}, quality {quality}: size", "of the original", shares))
        rows.append(single(f"{tier}, quality {quality}: SSIM of the luma", "", scores))
    return Table("Photos, tiers", COMMAND, rows)


def photos(rounds: int) -> list[Table]:
    files = photos_in(fresh("media"))
    megapixels = PHOTOS * SIDE[0] * SIDE[1] / 1e6
    encoder = "MEDIAD_COMPRESS__PHOTO__ENCODER"
    ours = "mediad --once, pillow"
    runs: dict[str, Callable[[int], float]] = {
        "mediad --once, jpegli": partial(mediad_run, files, megapixels, {encoder: "jpegli"}),
        ours: partial(mediad_run, files, megapixels, {encoder: "pillow"}),
        "plain Pillow, two processes: no tags, nothing proved": partial(pillow_run, files),
    }
    goals = {}
    if shutil.which("djpeg"):
        peer = "djpeg to cjpeg, exiftool, sync, two at once: nothing proved"
        runs[peer] = partial(peer_run, typed, files)
        goals[peer] = "≥ 0.8"
    for program, job, words in (
        ("convert", convert, "ImageMagick convert, two at once: nothing proved"),
        ("jpegoptim", squeeze, "jpegoptim, two at once: nothing proved"),
    ):
        if shutil.which(program):
            runs[words] = partial(peer_run, job, files)
    meters = {name: Meter(megapixels, partial(run, 0)) for name, run in runs.items()}
    rows = compare(meters, "MP/s", rounds=rounds, ours=ours, goals=goals)
    again = {name: meter.per_cpu_second.__getitem__ for name, meter in meters.items()}
    cpu = compare(again, "MP/CPU-s", rounds=rounds, ours=ours, goals=goals)
    note = (
        "mediad's figure is the whole process: taking in, hashing, a read-back archive copy, the encode, decoding the "
        "candidate to its end, comparing it with the source, and the library copy. cjpeg codes as Pillow does; "
        f"jpegli makes smaller files of the same look. The load was {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores."
    )
    return [
        Table("Photos, 12 MP JPEG", COMMAND, rows, note),
        Table("Photos, 12 MP JPEG, CPU time", COMMAND, cpu),
        workers(rounds),
        photo_tiers(files[:DRAWN]),
    ]


def run(rounds: int) -> list[Table]:
    return photos(rounds) + videos(rounds)
