"""One root of a world, with what lies outside it: set back, run under a watcher, run unharmed, judged."""

import gc
import importlib
import os
import shutil
import signal
import sqlite3
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import anyio
import anyio.lowlevel

from crash import looks, tracer
from crash.outside import Outside, an_icloud
from crash.ptrace import die_with_parent
from crash.tracer import Ended, Watcher
from crash.worlds import PHONE, QUICK, TAKEN, World, copy_tree
from mediad import daemon, mediactl
from mediad.adapters.clock import SystemClock
from mediad.config import load
from mediad.daemon.rules import Rules
from mediad.journal import Journal

TIMEOUT_S: Final = 60.0
FINE: Final = frozenset({0, 1})


@dataclass(frozen=True)
class Judged:
    """`bad` is what must never be; `asked`: after it a person was asked, and what they were told."""

    bad: tuple[str, ...] = ()
    asked: tuple[str, ...] = ()


class Rig:
    """Everything lies in `base`, which should be on a tmpfs."""

    def __init__(
        self, world: World, base: Path, mutation: Callable[[], None] = lambda: None
    ) -> None:
        self._mutation = mutation
        self.world = world
        self.base = base
        self.root = base / "root"
        self.log = base / "log"
        self._template = base / "template"
        shutil.rmtree(base, ignore_errors=True)
        base.mkdir(parents=True)
        self.outside = Outside(
            str(self.root / "pixel_sync"), PHONE["MEDIAD_SYNCTHING__API_KEY"], world.has_phone,
            an_icloud() if world.has_icloud else None, base / "outside.json",
        )  # fmt: skip
        self.settings = {**QUICK, **world.settings, **self.outside.bind()}
        self.originals: frozenset[str] = frozenset()
        self.known: frozenset[str] = frozenset()
        self.calm: Mapping[str, Any] = {}
        self.calm_status = 0
        self._prepare()

    def close(self) -> None:
        self.outside.unbind()

    def reset(self) -> None:
        copy_tree(self._template, self.root)
        self.outside.open()
        self.log.write_bytes(b"")

    def run(self, watcher: Watcher, timeout_s: float = TIMEOUT_S, **settings: str) -> Ended:
        return tracer.run(lambda: self._daemon(settings), watcher, timeout_s=timeout_s)

    def unharmed(self, **settings: str) -> Ended:
        """As `run`, with nobody watching."""
        pid = forked(lambda: self._daemon(settings))
        with tracer.Alarm(time.monotonic() + TIMEOUT_S):
            try:
                return Ended(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
            except InterruptedError:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
                return Ended(-signal.SIGKILL, timed_out=True)

    # -- judging ----------------------------------------------------------------------------------

    def crashed(self) -> list[str]:
        """Right after the fault."""
        seen, out = looks.look(self.root), self.outside.counts()
        return [
            *(f"lost {digest[:12]}" for digest in looks.lost(seen, self.originals, out["shown"])),
            *(f"torn {path}" for path in looks.torn(seen, self.known)),
            *looks.untrue(self.root, seen),
        ]

    def recovered(self) -> Judged:
        """One start unharmed; where it asks a person, the person says `retry`. Then it is as if nothing had been."""
        bad: list[str] = []
        ended = self.unharmed()
        if ended.status not in FINE or ended.timed_out:
            bad.append(f"the next start ended with {ended.status}: {self.last_words()}")
        asked = [" ".join(row) for row in looks.unsettled(self.root)]
        if asked:
            self.order_retry()
            ended = self.unharmed()
        bad += self.crashed()
        if looks.difference(self.end(looks.look(self.root)), self.calm):
            self._let_time_pass()  # what found its copies not there yet looks again the day after
            ended = self.unharmed()
            bad += self.crashed()
        if ended.status != self.calm_status:
            bad.append(f"the last start ended with {ended.status}: {self.last_words()}")
        seen = looks.look(self.root)
        bad += [f"litter {path}" for path in looks.litter(seen)]
        bad += looks.difference(self.end(seen), self.calm)
        return Judged(tuple(bad), tuple(asked))

    def end(self, seen: looks.Seen) -> dict[str, Any]:
        return {**looks.end_of(self.root, seen), **self.outside.counts()}

    def last_words(self) -> str:
        return self.log.read_text(errors="replace")[-600:]

    def order_retry(self) -> None:
        """What `mediactl retry --all-failed` and `--all-held` do."""

        def child() -> int:
            os.environ.update(self.settings)
            anyio.run(_retry_all, self.root)
            return 0

        os.waitpid(forked(child), 0)

    # -- making it --------------------------------------------------------------------------------

    def _prepare(self) -> None:
        self.outside.open()
        (self.root / "pixel_sync").mkdir(parents=True)
        if not self.world.is_first_start:
            self._once(self.world.settings)
        (self.root / "incoming").mkdir(exist_ok=True)
        self.world.drop(self.root / "incoming")
        dropped = looks.look(self.root)
        theirs = (*dropped.below("incoming"), *dropped.below("nas_archive"))
        self.originals = frozenset(lies.digest for _, lies in theirs) | {
            *self.outside.counts()["shown"]
        }
        if self.world.has_icloud:
            self._sign_in()
        if self.world.before is not None:
            self._once(self.world.before)
            self._let_time_pass()
        copy_tree(self.root, self._template)
        self._once(self.world.settings)
        if self.world.removes:
            self._let_time_pass()
            self._once(self.world.settings)
        ends = looks.look(self.root)
        self.known = self.originals | {
            lies.digest for folder in looks.WHOLE for _, lies in ends.below(folder)
        }
        self.calm = self.end(ends)
        if missing := looks.lost(ends, self.originals, self.outside.counts()["shown"]):
            raise SystemExit(f"{self.world.name}: an undisturbed run loses {missing}")
        self.outside.close()

    def _once(self, settings: Mapping[str, str]) -> None:
        self.log.write_bytes(b"")
        ended = self.unharmed(**settings)
        self.calm_status = ended.status
        if ended.status not in FINE:
            raise SystemExit(
                f"{self.world.name}: an undisturbed run ends with {ended}: {self.last_words()}"
            )

    def _let_time_pass(self) -> None:
        """What waits for its hours has waited them out."""
        with sqlite3.connect(self.root / looks.JOURNAL) as db:
            db.execute("UPDATE standing SET due = 1 WHERE mark = 'waiting'")
        db.close()

    def _sign_in(self) -> None:
        """With a library that is still empty; then the photos are taken."""
        self.outside.save_into = self.base / "icloud"
        self.outside.open()
        pid = forked(lambda: self._daemon({}, "--root", str(self.root)))
        try:
            until(lambda: self._ctl("status") == 0)
            self._ctl("icloud", "login", "-", said=f"{self.outside.password}\n")
            for words in (("icloud", "code", self.outside.code), ("selftest",)):
                if self._ctl(*words) != 0:
                    raise SystemExit(f"{self.world.name}: {words} failed: {self.last_words()}")
        finally:
            os.kill(pid, signal.SIGTERM)
            os.waitpid(pid, 0)
        self.outside.close()
        self.outside.go_on(self.world.shots, TAKEN)
        self.outside.open()
        self.originals |= {*self.outside.counts()["shown"]}

    def _ctl(self, *words: str, said: str = "") -> int:
        def child() -> int:
            self._speak_into_log()
            heard, speaks = os.pipe()
            os.write(speaks, said.encode())
            os.close(speaks)
            os.dup2(heard, 0)
            sys.stdin = os.fdopen(0)
            return mediactl.main(["--root", str(self.root), *words])

        return os.waitstatus_to_exitcode(os.waitpid(forked(child), 0)[1])

    def _speak_into_log(self) -> None:
        log = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        os.dup2(log, 1)
        os.dup2(log, 2)

    def _daemon(self, settings: Mapping[str, str], *words: str) -> int:
        """In the child: what `mediad --root ROOT --once` runs, unless other words are given."""
        self._speak_into_log()
        for name in [n for n in os.environ if n.startswith("MEDIAD_")]:
            del os.environ[name]
        os.environ.update({**self.settings, **settings})
        self._mutation()
        return daemon.main(words or ["--root", str(self.root), "--once"])


def until(holds: Callable[[], bool], patience_s: float = 30.0) -> None:
    """For what only another process can tell, which has no event to await."""
    end = time.monotonic() + patience_s
    while not holds():
        if time.monotonic() > end:
            raise SystemExit("it never came")
        time.sleep(0.05)


def forked(work: Callable[[], int]) -> int:
    sys.stdout.flush()
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        die_with_parent()
        code = work()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:  # noqa: BLE001 - the child ends here whatever happens
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(code)


async def _retry_all(root: Path) -> None:
    rules = Rules(load(config_file=None, root=root, environ=os.environ))
    journal = Journal.open(rules.settings.journal_path, SystemClock(), law=rules.law, off=rules.off)
    try:
        await journal.retry(None, ("failed", "held", "retry"))
    finally:
        await journal.close()


def warm() -> None:
    """Load what the daemon loads, once: every run is then a fork."""
    for module in ("mediad.daemon.life", "mediad.adapters.syncthing", "mediad.adapters.icloud"):
        importlib.import_module(module)
    with tempfile.TemporaryDirectory() as nowhere:
        load(config_file=None, root=Path(nowhere), environ={})
    anyio.run(anyio.lowlevel.checkpoint)
    gc.freeze()
