"""
The folders' own watch: is the archive still the archive, and is there room?

A fault pauses only what needs that folder; when it is over, the work goes on by itself. A folder that does not answer
at all is a fault like any other: the question has a time limit, and nothing else waits for it.
"""

from collections.abc import Collection
from typing import Final

import anyio

from mediad.engine import Engine
from mediad.errors import MediadError, NeedsOperator
from mediad.model import Site
from mediad.ports import Clock, Guard

CALM_S: Final = 15.0
WORRIED_S: Final = 1.0  # while a fault is open: the person who plugs the disk in is waiting
PATIENCE_S: Final = 10.0


async def watch(engine: Engine, guard: Guard, clock: Clock, sites: Collection[Site]) -> None:
    """Ask about every site for ever."""
    while True:
        faults = [await ask_about(engine, guard, site) for site in sites]
        await clock.sleep(WORRIED_S if any(faults) else CALM_S)


async def ask_about(engine: Engine, guard: Guard, site: Site) -> bool:
    """Look at one site now and tell the engine; True when there is a fault."""
    fault: MediadError | None = NeedsOperator(
        f"the folder of {site} has not answered for {PATIENCE_S:.0f} s; what needs it waits, nothing is lost",
        code=f"{site}.hung",
        remedy="check the file server or the cable; mediad goes on by itself when the folder answers",
        site=site,
    )
    with anyio.move_on_after(PATIENCE_S):
        fault = await guard.check(site)
    if fault is None:
        engine.link_is_up(site)
    else:
        engine.link_is_down(site, fault)
    return fault is not None
