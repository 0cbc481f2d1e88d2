"""Guards that a day of kills, halts and disks that go away ends with every file safe; `make soak` has the long one."""

import subprocess
import sys

import pytest

from crash.soak import Day, Sample, slope_an_hour, told


def test_growth_is_reckoned_by_the_hour() -> None:
    assert slope_an_hour([(0.0, 5.0), (1800.0, 6.0), (3600.0, 7.0)]) == pytest.approx(2.0)
    assert slope_an_hour([(0.0, 5.0)]) == 0.0


def test_the_first_minute_of_a_life_is_no_growth() -> None:
    day = Day(samples=[Sample(float(s), 10**8 if s > 60 else 10**6, 9) for s in range(0, 300, 10)])
    assert "100 to 100 MB, +0.0 MB an hour" in told(day, 5)
    assert "open files: 9 to 9" in told(day, 5)


def test_what_is_wrong_is_told() -> None:
    assert told(Day(wrong=["lost 00ff"]), 1).endswith("1 wrong\nlost 00ff")


@pytest.mark.crash
@pytest.mark.timeout(600)
def test_some_minutes_lose_nothing() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "crash.soak", "--minutes", "2"],
        text=True, capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 wrong" in done.stdout
