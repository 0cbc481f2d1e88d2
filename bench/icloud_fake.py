"""The small iCloud in a process of its own, so that its processor time is not mediad's. A line in, a line out: JSON."""

import asyncio
import itertools
import json
import random
import sys
import threading
from typing import Any

from mediad.adapters.clock import SystemClock
from mediad.testing.icloud import Body, FakeICloud, File, MasterRow, Person
from mediad.testing.icloud.crowd import crowd
from mediad.testing.icloud.person import MOVIE

PIECE = 1 << 20
DATABASE = "/database/"


class Orders:
    """What the benchmark may ask for."""

    def __init__(self, icloud: FakeICloud) -> None:
        self._icloud = icloud
        self._me = Person(icloud.library)

    def sign_in(self) -> list[str]:
        account = self._icloud.account
        return [account.apple_id, account.password, account.device_code]

    def crowd(self, count: int) -> None:
        crowd(self._icloud.library, count)

    def shoot(self, count: int) -> None:
        for n in range(count):
            self._me.shoot(f"NEW_{n:04}.JPG")

    def films(self, count: int, mb: int) -> None:
        """So many of this size, each with other bytes. One piece of each is held."""
        for n in range(count):
            body = Body.repeated(random.Random(n).randbytes(PIECE), mb)
            name = f"FILM_{n:04}.MOV"
            self._me.add(name, [File("resOriginal", MOVIE, body)], taken_at=n * 60_000)

    def requests(self) -> dict[str, int]:
        """Of the library, by the question's path; the sign-in is left out."""
        return dict(self._icloud.remembered.requests)

    def addresses(self) -> list[tuple[str, str]]:
        """Each original: the Apple host, and its path with the signature."""
        zone = self._icloud.library.primary
        found = []
        for row in zone.of(MasterRow):
            fields: Any = self._icloud.writer.record(zone, row)["fields"]
            url = fields["resOriginalRes"]["value"]["downloadURL"].replace("${f}", "original")
            host, _, path = url.removeprefix("https://").partition("/")
            found.append((host, f"/{path}"))
        return found


async def main() -> None:
    icloud = FakeICloud(SystemClock())
    icloud.account.phone = ""  # the code comes to the trusted device
    orders = Orders(icloud)
    loop, lines = asyncio.get_running_loop(), asyncio.Queue[str]()

    def read() -> None:
        for line in itertools.chain(sys.stdin, [""]):
            loop.call_soon_threadsafe(lines.put_nowait, line)

    async with icloud.serving() as address:
        print(json.dumps(address), flush=True)
        threading.Thread(target=read, daemon=True).start()
        while line := await lines.get():
            name, *words = json.loads(line)
            print(json.dumps(getattr(orders, name)(*words)), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
