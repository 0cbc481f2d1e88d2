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

_DURABLE: Final = "mediad/adapters/durable"
_FILES: Final = f"{_DURABLE}/files.py"
_LOT: Final = f"{_DURABLE}/lot.py"
_FOLLOWED: Final = "m.seen is not None and (not m.is_there)"
_SAME_FILE: Final = "follow() asks itself whether it is the very file, by its inode; what was there already is another"
_NO_LINK: Final = (
    "what a link leads to is another file, or the very file: is_changed tells by the inode"
)

_CLEAN: Final = "mediad/stages/clean.py"
_RELEASE: Final = "mediad/stages/release.py"
_DELETE: Final = "mediad/stages/delete.py"
_ONE_EACH: Final = "whoever asks the files gets one answer to each question, in this order"

EQUIVALENT: Final = (
    Equivalent(
        "mediad/policy/deletion.py",
        "_missing",
        "c.digest == digest and c.place != place",
        "without `c.place != place`",
        "what goes lies where no copy counts at all; this is the second lock of that door",
    ),
    Equivalent(
        _FILES,
        "DurableFiles.discard",
        "places",
        "always",
        "of an empty list nothing is thrown away",
    ),
    Equivalent(
        "mediad/policy/deletion.py",
        "warrant_for_shared",
        "original is None or (lack := _missing(place, original, usable, 1, required))",
        "without `original is None`",
        "of bytes that nobody knows no copy is ever found, and one is always wanted",
    ),
    Equivalent(
        "mediad/policy/deletion.py",
        "warrant_for_cloud",
        "missing or case.fresh is None",
        "without `case.fresh is None`",
        "of a photo that could not be looked up a proof is missing already; only the types do not know it",
    ),
    Equivalent(
        _FILES,
        "DurableFiles._take_back",
        "put.digest or Digest('')",
        "without `Digest('')`",
        "a trial always has a digest; only the types do not know it",
    ),
    Equivalent(
        _FILES,
        "DurableFiles._copy",
        "len(members) == 1",
        "never",
        "one alone is written, verified and named by the same steps, with more hops between threads",
    ),
    Equivalent(
        _FILES,
        "DurableFiles._copy_apart",
        "m.is_apart and m.answer is None",
        "without `m.answer is None`",
        "that it is apart is the last that is found out about a member: none of them has an answer yet",
    ),
    Equivalent(_FILES, "DurableFiles._remember_links", _FOLLOWED, "always", _SAME_FILE),
    Equivalent(
        _FILES, "DurableFiles._remember_links", _FOLLOWED, "without `not m.is_there`", _SAME_FILE
    ),
    Equivalent(
        _FILES,
        "DurableFiles._remember_links",
        _FOLLOWED,
        "without `m.seen is not None`",
        "whoever is sound after a link was seen",
    ),
    Equivalent(_FILES, "DurableFiles._remember_links", "False", "other follow_symlinks", _NO_LINK),
    Equivalent(
        _FILES,
        "DurableFiles._name",
        "m.read is not None",
        "always",
        "whoever is sound by then was read, by verify or by the comparing",
    ),
    Equivalent(_FILES, "DurableFiles._name", "False", "other follow_symlinks", _NO_LINK),
    Equivalent(
        _LOT,
        "Lot.__init__",
        "len(members) <= _FEW",
        "bound moved",
        "whether four files share a sync or have one each is a matter of speed",
    ),
    Equivalent(
        _LOT,
        "Lot.verify",
        "True",
        "other is_synced",
        "it writes out once more what is synced already",
    ),
    Equivalent(
        _LOT,
        "Lot.link",
        "not os.path.samestat(there, m.seen)",
        "always",
        "two names of one file hold the same bytes, and reading them tells so",
    ),
    Equivalent(
        _LOT,
        "Lot._compare",
        "True",
        "other is_synced",
        "it writes out once more what is synced already",
    ),
    Equivalent(
        _LOT,
        "Lot._turn_to_copy",
        "m.seen is None or not stat.S_ISREG(m.seen.st_mode)",
        "without `m.seen is None`",
        "whatever could not be renamed or linked was looked at before; only the types do not know it",
    ),
    Equivalent(
        _LOT,
        "Lot._drop_sources",
        "m.seen is None or reading.is_changed(m.seen, now)",
        "without `m.seen is None`",
        "whatever was copied or compared was looked at before; only the types do not know it",
    ),
    Equivalent(_CLEAN, "_facts", "True", "other strict", _ONE_EACH),
    Equivalent(_CLEAN, "_verified", "True", "other strict", _ONE_EACH),
    Equivalent(_RELEASE, "_verified", "True", "other strict", _ONE_EACH),
    Equivalent(
        f"{_DURABLE}/parts.py",
        "",
        "os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW",
        "without `O_NOFOLLOW`",
        "what O_EXCL makes is new and no link; it is there to be read",
    ),
    Equivalent(
        f"{_DURABLE}/arrival.py",
        "Arrival.finish",
        "True",
        "other is_synced",
        "it writes out once more what is synced already",
    ),
    Equivalent(
        f"{_DURABLE}/arrival.py",
        "Arrival.close",
        "self._fd >= 0",
        "bound moved",
        "0 is what the process was started with, and no file that it opened",
    ),
    Equivalent(
        _DELETE,
        "act",
        "f.case",
        "all pass",
        "what did not come from iCloud is never acted on; only the types do not know it",
    ),
    Equivalent(
        _DELETE,
        "act",
        "True",
        "other strict",
        "whoever asks iCloud gets one answer to each question, in this order",
    ),
    Equivalent(
        _DELETE,
        "_may_be_deleted",
        "case is None or facts.is_manual or _is_told_gone(case) or never(case.row.remote)",
        "without `never(case.row.remote)`",
        "of what never goes this is asked only after, and whether the day is spent, which it is not held up by",
    ),
    Equivalent(
        _DELETE,
        "_is_worth_reading",
        "facts.case is None or facts.is_manual or facts.is_spent",
        "without `facts.case is None`",
        "only of what iCloud was asked about; only the types do not know it",
    ),
    Equivalent(
        _DELETE,
        "_is_worth_reading",
        "facts.case is None or facts.is_manual or facts.is_spent",
        "without `facts.is_spent`",
        "only of what iCloud was asked about, and of what the day has no room for it is not asked",
    ),
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
