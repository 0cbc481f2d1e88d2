"""The phone in memory: the promises of ports.Phone without Syncthing, beside the folders in memory."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from mediad.errors import MediadError, NeedsOperator
from mediad.model import Place, Site, SiteKey
from mediad.ports import (
    Change,
    Clock,
    Entry,
    Indexed,
    Opinion,
    PhoneLink,
    SetUp,
    SharedFolder,
)
from mediad.testing.files import MemoryFile, MemoryFiles
from mediad.testing.index import (
    blocks_hash,
    bumped,
    can_be_indexed,
    changed,
    content,
    covers,
    is_ignored,
    nfc,
    wins,
)
from mediad.testing.shared import FOLDER, HOST, NO_FOLDER, PIXEL, in_our_words

__all__ = ["HOST", "PIXEL", "MemoryPhone"]

NEVER = Entry("", 0, None, is_invalid=True)  # what is announced of a name that was never taken


@dataclass
class MemoryPhone:
    """
    ports.Phone, with both ends of the link: what is said here follows from what happened at each.

    Three indexes decide, as in Syncthing: ours, the phone's own, and what the phone last announced to us. `fetches`:
    the phone takes what it is offered, at once, while they talk; otherwise when `fetch` is called. What a person does
    on the phone is a method below; `scanned=False` is what its Syncthing has not noticed yet.
    """

    files: MemoryFiles
    clock: Clock
    device: str = PIXEL
    my_id: str = HOST
    syncthing: str = "v1.19.2"
    opinion: Opinion = Opinion.NOT_NEEDED  # what a second opinion says, on a 2.x host
    fetches: bool = True
    keeps_what_is_removed: bool = True  # ignoreDelete there
    type_there: str = "sendreceive"
    folder: SharedFolder = FOLDER
    faults: MediadError | None = None  # every call fails with it
    faults_of: dict[SiteKey, MediadError] = field(default_factory=dict)  # just these names do
    scanned: list[Sequence[SiteKey]] = field(default_factory=list)
    there: dict[SiteKey, MemoryFile] = field(default_factory=dict)  # what lies on the phone

    is_online: bool = True
    is_device_paused: bool = False
    is_folder_paused_there: bool = False
    _since: int = 0
    _ignores: tuple[str, ...] = ()
    _here: dict[SiteKey, Entry] = field(default_factory=dict)
    _index: dict[SiteKey, Entry] = field(default_factory=dict)
    _announced: dict[SiteKey, Entry] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._since = self.clock.now()

    # ports.Phone

    async def link(self) -> PhoneLink:
        self._may_answer()
        is_connected = self._is_connected
        return PhoneLink(
            self.device, is_connected, self._since if is_connected else None, self.syncthing
        )

    async def scan(self, keys: Sequence[SiteKey]) -> None:
        self._may_use_folder()
        self.files.power.touch("scan")
        self.scanned.append(tuple(keys))
        for key in keys or self._all_here():
            self._scan_here(key)
        self._talk()

    async def indexed(self, keys: Sequence[SiteKey]) -> Sequence[Indexed | MediadError | None]:
        self._may_use_folder()
        return [self.faults_of.get(key) or self._indexed(nfc(key)) for key in keys]

    async def needed(self) -> frozenset[SiteKey]:
        self._may_use_folder()
        return frozenset(key for key in self._here if self._is_needed(key))

    async def ahead(self) -> frozenset[SiteKey]:
        self._may_use_folder()
        return frozenset(
            key
            for key in self._announced
            if (newest := self._newest(key)) and newest != self._here.get(key)
        )

    async def blocks_hash(self, place: Place, entry: Entry) -> bool:
        file = self.files.files.get(place)
        return not entry.blocks_hash or (
            file is not None and entry.blocks_hash == blocks_hash(file.content)
        )

    async def set_up(self) -> SetUp:
        self._may_answer()
        return SetUp(
            syncthing=self.syncthing,
            my_id=self.my_id,
            folders=(self.folder,) if self.folder.id else (),
            devices={self.device: "pixel"},
            paused_devices=frozenset({self.device} if self.is_device_paused else ()),
            connected=frozenset({self.device} if self._is_connected else ()),
        )

    async def keeps_deleted(self, patience_s: float) -> bool | None:
        self._may_use_folder()
        if self._talks and self.fetches:
            return self.keeps_what_is_removed
        await self.clock.sleep(patience_s)
        return None

    async def mend(self, changes: Sequence[Change]) -> None:
        self._may_answer()
        self.files.power.touch("mend")
        for change in changes:
            self._mend(change)
        self._talk()

    # What happens to the link

    def go_offline(self) -> None:
        self.is_online = False

    def come_online(self) -> None:
        self.is_online = True
        self._since = self.clock.now()
        self._talk()

    def pause_device(self, *, paused: bool = True) -> None:
        """On this machine: it does not talk to the phone."""
        self.is_device_paused = paused
        self._talk()

    def pause_folder_there(self, *, paused: bool = True) -> None:
        self.is_folder_paused_there = paused
        self._talk()

    def forget_here(self) -> None:
        """Our database is lost; Syncthing starts again and looks through the folder."""
        self._here.clear()
        for key in self._all_here():
            self._scan_here(key)
        self._talk()

    # What happens on the phone

    def fetch(self, *keys: str) -> None:
        """It takes these now, or all that it needs."""
        if self._talks:
            for key in [SiteKey(key) for key in keys] or list(self._here):
                self._fetch(key)
            self._announce()

    def delete(self, *keys: str, scanned: bool = True) -> None:
        for key in keys:
            del self.there[SiteKey(key)]
        if scanned:
            self.scan_there()

    def free_all(self) -> None:
        """Google Photos' "free up space", at its most thorough."""
        self.delete(*self.there)

    def edit(self, key: str, to: bytes, *, scanned: bool = True) -> None:
        self.there[SiteKey(key)] = MemoryFile(to, self.clock.now() * 1_000_000)
        if scanned:
            self.scan_there()

    def ignore(self, *patterns: str) -> None:
        """Its .stignore, from now on."""
        self._ignores = patterns
        self.scan_there()

    def scan_there(self) -> None:
        """Its Syncthing looks through its folder, and we hear of it when it can tell us."""
        for key in {*self.there, *self._index}:
            self._scan_there(key)
        self._talk()

    def forget_there(self) -> None:
        """Its database is lost, or Syncthing installed anew; its files stay."""
        self._index.clear()
        self.scan_there()

    # How the three indexes come to be

    def _all_here(self) -> set[SiteKey]:
        return {p.key for p in self.files.files if p.site is Site.PHONE} | set(self._here)

    def _scan_here(self, key: SiteKey) -> None:
        key = self._normalised(key)
        if not can_be_indexed(key) or is_ignored(key, self.folder.ignores):
            return
        known = self._here.get(key)
        now = self._entry_of(self.files.files.get(Place(Site.PHONE, key)))
        if entry := changed(known, now, bumped(known, self.my_id, self.clock.now())):
            self._here[key] = entry

    def _scan_there(self, key: SiteKey) -> None:
        known, now = self._index.get(key), self._entry_of(self.there.get(key))
        if is_ignored(key, self._ignores):
            if known is not None:
                self._index[key] = replace(known, is_invalid=True)
            return
        if known is not None and known.is_invalid:
            known = self._taken_up_again(key, known, now)
        entry = changed(known, now, bumped(known, self.device, self.clock.now()))
        if entry and self.type_there == "receiveonly":
            entry = replace(entry, version="", is_invalid=True)
        if entry:
            self._index[key] = entry

    def _taken_up_again(self, key: SiteKey, known: Entry, now: Entry | None) -> Entry | None:
        """No longer ignored: what it still has is what it was, anything else is as if it had never been."""
        del self._index[key]
        if not known.version or content(known) != content(now):
            return None
        self._index[key] = replace(known, is_invalid=False)
        return self._index[key]

    def _talk(self) -> None:
        if self._talks:
            self._announce()
            if self.fetches:
                self.fetch()

    def _announce(self) -> None:
        self._announced = dict(self._index)
        for key in self._announced:
            self._agree(key)

    def _agree(self, key: SiteKey) -> None:
        """Where the phone's version won: the same bytes make it ours too; others only where we would receive."""
        newest, ours = self._newest(key), self._here.get(key)
        if newest is None or newest == ours:
            return
        is_same = ours is not None and content(newest) == content(ours)
        if is_same and not newest.is_deleted:
            self._here[key] = newest
        elif self.folder.type == "sendreceive":
            self._here[key] = newest
            self.files.files.pop(Place(Site.PHONE, key), None)
            if not newest.is_deleted:
                self.files.files[Place(Site.PHONE, key)] = self.there[key]

    def _fetch(self, key: SiteKey) -> None:
        ours, theirs = self._here.get(key), self._index.get(key)
        if ours is None or covers(theirs, ours) or self._newest(key) != ours:
            return
        if is_ignored(key, self._ignores):
            self._index[key] = replace(ours, is_invalid=True)
        elif theirs is not None and theirs.is_invalid:
            return  # a change of its own that it keeps to itself (receive-only)
        elif not ours.is_deleted:
            self._receive(key, ours)
        elif not self.keeps_what_is_removed:
            self.there.pop(key, None)
            self._index[key] = ours

    def _receive(self, key: SiteKey, ours: Entry) -> None:
        file = self.files.files.get(Place(Site.PHONE, key))
        if file is not None and content(self._entry_of(file)) == content(ours):
            self.there[key] = MemoryFile(file.content, file.mtime_ns)
            self._index[key] = ours

    # What they say together

    def _indexed(self, key: SiteKey) -> Indexed | None:
        here, newest = self._here.get(key), self._newest(key)
        if newest is None:
            return None
        theirs = self._announced.get(key, NEVER)
        is_on_phone = (
            self._talks
            and theirs.version == newest.version
            and (self._is_edition_2 or not theirs.is_invalid)
        )
        return Indexed(here, newest, is_on_phone, self.opinion)

    def _newest(self, key: SiteKey) -> Entry | None:
        ours, theirs = self._here.get(key), self._announced.get(key)
        if theirs is None or theirs.is_invalid:
            return ours
        return theirs if ours is None or wins(theirs, ours) else ours

    def _is_needed(self, key: SiteKey) -> bool:
        newest = self._newest(key)
        return (
            newest is not None
            and not newest.is_deleted
            and not covers(self._announced.get(key), newest)
        )

    def _entry_of(self, file: MemoryFile | None) -> Entry | None:
        if file is None or file.what != "file":
            return None
        blocks = blocks_hash(file.content) if self._is_edition_2 else ""
        return Entry("", len(file.content), file.mtime_ns, blocks_hash=blocks)

    def _normalised(self, key: SiteKey) -> SiteKey:
        """Syncthing renames what is not NFC, on the disk."""
        name = nfc(key)
        place = Place(Site.PHONE, key)
        if name != key and place in self.files.files:
            self.files.files.setdefault(Place(Site.PHONE, name), self.files.files.pop(place))
        return name

    @property
    def _is_edition_2(self) -> bool:
        return self.syncthing.startswith("v2.")

    @property
    def _is_connected(self) -> bool:
        return self.is_online and not self.is_device_paused

    @property
    def _talks(self) -> bool:
        """Is the folder kept in step now?"""
        is_shared = self.device in self.folder.devices and not self.folder.is_paused
        return self._is_connected and is_shared and not self.is_folder_paused_there

    def _may_answer(self) -> None:
        if self.faults is not None:
            raise self.faults

    def _may_use_folder(self) -> None:
        self._may_answer()
        if not self.folder.id:
            raise NeedsOperator(
                "Syncthing shares no such folder; nothing reaches the phone",
                code="syncthing.folder_missing",
                site="syncthing",
            )
        if self.folder.is_paused:
            raise NeedsOperator(
                f"Syncthing has paused the folder {self.folder.id}; nothing reaches the phone",
                code="syncthing.folder_paused",
                site="syncthing",
            )

    def _mend(self, change: Change) -> None:
        match change.subject, change.key, change.value:
            case "folder", "", dict(value):
                self.folder = replace(NO_FOLDER, **in_our_words(value))
            case "folder", key, value:
                self.folder = replace(self.folder, **in_our_words({key: value}))
            case "device", "paused", bool(is_paused):
                self.is_device_paused = is_paused
            case "ignores", _, list(patterns):
                self.folder = replace(self.folder, ignores=tuple(patterns))
            case "marker", _, _:
                self.folder = replace(self.folder, error="")
            case _:
                pass
