"""The real iCloud: ports.Cloud, made of the sign-in, CloudKit's questions, the downloads and the upload."""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from mediad.adapters.durable import DurableFiles
from mediad.adapters.icloud import records, upload
from mediad.adapters.icloud.cloudkit import DELETES, CloudKit, text_in
from mediad.adapters.icloud.download import Downloader
from mediad.adapters.icloud.faults import ANSWER, NO_FILE, NOT_FOUND, fault
from mediad.adapters.icloud.records import Location, Page, Raw
from mediad.adapters.icloud.security_key import Ring
from mediad.adapters.icloud.session import Account
from mediad.adapters.icloud.sign_in import Door
from mediad.config import Settings
from mediad.errors import Bug, MediadError, Retryable
from mediad.model import CloudRef, Place, Remote
from mediad.ports import Changed, Clock, Deleted, Delta, Fetch, Member, SignIn, Uploaded, Zone

FOLDER: Final = "icloud"
REMEMBERED: Final = 8192  # addresses, and which master an asset has
_BY_DATE: Final = "CPLAssetAndMasterByAssetDateWithoutHiddenOrDeleted"
_HIDDEN: Final = "CPLAssetAndMasterHiddenByAssetDate"
_ALBUMS: Final = "CPLAlbumByPositionLive"
_MEMBERS: Final = "CPLContainerRelationLiveByAssetDate"


class _Remembered(OrderedDict[str, Location]):
    """Addresses by fingerprint, the newest; each is good for some hours."""

    def take(self, more: dict[str, Location]) -> None:
        for key, place in more.items():
            self[key] = place
            self.move_to_end(key)
        while len(self) > REMEMBERED:
            self.popitem(last=False)


