"""
What icloudpd leaves on disk where four issues of its own say that it lost something. Run by hand, not by `make test`.

`python -m bench.icloudpd` installs it as Python source from PyPI into a virtual environment that goes again, signs it
in to our small iCloud, and plays what its issues #99, #154, #346 and #918 tell. Nothing of it is changed, and its
options are its defaults but for those that a line names. Only its way to Apple is another:
`icloudpd_door/sitecustomize.py` has `requests` send what is meant for Apple's hosts to the small iCloud, with the host
in a header, as mediad does with `icloud.gateway`. It signs in with its password, as a browser that Apple trusts
already: the token of that trust is put where icloudpd keeps it, so that no code is asked for.

The same scenarios with mediad: tests/acceptance/test_icloudpd_losses.py.
"""

import argparse
import contextlib
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

from anyio.from_thread import BlockingPortal, start_blocking_portal

from mediad.adapters.clock import SystemClock
from mediad.testing.icloud import AssetRow, FakeICloud, Fault, Person
from mediad.testing.icloud.account import DAY_S

T = TypeVar("T")
VERSION: Final = "1.32.3"
DOOR: Final = Path(__file__).parent / "icloudpd_door"
TAKEN: Final = 1_600_000_000_000
NAME: Final = "IMG_0001.JPG"
SIZE, PART = 200_000, 100_000
BY_ID: Final = ("--file-match-policy", "name-id7")
MIRROR: Final = "--auto-delete"
PATIENCE_S: Final = 120
SHOWN, DELETED, PIECE = "whole", "whole, and in Recently Deleted", "a part"
SPOILT = "not the bytes of any photo"


def install(version: str, into: Path) -> Path:
    """The program. PyPI has it as one binary for each platform as well; those are not taken."""
    subprocess.run([sys.executable, "-m", "venv", into / "venv"], check=True)
    pip: list[str | Path] = [into / "venv" / "bin" / "pip", "--quiet"]
    source = ["--no-deps", "--platform=any", "--only-binary=:all:", f"icloudpd=={version}"]
    subprocess.run([*pip, "download", "--dest", into / "wheel", *source], check=True)
    subprocess.run([*pip, "install", *(into / "wheel").glob("*.whl")], check=True)
    return into / "venv" / "bin" / "icloudpd"


@dataclass
class World:
    """An iCloud, and the folder into which icloudpd downloads it."""

    icloud: FakeICloud
    portal: BlockingPortal
    program: Path
    folder: Path
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.me = Person(self.icloud.library)
        self.photos = self.folder / "photos"
        self.photos.mkdir(parents=True)
        cookies, account = self.folder / "cookies", self.icloud.account
        cookies.mkdir()
        trust = account.sign("trust", until=self.icloud.clock.now() + DAY_S * 1000)
        session = cookies / f"{re.sub(r'[^A-Za-z0-9_]', '', account.apple_id)}.session"
        session.write_text(json.dumps({"trust_token": trust}))

    def do(self, act: Callable[..., T], *words: Any, **more: Any) -> T:
        """As the owner, between two requests."""
        return self.portal.call(lambda: act(*words, **more))

    def shoot(self, name: str = NAME, size: int = SIZE) -> AssetRow:
        return self.do(self.me.shoot, name, taken_at=TAKEN, size=size)

    def start(self, *options: str) -> subprocess.Popen[bytes]:
        account = self.icloud.account
        env = {
            "PATH": os.environ["PATH"], "HOME": str(self.folder), "TZ": "UTC",
            "PYTHONPATH": str(DOOR), "ICLOUD_GATEWAY": self.icloud.address,
        }  # fmt: skip
        words: list[str | Path] = [
            self.program, "--password-provider", "parameter", "--no-progress-bar", "--directory", self.photos,
            "--cookie-directory", self.folder / "cookies", *options,
            "--username", account.apple_id, "--password", account.password,
        ]  # fmt: skip
        with (self.folder / "log").open("a") as log:
            return subprocess.Popen(
                words, env=env, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )  # fmt: skip

    def run(self, *options: str) -> None:
        running = self.start(*options)
        try:
            running.wait(PATIENCE_S)
        finally:
            running.kill()
        if running.returncode:
            raise SystemExit((self.folder / "log").read_text()[-4000:])
        self.note(f"after a run {' '.join(options)}".rstrip())

    def run_killed(self) -> None:
        """In the middle of a download."""
        running = self.start()
        end = time.monotonic() + PATIENCE_S
        while not any(p.stat().st_size for p in self.photos.rglob("*.part")):
            if running.poll() is not None or time.monotonic() > end:
                running.kill()
                raise SystemExit((self.folder / "log").read_text()[-4000:])
            time.sleep(0.05)
        running.kill()
        running.wait()
        self.note("after kill -9 in the middle of the download")

    def everything(self) -> set[str]:
        """The hashes of all originals, those in Recently Deleted too."""
        return self._originals(self.icloud.library.primary.of(AssetRow))

    def shown(self) -> set[str]:
        """Those that the owner sees."""
        rows = self.icloud.library.primary.of(AssetRow)
        return self._originals(row for row in rows if not row.is_deleted)

    def _originals(self, rows: Iterable[AssetRow]) -> set[str]:
        zone = self.icloud.library.primary
        return {_hash(zone.master(row.master).files[0].body.read()) for row in rows}

    def note(self, when: str) -> None:
        """What lies on disk, each file beside what iCloud has."""
        self.notes.append(f"  {when}; iCloud shows {len(self.shown())}:")
        for path, is_what in self.found().items():
            name = path.relative_to(self.photos)
            self.notes.append(f"    {name}: {path.stat().st_size:,} bytes, {is_what}")
        if not self.found():
            self.notes.append("    nothing")

    def found(self) -> dict[Path, str]:
        shown, whole = self.shown(), self.everything()
        files = {p: _hash(p.read_bytes()) for p in sorted(self.photos.rglob("*")) if p.is_file()}
        said = {d: SHOWN if d in shown else DELETED for d in whole}
        return {p: PIECE if p.suffix == ".part" else said.get(d, SPOILT) for p, d in files.items()}

    def loss(self) -> str:
        """In words, of the disk as it is now."""
        there = {_hash(path.read_bytes()) for path in self.found()}
        missing, spoilt = len(self.shown() - there), list(self.found().values()).count(SPOILT)
        said = (
            [f"{missing} of {len(self.shown())} that iCloud shows not on disk"] if missing else []
        )
        said += [f"{spoilt} spoilt under a name of its own"] if spoilt else []
        return ", ".join(said) or "nothing lost"


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def cut(world: World, *options: str) -> None:
    """#99: the connection ends in the middle of a download; then another run."""
    world.shoot()
    world.icloud.faults.append(Fault("icloud-content.com", cut_at=PART))
    world.run(*options)
    world.run(*options)


