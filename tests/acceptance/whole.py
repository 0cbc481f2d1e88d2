"""The whole daemon as a person has it: real processes, real folders, and the words that mediactl says."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

BIN = Path(sys.executable).parent
QUICK = {
    "MEDIAD_INGEST__SETTLE_SECONDS": "0.2",
    "MEDIAD_INGEST__GROUP_SECONDS": "2",
    "MEDIAD_SAFETY__RESERVE": "1 MiB",
}


class Whole:
    """One root with its daemon."""

    def __init__(self, root: Path, **settings: str) -> None:
        self.root = root
        self.env = {**os.environ, **QUICK, **settings}
        self.incoming = root / "incoming"
        self.archive = root / "nas_archive"
        self.library = root / "library"
        self.incoming.mkdir(parents=True, exist_ok=True)

    def once(self, *, check: bool = True, timeout: float = 90) -> subprocess.CompletedProcess[str]:
        """`mediad --root ROOT --once`; unless told otherwise it must end with 0 or 1."""
        done = subprocess.run(
            [BIN / "mediad", "--root", self.root, "--once"],
            env=self.env, text=True, capture_output=True, timeout=timeout, check=False,
        )  # fmt: skip
        if check:
            assert done.returncode in {0, 1}, done.stderr[-4000:]
        if done.returncode:  # shown by pytest with a test that fails for it
            print(done.stderr[-4000:])  # noqa: T201
        return done

    def start(self) -> subprocess.Popen[bytes]:
        with (self.root / "daemon.log").open("ab") as log:
            return subprocess.Popen(
                [BIN / "mediad", "--root", self.root], env=self.env, stdout=log, stderr=log
            )

    @contextmanager
    def running(self) -> Iterator[subprocess.Popen[bytes]]:
        daemon = self.start()
        try:
            self.until(lambda: self.ctl("status", check=False).returncode == 0)
            yield daemon
        finally:
            daemon.send_signal(signal.SIGTERM)
            try:
                daemon.wait(40)
            except subprocess.TimeoutExpired:
                daemon.kill()
                raise

    def ctl(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [BIN / "mediactl", "--root", self.root, *words],
            env=self.env, text=True, capture_output=True, timeout=120, check=False,
        )  # fmt: skip
        if check:
            assert done.returncode == 0, (words, done.returncode, done.stdout, done.stderr)
        return done

    def ask(self, *words: str) -> Any:
        """The one JSON document of a command."""
        return json.loads(self.ctl("--json", *words, check=False).stdout)

    def explain(self, what: str) -> Any:
        return self.ask("explain", what)

    def log(self) -> str:
        return (self.root / "daemon.log").read_text(errors="replace")

    def until(self, holds: Any, timeout: float = 60) -> None:
        """Wait for a thing that only another process can tell us; it has no event to await."""
        end = time.monotonic() + timeout
        while not holds():
            assert time.monotonic() < end, self.log()[-4000:]
            time.sleep(0.02)


def sha(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def hashes(folder: Path) -> list[str]:
    """Every visible file's hash below a folder, sorted: what is there, whatever it is called."""
    return sorted(
        sha(p)
        for p in folder.rglob("*")
        if p.is_file() and not p.is_symlink() and not p.name.startswith(".")
    )