class ICloud:
    """ports.Cloud. `door` is ports.SignInDoor. Settings are read anew for each question."""

    def __init__(
        self,
        settings: Callable[[], Settings],
        clock: Clock,
        files: DurableFiles,
        path_of: Callable[[Place], Path],
        folder: Callable[[], Path],
        ring: Ring | None = None,
    ) -> None:
        """`folder`: where the session is kept, such as state/icloud; made if it is missing, for mediad alone."""
        self._settings = settings
        self._files = files
        self._path_of = path_of
        self._folder = folder
        self.door = Door(settings, clock, self._account, ring or Ring())
        self._kit = CloudKit(self.door.ask)
        self._downloads = Downloader(settings, clock, files, self.door.breaker, self._locate)
        self._places = _Remembered()
        self._masters: OrderedDict[CloudRef, str] = OrderedDict()
        self._first: dict[tuple[str, bool], str | None] = {}  # tokens of listings at work

    async def aclose(self) -> None:
        await self._downloads.aclose()
        await self.door.aclose()

    def sign_in(self) -> SignIn:
        return self.door.sign_in()

    def ahead_ms(self) -> int | None:
        return self.door.ahead_ms

    # -- reading ------------------------------------------------------------------------------------

    async def changed(self, token: str | None) -> Changed:
        zones, token = await self._kit.changed(token)
        return Changed(tuple(Zone(*zone) for zone in zones), token)

    async def delta(self, zone: Zone, token: str) -> Delta:
        found, then, is_more = await self._kit.delta(zone.name, token)
        if is_more and then is None:
            raise fault(ANSWER, more="more is to come, and nobody says from where")
        page = records.sort_out(found, zone.name)
        return await self._told(zone, page, token=then or token, is_more=is_more)

    async def listing(self, zone: Zone, rank: int, *, hidden: bool = False) -> Delta:
        answer = await self._kit.query(zone.name, _HIDDEN if hidden else _BY_DATE, rank=rank)
        found = answer.get("records")
        if not isinstance(found, list):
            raise fault(ANSWER, more="records is no list")
        if rank == 0:
            self._first[zone.name, hidden] = text_in(answer, "syncToken")
        page = records.sort_out(found, zone.name)
        count = len(page.assets) + len(page.gone)
        token = self._first.get((zone.name, hidden))
        return await self._told(zone, page, token=token, is_more=count > 0, rank=rank + count)

    async def album_listing(self, zone: Zone) -> Delta:
        albums = records.sort_out(await self._kit.by_marker(zone.name, _ALBUMS), zone.name).albums
        members: dict[str, Member] = {}
        for album in albums.values():
            if not album.is_gone:
                members |= (await self._inside(zone, album.record)).members
        return Delta(albums=tuple(albums.values()), members=tuple(members.values()))

    async def members(self, album: str, zone: Zone) -> frozenset[str] | None:
        found = (await self._kit.lookup(zone.name, [album])).get(album)
        if found is None or records.is_marked_deleted(found):
            return None
        inside = (await self._inside(zone, album)).members.values()
        return frozenset(member.asset for member in inside if member.album == album)

    async def _inside(self, zone: Zone, album: str) -> Page:
        found = await self._kit.by_rank(zone.name, _MEMBERS, album, "CPLContainerRelation")
        return records.sort_out(found, zone.name)

    async def lookup(self, refs: Sequence[CloudRef]) -> Sequence[Remote | None]:
        found: dict[CloudRef, Remote] = {}
        for zone in dict.fromkeys(ref.zone for ref in refs):
            pairs = await self._pairs([ref for ref in refs if ref.zone == zone], zone)
            me = await self._me()
            for ref, (asset, master) in pairs.items():
                found[ref] = records.remote(asset, master, zone, me)
        return [found.get(ref) for ref in refs]

    async def _pairs(
        self, refs: Sequence[CloudRef], zone: str
    ) -> dict[CloudRef, tuple[Raw, Raw | None]]:
        """Both halves of each. In one question, where the master that it had before is still its own."""
        guesses = {self._masters.get(ref, "") for ref in refs} - {""}
        found = await self._kit.lookup(zone, [*(ref.record for ref in refs), *sorted(guesses)])
        assets = {
            ref: found[ref.record]
            for ref in refs
            if ref.record in found and found[ref.record].get("recordType") == "CPLAsset"
        }
        lacking = {records.master_of(asset) for asset in assets.values()} - found.keys() - {""}
        if lacking:
            found = {**found, **await self._kit.lookup(zone, sorted(lacking))}
        pairs = {ref: (asset, found.get(records.master_of(asset))) for ref, asset in assets.items()}
        for ref, (asset, master) in pairs.items():
            self._remember(ref, asset, master)
        return pairs

    def _remember(self, ref: CloudRef, asset: Raw, master: Raw | None) -> None:
        self._places.take(records.locations(asset, master))
        self._masters[ref] = records.master_of(asset)
        while len(self._masters) > REMEMBERED:
            self._masters.popitem(last=False)

    async def _told(
        self, zone: Zone, page: Page, *, token: str | None, is_more: bool, rank: int | None = None
    ) -> Delta:
        masters = page.masters
        if page.lacking:
            masters = {**masters, **await self._kit.lookup(zone.name, page.lacking)}
        me = await self._me() if page.assets else ""
        remotes = []
        for name, asset in page.assets.items():
            master = masters.get(records.master_of(asset))
            self._remember(CloudRef(zone.name, name), asset, master)
            remotes.append(records.remote(asset, master, zone.name, me))
        return Delta(
            tuple(remotes),
            tuple(CloudRef(zone.name, name) for name in page.gone),
            tuple(page.albums.values()),
            tuple(page.members.values()),
            tuple(page.members_gone),
            token,
            is_more,
            rank,
        )

    async def _me(self) -> str:
        return await self._kit.owner(records.PRIMARY)

    # -- bytes --------------------------------------------------------------------------------------

    async def fetch(self, fetches: Sequence[Fetch]) -> Sequence[MediadError | None]:
        unknown = [f for f in fetches if f.file.fingerprint not in self._places]
        if len(unknown) > 1:  # in one question; a single one asks when it is its turn
            for zone in dict.fromkeys(f.ref.zone for f in unknown):
                await self._pairs([f.ref for f in unknown if f.ref.zone == zone], zone)
        return await self._downloads.fetch(
            fetches, lambda fetch: self._places.get(fetch.file.fingerprint)
        )

    async def _locate(self, fetch: Fetch) -> Location:
        pair = (await self._pairs([fetch.ref], fetch.ref.zone)).get(fetch.ref)
        if pair is None:
            raise fault(NOT_FOUND)
        place = records.locations(*pair).get(fetch.file.fingerprint)
        if place is None:
            raise fault(NO_FILE)
        return place

    async def fingerprints(self, places: Sequence[Place]) -> Sequence[str | MediadError | None]:
        return await self._downloads.fingerprints(places)

    async def upload(self, place: Place, name: str, *, zone: Zone) -> Uploaded:
        [beginning] = await self._files.measure([place], upload.beginning)
        if isinstance(beginning, MediadError):
            raise beginning
        upload.must_be_jpeg(beginning or b"", name)
        [known] = await self.fingerprints([place])
        if not isinstance(known, str):
            raise known or Retryable("the file is not there any more", code="io.missing")
        parcel = upload.Parcel(self._path_of(place), name, known, zone.name)
        return await self.door.ask(
            lambda session: session.uploading(partial(upload.send, parcel=parcel))
        )

    # -- writing ------------------------------------------------------------------------------------

    async def make_album(self, zone: Zone, record: str, name: str) -> None:
        await self._kit.make_album(zone.name, record, name)

    async def add(self, album: str, refs: Sequence[CloudRef]) -> Sequence[MediadError | None]:
        answers: dict[CloudRef, MediadError | None] = {}
        for zone in dict.fromkeys(ref.zone for ref in refs):
            told = await self._kit.add(zone, album, [r.record for r in refs if r.zone == zone])
            answers |= {CloudRef(zone, record): answer for record, answer in told.items()}
        return [answers[ref] for ref in refs]

    async def delete(
        self, items: Sequence[tuple[CloudRef, str]]
    ) -> Sequence[Deleted | MediadError]:
        if len(items) > DELETES:
            raise Bug(f"{len(items)} deletions in one request; {DELETES} are allowed")
        if any(not tag for _, tag in items):
            raise Bug("a deletion without the tag of the record that was looked up")
        answers = await self._updated(items, {"isDeleted": 1})
        return [
            answer if isinstance(answer, MediadError) else _deleted(ref, answer)
            for (ref, _), answer in zip(items, answers, strict=True)
        ]

    async def undelete(self, refs: Sequence[CloudRef]) -> Sequence[MediadError | None]:
        answers: dict[CloudRef, MediadError | None] = {}
        for start in range(0, len(refs), DELETES):
            lot = refs[start : start + DELETES]
            now = dict(zip(lot, await self.lookup(lot), strict=True))
            answers |= {ref: None if r else fault(NOT_FOUND) for ref, r in now.items()}
            items = [
                (ref, r.change_tag) for ref, r in now.items() if r is not None and r.is_deleted
            ]
            told = await self._updated(items, {"isDeleted": 0})
            for (ref, _), answer in zip(items, told, strict=True):
                answers[ref] = _if_not(answer, is_right=not _is_deleted(answer))
        return [answers[ref] for ref in refs]

    async def tag(self, ref: CloudRef, *, favourite: bool, albums: Sequence[str]) -> None:
        [now] = await self.lookup([ref])
        if now is None:
            raise fault(NOT_FOUND)
        if favourite and not now.is_favourite:
            [answer] = await self._updated([(ref, now.change_tag)], {"isFavorite": 1})
            if isinstance(answer, MediadError):
                raise answer
        for album in albums:
            [wrong] = await self.add(album, [ref])
            if wrong is not None:
                raise wrong

    async def _updated(
        self, items: Sequence[tuple[CloudRef, str]], fields: dict[str, object]
    ) -> list[Raw | MediadError]:
        answers: dict[CloudRef, Raw | MediadError] = {}
        for zone in dict.fromkeys(ref.zone for ref, _ in items):
            lot = [(ref.record, tag) for ref, tag in items if ref.zone == zone]
            told = await self._kit.update(zone, lot, fields)
            answers |= {CloudRef(zone, record): answer for record, answer in told.items()}
        return [answers[ref] for ref, _ in items]

    def _account(self) -> Account:
        words = self._settings().icloud
        return Account(words.username, words.domain, words.gateway, self._folder())


def _is_deleted(answer: Raw | MediadError) -> bool:
    return not isinstance(answer, MediadError) and records.is_marked_deleted(answer)


def _if_not(answer: Raw | MediadError, *, is_right: bool) -> MediadError | None:
    if isinstance(answer, MediadError):
        return answer
    return None if is_right else fault(ANSWER, more="the record is not as it was wanted")


def _deleted(ref: CloudRef, record: Raw) -> Deleted | MediadError:
    if not records.is_marked_deleted(record):
        return fault(ANSWER, more="the record is not as it was wanted")
    return Deleted(ref, records.expunged_at(record), records.change_tag(record))
