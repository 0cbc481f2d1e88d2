"""Guards the words of contract §6: exit codes, one JSON document, and help with an example for every command."""

import errno
import io
import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import anyio
import pytest

from mediad.mediactl.parser import COMMANDS
from tests.mediactl.typed import a_terminal, type_in


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(command: str) -> None:
    said = type_in(command, "--help")
    assert said.code == 0
    assert (
        f"example: mediactl {COMMANDS[command].example.removeprefix('mediactl ')}"[:30] in said.out
    )


def test_every_promised_command_is_there() -> None:
    promised = (
        "status list explain wait add retry skip pause resume run batches syncthing icloud verify config doctor "
        "backup restore reload logs version why-not selftest"
    )
    assert set(promised.split()) <= set(COMMANDS)
    listed = type_in("--help").out
    assert all(name in listed for name in promised.split())


@pytest.mark.parametrize(
    "words",
    [
        ("frobnicate",), ("explain",), ("wait", "--timeout", "soon"), ("retry",), ("retry", "one"),
        ("retry", "1", "--all-failed"), ("skip", "1", "--stage", "archive"), ("verify", "--sample", "200%"),
        ("config",), ("nas",), ("list", "--limit", "-1"), ("--sock", "x", "status"), ("wait", "--idle", "1"),
        ("pause", "no/such"), ("icloud", "login", "secret"), ("icloud", "code"), ("icloud", "undelete"),
        ("why-not", "1"), ("why-not", "archive", "1"), ("selftest", "1"),
    ],
)  # fmt: skip
def test_wrong_usage_is_2(words: tuple[str, ...]) -> None:
    said = type_in(*words)
    assert said.code == 2
    assert said.err


def test_no_daemon_is_3_and_says_where_and_how_to_start_it(tmp_path: Path) -> None:
    said = type_in("--root", str(tmp_path), "status")
    assert said.code == 3
    assert f"{tmp_path}/state/mediad.sock" in said.err
    assert f"mediad --root {tmp_path}" in said.err
    said = type_in("status", "--json", "--root", str(tmp_path))
    assert said.code == 3
    assert "mediad.sock" in said.doc["detail"]


def test_the_socket_is_looked_for_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MEDIAD_SOCKET", raising=False)
    monkeypatch.delenv("MEDIAD_ROOT", raising=False)
    assert "/run/mediad/mediad.sock" in type_in("status").err
    monkeypatch.setenv("MEDIAD_ROOT", str(tmp_path / "r"))
    assert f"{tmp_path}/r/state/mediad.sock" in type_in("status").err
    monkeypatch.setenv("MEDIAD_SOCKET", str(tmp_path / "s"))
    assert f"{tmp_path}/s " in type_in("status").err
    assert f"{tmp_path}/o/state/mediad.sock" in type_in("--root", str(tmp_path / "o"), "status").err


async def test_every_asking_command_prints_one_document(tmp_path: Path) -> None:
    async with a_terminal(tmp_path) as terminal:
        await terminal.world.bring("a.jpg", "held.jpg")
        for words in (
            "status", "explain a.jpg", "errors", "runs", "doctor", "verify", "backup", "audit verify", "version",
            "config show", "config check", "reload", "pause", "resume", "pause archive", "resume archive", "logs",
            "retry --all-failed", "run --dry-run", "run", "batches", "syncthing", "icloud status",
        ):  # fmt: skip
            before = await terminal.type("--json", *words.split())
            after = await terminal.type(*words.split(), "--json")
            for said in (before, after):
                assert said.code in {0, 1}, (words, said.err)
                assert isinstance(json.loads(said.out), dict), words
                assert len(said.out.splitlines()) == 1, words


async def test_the_status_document_is_the_daemons(tmp_path: Path) -> None:
    async with a_terminal(tmp_path) as terminal:
        await terminal.world.bring("a.jpg")
        doc = (await terminal.type("status", "--json")).doc
        text = (await terminal.type("status")).out
    assert doc["assets"]["total"] == 1
    assert doc["workflow"]["stages"][2]["name"] == "hash"
    assert "1 assets: 1 completed" in text
    assert "\x1b" not in text


