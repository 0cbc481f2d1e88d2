"""Guards that no crash, failing disk, power cut or rot loses a photo: some of each; `make crash` tries all."""

import os
import re
import subprocess
import sys

import pytest

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.skipif(os.uname().machine != "x86_64", reason="the tracer knows one machine"),
]
LINE = re.compile(r"^(.+): (\d+) points, (\d+) lost, (\d+) differing", re.MULTILINE)


def crash(*words: str) -> dict[str, tuple[int, int, int]]:
    """By what was tried: points, lost, differing."""
    done = subprocess.run(
        [sys.executable, "-m", "crash", "--jobs", "1", *words],
        text=True,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = LINE.findall(done.stdout)
    return {what: (int(n), int(lost), int(other)) for what, n, lost, other in found}


@pytest.mark.parametrize(
    ("words", "least"),
    [
        (("kill", "--worlds", "vault", "--limit", "8"), 6),
        (("kill", "--worlds", "phone", "--limit", "4"), 3),
        (("fault", "--worlds", "vault", "--limit", "3", "--faults", "ENOSPC", "EIO", "short"), 6),
        (("power", "--worlds", "vault", "--limit", "8"), 8),
        (("rot", "--worlds", "clean", "--limit", "1"), 4),
        (("taken", "--worlds", "vault", "--limit", "3"), 3),
    ],
    ids=["kill", "kill with a phone", "a failing disk", "power cut", "rot", "a name is taken"],
)
def test_nothing_is_lost_and_nothing_comes_out_otherwise(
    words: tuple[str, ...], least: int
) -> None:
    told = crash(*words)
    points, lost, differing = told.pop("total")
    assert (lost, differing) == (0, 0)
    assert points >= least
    assert points == sum(n for n, _, _ in told.values())


@pytest.mark.crash
def test_a_broken_protocol_is_caught() -> None:
    """Of the mutants one; `make crash` tries them all."""
    done = subprocess.run(
        [sys.executable, "-m", "crash.mutants", "parts by chance"],
        text=True, capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "caught by kill" in done.stdout
