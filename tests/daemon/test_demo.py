"""Guards the demo: what it says to type works, it goes on after a restart, and no real account is touched."""

import argparse
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pyicloud.exceptions import PyiCloudFailedLoginException

from mediad.config import load
from mediad.daemon import EX_CONFIG
from mediad.daemon.demo import ACCOUNT, CODE, PASSWORD, enter
from tests.testing.pyicloud_here import by_rank, database, service

MEDIAD = Path(sys.executable).parent / "mediad"
START_S = 60


@contextmanager
def demo(root: Path) -> Iterator[list[str]]:
    """What it says at its start, word by word."""
    with subprocess.Popen(
        [MEDIAD, "--root", root, "--demo-icloud"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as daemon:
        assert daemon.stdout is not None
        said: list[str] = []
        for line in daemon.stdout:
            said += line.split()
            if "code" in said:
                break
        try:
            yield said
        finally:
            daemon.send_signal(signal.SIGTERM)
            daemon.wait(START_S)


def address(said: list[str]) -> str:
    [found] = [word for word in said if word.startswith("http://127.0.0.1:")]
    return re.sub(r"\D+$", "", found)


def records(listing: dict[str, list[dict[str, str]]]) -> list[str]:
    return [r["recordName"] for r in listing["records"] if r["recordType"] == "CPLAsset"]


@pytest.mark.slow
def test_what_it_says_to_type_works_and_goes_on_after_a_restart(tmp_path: Path) -> None:
    root, jar = tmp_path / "root", tmp_path / "jar"
    with demo(root) as said:
        assert said[-2:] == ["code", CODE]
        assert {ACCOUNT, PASSWORD, str(root)} <= set(said)
        api = service(address(said), jar, PASSWORD, name=ACCOUNT)
        api.authenticate()
        assert api.validate_2fa_code(CODE)
        first = records(by_rank(database(api), 0))
        assert len(first) >= 15
    with demo(root) as said:
        again = service(address(said), jar, None, name=ACCOUNT)
        again.authenticate()
        assert records(by_rank(database(again), 0)) == first


@pytest.mark.slow
def test_nothing_but_the_demos_password_is_taken(tmp_path: Path) -> None:
    with demo(tmp_path / "root") as said:
        api = service(address(said), tmp_path / "jar", "mine", name=ACCOUNT)
        with pytest.raises(PyiCloudFailedLoginException):
            api.authenticate()


def test_it_is_in_a_hurry_where_nobody_says_otherwise_and_switches_nothing_on(
    tmp_path: Path,
) -> None:
    (tmp_path / "mediad.toml").write_text("[delete]\npercent_per_day = 50.0\n")
    environ = {"MEDIAD_ICLOUD__POLL_MINUTES": "7"}
    words = argparse.Namespace(config=None, root=tmp_path)
    loaded = enter(load(config_file=None, root=tmp_path, environ=environ), words, environ)
    settings = loaded.settings
    assert settings.delete.cooloff_days == 0.001
    assert settings.delete.percent_per_day == 50
    assert settings.icloud.poll_minutes == 7
    assert (settings.delete.enabled, settings.safety.armed) == (False, False)
    assert "MEDIAD_DELETE__COOLOFF_DAYS" in loaded.origins["delete.cooloff_days"]


def test_the_root_of_a_real_account_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mediad.toml").write_text('[icloud]\nusername = "anna@example.com"\n')
    done = subprocess.run(
        [MEDIAD, "--root", tmp_path, "--demo-icloud"],
        capture_output=True,
        text=True,
        timeout=START_S,
        check=False,
    )
    assert done.returncode == EX_CONFIG
    assert "anna@example.com" in done.stderr
    assert "a root of its own" in done.stderr
    assert {p.name for p in tmp_path.iterdir()} == {"mediad.toml"}