async def test_list_prints_a_line_or_a_json_line_each(tmp_path: Path) -> None:
    async with a_terminal(tmp_path) as terminal:
        await terminal.world.bring("a.jpg", "b.jpg", "held.jpg")
        lines = (await terminal.type("list", "--json")).out.splitlines()
        held = (await terminal.type("list", "--json", "--state", "held")).out.splitlines()
        due = (await terminal.type("list", "--json", "--stage", "archive")).out.splitlines()
        one = (await terminal.type("list", "--json", "--limit", "1")).out.splitlines()
        none = await terminal.type("list", "--json", "--since", "2999-01-01")
        text = (await terminal.type("list")).out.splitlines()
    assert [json.loads(line)["id"] for line in lines] == [3, 2, 1]
    assert [json.loads(line)["name"] for line in held] == ["held.jpg"]
    assert [json.loads(line)["name"] for line in due] == ["held.jpg"]
    assert len(one) == 1
    assert (none.code, none.out) == (0, "")
    assert len(text) == 3


async def test_a_name_cannot_move_the_cursor(tmp_path: Path) -> None:
    async with a_terminal(tmp_path) as terminal:
        await terminal.world.bring("held\x1b[2J\u202egpj.exe\n.jpg")
        for words in (("list",), ("explain", "1"), ("errors",)):
            out = (await terminal.type(*words)).out
            assert "\x1b" not in out
            assert "\u202e" not in out
            assert "\\x1b[2J" in out


async def test_explain_finds_by_id_name_path_and_foreign_bytes(tmp_path: Path) -> None:
    odd = b"gar\xe7on.jpg".decode("utf-8", "surrogateescape")
    async with a_terminal(tmp_path) as terminal:
        await terminal.world.bring("a.jpg", odd)
        for what in ("1", "a.jpg", str(tmp_path / "incoming" / "a.jpg")):
            assert (await terminal.type("explain", what, "--json")).doc["id"] == 1
        assert (await terminal.type("explain", odd, "--json")).doc["id"] == 2
        unknown = await terminal.type("explain", "nosuch.jpg")
    assert unknown.code == 1
    assert "nothing is known" in unknown.err


async def test_a_lane_that_is_off_is_said_to_be_off(tmp_path: Path) -> None:
    async with a_terminal(tmp_path) as terminal:
        await terminal.world.bring("a.jpg")
        text = (await terminal.type("explain", "1")).out
        doc = (await terminal.type("explain", "1", "--json")).doc
    lanes = text.partition("lanes\n")[2].partition("story\n")[0].splitlines()
    assert [line.split() for line in lanes if "cloud" in line] == [["cloud", "deleted", "(off)"]]
    assert [line.split() for line in lanes if "archive" in line] == [["archive", "verified"]]
    assert doc["position"]["cloud"] == "deleted"


async def test_what_a_step_waits_for_is_said_once(tmp_path: Path) -> None:
    async with a_terminal(tmp_path) as terminal:
        await terminal.world.bring("held.jpg")
        text = (await terminal.type("explain", "1")).out
    assert text.partition("history\n")[0].count("is this meant?") == 1


async def test_several_meanings_are_listed_and_the_answer_is_no(tmp_path: Path) -> None:
    async with a_terminal(tmp_path) as terminal:
        await terminal.world.bring("a.jpg")
        await terminal.world.bring("a.jpg")
        said = await terminal.type("explain", "a.jpg")
    assert said.code == 1
    assert "1 (a.jpg), 2 (a.jpg)" in said.err


async def test_wait_is_0_1_or_4(tmp_path: Path) -> None:
    async with a_terminal(tmp_path) as terminal:
        terminal.world.dropped = ["a.jpg"]
        assert (await terminal.type("wait", "--idle", "--timeout", "9")).code == 0
        assert (await terminal.type("wait", "a.jpg")).code == 0
        await terminal.world.bring("held.jpg")
        assert (await terminal.type("wait")).code == 1
        assert (await terminal.type("wait", "2")).code == 1
        terminal.world.dropped = ["slow.jpg"]
        assert (await terminal.type("wait", "--idle", "--timeout", "0.2")).code == 4
        assert (await terminal.type("wait", "nosuch.jpg")).code == 1


