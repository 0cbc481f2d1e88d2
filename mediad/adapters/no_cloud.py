"""No iCloud: where it is not switched on. Nobody should ask; who does hears how to switch it on."""

from collections.abc import Sequence
from typing import NoReturn

from mediad.errors import NeedsOperator
from mediad.model import CloudRef, Place, Remote
from mediad.ports import (
    Changed,
    Deleted,
    Delta,
    Fetch,
    SignIn,
    SignInState,
    Uploaded,
    Zone,
)


class NoCloud:
    """ports.Cloud."""

    def sign_in(self) -> SignIn:
        return SignIn(
            SignInState.SIGNED_OUT, message="iCloud is off", remedy="set icloud.enabled = true"
        )

    def ahead_ms(self) -> None:
        return None

    async def changed(self, _: str | None) -> Changed:
        _refuse()

    async def delta(self, _: Zone, __: str) -> Delta:
        _refuse()

    async def listing(self, _: Zone, __: int, *, hidden: bool = False) -> Delta:  # noqa: ARG002 - the port's word
        _refuse()

    async def album_listing(self, _: Zone) -> Delta:
        _refuse()

    async def lookup(self, _: Sequence[CloudRef]) -> Sequence[Remote | None]:
        _refuse()

    async def fetch(self, _: Sequence[Fetch]) -> Sequence[None]:
        _refuse()

    async def fingerprints(self, _: Sequence[Place]) -> Sequence[str | None]:
        _refuse()

    async def make_album(self, _: Zone, __: str, ___: str) -> None:
        _refuse()

    async def add(self, _: str, __: Sequence[CloudRef]) -> Sequence[None]:
        _refuse()

    async def members(self, _: str, __: Zone) -> frozenset[str] | None:
        _refuse()

    async def delete(self, _: Sequence[tuple[CloudRef, str]]) -> Sequence[Deleted]:
        _refuse()

    async def undelete(self, _: Sequence[CloudRef]) -> Sequence[None]:
        _refuse()

    async def upload(self, _: Place, __: str, *, zone: Zone) -> Uploaded:  # noqa: ARG002 - the port's word
        _refuse()

    async def tag(self, _: CloudRef, *, favourite: bool, albums: Sequence[str]) -> None:  # noqa: ARG002 - the port's words
        _refuse()


def _refuse() -> NoReturn:
    raise NeedsOperator(
        "iCloud is not switched on, so nothing can be asked of it; no file waits for it",
        code="icloud.off",
        remedy="set icloud.enabled = true and icloud.username, then `mediactl reload`",
        site="icloud",
    )
