"""
`mediad --demo-icloud`: the daemon with a made-up iCloud beside it, on loopback, for trying things out without fear.

The library lives in `demo-icloud` in the state folder and goes on there after a restart. Apple is asked nothing.
"""

import argparse
import socket
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Final

from anyio.to_thread import run_sync

from mediad.adapters.clock import SystemClock
from mediad.config import ConfigFaults, Fault, Loaded, load
from mediad.testing.icloud import Account, FakeICloud, Library
from mediad.testing.icloud.demo import demo_library
from mediad.testing.icloud.saved import Saved

ACCOUNT: Final = "demo@example.com"
PASSWORD: Final = "demo-password"  # noqa: S105 - it is shown to whoever starts the demo
CODE: Final = "654321"
FOLDER: Final = "demo-icloud"
# So that all of it can be seen in minutes. What a file or the environment says counts; nothing is switched on here.
QUICK: Final = {
    "icloud.poll_minutes": "1",
    "delete.cooloff_days": "0.001",
    "delete.percent_per_day": "100",
}


def enter(loaded: Loaded, words: argparse.Namespace, environ: MutableMapping[str, str]) -> Loaded:
    """
    The same configuration with the demo's account and a free port of this machine as the gateway.

    They are put into the environment, over what a file says, so that a reload finds them too. Raises ConfigFaults for
    a root that somebody's real account belongs to.
    """
    theirs = loaded.settings.icloud.username
    if theirs not in {"", ACCOUNT}:
        why = f"this root belongs to {theirs}; give --demo-icloud a root of its own, such as --root ~/mediad-demo"
        raise ConfigFaults([Fault("icloud.username", why)])
    environ.update(
        MEDIAD_ICLOUD__ENABLED="true",
        MEDIAD_ICLOUD__USERNAME=ACCOUNT,
        MEDIAD_ICLOUD__DOMAIN="com",
        MEDIAD_ICLOUD__GATEWAY=f"http://127.0.0.1:{_free_port()}",
    )
    for key, value in QUICK.items():
        if loaded.origins.get(key, "default") == "default":
            environ[f"MEDIAD_{key.upper().replace('.', '__')}"] = value
    return load(config_file=words.config, root=words.root, environ=environ)


async def live(life: Callable[[], Awaitable[int]], loaded: Loaded) -> int:
    """The daemon's life within the demo's."""
    settings = loaded.settings
    clock = SystemClock()
    print("One moment: a small library is made …", flush=True)  # noqa: T201 - who starts a demo reads it
    account = Account(ACCOUNT, PASSWORD, device_code=CODE, sms_code=CODE)
    library = Library(clock)
    saved = Saved(settings.folders.state / FOLDER)
    if not await run_sync(saved.load, library, account):
        await run_sync(demo_library, library)
    icloud = FakeICloud(clock, account, library)
    icloud.answered = lambda: saved.save(library, account)
    door = socket.create_server(("127.0.0.1", int(settings.icloud.gateway.rpartition(":")[2])))
    async with icloud.serving(door) as address:
        print(_told(address, str(settings.root)), flush=True)  # noqa: T201 - who starts a demo reads it
        return await life()


def _told(address: str, root: str) -> str:
    return (
        f"A made-up iCloud is at {address}; Apple is asked nothing. Sign in with\n\n"
        f"    mediactl --root {root} icloud login\n\n"
        f"    account   {ACCOUNT}\n"
        f"    password  {PASSWORD}\n"
        f"    code      {CODE}\n\n"
        f"To let it give space back as well, afterwards:\n\n"
        f"    mediactl --root {root} config set delete.enabled true    # gathers in the album\n"
        f"    mediactl --root {root} selftest\n"
        f"    mediactl --root {root} config set safety.armed true      # deletes, after the cool-off\n\n"
        f"The demo looks every minute, its cool-off is a minute and a half in place of 30 days, and a day's share\n"
        f"is all of it in place of 5 %. Your own numbers in {root}/mediad.toml count at the next start.\n"
    )


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as door:
        port: int = door.getsockname()[1]
        return port