async def test_an_unknown_stage_is_wrong_usage(tmp_path: Path) -> None:
    async with a_terminal(tmp_path) as terminal:
        await terminal.world.bring("held.jpg")
        for words in ("pause nosuch", "resume nosuch", "run --stages nosuch", "run --from nosuch",
                      "list --stage nosuch", "skip 1 --stage nosuch --why x", "run --from sort --to hash"):  # fmt: skip
            assert (await terminal.type(*words.split())).code == 2, words


async def test_a_run_goes_from_one_stage_to_another(tmp_path: Path) -> None:
    async with a_terminal(tmp_path) as terminal:
        await terminal.type("pause")
        terminal.world.dropped = ["a.jpg"]
        said = await terminal.type("run", "--from", "settle", "--to", "hash", "--json")
        doc = (await terminal.type("explain", "1", "--json")).doc
    assert said.code == 0
    assert said.doc["state"] == "finished"
    assert said.doc["what"] == "settle,hash"
    assert doc["position"]["intake"] == "hashed"
    assert doc["position"]["archive"] == "due"


async def test_interactive_leaves_what_was_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter(["y\n", "yes\n", "n\n", ""])
    monkeypatch.setattr("sys.stdin.readline", lambda: next(answers, ""), raising=False)
    async with a_terminal(tmp_path) as terminal:
        await terminal.type("pause")
        terminal.world.dropped = ["a.jpg"]
        said = await terminal.type("run", "--interactive")
        doc = (await terminal.type("explain", "1", "--json")).doc
    assert "settle: go on with 1 files?" in said.err
    assert "would record" in said.out
    assert doc["position"]["intake"] == "hashed"
    assert doc["position"]["archive"] == "due"
    assert "mediactl resume" in said.err


async def test_retry_and_skip_by_hand(tmp_path: Path) -> None:
    async with a_terminal(tmp_path) as terminal:
        await terminal.world.bring("held.jpg")
        assert (await terminal.type("retry", "1", "--json")).doc == {"retried": 1}
        assert (await terminal.type("retry", "99")).code == 1
        await terminal.world.engine.until_idle()
        said = await terminal.type("skip", "1", "--stage", "archive", "--why", "in the bank")
        assert said.code == 0, said.err
        assert (await terminal.type("skip", "1", "--stage", "archive", "--why", "again")).code == 1


async def test_a_wrong_setting_is_2_and_changes_nothing(tmp_path: Path) -> None:
    async with a_terminal(tmp_path) as terminal:
        for key, value in (("archive.enabled", "maybe"), ("archive.enablee", "true")):
            said = await terminal.type("config", "set", key, value)
            assert said.code == 2
            assert "archive.enab" in said.err
        assert terminal.world.service.config.show()["file"] is None
        assert (await terminal.type("config", "set", "archive.enabled", "false")).code == 0
        assert not terminal.world.settings.archive.enabled
        assert "archive.enabled" in (await terminal.type("config", "show")).out


def refuse_writing(monkeypatch: pytest.MonkeyPatch, times: int) -> None:
    """The next so many files are on a disk that is read-only, as /etc is to the installed daemon."""
    really, left = os.fchmod, [times]

    def fchmod(number: int, mode: int) -> None:
        left[0] -= 1
        if left[0] >= 0:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        really(number, mode)

    monkeypatch.setattr(os, "fchmod", fchmod)


