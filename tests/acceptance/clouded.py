"""The whole daemon with a small iCloud and, where wanted, a phone: what its owner does and sees."""

import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from anyio.from_thread import BlockingPortal, start_blocking_portal

from mediad.adapters.clock import SystemClock
from mediad.testing.icloud import FakeICloud, Person
from tests.acceptance.phone import Phoned
from tests.acceptance.whole import BIN, Whole, hashes
from tests.syncthing_pair import running_pair

T = TypeVar("T")
DAY_MS = 86_400_000


class Clouded:
    """An account with its library, and a root whose daemon is to empty it."""

    def __init__(self, root: Whole, icloud: FakeICloud, portal: BlockingPortal) -> None:
        self.root = root
        self.icloud = icloud
        self._portal = portal
        self.me = Person(icloud.library)

    def do(self, act: Callable[..., T], *words: Any, **more: Any) -> T:
        """As the owner, between two requests."""
        return self._portal.call(lambda: act(*words, **more))

    def sign_in(self) -> None:
        account = self.icloud.account
        done = subprocess.run(
            [BIN / "mediactl", "--root", self.root.root, "icloud", "login", "-"],
            input=account.password + "\n", env=self.root.env, text=True, capture_output=True, check=False,
        )  # fmt: skip
        assert "code" in done.stdout + done.stderr, done
        self.root.ctl("icloud", "code", account.device_code)

    def stage(self, name: str) -> Mapping[str, Any]:
        stages = self.root.ask("status")["workflow"]["stages"]
        [found] = [s for s in stages if s["name"] == name]
        return dict(found)

    def deleted(self) -> list[str]:
        """Records that somebody asked to move to Recently Deleted, whether it was done or not."""
        return [d.record for d in self.icloud.remembered.destroyed if d.what == "trash"]

    def expunged(self) -> list[str]:
        return [d.record for d in self.icloud.remembered.destroyed if d.what == "expunge"]

    def arm(self) -> None:
        self.root.ctl("config", "set", "safety.armed", "true")

    def decide_by_file(self, *rules: str) -> None:
        """These stand in mediad.toml from the beginning, and can be changed there."""
        for rule in rules:
            section, _, key = rule.partition(" = ")[0].partition(".")
            self.root.env.pop(f"MEDIAD_{section.upper()}__{key.upper()}", None)
        (self.root.root / "mediad.toml").write_text("".join(f"{rule}\n" for rule in rules))

    def says(self, name: str, stage: str, why: str, *not_these: str) -> bool:
        """Is that what a stage says of a photo by now, and none of the other things?"""
        steps = self.root.explain(name)["steps"]
        reasons = [s["reason"] for s in steps if s["stage"] == stage]
        return any(why in r and not any(n in r for n in not_these) for r in reasons)

    def left(self) -> set[str]:
        """What still shows in the library of the phone's owner."""
        rows = self.icloud.library.primary.ranked("shown", lambda row: row.expunged_at is None)
        return {row.record for row in rows}

    def originals(self) -> list[str]:
        """The hashes of the archive's files: sorted, as `hashes` has them."""
        return hashes(self.root.archive)


def _settings(address: str, more: Mapping[str, str]) -> dict[str, str]:
    return {
        "MEDIAD_ICLOUD__ENABLED": "true",
        "MEDIAD_ICLOUD__USERNAME": "anna@example.com",
        "MEDIAD_ICLOUD__GATEWAY": address,
        "MEDIAD_ICLOUD__POLL_MINUTES": "1",
        "MEDIAD_DELETE__ENABLED": "true",
        "MEDIAD_DELETE__COOLOFF_DAYS": "0",
        "MEDIAD_DELETE__PERCENT_PER_DAY": "100",
        **more,
    }


@contextmanager
def clouded(tmp_path: Path, *, phone: bool = False, **settings: str) -> Iterator[Clouded]:
    root = tmp_path / "root"
    (root / "pixel_sync").mkdir(parents=True)
    (root / "mediad.toml").touch()
    icloud = FakeICloud(SystemClock())
    icloud.account.phone = ""  # the code comes to the trusted device
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(icloud.serving()) as address,
    ):
        env = _settings(address, settings)
        if not phone:
            yield Clouded(Whole(root, **env), icloud, portal)
            return
        with running_pair(tmp_path / "pair", host_folder=root / "pixel_sync") as pair:
            yield Clouded(Phoned(root, pair, **env), icloud, portal)


def stays(holds: Callable[[], bool], seconds: float) -> None:
    """It is so, and stays so: there is no event for what must not happen."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        assert holds()
        time.sleep(0.2)
