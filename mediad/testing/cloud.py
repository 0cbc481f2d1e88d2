"""iCloud in memory: the promises of ports.Cloud without Apple, beside the folders in memory."""

from collections import Counter, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from mediad.errors import Bug, MediadError, NeedsOperator, Refused, Retryable
from mediad.model import CloudRef, Kind, Place, Remote, RemoteFile, Resource
from mediad.ports import (
    Album,
    Changed,
    Deleted,
    Delta,
    Fetch,
    SignIn,
    SignInState,
    Uploaded,
    Zone,
)
from mediad.testing import Power
from mediad.testing.cloud_library import PRIMARY, Held, Library, fingerprint_of
from mediad.testing.files import MemoryFile

__all__ = ["PRIMARY", "MemoryCloud", "fingerprint_of"]

READY: Final = SignIn(SignInState.READY, "m…@example.com")
AT_ONCE: Final = 25  # deletions a request
KEPT_MS: Final = 30 * 86_400_000  # in Recently Deleted
_JPEG: Final = (b"\xff\xd8\xff", b"jpeg")  # the second is how tests write one


@dataclass
class MemoryCloud(Library):
    """
    ports.Cloud over a library that people use as well.

    `faults` are raised by the next calls of a method; `refusals` by every call about that asset; `spoilt` bodies are
    served in place of the bytes with that fingerprint. `calls` counts requests, `deleted` what really went.
    """

    power: Power = field(default_factory=Power)
    faults: dict[str, deque[MediadError]] = field(default_factory=dict)
    refusals: dict[CloudRef, MediadError] = field(default_factory=dict)
    spoilt: dict[str, bytes] = field(default_factory=dict)
    calls: Counter[str] = field(default_factory=Counter)
    deleted: list[CloudRef] = field(default_factory=list)
    arrived: list[CloudRef] = field(default_factory=list)  # by upload
    signed: SignIn = READY
    page: int = 200
    index_s: float = 15.0  # until an upload can be looked up
    loses_uploads: bool = False  # it says yes, and never lists them
    forgets_tokens: bool = False
    ahead: int | None = 0  # ms, of our clock
    obeys_tags: bool = True  # Apple may not compare change tags at all

    def fail(self, call: str, *faults: MediadError) -> None:
        """The next calls of this method meet these, one each."""
        self.faults.setdefault(call, deque()).extend(faults)

    # -- ports.Cloud: reading -----------------------------------------------------------------------

    def sign_in(self) -> SignIn:
        return self.signed

    def ahead_ms(self) -> int | None:
        return self.ahead

    async def changed(self, token: str | None) -> Changed:
        self._met("changed")
        since = self._since(token) if token else 0
        fresh = {zone for zone, _, _ in self._log[since:]} if token else set(self.zones)
        return Changed(tuple(self.zones[z] for z in sorted(fresh)), f"D{len(self._log)}")

    async def delta(self, zone: Zone, token: str) -> Delta:
        self._met("delta")
        since = self._since(token)
        rows = [(n, *row) for n, row in enumerate(self._log) if n >= since and row[0] == zone.name]
        page, rest = rows[: self.page], rows[self.page :]
        end = page[-1][0] + 1 if rest else len(self._log)
        told = {(kind, record): None for _, _, kind, record in page}
        return replace(self._told(zone, told), token=f"Z{end}", is_more=bool(rest))

    async def listing(self, zone: Zone, rank: int, *, hidden: bool = False) -> Delta:
        self._met("listing")
        shown = [r for r in self._shown(zone.name) if r.is_hidden is hidden and not r.is_deleted]
        shown.sort(key=lambda r: (r.taken_at, r.ref.record))
        page = shown[rank : rank + self.page]
        end = rank + len(page)
        return Delta(tuple(page), token=f"Z{len(self._log)}", is_more=end < len(shown), rank=end)

    async def album_listing(self, zone: Zone) -> Delta:
        self._met("album_listing")
        mine = tuple(a for a in self.albums.values() if a.zone == zone.name and not a.is_gone)
        members = tuple(m for m in self.inside.values() if m.zone == zone.name)
        return Delta(albums=mine, members=members)

    async def lookup(self, refs: Sequence[CloudRef]) -> Sequence[Remote | None]:
        self._met("lookup")
        now = self.clock.now()
        found = [self.held.get(ref) for ref in refs]
        return [h.remote if h and h.seen_from <= now else None for h in found]

    async def members(self, album: str, zone: Zone) -> frozenset[str] | None:
        self._met("members")
        found = self.albums.get(album)
        if found is None or found.is_gone:
            return None
        inside = (m for m in self.inside.values() if m.album == album and m.zone == zone.name)
        return frozenset(m.asset for m in inside)

    async def fetch(self, fetches: Sequence[Fetch]) -> Sequence[MediadError | None]:
        self._met("fetch")
        return [self._fetch(f) for f in fetches]

    async def fingerprints(self, places: Sequence[Place]) -> Sequence[str | MediadError | None]:
        return [self._fingerprint(place) for place in places]

    # -- ports.Cloud: writing -----------------------------------------------------------------------

    async def make_album(self, zone: Zone, record: str, name: str) -> None:
        self._met("make_album")
        self.power.touch("make album")
        if record not in self.albums:
            self._album(Album(record, name, zone.name))
        self.power.touch("album made")

    async def add(self, album: str, refs: Sequence[CloudRef]) -> Sequence[MediadError | None]:
        self._met("add")
        return [self._add(album, ref) for ref in refs]

    async def delete(
        self, items: Sequence[tuple[CloudRef, str]]
    ) -> Sequence[Deleted | MediadError]:
        if len(items) > AT_ONCE:
            raise Bug(f"{len(items)} deletions in one request")
        self._met("delete")
        return [self._delete(ref, tag) for ref, tag in items]

    async def undelete(self, refs: Sequence[CloudRef]) -> Sequence[MediadError | None]:
        self._met("undelete")
        return [self._undelete(ref) for ref in refs]

    async def upload(self, place: Place, name: str, *, zone: Zone) -> Uploaded:
        self._met("upload")
        file = self.files.files.get(place)
        if file is None:
            raise Retryable(f"{place} is not there any more", code="io.missing")
        if not file.content.startswith(_JPEG):
            raise Refused("iCloud takes JPEG only", code="icloud.not_jpeg")
        mine = fingerprint_of(file.content)
        twin = next((r for r in self._all(zone.name) if r.master == mine), None)
        if twin is not None:
            return Uploaded(twin.ref, mine, is_duplicate=True)
        self.power.touch("upload")
        ref = self._upload(name, file.content, zone)
        self.power.touch("uploaded")
        return Uploaded(ref, mine)

    async def tag(self, ref: CloudRef, *, favourite: bool, albums: Sequence[str]) -> None:
        self._met("tag")
        if ref not in self.held:
            raise _no_such(ref)
        self.power.touch("tag")
        if favourite and not self.remote(ref).is_favourite:
            self.set(ref, favourite=True)
        for album in albums:
            if fault := self._add(album, ref):
                raise fault

    # -- small things -------------------------------------------------------------------------------

    def _met(self, call: str) -> None:
        """One request: counted, and met by what stands in its way."""
        self.calls[call] += 1
        if self.signed.state is not SignInState.READY:
            raise NeedsOperator(
                "iCloud wants a sign-in", code="icloud.signed_out", site="icloud",
                remedy="mediactl icloud login",
            )  # fmt: skip
        if waiting := self.faults.get(call):
            raise waiting.popleft()

    def _all(self, zone: str) -> list[Remote]:
        return [h.remote for ref, h in self.held.items() if ref.zone == zone]

    def _shown(self, zone: str) -> list[Remote]:
        now = self.clock.now()
        return [
            h.remote for h in self.held.values() if h.remote.ref.zone == zone and h.seen_from <= now
        ]

    def _since(self, token: str) -> int:
        number = token[1:]
        if self.forgets_tokens or not number.isdecimal() or int(number) > len(self._log):
            raise Refused("Unknown sync continuation type", code="icloud.token")
        return int(number)

    def _told(self, zone: Zone, told: Iterable[tuple[str, str]]) -> Delta:
        remotes: list[Remote] = []
        gone: list[CloudRef] = []
        albums, members, out = [], [], []
        for kind, record in told:
            ref = CloudRef(zone.name, record)
            held = self.held.get(ref)
            if kind == "album":
                albums.append(self.albums[record])
            elif kind in {"member", "out"}:
                inside = self.inside.get(record)
                members += [inside] if inside else []
                out += [] if inside else [record]
            elif held is None or held.remote.is_deleted:
                gone.append(ref)
            else:
                remotes.append(held.remote)
        return Delta(
            tuple(remotes), tuple(dict.fromkeys(gone)), tuple(albums),
            tuple(dict.fromkeys(members)), tuple(dict.fromkeys(out)),
        )  # fmt: skip

    def _fetch(self, fetch: Fetch) -> MediadError | None:
        if fault := self.refusals.get(fetch.ref) or self.files.faults.get(fetch.target.site):
            return fault
        there = self.files.files.get(fetch.target)
        if there is not None and fingerprint_of(there.content) == fetch.file.fingerprint:
            return None
        held = self.held.get(fetch.ref)
        body = self._body(held, fetch.file) if held else None
        if body is None:
            return _no_such(fetch.ref)
        mark = fingerprint_of(body) if fetch.file.is_provable else fetch.file.fingerprint
        if (len(body), mark) != (fetch.file.size, fetch.file.fingerprint):
            return Retryable(
                f"what came for {fetch.file.name} is not what iCloud listed", code="icloud.mismatch"
            )
        if there is not None:
            return Refused("other bytes are there", code="place.taken")
        self.power.touch("fetch")
        now = self.clock.now()
        self.files.files[fetch.target] = MemoryFile(
            body, fetch.mtime_ns, now * 1_000_000, since=now
        )
        self.power.touch("fetched")
        return None

    def _body(self, held: Held, file: RemoteFile) -> bytes | None:
        if file.fingerprint in self.spoilt:
            return self.spoilt[file.fingerprint]
        bodies = zip(held.remote.files, held.contents, strict=True)
        return next((c for f, c in bodies if f.fingerprint == file.fingerprint), None)

    def _fingerprint(self, place: Place) -> str | MediadError | None:
        if fault := self.files.faults.get(place.site):
            return fault
        file = self.files.files.get(place)
        return None if file is None else fingerprint_of(file.content)

    def _add(self, album: str, ref: CloudRef) -> MediadError | None:
        if fault := self.refusals.get(ref):
            return fault
        found = self.albums.get(album)
        if ref not in self.held or found is None or found.is_gone:
            return _no_such(ref)
        if f"{ref.record}-IN-{album}" not in self.inside:
            self.power.touch("add")
            self.put_in(album, ref)
            self.power.touch("added")
        return None

    def _delete(self, ref: CloudRef, tag: str) -> Deleted | MediadError:
        if fault := self.refusals.get(ref):
            return fault
        held = self.held.get(ref)
        if held is None:
            return _no_such(ref)
        if self.obeys_tags and held.remote.change_tag != tag:
            return Retryable(
                f"{held.remote.name} was changed in iCloud meanwhile", code="icloud.conflict"
            )
        self.power.touch("delete")
        self.deleted.append(ref)
        self.set(ref, deleted=True)
        self.power.touch("deleted")
        return Deleted(ref, self.clock.now() + KEPT_MS, self.remote(ref).change_tag)

    def _undelete(self, ref: CloudRef) -> MediadError | None:
        if fault := self.refusals.get(ref):
            return fault
        if ref not in self.held:
            return _no_such(ref)
        self.set(ref, deleted=False)
        return None

    def _upload(self, name: str, content: bytes, zone: Zone) -> CloudRef:
        ref = CloudRef(zone.name, self._new("ASSET"))
        self.arrived.append(ref)
        if self.loses_uploads:
            return ref
        mine = RemoteFile(Resource.ORIGINAL, name, len(content), fingerprint_of(content))
        now = self.clock.now()
        remote = Remote(ref, mine.fingerprint, "", name, now, now, kind=Kind.PHOTO, files=(mine,))
        self._keep(Held(remote, (content,), now + round(self.index_s * 1000)))
        return ref


def _no_such(ref: CloudRef) -> Refused:
    return Refused(f"iCloud knows no {ref.record} in {ref.zone}", code="icloud.not_found")