def cut_and_deleted(world: World) -> None:
    """#99, with the option that deletes in iCloud what was downloaded."""
    cut(world, "--delete-after-download")


def killed(world: World) -> None:
    """#99: icloudpd is killed in the middle of a download; then another run."""
    world.shoot()
    world.icloud.faults.append(Fault("icloud-content.com", stall_at=PART))
    world.run_killed()
    world.run()


def namesakes(world: World) -> None:
    """#154: three photos of one day and one name, two of them of one size."""
    for size in (SIZE, SIZE, PART):
        world.shoot(size=size)
    world.run()


def namesakes_by_id(world: World) -> None:
    """#154, with the option that names each by its id."""
    for size in (SIZE, SIZE, PART):
        world.shoot(size=size)
    world.run(*BY_ID)


def duplicate(world: World, *options: str) -> None:
    """#346: a photo was duplicated on the phone, and the duplicate deleted."""
    shot = world.shoot()
    world.run(*options)
    copy = world.do(world.me.duplicate, shot.record)
    world.do(world.me.delete, copy.record)
    world.run(*options, MIRROR)


def duplicate_by_id(world: World) -> None:
    """#346, with the option that names each by its id."""
    duplicate(world, *BY_ID)


def clip(world: World, *options: str) -> None:
    """#918: a film was cut and saved as a new one of the same name, and the old one deleted."""
    old = world.do(world.me.film, "1234.MOV", taken_at=TAKEN, size=SIZE)
    world.do(world.me.film, "1234.MOV", taken_at=TAKEN, size=PART)
    world.do(world.me.delete, old.record)
    world.run(*options, MIRROR)


def clip_by_id(world: World) -> None:
    """#918, with the option that names each by its id."""
    clip(world, *BY_ID)


def mirrored(world: World, *options: str) -> None:
    """To compare: of two photos with names of their own, one is deleted."""
    world.shoot()
    gone = world.shoot("IMG_0002.JPG")
    world.run(*options)
    world.do(world.me.delete, gone.record)
    world.run(*options, MIRROR)


def mirrored_by_id(world: World) -> None:
    """To compare: the same, with the option that names each by its id."""
    mirrored(world, *BY_ID)


SCENARIOS: Final[tuple[Callable[[World], None], ...]] = (
    cut, cut_and_deleted, killed, namesakes, namesakes_by_id, duplicate, duplicate_by_id, clip, clip_by_id,
    mirrored, mirrored_by_id,
)  # fmt: skip


@contextlib.contextmanager
def world(program: Path, folder: Path) -> Iterator[World]:
    icloud = FakeICloud(SystemClock())
    icloud.account.phone = ""  # the code comes to the trusted device
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(icloud.serving()):
        yield World(icloud, portal, program, folder)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.icloudpd", description=__doc__)
    parser.add_argument("--version", default=VERSION, help=f"of icloudpd (default: {VERSION})")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="icloudpd-") as scratch:
        program = install(wanted.version, Path(scratch))
        print(f"icloudpd {wanted.version}")
        for scenario in SCENARIOS:
            with world(program, Path(scratch) / scenario.__name__) as w:
                scenario(w)
            print(f"\n{scenario.__doc__}", *w.notes, sep="\n")
            print(f"  => {w.loss()}", flush=True)


if __name__ == "__main__":
    main()
