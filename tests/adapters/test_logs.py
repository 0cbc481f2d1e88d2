"""Guards what mediad says: readable where it is read, the same on every outlet, and never a reason to stop."""

import io
import json
import logging
import os
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import structlog

from mediad.adapters import logs as logs_module
from mediad.adapters.logs import LogFile, Logs, set_up
from mediad.config import Settings

CANARY = "c4n4ry-s3cret/with+signs"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def fail(error: Exception, cause: Exception | None = None) -> None:
    raise error from cause


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


Speak = Callable[..., Logs]


@pytest.fixture
def speak(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Speak]:
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    opened: list[Logs] = []

    def _speak(stream: io.StringIO, environ: Mapping[str, str] | None = None, **log: Any) -> Logs:
        settings = Settings.model_validate(
            {
                "root": tmp_path,
                "log": log,
                "web": {"token": CANARY},
                "syncthing": {"api_key": CANARY},
            }
        )
        opened.append(set_up(settings, stream=stream, environ=environ or {}))
        return opened[-1]

    yield _speak
    for logs in opened:
        logs.close()


def test_away_from_a_terminal_a_line_is_one_json_document(speak: Speak) -> None:
    out = io.StringIO()
    speak(out)
    structlog.get_logger().info("asset.archived", asset=3, path=Path("a/b"))
    line = json.loads(out.getvalue())
    assert (line["level"], line["event"], line["asset"], line["path"]) == (
        "info", "asset.archived", 3, "a/b",
    )  # fmt: skip
    assert line["ts"].endswith("Z")


def test_on_a_terminal_a_line_is_for_people(speak: Speak) -> None:
    out = Terminal()
    speak(out, {"NO_COLOR": "1"})
    structlog.get_logger().info("asset.archived", asset=3)
    assert "asset.archived" in out.getvalue()
    assert "asset=3" in out.getvalue()
    assert "\x1b" not in out.getvalue()


def test_journald_gets_the_priority_only_on_its_own_stream(speak: Speak, tmp_path: Path) -> None:
    with (tmp_path / "stream").open("w+") as out:
        seen = os.fstat(out.fileno())
        logs = speak(out, {"JOURNAL_STREAM": f"{seen.st_dev}:{seen.st_ino}"})
        structlog.get_logger().warning("link.down")
        logs.close()
        speak(out, {"JOURNAL_STREAM": "1:2"})
        structlog.get_logger().warning("link.down")
        out.seek(0)
        ours, theirs = out.read().splitlines()
    assert ours.startswith('<4>{"ts"')
    assert theirs.startswith('{"ts"')


def test_the_level_changes_while_it_runs(speak: Speak, tmp_path: Path) -> None:
    logs = speak(io.StringIO())
    log = structlog.get_logger()
    log.debug("asset.seen")
    logs_module.apply(Settings.model_validate({"root": tmp_path, "log": {"level": "debug"}}))
    log.debug("asset.looked")
    logs_module.apply(Settings.model_validate({"root": tmp_path, "log": {"level": "error"}}))
    log.warning("asset.held")
    assert [line["event"] for line in logs.tail.recent()] == ["asset.looked"]


def test_what_is_bound_to_the_context_is_said(speak: Speak) -> None:
    logs = speak(io.StringIO())
    with structlog.contextvars.bound_contextvars(lane="archive"):
        structlog.get_logger().bind(stage="archive").info("asset.archived")
    (line,) = logs.tail.recent()
    assert (line["lane"], line["stage"]) == ("archive", "archive")


def test_no_outlet_ever_sees_a_secret(speak: Speak, tmp_path: Path) -> None:
    out = io.StringIO()
    logs = speak(out)
    log = structlog.get_logger()
    log.info("link.up", url=f"https://x/?k={CANARY}", nested={"a": [CANARY]}, api_key="other-key")
    log.info(CANARY, **{CANARY: 1})
    try:
        fail(ValueError(CANARY), OSError(CANARY))
    except ValueError:
        log.exception("link.down")
    logging.getLogger("aiohttp").error("sent %s", CANARY)
    try:
        fail(RuntimeError(CANARY))
    except RuntimeError as error:
        sys.excepthook(RuntimeError, error, error.__traceback__)
    everything = (
        out.getvalue() + (tmp_path / "state/mediad.log").read_text() + str(logs.tail.recent())
    )
    assert CANARY not in everything
    assert "c4n4ry" not in everything
    assert "other-key" not in everything
    assert (
        everything.count("Traceback") == 2 * 3
    )  # shown, in three outlets: the error and the crash
    assert "daemon.crashed" in everything


