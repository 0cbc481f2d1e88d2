"""Guards that whoever has no phone pays nothing for one, and that a line is made once and closed."""

import subprocess
import sys
from pathlib import Path

from mediad.adapters.durable import DurableFiles
from mediad.adapters.no_cloud import NoCloud
from mediad.adapters.no_phone import NoPhone
from mediad.adapters.roots import Roots
from mediad.config import Settings
from mediad.daemon.line import CloudLine, Line
from mediad.testing.clock import StoppedClock
from tests.adapters.folders import Kept


def line(**syncthing: str) -> Line:
    settings = Settings.model_validate({"root": Path("/nowhere"), "syncthing": syncthing})
    return Line(lambda: settings, StoppedClock(), lambda place: Path(place.key))


async def test_without_an_address_there_is_no_phone() -> None:
    unused = line()
    assert isinstance(unused.phone(), NoPhone)
    await unused.aclose()


async def test_a_line_is_made_once_and_can_be_closed() -> None:
    used = line(url="http://127.0.0.1:8384", api_key="k")
    assert used.phone() is used.phone() is used.reached()
    await used.aclose()


def test_the_daemon_imports_no_http_client_for_a_phone_that_is_not_there() -> None:
    said = subprocess.run(
        [sys.executable, "-c", "import sys, mediad.daemon.house; print('aiohttp' in sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout.strip() == "False"


async def test_without_icloud_there_is_no_cloud_and_no_door(tmp_path: Path) -> None:
    settings = Settings.model_validate({"root": tmp_path})
    roots = Roots({}, Kept(), fstab=tmp_path / "fstab")
    files = DurableFiles(roots, StoppedClock(), reserve_bytes=0)
    unused = CloudLine(lambda: settings, StoppedClock(), files, lambda place: Path(place.key))
    assert isinstance(unused.cloud(), NoCloud)
    assert unused.door() is None
    await unused.aclose()


async def test_with_icloud_cloud_and_door_are_one_and_pyicloud_is_not_imported_yet(
    tmp_path: Path,
) -> None:
    settings = Settings.model_validate(
        {"root": tmp_path, "icloud": {"enabled": True, "username": "anna@example.com"}}
    )
    roots = Roots({}, Kept(), fstab=tmp_path / "fstab")
    files = DurableFiles(roots, StoppedClock(), reserve_bytes=0)
    used = CloudLine(lambda: settings, StoppedClock(), files, lambda place: Path(place.key))
    assert used.cloud() is used.cloud()
    door = used.door()
    assert door is not None
    assert used.cloud().sign_in().account != "anna@example.com"  # shortened for showing
    await used.aclose()
