"""Ways to be set up wrongly, each with real nodes: what `mediactl syncthing` names, and that nothing is believed."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.acceptance.phone import Phoned, away, phoned
from tests.acceptance.pictures import jpeg
from tests.syncthing_pair import NodeError

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

STRANGER = "P56IOI7-MZJNU2Y-IQGDREY-DM2MGTI-MGL3BXN-PQ6W5BM-TBBZ4TJ-XZWICQ2"


WARNINGS = {"syncthing.folder_offered"}  # true as well, where we have none


class Broken(NamedTuple):
    code: str
    by: Callable[[Phoned], Any] = lambda _: None  # what is done to the nodes
    told: Callable[[Phoned], dict[str, str]] = lambda _: {}  # what mediad is told wrongly
    pair: dict[str, Any] = {}  # noqa: RUF012 - read only
    mends: bool = False  # `mediactl syncthing setup --yes` puts it right


def _on_host(**settings: object) -> Callable[[Phoned], Any]:
    return lambda w: asyncio.run(w.pair.host.set_folder(**settings))


def _tell(**settings: str) -> Callable[[Phoned], dict[str, str]]:
    return lambda _: {f"MEDIAD_SYNCTHING__{key}": value for key, value in settings.items()}


def _lose_marker(w: Phoned) -> None:
    (w.shared / ".stfolder").rmdir()
    with pytest.raises(NodeError, match="marker"):
        asyncio.run(w.pair.host.scan())


def _name_the_folder(w: Phoned) -> dict[str, str]:
    return {
        "MEDIAD_SYNCTHING__FOLDER_ID": w.pair.host.folder_id,
        "MEDIAD_FOLDERS__PIXEL_SYNC": str(w.root / "elsewhere"),
    }


BROKEN = {
    "wrong key": Broken("syncthing.bad_key", told=_tell(API_KEY="not the key")),
    "https for http": Broken(
        "syncthing.tls",
        told=lambda w: {"MEDIAD_SYNCTHING__URL": w.pair.host.url.replace("http", "https")},
    ),
    "nobody there": Broken("syncthing.unreachable", by=lambda w: away(w.pair.host)),
    "no folder": Broken("syncthing.folder_missing", pair={"host_type": None}, mends=True),
    "another folder id": Broken("syncthing.folder_named", told=_tell(FOLDER_ID="not-ours")),
    "another path": Broken("syncthing.folder_path", told=_name_the_folder),
    "another device": Broken("syncthing.device_unknown", told=_tell(DEVICE_ID=STRANGER)),
    "wrong type": Broken("syncthing.folder_type", pair={"host_type": "sendreceive"}, mends=True),
    "paused folder": Broken("syncthing.folder_paused", by=_on_host(paused=True), mends=True),
    "paused device": Broken(
        "syncthing.device_paused", by=lambda w: asyncio.run(w.pair.host.pause_device()), mends=True
    ),
    "not shared": Broken("syncthing.not_shared", by=_on_host(devices=[]), mends=True),
    "ignores": Broken(
        "syncthing.ignores", by=lambda w: asyncio.run(w.pair.host.set_ignores("*.JPG")), mends=True
    ),
    "no marker": Broken("syncthing.marker_missing", by=_lose_marker, mends=True),
    "encrypted": Broken(
        "syncthing.encrypted",
        pair={"encrypts": True, "pixel_type": "receiveencrypted"},
        mends=True,
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_each_broken_set_up_has_a_finding_of_its_own_and_a_line_that_mends_it(
    tmp_path: Path, name: str
) -> None:
    broken = BROKEN[name]
    with phoned(tmp_path, pair=broken.pair) as w:
        w.env |= broken.told(w)
        broken.by(w)
        jpeg(w.incoming / "IMG_0001.JPG", 1)
        with w.running():
            w.until(lambda: w.stage("archive")["done"] == 1)
            said = w.ctl("syncthing", check=False)
            assert said.returncode == 1, said.stdout
            faults = [line.split()[1] for line in said.stdout.splitlines() if line[:6] == "fault "]
            assert faults == [f"{broken.code}:"], said.stdout
            assert "  remedy: " in said.stdout
            assert w.pair.host.api_key not in said.stdout
            assert set(w.problems()) - WARNINGS == {broken.code}
            assert w.stage("place")["done"] == w.stage("verify")["done"] == 0
            assert not list(w.shared.glob("*.JPG"))
            if broken.mends:
                w.ctl("syncthing", "setup", "--yes", check=False)
                assert w.ctl("syncthing", check=False).returncode == 0
                w.until(lambda: w.stage("place")["done"] == 1)
                assert w.ctl("syncthing", "setup").stdout.startswith("Syncthing is set up as it")
