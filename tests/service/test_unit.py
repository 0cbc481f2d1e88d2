"""Guards what the doctor says of the installed service: does it run, and do its drop-ins fit the configuration?"""

import re
from pathlib import Path

import pytest

from mediad.config import Settings
from mediad.config.loader import SYSTEM_FILE
from mediad.service.answers import FindingDoc
from mediad.service.unit import Shown, drop_in, unit_findings

REPO = Path(__file__).parents[2]
FINE: Shown = {
    "LoadState": "loaded", "ActiveState": "active", "UnitFileState": "enabled", "NeedDaemonReload": "no",
    "ReadWritePaths": "-/srv/mediad", "BindPaths": "", "StateDirectory": "mediad",
    "ProtectSystem": "strict", "ProtectHome": "yes",
}  # fmt: skip


def settings(root: str = "/srv/mediad", **folders: str) -> Settings:
    return Settings.model_validate(
        {"root": root, "folders": {"state": "/var/lib/mediad", **folders}}
    )


def found(told: Settings, **shown: str) -> list[FindingDoc]:
    return list(unit_findings(told, SYSTEM_FILE, ask=lambda: {**FINE, **shown}))


def faults(told: Settings, **shown: str) -> list[FindingDoc]:
    return [f for f in found(told, **shown) if f["level"] != "ok"]


def test_as_installed_all_is_well() -> None:
    assert faults(settings()) == []
    assert {f["code"] for f in found(settings())} == {"unit.state", "unit.path"}


def test_another_configuration_than_the_systems_has_no_unit() -> None:
    assert list(unit_findings(settings(), Path("/home/ada/mediad.toml"), ask=lambda: FINE)) == []


def test_a_machine_without_systemd_or_without_the_unit_says_nothing() -> None:
    assert list(unit_findings(settings(), SYSTEM_FILE, ask=dict)) == []


@pytest.mark.parametrize(
    ("shown", "code"),
    [
        ({"ActiveState": "failed"}, "unit.state"),
        ({"UnitFileState": "disabled"}, "unit.disabled"),
        ({"NeedDaemonReload": "yes"}, "unit.changed"),
    ],
)
def test_what_is_wrong_with_the_service_has_a_remedy(shown: dict[str, str], code: str) -> None:
    [fault] = faults(settings(), **shown)
    assert fault["code"] == code
    assert "systemctl" in fault["remedy"]


def test_a_nas_without_a_drop_in_is_found_even_while_it_can_still_be_written() -> None:
    [fault] = faults(settings(nas_archive="/mnt/nas/photos"))
    assert fault["level"] == "fault"
    assert "/mnt/nas/photos (folders.nas_archive)" in fault["message"]
    assert "ReadWritePaths=-/mnt/nas/photos" in fault["remedy"]
    assert (
        faults(settings(nas_archive="/mnt/nas/photos"), ReadWritePaths="-/srv/mediad -/mnt/nas")
        == []
    )


def test_another_root_is_one_finding() -> None:
    [fault] = faults(settings("/data/photos"))
    assert fault["remedy"].endswith("[Service]\nReadWritePaths=/data/photos")
    assert faults(settings("/data/photos"), ReadWritePaths="/data") == []


def test_a_home_is_hidden_until_it_is_bound() -> None:
    at_home = settings(incoming="/home/ada/incoming")
    [fault] = faults(at_home, ReadWritePaths="/srv/mediad /home/ada")
    assert "BindPaths=/home/ada/incoming:/srv/mediad/incoming" in fault["remedy"]
    assert faults(settings(), BindPaths="/home/ada/incoming:/srv/mediad/incoming:rbind") == []
    assert faults(at_home, BindPaths="/home/ada/incoming") == []
    assert faults(at_home, ProtectHome="read-only") != []
    assert faults(at_home, ProtectHome="read-only", ReadWritePaths="/srv/mediad /home/ada") == []


def test_a_sandbox_that_was_opened_needs_no_drop_in() -> None:
    assert faults(settings("/data/photos"), ProtectSystem="full") == []


def lines(text: str) -> list[str]:
    return [x for x in text.splitlines() if re.match(r"\[|\w+=", x)]


@pytest.mark.parametrize(
    ("name", "key", "path"),
    [("home", "folders.incoming", "/home/ada/incoming"), ("root", "root", "/data/photos")],
)
def test_what_is_printed_is_what_is_shipped(name: str, key: str, path: str) -> None:
    assert lines(drop_in(key, Path(path))) == lines(
        (REPO / f"packaging/drop-ins/{name}.conf").read_text()
    )


def test_a_mounted_disk_is_waited_for_by_its_unit() -> None:
    """/proc is a mount on every machine, and its name needs no escaping; /dev/shm's shows the dash."""
    shipped = (REPO / "packaging/drop-ins/nas.conf").read_text()
    for point, unit in (("/proc", "proc"), ("/dev/shm", "dev-shm")):  # noqa: S108 - a mount, not used
        expected = shipped.replace("mnt-nas", unit).replace("/mnt/nas", point)
        assert lines(drop_in("folders.nas_archive", Path(point, "photos"))) == lines(expected)
