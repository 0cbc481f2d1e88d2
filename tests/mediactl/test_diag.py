"""Guards the archive for whoever helps: it has what they ask for, and not one secret in any spelling."""

import base64
import gzip
import stat
import syslog
import tarfile
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.mediactl.typed import a_terminal, type_in

CANARY = "c4nary/b1rd&sings+loud"
SECRETS = {
    "MEDIAD_SYNCTHING__API_KEY": f"api-{CANARY}",
    "MEDIAD_WEB__TOKEN": f"token-{CANARY}-{CANARY}",
    "MEDIAD_ICLOUD__PASSWORD": f"pass-{CANARY}",
    "MEDIAD_MIRROR__DSN": f"postgresql://ada:{quote(CANARY, safe='')}@db/mediad",
}


def parts_of(file: Path) -> dict[str, str]:
    with tarfile.open(file) as archive:
        return {
            entry.name.partition("/")[2]: handle.read().decode()
            for entry in archive
            if (handle := archive.extractfile(entry)) is not None
        }


def spellings() -> set[str]:
    return {
        CANARY,
        quote(CANARY),
        quote(CANARY, safe=""),
        base64.b64encode(CANARY.encode()).decode()[:-4],
    }


async def test_with_a_daemon_it_has_its_answers_and_no_secret(tmp_path: Path) -> None:
    file = tmp_path / "diag.tar.gz"
    async with a_terminal(tmp_path / "root", **SECRETS) as terminal:
        said = await terminal.type("diag", str(file), "--json")
        assert said.code == 0
    parts = parts_of(file)
    assert said.doc == {"file": str(file), "parts": sorted(parts)}
    assert {
        "versions.json",
        "status.json",
        "config.json",
        "doctor.json",
        "errors.json",
        "log.jsonl",
    } <= set(parts)
    assert '"workflow"' in parts["status.json"]
    assert "***" in parts["config.json"]
    assert not [name for name, text in parts.items() for canary in spellings() if canary in text]
    assert not any(canary.encode() in gzip.decompress(file.read_bytes()) for canary in spellings())


def test_without_a_daemon_it_has_what_can_be_seen_from_here_and_no_secret(tmp_path: Path) -> None:
    root, file = tmp_path / "root", tmp_path / "diag.tar.gz"
    (root / "state").mkdir(parents=True)
    (root / "mediad.toml").write_text(f'[web]\ntoken = "{CANARY}-{CANARY}"\n')
    (root / "state" / "mediad.log").write_text(
        f'{{"level":"info","event":"odd","said":"it was {CANARY}-{CANARY} then"}}\n'
    )
    said = type_in("--root", str(root), "diag", str(file))
    assert said.code == 0
    assert "look before you send it" in said.out
    parts = parts_of(file)
    assert "it was *** then" in parts["log-here.jsonl"]
    assert "daemon.silent" in parts["doctor.json"]
    assert "no mediad answers" in parts["status.json"]
    assert "***" in parts["config-here.json"]
    assert not [name for name, text in parts.items() if CANARY in text]


def test_a_configuration_with_faults_is_told_and_stops_nothing(tmp_path: Path) -> None:
    root, file = tmp_path / "root", tmp_path / "diag.tar.gz"
    root.mkdir()
    (root / "mediad.toml").write_text('shutdown_seconds = "soon"\n')
    assert type_in("--root", str(root), "diag", str(file)).code == 0
    assert "shutdown_seconds" in parts_of(file)["config-here.txt"]


def test_it_is_for_its_owner_and_replaces_nothing(tmp_path: Path) -> None:
    file = tmp_path / "diag.tar.gz"
    assert type_in("--root", str(tmp_path), "diag", str(file)).code == 0
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    before = file.read_bytes()
    said = type_in("--root", str(tmp_path), "diag", str(file))
    assert said.code == 1
    assert "File exists" in said.err
    assert file.read_bytes() == before


def test_doctor_puts_folders_right_tells_it_first_and_has_it_logged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    logged: list[str] = []
    monkeypatch.setattr(syslog, "syslog", lambda _, line: logged.append(line))
    said = type_in("--root", str(tmp_path / "root"), "doctor", "--fix", "--json")
    assert said.code == 0
    codes = [f["code"] for f in said.doc["findings"]]
    assert codes[0] == "fixed.done"
    assert (tmp_path / "root" / "incoming").is_dir()
    done = [f["message"] for f in said.doc["findings"] if f["code"] == "fixed.done"]
    assert logged == [f"fixed.done: {message}" for message in done]
    again = type_in("--root", str(tmp_path / "root"), "doctor", "--fix", "--json")
    assert "fixed.done" not in [f["code"] for f in again.doc["findings"]]


def test_doctor_does_not_guess_whose_folders_a_socket_means(tmp_path: Path) -> None:
    said = type_in("--socket", str(tmp_path / "s"), "doctor", "--fix")
    assert said.code == 2
    assert "nothing was changed" in said.err
