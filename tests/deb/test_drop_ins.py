"""Guards the drop-ins that are shipped: each does what it says, and the doctor notices when one is missing."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deb.conftest import Machine, few, hashes, many


def shipped(machine: Machine, name: str) -> str:
    return machine.sh(f"cat /usr/share/doc/mediad/drop-ins/{name}.conf")


def test_the_strict_one_works_and_is_stricter(machine: Machine, config: Path, photos: Path) -> None:
    assert config.exists()
    machine.unit(shipped(machine, "strict"))
    folder, before = many(photos, "strict", 2), machine.archived()
    machine.drop(folder)
    machine.settle()
    assert machine.archived() - before == hashes(folder)
    assert "library.due -> library.compressed" in machine.sh("mediactl explain strict_00.jpg")
    machine.run("systemd-analyze", "security", "--threshold=11", "mediad.service")


@pytest.mark.parametrize("name", ["security-key", "hardware-encoder"])
def test_what_opens_devices_leaves_a_sound_service(
    machine: Machine, config: Path, photos: Path, name: str
) -> None:
    """A box has no such devices: what is seen is that systemd takes every line, and that the work goes on."""
    assert config.exists()
    machine.unit(shipped(machine, name))
    shown = machine.sh("systemctl show -P PrivateDevices -P DevicePolicy mediad")
    assert sorted(shown.split()) == ["closed", "no"]
    assert "override.conf" not in machine.sh("systemd-analyze verify mediad.service 2>&1 || true")
    folder, before = few(photos, name), machine.archived()
    machine.drop(folder)
    machine.settle()
    assert machine.archived() - before == hashes(folder)


def test_a_folder_in_a_home_becomes_the_drop_folder(
    machine: Machine, config: Path, photos: Path
) -> None:
    assert config.exists()
    machine.sh(
        "chmod 700 /home/ada; install -d -o ada -g mediad -m 2770 /home/ada/incoming;"
        " setfacl -d -m g:mediad:rwx /home/ada/incoming"
    )
    machine.unit(shipped(machine, "home"))
    folder, before = few(photos, "home"), machine.archived()
    machine.drop(folder, into="/home/ada/incoming")
    machine.settle()
    assert machine.archived() - before == hashes(folder)
    assert machine.sh("find /home/ada/incoming -type f") == ""


@pytest.fixture
def nas(machine: Machine, config: Path) -> Iterator[Path]:
    """A disk that is mounted while mediad runs."""
    machine.sh("mkdir -p /mnt/nas && mount -t tmpfs -o uid=mediad,gid=mediad,mode=750 nas /mnt/nas")
    config.write_text(
        config.read_text().replace(
            '#nas_archive = "nas_archive"', 'nas_archive = "/mnt/nas/photos"'
        )
    )
    machine.sh("systemctl restart mediad")
    yield Path("/mnt/nas/photos")
    machine.sh("systemctl stop mediad; umount /mnt/nas")


def test_a_nas_that_lacks_its_own_is_found_and_opened_by_it(
    machine: Machine, nas: Path, photos: Path
) -> None:
    said = machine.sh("mediactl doctor || true")
    assert f"unit.path: {nas} (folders.nas_archive) is outside" in said
    assert re.search("ReadWritePaths=-/mnt/nas$", said, re.MULTILINE)
    machine.unit(shipped(machine, "nas"))
    machine.run("mediactl", "nas", "init", nas)
    folder = few(photos, "nas")
    machine.drop(folder)
    machine.settle()
    assert machine.archived(str(nas)) == hashes(folder)
    assert "is outside" not in machine.sh("mediactl doctor || true")


def test_another_root_works_with_its_own(machine: Machine, config: Path, photos: Path) -> None:
    machine.sh(
        "install -d -o mediad -g mediad -m 2750 /data/photos;"
        " install -d -o mediad -g mediad -m 2770 /data/photos/incoming;"
        " setfacl -d -m g:mediad:rwx /data/photos/incoming;"
        " systemctl stop mediad; rm -f /var/lib/mediad/journal.db*"
    )
    config.write_text(config.read_text().replace('root = "/srv/mediad"', 'root = "/data/photos"'))
    machine.unit(shipped(machine, "root"))
    folder = few(photos, "root")
    machine.drop(folder, into="/data/photos/incoming")
    machine.settle()
    assert machine.archived("/data/photos/nas_archive") == hashes(folder)
    machine.sh("systemctl stop mediad; rm -f /var/lib/mediad/journal.db*")
