"""Changes that change nothing that can be seen, each with the reason. One that fits no guard any more is an error."""

from typing import Final, NamedTuple


class Equivalent(NamedTuple):
    file: str
    scope: str
    text: str
    change: str
    why: str


_BREAKER: Final = ("mediad/policy/breaker.py", "Breaker._forget")
_SPARED: Final = "it only spares the making of a new table that would be equal"

EQUIVALENT: Final = (
    Equivalent(*_BREAKER, "any((at < before for at in self._lost.values()))", "always", _SPARED),
    Equivalent(*_BREAKER, "at < before", "bound moved", _SPARED),
    Equivalent(
        "mediad/policy/cloud_guard.py",
        "Held.is_matched",
        "bool(self.fingerprints) and set(self.fingerprints) == {self.file.fingerprint}",
        "without `bool(self.fingerprints)`",
        "no fingerprints at all are not the one that iCloud lists, either; it is there to be read",
    ),
)
