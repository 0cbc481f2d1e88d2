"""Small real media, made on the spot: every call another picture, as a camera would write it."""

import io
import os
import random
import subprocess
from datetime import datetime
from pathlib import Path

from PIL import Image


def jpeg(
    path: Path, seed: int, *, taken: str = "2021:07:14 18:03:22", size: tuple[int, int] = (64, 48)
) -> Path:
    """A JPEG with an EXIF capture time; the seed decides the pixels."""
    noise = random.Random(seed)  # noqa: S311  # a picture, not a secret
    small = Image.frombytes("RGB", (16, 12), noise.randbytes(16 * 12 * 3))
    exif = Image.Exif()
    exif[0x0132] = taken
    exif.get_ifd(0x8769)[0x9003] = taken
    kept = io.BytesIO()
    small.resize(size, Image.Resampling.BICUBIC).save(kept, "JPEG", quality=95, exif=exif)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(kept.getvalue())
    when = datetime.strptime(taken, "%Y:%m:%d %H:%M:%S").astimezone().timestamp()
    os.utime(path, (when, when))
    return path


def movie(path: Path, seed: int = 1, *, seconds: float = 1.0) -> Path:
    """An H.264 clip with sound."""
    path.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(
        [
            "ffmpeg", "-v", "error", "-y", "-f", "lavfi",
            "-i", f"testsrc2=size=160x120:rate=15:duration={seconds}",
            "-f", "lavfi", "-i", f"sine=frequency={300 + seed}:duration={seconds}",
            "-metadata", "creation_time=2021-07-14T16:03:22Z",
            "-c:v", "libx264", "-preset", "ultrafast", "-c:a", "aac", "-shortest", path,
        ],
        check=True,
    )  # fmt: skip
    return path
