"""Guards the choice of a chip: it is believed after a trial only, and software does what it cannot."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from mediad.adapters import video_hardware
from mediad.adapters.video import render_video
from mediad.adapters.video_coder import FAMILIES, Coder
from mediad.adapters.video_gates import judge_video
from mediad.adapters.workers import Limits
from mediad.model import Media
from mediad.ports import Recipe
from tests.adapters.films import film
from tests.adapters.poisoned import poisoned

LIMITS = Limits(wall_s=20)
RECIPE = Recipe("x", Media.MOV, crf=20, encoder="libx265/ultrafast", hardware="auto")
X265 = Coder("libx265", "hevc", "fast")

# A stand-in for a chip: it is listed, and does its work in software.
CHIP = """
if argv[-1] == "-encoders":
    print(" V....D hevc_vaapi           H.265/HEVC (VAAPI) (codec hevc)")
    sys.exit(0)
if "hevc_vaapi" in argv:
    {before}
    for option in ("-vaapi_device", "-rc_mode", "-qp", "-bf", "-vf"):
        if option in argv:
            at = argv.index(option)
            if argv[at + 1] != "-vf" and (option != "-vf" or "hwupload" in argv[at + 1]):
                del argv[at : at + 2]
    argv[argv.index("hevc_vaapi")] = "libx265"
    at = argv.index("-tag:v")
    argv[at:at] = ["-preset", "ultrafast", "-crf", "18", "-x265-params", "log-level=error:pools=1"]
    {after}
"""


def chip(before: str = "pass", after: str = "pass") -> str:
    return CHIP.format(before=before, after=after)


@pytest.fixture(autouse=True)
def forgetful() -> Iterator[None]:
    video_hardware._found.cache_clear()
    yield
    video_hardware._found.cache_clear()


@pytest.fixture
def device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    node = tmp_path / "renderD128"
    node.touch()
    family = replace(FAMILIES["vaapi"], nodes=str(tmp_path / "renderD*"))
    monkeypatch.setitem(FAMILIES, "vaapi", family)
    return node


def test_a_machine_without_chips_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, family in FAMILIES.items():
        monkeypatch.setitem(FAMILIES, name, replace(family, nodes="/nowhere/*"))
    chosen = video_hardware.best(X265, "auto", LIMITS)
    assert (chosen.name, chosen.is_hardware) == ("libx265", False)
    for family_name in FAMILIES:
        assert f"{family_name}: " in chosen.note
    assert video_hardware.report("hevc", "vaapi")[0] is False


def test_a_chip_that_passes_its_trial_codes_films(
    device: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    poisoned(tmp_path / "bin", monkeypatch, chip())
    works, what = video_hardware.report("hevc", "auto")
    assert works
    assert str(device) in what
    clip, target = film(tmp_path / "clip.mov"), tmp_path / "new.mov"
    making = render_video(clip, target, RECIPE, LIMITS)
    assert making.figures == {"encoder": "hevc_vaapi"}
    assert judge_video(clip, target, RECIPE, LIMITS, making).failed == ""


@pytest.mark.parametrize(
    ("program", "why"),
    [
        (chip(before="sys.exit('Failed to initialise VAAPI connection: -1')"), "VAAPI connection"),
        (chip(before="sys.exit(0)"), "the trial failed"),
        (chip(before="time.sleep(300)"), "was stopped"),
        (chip(before="os.abort()"), "the trial failed"),
        (chip(after="real(before(argv[-1], '-frames:v', '40'))"), "did not come out whole"),
        (chip(after="real(before(argv[-1], '-vf', 'hflip'))"), "shows something else"),
        (chip(after="real(before(argv[-1], '-vf', 'negate'))"), "shows something else"),
        ("if argv[-1] == '-encoders': sys.exit(0)", "has no hevc_vaapi"),
    ],
)
@pytest.mark.usefixtures("device")
def test_a_chip_that_fails_its_trial_is_never_used(
    program: str, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    poisoned(tmp_path / "bin", monkeypatch, program)
    chosen = video_hardware.best(
        X265, "vaapi", replace(LIMITS, wall_s=3 if "sleep" in program else 60)
    )
    assert chosen.name == "libx265"
    assert why in chosen.note


@pytest.mark.usefixtures("device")
def test_a_film_that_the_chip_gives_up_on_is_coded_in_software(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    poisoned(tmp_path / "bin", monkeypatch, chip(before="if out: sys.exit('the chip is busy')"))
    clip, target = film(tmp_path / "clip.mov"), tmp_path / "new.mov"
    making = render_video(clip, target, RECIPE, LIMITS)
    assert making.figures["encoder"] == "libx265"
    assert "gave up" in str(making.figures["hardware"])
    assert judge_video(clip, target, RECIPE, LIMITS, making).failed == ""
