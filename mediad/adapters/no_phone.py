"""No phone: where no Syncthing is configured. Nobody should ask; who does hears how to switch it on."""

from collections.abc import Sequence
from typing import NoReturn

from mediad.errors import NeedsOperator
from mediad.model import Place, SiteKey
from mediad.ports import Change, Entry, Indexed, PhoneLink, SetUp


class NoPhone:
    """ports.Phone."""

    async def link(self) -> PhoneLink:
        _refuse()

    async def scan(self, _: Sequence[SiteKey]) -> None:
        _refuse()

    async def indexed(self, _: Sequence[SiteKey]) -> Sequence[Indexed | None]:
        _refuse()

    async def needed(self) -> frozenset[SiteKey]:
        _refuse()

    async def ahead(self) -> frozenset[SiteKey]:
        _refuse()

    async def blocks_hash(self, _: Place, __: Entry) -> bool:
        _refuse()

    async def set_up(self) -> SetUp:
        _refuse()

    async def keeps_deleted(self, _: float) -> bool | None:
        _refuse()

    async def mend(self, _: Sequence[Change]) -> None:
        _refuse()


def _refuse() -> NoReturn:
    raise NeedsOperator(
        "no Syncthing is configured, so nothing can be asked of the phone; no file waits for it",
        code="syncthing.off",
        remedy="set syncthing.url and syncthing.api_key, then `mediactl reload`",
        site="syncthing",
    )
