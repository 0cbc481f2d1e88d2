"""Guards a package's whole life: upgraded in mid-work, not put back under a newer journal, removed, purged."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deb.conftest import DIST, Machine, few, hashes, many, version_of

OLDER, NEWER = "0.0.1~test", "99.0~test"


def as_version(deb: Path, version: str, folder: Path) -> Path:
    """The same package under another version number."""
    tree, made = folder / version, folder / f"mediad_{version}_amd64.deb"
    subprocess.run(["dpkg-deb", "-R", deb, tree], check=True)
    control = tree / "DEBIAN/control"
    control.write_text(
        control.read_text().replace(f"Version: {version_of(deb)}\n", f"Version: {version}\n")
    )
    subprocess.run(
        ["dpkg-deb", "-Zgzip", "-z1", "--root-owner-group", "-b", tree, made],
        check=True,
        capture_output=True,
    )
    return made


def edition(machine: Machine, new: int | None = None) -> int:
    """The journal's, read or set behind the back of a daemon that does not run."""
    pragma = "PRAGMA user_version" if new is None else f"PRAGMA user_version = {new}"
    journal = 'import sqlite3; journal = sqlite3.connect("/var/lib/mediad/journal.db")'
    script = f'{journal}; print(*journal.execute("{pragma}").fetchone() or [0])'
    return int(machine.run("/usr/lib/mediad/bin/python3", "-I", "-c", script).stdout)


@pytest.fixture(scope="module")
def packages(deb: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("packages", numbered=False)
    folder.chmod(0o755)
    for version in (OLDER, NEWER):
        as_version(deb, version, folder)
    return folder


@pytest.fixture(scope="module")
def machine(packages: Path, photos: Path) -> Iterator[Machine]:
    with Machine("mediad-upgrade", shared=[DIST, photos, packages]) as machine:
        machine.install(packages / f"mediad_{OLDER}_amd64.deb")
        machine.add_people()
        yield machine


def test_an_upgrade_in_mid_work_loses_nothing_and_keeps_what_was_edited(
    machine: Machine, deb: Path, photos: Path
) -> None:
    file = machine.root / "etc/mediad/mediad.toml"
    file.write_text(file.read_text().replace('#level = "info"', 'level = "debug"'))
    folder = many(photos, "upgraded")
    machine.drop(folder)
    machine.until_busy()
    machine.install(deb)
    assert machine.sh("dpkg-query -Wf '${Version}' mediad") == version_of(deb)
    assert machine.property("ActiveState") == "active"
    machine.settle()
    assert machine.archived() == hashes(folder)
    assert "debug" in machine.sh("mediactl config show | grep ^log.level")


def test_an_older_package_goes_in_while_it_still_knows_the_journal(
    machine: Machine, packages: Path
) -> None:
    machine.install(packages / f"mediad_{NEWER}_amd64.deb")
    machine.install(packages / f"mediad_{OLDER}_amd64.deb")
    assert machine.property("ActiveState") == "active"


def test_an_older_package_is_refused_in_clear_words_under_a_newer_journal(
    machine: Machine, packages: Path
) -> None:
    """A newer mediad's journal, as far as an older one can see: the same with a higher edition."""
    machine.install(packages / f"mediad_{NEWER}_amd64.deb")
    machine.sh("systemctl stop mediad.socket mediad")
    newer = edition(machine) + 1
    edition(machine, newer)
    older = machine.inside(packages / f"mediad_{OLDER}_amd64.deb")
    refused = machine.run("apt-get", "install", "-y", "--allow-downgrades", older, check=False)
    said = refused.stdout + refused.stderr
    assert refused.returncode
    assert "this package is too old for the journal" in said
    assert f"the journal is of edition {newer}" in said
    assert (
        machine.sh("dpkg-query -Wf '${Version} ${db:Status-Status}' mediad") == f"{NEWER} installed"
    )
    # The daemon itself says the same, stays down, and leaves the journal alone.
    assert machine.run("systemctl", "restart", "mediad", check=False).returncode
    assert machine.property("ExecMainStatus") == "78"
    assert f"the journal is of edition {newer}" in machine.journal()
    edition(machine, newer - 1)
    machine.run("systemctl", "restart", "mediad")


def test_removing_keeps_photos_configuration_and_journal_and_it_all_comes_back(
    machine: Machine, deb: Path, photos: Path
) -> None:
    before = machine.archived()
    machine.run("apt-get", "remove", "-y", "mediad")
    assert machine.run("pgrep", "-u", "mediad", check=False).stdout == ""
    machine.sh(
        "test -e /var/lib/mediad/journal.db && test -e /etc/mediad/mediad.toml && ! test -e /run/mediad/mediad.sock"
    )
    assert machine.archived() == before
    machine.install(deb)
    assert machine.status()["assets"]["total"] == before.total()
    folder = few(photos, "again")
    machine.drop(folder)
    machine.settle()
    assert machine.archived() == before + hashes(folder)


def test_purging_removes_the_state_keeps_every_photo_and_says_so(machine: Machine) -> None:
    before, library = machine.archived(), machine.sh("find /srv/mediad/library -type f | sort")
    said = machine.run("apt-get", "purge", "-y", "mediad").stdout
    assert "the photos and videos in /srv/mediad stay where they are" in said
    for path in ("/var/lib/mediad", "/etc/mediad", "/run/mediad", "/usr/lib/mediad"):
        machine.run("test", "!", "-e", path)
    assert machine.archived() == before
    assert machine.sh("find /srv/mediad/library -type f | sort") == library
    assert machine.run("systemctl", "cat", "mediad", check=False).returncode


def test_after_a_purge_a_fresh_one_finds_the_archive_as_it_was(machine: Machine, deb: Path) -> None:
    before = machine.archived()
    machine.install(deb)
    machine.settle()
    assert machine.archived() == before
