"""Guards what Debian asks of a package, and that two builds of one tree are the same to the last bit."""

import itertools
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.deb import box as boxes
from tests.deb.conftest import DIST, Machine

REPO = Path(__file__).parents[2]


def test_lintian_finds_no_error_and_no_warning(deb: Path) -> None:
    said = subprocess.run(
        ["lintian", "--allow-root", "--fail-on", "error,warning", deb],
        capture_output=True,
        text=True,
        check=False,
    )
    assert said.returncode == 0, said.stdout


def test_every_override_has_its_reason_above_it() -> None:
    lines = (REPO / "packaging/debian/mediad.lintian-overrides").read_text().splitlines()
    assert lines[0].startswith("# ")
    for above, line in itertools.pairwise(lines):
        assert line.startswith(("#", "mediad: ")), line
        assert not (line.startswith("#") and above.startswith("#") and not above.strip("# "))


def test_a_build_without_a_network_by_somebody_else_is_the_same_to_the_last_bit(
    deb: Path, tmp_path: Path
) -> None:
    clean = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "TZ": "Pacific/Auckland",
        "LANG": "C",
    }
    wheels = {"WHEELS": str(REPO / "build/wheels"), "OUT": str(tmp_path)}
    subprocess.run(
        ["unshare", "-n", "sh", "-c", "umask 077; exec scripts/build_deb.sh"],
        cwd=REPO, env={**clean, **wheels, "PIP_INDEX_URL": "http://ada:secret@nowhere.invalid/"}, check=True,
    )  # fmt: skip
    assert (tmp_path / deb.name).read_bytes() == deb.read_bytes()


def test_nothing_of_the_machine_that_built_it_is_in_the_package(deb: Path, tmp_path: Path) -> None:
    subprocess.run(["dpkg-deb", "-R", deb, tmp_path / "tree"], check=True)
    settings = ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_CERT")
    needles = [str(REPO), *filter(None, map(os.environ.get, settings))]
    for needle in needles:
        found = subprocess.run(
            ["grep", "-rlF", needle, tmp_path / "tree"], capture_output=True, text=True, check=False
        )
        ours = [
            f
            for f in found.stdout.splitlines()
            if "site-packages/mediad" in f or "site-packages" not in f
        ]
        assert ours == [], needle


def test_two_releases_are_the_same_to_the_last_bit_and_tell_what_is_in_them(tmp_path: Path) -> None:
    for name in ("first", "second"):
        subprocess.run(
            [sys.executable, "-m", "scripts.release", tmp_path / name],
            cwd=REPO, env={**os.environ, "TZ": name}, check=True, stdout=subprocess.DEVNULL,
        )  # fmt: skip
    first, second = (
        {p.name: p.read_bytes() for p in (tmp_path / n).iterdir()} for n in ("first", "second")
    )
    assert first == second
    assert {Path(name).suffix for name in first} == {".whl", ".gz", ".json", ""}
    told = json.loads(next(data for name, data in first.items() if name.endswith(".cdx.json")))
    assert {c["name"] for c in told["components"]} >= {"aiohttp", "pillow-heif", "pydantic-core"}
    assert all(c["hashes"] and c["version"] for c in told["components"])
    subprocess.run(
        ["sha256sum", "--quiet", "--check", "SHA256SUMS"], cwd=tmp_path / "first", check=True
    )


def test_debians_own_tests_of_the_package_pass(deb: Path, tmp_path: Path) -> None:
    source = tmp_path / "source"
    shutil.copytree(REPO / "packaging/debian", source / "debian")
    tmp_path.chmod(0o755)
    with Machine("mediad-autopkgtest", shared=[DIST, tmp_path]) as machine:
        tested = machine.run(
            "autopkgtest", "--no-built-binaries", "--output-dir=/root/out", machine.inside(deb),
            machine.inside(source), "--", "null", check=False,
        )  # fmt: skip
        said = tested.stdout + tested.stderr
        assert tested.returncode == 0, said
        assert len([line for line in said.splitlines() if line.endswith(" PASS")]) == 2, said


def test_it_comes_and_goes_without_leaving_anything_behind(deb: Path) -> None:
    """Debian's own measure; it asks the mirror for the archive's index."""
    mirror = subprocess.run(
        ["apt-get", "-q", "update", "--print-uris"], capture_output=True, text=True, check=True
    )
    tried = subprocess.run(
        ["piuparts", f"--distribution={boxes.SUITE}", f"--existing-chroot={boxes.tree()}", "--no-eatmydata",
         "--warn-on-leftovers-after-purge", "--no-upgrade-test", deb],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if "Temporary failure resolving" in tried.stdout:
        pytest.skip(f"PIUPARTS WAS NOT RUN: no mirror ({mirror.stdout[:80]})")
    assert tried.returncode == 0, tried.stdout[-3000:]