async def test_a_daemon_that_may_not_write_its_configuration_says_who_may(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with a_terminal(tmp_path) as terminal:
        assert (await terminal.type("config", "set", "safety.armed", "true")).code == 0
        before = await anyio.Path(tmp_path / "mediad.toml").read_bytes()
        refuse_writing(monkeypatch, 2)
        said = await terminal.type("config", "set", "safety.armed", "false")
        assert said.code == 1
        assert "Read-only file system" in said.err
        assert "sudo mediactl config set" in said.err
        assert await anyio.Path(tmp_path / "mediad.toml").read_bytes() == before


async def test_who_may_write_the_configuration_does_so_in_the_daemons_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with a_terminal(tmp_path) as terminal:
        assert (await terminal.type("config", "set", "safety.armed", "true")).code == 0
        refuse_writing(monkeypatch, 1)
        said = await terminal.type("config", "set", "safety.armed", "false")
        assert (said.code, said.err) == (0, "")
        assert "in force" in said.out
        assert not terminal.world.settings.safety.armed
        before = await anyio.Path(tmp_path / "mediad.toml").read_bytes()
        refuse_writing(monkeypatch, 1)
        inode = (tmp_path / "mediad.toml").stat().st_ino
        assert (await terminal.type("config", "set", "workflow.preset", "none such")).code == 2
        assert await anyio.Path(tmp_path / "mediad.toml").read_bytes() == before
        assert (tmp_path / "mediad.toml").stat().st_ino == inode, (
            "what is wrong is not written at all"
        )


async def test_a_setting_that_the_environment_overrides_is_said_to_be(tmp_path: Path) -> None:
    async with a_terminal(tmp_path, MEDIAD_INGEST__SETTLE_SECONDS="3") as terminal:
        said = await terminal.type("config", "set", "ingest.settle_seconds", "9")
    assert said.code == 0
    assert "in force is 3" in said.out


async def test_a_number_is_written_as_a_number_and_a_duration_as_it_was_said(
    tmp_path: Path,
) -> None:
    async with a_terminal(tmp_path) as terminal:
        for key, value in (
            ("clean.after_hours", "48"), ("compress.min_saving", "0.25"), ("pools.copy", "3"),
            ("metrics.enabled", "true"), ("ingest.settle_seconds", "30 s"),
        ):  # fmt: skip
            said = await terminal.type("config", "set", key, value)
            assert said.code == 0, said.err
        written = tomllib.loads(await anyio.Path(tmp_path / "mediad.toml").read_text())
    assert written["clean"] == {"after_hours": 48}
    assert written["compress"] == {"min_saving": 0.25}
    assert written["pools"] == {"copy": 3}
    assert written["metrics"] == {"enabled": True}
    assert written["ingest"] == {"settle_seconds": "30 s"}


async def test_a_secret_is_never_taken_from_the_process_list(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "mediad.toml"
    async with a_terminal(tmp_path) as terminal:
        said = await terminal.type("config", "set", "web.token", "hunter2hunter2")
        assert said.code == 2
        assert "config set web.token -" in said.err
        assert "hunter2" not in said.out + said.err
        assert not file.exists()
        monkeypatch.setattr("sys.stdin", io.StringIO("hunter2hunter2\n"))
        said = await terminal.type("config", "set", "web.token", "-")
        assert said.code == 0, said.err
        assert "hunter2" not in said.out + said.err
    assert tomllib.loads(file.read_text())["web"] == {"token": "hunter2hunter2"}


async def test_a_secret_is_asked_for_on_a_terminal_without_showing_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("getpass.getpass", lambda *_: "hunter2hunter2")
    async with a_terminal(tmp_path) as terminal:
        said = await terminal.type("config", "set", "web.token", "-")
        assert terminal.world.settings.web.token.get_secret_value() == "hunter2hunter2"
    assert "hunter2" not in said.out + said.err


def test_a_configuration_is_checked_without_a_daemon(tmp_path: Path) -> None:
    file = tmp_path / "mediad.toml"
    file.write_text('root = "photos"\n[archive]\nenablee = true\n')
    said = type_in("config", "check", str(file))
    assert said.code == 2
    assert said.out.startswith(f"{file}:3: archive.enablee: ")
    assert type_in("config", "check", str(file), "--json").doc["ok"] is False
    file.write_text('root = "photos"\n')
    assert type_in("config", "check", str(file)).code == 0


def test_setup_writes_a_file_that_is_right_and_never_over_another(tmp_path: Path) -> None:
    words = (
        "--root",
        str(tmp_path),
        "config",
        "setup",
        "--yes",
        "--archive",
        str(tmp_path / "nas"),
    )
    assert type_in(*words).code == 0
    assert type_in("config", "check", str(tmp_path / "mediad.toml")).code == 0
    assert str(tmp_path / "nas") in (tmp_path / "mediad.toml").read_text()
    assert type_in(*words).code == 1


def test_doctor_looks_at_the_host_when_no_daemon_answers(tmp_path: Path) -> None:
    said = type_in("--root", str(tmp_path), "doctor", "--json")
    assert said.code == 0
    codes = {f["code"] for f in said.doc["findings"]}
    assert {"daemon.silent", "folder.incoming", "journal.disk"} <= codes
    assert all(f["remedy"] for f in said.doc["findings"] if f["level"] != "ok")


@pytest.mark.parametrize(("is_owner", "word"), [(True, "chmod u+rwx"), (False, "ask as the user")])
def test_doctor_tells_nobody_to_take_the_daemons_folders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, word: str, *, is_owner: bool
) -> None:
    (tmp_path / "library").mkdir()
    monkeypatch.setattr(os, "access", lambda *_: False)
    if not is_owner:
        monkeypatch.setattr(os, "geteuid", lambda: 4242)
    said = type_in("--root", str(tmp_path), "doctor", "--json")
    [found] = [f for f in said.doc["findings"] if f["code"] == "folder.library"]
    assert found["level"] == "fault"
    assert word in found["remedy"]
    assert "4242 " not in found["remedy"]


async def test_restore_is_refused_while_a_daemon_works_and_keeps_what_it_replaces(
    tmp_path: Path,
) -> None:
    from mediad.journal import Lock  # noqa: PLC0415 - only here

    root = str(tmp_path)
    async with a_terminal(tmp_path) as terminal:
        await terminal.world.bring("a.jpg")
        saved = (await terminal.type("backup", str(tmp_path / "b.db"), "--json")).doc["path"]
        again = await terminal.type("backup", str(tmp_path / "b.db"))
        assert again.code == 1
        lock = Lock.acquire(tmp_path / "state" / "mediad.lock")
        said = type_in("--root", root, "restore", saved)
        assert said.code == 1
        assert "another mediad" in said.err
        lock.release()
    said = type_in("--root", root, "restore", saved, "--json")
    assert said.code == 0
    assert await anyio.Path(said.doc["kept"]).exists()
    assert type_in("--root", root, "restore", str(tmp_path / "none.db")).code == 2
    (tmp_path / "junk.db").write_text("no journal")
    assert type_in("--root", root, "restore", str(tmp_path / "junk.db")).code == 1


async def test_a_link_that_is_off_is_said_to_be_off(tmp_path: Path) -> None:
    async with a_terminal(tmp_path) as terminal:
        for words, why in (
            ("batches", "syncthing"),
            ("syncthing", "syncthing"),
            ("icloud login", "icloud"),
        ):
            said = await terminal.type(*words.split())
            assert said.code == 1
            assert (
                f"off: {'no [syncthing] url' if why == 'syncthing' else '[icloud] enabled = false'}"
                in said.out
            )


async def test_logs_are_filtered_by_level(tmp_path: Path) -> None:
    async with a_terminal(tmp_path) as terminal:
        terminal.world.settings.log_path.write_text(
            '{"ts":"1","level":"info","event":"asset.moved","asset":1}\n{"ts":"2","level":"error","event":"link.down"}\n'
        )
        loud = await terminal.type("logs", "--level", "error")
        every = await terminal.type("logs", "--json")
    assert loud.out.split() == ["2", "error", "link.down"]
    assert [line["event"] for line in every.doc["lines"]] == ["asset.moved", "link.down"]


async def test_nas_init_passes_on_the_refusal(tmp_path: Path) -> None:
    async with a_terminal(tmp_path) as terminal:
        assert (await terminal.type("nas", "init", str(tmp_path / "nas"))).code == 1
        assert (await terminal.type("nas", "init", str(tmp_path / "nas"), "--force")).code == 0


def test_asking_for_the_status_loads_nothing_heavy(tmp_path: Path) -> None:
    heavy = (
        "asyncio",
        "pydantic",
        "aiohttp",
        "rich",
        "sqlite3",
        "http",
        "email",
        "ssl",
        "subprocess",
        "anyio",
    )
    program = (
        "import sys; before = set(sys.modules)\n"
        "from mediad.mediactl import main\n"
        f"code = main(['--root', {str(tmp_path)!r}, 'status'])\n"
        f"print(code, [m for m in {heavy} if m in set(sys.modules) - before])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "3 []"
