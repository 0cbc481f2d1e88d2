"""Boxes with the package installed, and photos to put into them."""

import hashlib
import json
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.pictures import jpeg, movie
from tests.deb import box as boxes
from tests.deb.box import Box

DIST = Path(__file__).parents[2] / "dist"
LARGE = (3000, 2000)  # slow enough to be caught at it


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    is_meant = "deb" in config.getoption("-m")
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.deb)
            item.add_marker(pytest.mark.timeout(600))
            if not is_meant:  # nobody boots machines by the way
                item.add_marker(pytest.mark.skip("make test-deb"))


@pytest.fixture(scope="session")
def deb() -> Path:
    if why := boxes.missing():
        pytest.skip(f"THE PACKAGE WAS NOT TRIED: {why}")
    found = sorted(DIST.glob("mediad_*_amd64.deb"), key=lambda p: p.stat().st_mtime)
    assert found, "there is no package: make deb"
    return found[-1]


def version_of(deb: Path) -> str:
    return subprocess.run(
        ["dpkg-deb", "-f", deb, "Version"], capture_output=True, text=True, check=True
    ).stdout.strip()


class Machine(Box):
    """A box as somebody uses it: ada belongs to the group mediad, bob does not."""

    def install(self, deb: Path) -> str:
        said = self.run("apt-get", "install", "-y", "--allow-downgrades", self.inside(deb))
        return said.stdout + said.stderr

    def add_people(self) -> None:
        self.sh("useradd -m -G mediad ada; useradd -m bob")

    def status(self) -> Any:
        return json.loads(self.run("mediactl", "--json", "status").stdout)

    def drop(self, folder: Path, into: str = "/srv/mediad/incoming") -> None:
        """As a person does it, and as that person."""
        self.sh(f"cp {self.inside(folder)}/*.* {into}", user="ada")

    def until_busy(self) -> None:
        status = "mediactl --json status"
        self.until(
            f"{status} | grep -q 'running\": [1-9]' && {status} | grep -q 'done\": [1-9]'", 60
        )

    def settle(self, seconds: int = 90) -> None:
        """Until nothing is left to do; fails when something failed or is held."""
        self.until("mediactl status", 60)
        ended = self.run("mediactl", "wait", "--idle", "--timeout", str(seconds), check=False)
        assert ended.returncode == 0, self.sh("mediactl status; mediactl errors")

    def archived(self, archive: str = "/srv/mediad/nas_archive") -> Counter[str]:
        """How often each photo lies in the archive, by its bytes."""
        said = self.sh(
            f"find {archive} -type f ! -name '.*' ! -name 'README*' -exec sha256sum {{}} +"
        )
        return Counter(line.split()[0] for line in said.splitlines())

    def unit(self, text: str) -> None:
        """A drop-in, in the words of `systemctl edit`; "" takes it away again."""
        folder = self.root / "etc/systemd/system/mediad.service.d"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "override.conf").write_text(text)
        self.sh("systemctl daemon-reload && systemctl restart mediad")


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders of photos below, made when they are asked for; every box sees them."""
    folder = tmp_path_factory.mktemp("photos", numbered=False)
    folder.chmod(0o755)
    return folder


@pytest.fixture(scope="module")
def machine(deb: Path, photos: Path) -> Iterator[Machine]:
    with Machine("mediad-test", shared=[DIST, photos]) as machine:
        machine.install(deb)
        machine.add_people()
        yield machine


@pytest.fixture
def config(machine: Machine) -> Iterator[Path]:
    """The configuration, to be edited; in the end it and the unit are as they were installed."""
    file = machine.root / "etc/mediad/mediad.toml"
    as_shipped = file.read_text()
    yield file
    file.write_text(as_shipped)
    machine.unit("")


def hashes(folder: Path) -> Counter[str]:
    return Counter(
        hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.rglob("*") if p.is_file()
    )


def few(photos: Path, name: str) -> Path:
    """A few photos, and a film."""
    seed = sum(name.encode())
    for n in range(4):
        jpeg(photos / name / f"{name}_{n}.jpg", seed * 100 + n, taken=f"2021:07:{10 + n} 18:03:22")
    movie(photos / name / f"{name}.mp4", seed)
    return photos / name


def film(photos: Path, name: str) -> Path:
    """Of a camera that wastes bits."""
    path = photos / name / f"{name}.mp4"
    path.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(
        ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc2=size=1280x720:rate=30:duration=3", "-c:v", "libx264",
         "-preset", "ultrafast", "-crf", "4", "-pix_fmt", "yuv420p", path],
        check=True,
    )  # fmt: skip
    return photos / name


def many(photos: Path, name: str, count: int = 12) -> Path:
    """Enough to be at work for some seconds."""
    seed = sum(name.encode())
    for n in range(count):
        jpeg(photos / name / f"{name}_{n:02}.jpg", seed * 1000 + n, size=LARGE)
    return photos / name
