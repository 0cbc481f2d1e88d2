"""Guards what a terminal is given: no control character of a foreign name, no colour where none is wanted."""

import pytest

from mediad.mediactl import show


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("IMG_0001.JPG", "IMG_0001.JPG"),
        ("Straße ✈ 東京.jpg", "Straße ✈ 東京.jpg"),
        ("a\x1b[31mb", "a\\x1b[31mb"),
        ("a\nb\tc", "a\\nb\\tc"),
        ("evil\u202egpj.exe", "evil\\u202egpj.exe"),
        ("\ufffd", "\ufffd"),
    ],
)
def test_only_what_can_be_printed_is_printed(name: str, shown: str) -> None:
    assert show.clean(name) == shown


@pytest.mark.parametrize(
    ("n", "shown"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (5 << 30, "5.0 GiB"),
        (3 << 50, "3072.0 TiB"),
    ],
)
def test_sizes_are_for_people(n: int, shown: str) -> None:
    assert show.size(n) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"), [(None, "?"), (4.2, "4 s"), (61, "1 min"), (7260, "2 h 1 min")]
)
def test_times_are_for_people(seconds: float | None, shown: str) -> None:
    assert show.duration(seconds) == shown


@pytest.mark.parametrize(
    ("terminal", "no_color", "is_coloured"),
    [(True, "", True), (True, "1", False), (False, "", False)],
)
def test_colour_is_for_terminals_that_want_it(
    monkeypatch: pytest.MonkeyPatch, *, terminal: bool, no_color: str, is_coloured: bool
) -> None:
    monkeypatch.setenv("NO_COLOR", no_color)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr("sys.stdout.isatty", lambda: terminal)
    assert ("\x1b[" in show.paint("x", "red")) is is_coloured


def test_numbers_stand_under_one_another() -> None:
    assert show.columns([("a", 5), ("bb", 12)], ("name", "n"))[1:] == ["a      5", "bb    12"]


@pytest.mark.parametrize(
    ("figures", "shown"),
    [
        ({}, ""),
        ({"ratio": 0.3836, "ssim": 0.9874, "ssim_least": 0.95}, "38% of the original, SSIM 0.9874 (at least 0.95)"),
        (
            {"ratio": 0.5, "ssimulacra2": 72.37, "ssimulacra2_least": 71.75, "psnr_db": 36},
            "50% of the original, SSIMULACRA 2 72.37 (at least 71.75)",
        ),
        ({"ratio": 0.25, "ssim_db": 14.2, "vmaf": 95}, "25% of the original, VMAF 95"),
    ],
)  # fmt: skip
def test_a_rendition_s_figures_are_told_in_words(figures: dict[str, float], shown: str) -> None:
    assert show.measured(figures) == shown
