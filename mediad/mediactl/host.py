"""`doctor` and `restore`: what works, or must work, without a daemon."""

import argparse
import random
import syslog
import time
from pathlib import Path
from typing import Any, Final

import anyio

from mediad.config import ConfigFaults
from mediad.errors import MediadError
from mediad.journal import Lock, restore
from mediad.mediactl.client import DONE, NO, NO_DAEMON, USAGE, Client, Trouble
from mediad.mediactl.settings import loaded
from mediad.mediactl.show import clean, document, paint, say
from mediad.service.answers import FindingDoc
from mediad.service.doctor import finding, host_findings
from mediad.service.mending import mend

_COLOURS: Final = {"ok": "green", "warning": "yellow", "fault": "red"}


def doctor(client: Client, words: argparse.Namespace) -> int:
    fixed = _fixed(words) if words.fix else []
    doc = examined(client, words)
    doc = {
        "ok": doc["ok"] and not any(f["level"] == "fault" for f in fixed),
        "findings": [*fixed, *doc["findings"]],
    }
    if words.json:
        document(doc)
    else:
        for f in doc["findings"]:
            say(f"{paint(f['level'], _COLOURS[f['level']]):<7}  {f['code']}: {clean(f['message'])}")
            for n, line in enumerate(f["remedy"].splitlines()):
                say(f"         {'        ' if n else 'remedy: '}{clean(line)}")
    return DONE if doc["ok"] else NO


def _fixed(words: argparse.Namespace) -> list[FindingDoc]:
    """By the one who asks, not by the daemon: its sandbox may not change modes, and root may."""
    if words.socket and not (words.root or words.config):
        raise Trouble(
            "a socket does not tell which folders are meant; nothing was changed", USAGE,
            remedy="name them: --root DIR or --config FILE",
        )  # fmt: skip
    try:
        read = loaded(words)
    except ConfigFaults as faults:
        raise Trouble("\n".join(str(f) for f in faults.faults), USAGE) from None
    mended = mend(read.settings, read.file)
    for f in mended:  # the journal of the system, not only the terminal of the one who asked
        syslog.syslog(syslog.LOG_NOTICE, clean(f"{f['code']}: {f['message']}"))
    return mended


def examined(client: Client, words: argparse.Namespace) -> dict[str, Any]:
    """By the daemon, or without one from here."""
    try:
        doc: dict[str, Any] = client.get("/doctor")
    except Trouble as trouble:
        if trouble.code != NO_DAEMON:
            raise
        doc = _alone(words, trouble)
    return doc


def _alone(words: argparse.Namespace, trouble: Trouble) -> dict[str, Any]:
    """Without a daemon: what can be seen of this machine."""
    found = [finding("daemon.silent", trouble.what, level="warning", remedy=trouble.remedy)]
    try:
        read = loaded(words)
    except ConfigFaults as faults:
        found += [
            finding(faults.code, str(f), level="fault", remedy=faults.remedy) for f in faults.faults
        ]
    else:
        found += host_findings(read.settings, read.file)
    return {"ok": not any(f["level"] == "fault" for f in found), "findings": found}


def restore_journal(_: Client, words: argparse.Namespace) -> int:
    """Only while no daemon works on it; what is replaced is kept beside it."""
    try:
        settings = loaded(words).settings
    except ConfigFaults as faults:
        raise Trouble("\n".join(str(f) for f in faults.faults), USAGE) from None
    file = Path(words.file).absolute()
    if not file.is_file():
        raise Trouble(
            f"there is no file {file}; nothing was changed", USAGE, remedy="see state/backups"
        )
    settings.folders.state.mkdir(parents=True, exist_ok=True)
    try:
        lock = Lock.acquire(settings.folders.state / "mediad.lock")
        try:
            kept = restore(file, settings.journal_path, Now())
        finally:
            lock.release()
    except MediadError as fault:
        doc = {"detail": fault.what, "code": fault.code, "remedy": fault.remedy}
        raise Trouble(fault.what, NO, remedy=fault.remedy, doc=doc) from None
    said = {
        "restored": str(file),
        "journal": str(settings.journal_path),
        "kept": str(kept) if kept else None,
    }
    if words.json:
        document(said)
    else:
        say(
            f"{settings.journal_path} is now {file}"
            + (f"; the old one is kept as {kept}" if kept else "")
        )
    return DONE


class Now:
    """ports.Clock for this one program."""

    def now(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await anyio.sleep(seconds)

    def jitter(self) -> float:
        return random.SystemRandom().random()