def test_a_traceback_shows_no_local_variables(speak: Speak) -> None:
    out = Terminal()
    speak(out)
    try:
        hidden = "l0cal-" + "value"
        fail(ValueError(len(hidden)))
    except ValueError:
        structlog.get_logger().exception("link.down")
    assert "Traceback" in out.getvalue()
    assert "l0cal-value" not in out.getvalue()


def test_libraries_come_the_same_way_but_not_their_chatter(speak: Speak) -> None:
    logs = speak(io.StringIO(), level="debug")
    logging.getLogger("aiohttp.access").info("GET /secret-path")
    logging.getLogger("asyncio").warning("slow: %s", 3)
    (ours,) = (
        h for h in logging.getLogger().handlers if type(h).__module__ == "mediad.adapters.logs"
    )
    ours.handle(logging.LogRecord("asyncio", 30, "", 0, "%d", ("no number",), None))
    told = [(line["event"], line["logger"], line["message"]) for line in logs.tail.recent()]
    assert told == [("library.said", "asyncio", "slow: 3"), ("library.said", "asyncio", "%d")]


def test_a_name_from_elsewhere_cannot_break_a_line_or_a_terminal(speak: Speak) -> None:
    foreign = "a\nb\x1b[31m\x9b\u202e\udcff.jpg"
    for out in (io.StringIO(), Terminal()):
        speak(out).close()
        speak(out, {"NO_COLOR": "1"})
        structlog.get_logger().info("asset.seen", name=foreign)
        (line,) = out.getvalue().splitlines()
        assert r"\x0a" in line
        assert not any(c in line for c in "\x1b\x9b\u202e\udcff")


def test_the_file_is_bounded_and_keeps_one_older_part(tmp_path: Path) -> None:
    file = LogFile(tmp_path / "state" / "mediad.log", 4096)
    for number in range(300):
        file.write(json.dumps({"n": number, "fill": "x" * 40}).encode() + b"\n")
    file.close()
    sizes = [p.stat().st_size for p in (tmp_path / "state").iterdir()]
    assert len(sizes) == 2
    assert max(sizes) < 4096 + 100
    older = file.path.with_name("mediad.log.1")
    numbers = [line["n"] for part in (older, file.path) if part.exists() for line in lines_of(part)]
    assert numbers == list(range(numbers[0], 300))
    assert len(numbers) > 60


def test_a_reload_takes_over_level_secrets_and_file(speak: Speak, tmp_path: Path) -> None:
    out = io.StringIO()
    speak(out)
    log = structlog.get_logger()
    log.info("asset.seen")
    fresh = {"root": tmp_path / "new", "log": {"level": "warning"}, "web": {"token": "fresh-one"}}
    logs_module.apply(Settings.model_validate(fresh))
    log.info("asset.seen")
    log.warning("link.down", why="fresh-one")
    assert [line["event"] for line in lines_of(tmp_path / "new/state/mediad.log")] == ["link.down"]
    assert "fresh-one" not in out.getvalue()
    assert len(out.getvalue().splitlines()) == 2


def test_a_log_that_cannot_be_written_never_stops_the_work(speak: Speak, tmp_path: Path) -> None:
    (tmp_path / "state").write_text("not a folder")
    out = io.StringIO()
    logs = speak(out)
    out.close()
    structlog.get_logger().info("asset.seen")
    assert len(logs.tail.recent()) == 1


def test_many_threads_say_whole_lines(speak: Speak) -> None:
    out = io.StringIO()
    speak(out, file=False)

    def talk() -> None:
        for number in range(100):
            structlog.get_logger().info("asset.seen", number=number)

    threads = [threading.Thread(target=talk) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len([json.loads(line) for line in out.getvalue().splitlines()]) == 400
