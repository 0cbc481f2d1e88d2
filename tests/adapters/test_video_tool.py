"""Guards what is known of this machine's ffmpeg, and that each version is told what it understands."""

from pathlib import Path

import pytest

from mediad.adapters.video_probe import run
from mediad.adapters.video_tool import FFMPEG, encoders, filters, uncut, untimed, version
from mediad.adapters.workers import Limits
from tests.adapters.films import film
from tests.adapters.poisoned import poisoned


def test_this_ffmpeg_is_known(tmp_path: Path) -> None:
    assert version() >= (4, 0)
    assert {"libx265", "libx264"} <= encoders()
    assert {"ssim", "scale", "select"} <= filters()
    clip = film(tmp_path / "clip.mov")
    done = run(
        [*FFMPEG, *uncut(), "-i", str(clip), *untimed(), "-f", "framecrc", "pipe:1"], Limits()
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(b"\n0,") == 60


@pytest.mark.parametrize(
    ("said", "known", "base", "crops"),
    [
        ("ffmpeg version 5.1.9-0+deb12u1 Copyright", (5, 1), "-1", False),
        ("ffmpeg version n7.0.2 Copyright", (7, 0), "demux", False),
        ("ffmpeg version 7.1 Copyright", (7, 1), "demux", True),
        ("ffmpeg version 9.0.2-static https://", (9, 0), "demux", True),
        ("ffmpeg version N-118315-g4f3c9f2f03 Copyright", (99, 0), "demux", True),
    ],
)
def test_each_version_is_told_what_it_understands(
    said: str, known: tuple[int, int], base: str, crops: object,
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    poisoned(tmp_path / "bin", monkeypatch, f"print({said!r}); sys.exit(0)")
    assert version() == known
    assert untimed()[-1] == base
    assert ("-apply_cropping" in uncut()) is crops
