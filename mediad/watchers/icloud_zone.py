"""
iCloud's libraries are read into the journal: changes by their tokens, the whole by its rank, each page a transaction.

Rank is no firm ground while photos come and go. So a listing begins with the token of its first page, all that changed
meanwhile is read after it, and what a listing did not name is looked up one by one.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

import structlog

from mediad.config.outside import ICloud
from mediad.errors import MediadError, NeedsOperator, Retryable
from mediad.journal import Journal, Listing, ZoneRow
from mediad.model import CloudRef, Remote
from mediad.policy.cloud_guard import HOME
from mediad.policy.cloud_plan import Known, filters_of, plan, wants_zone
from mediad.ports import Changed, Delta, Ports, RemoteRow, Zone

log = structlog.get_logger()

DAY_MS: Final = 86_400_000
WEEK_MS: Final = 7 * DAY_MS  # between two listings of the whole
AT_ONCE: Final = 200  # assets in one question or page
MOST_LOOKUPS: Final = 50  # of one listing; what is left over is looked up after the next one
BAD_TOKEN: Final = "icloud.token"  # noqa: S105 - a code
NO_ZONE: Final = "icloud.not_found"
MOST_STANDING: Final = 200  # pages of changes in a row that bring nothing and lead nowhere


class Reader:
    """`found` hears how many assets each page brought that are to be fetched."""

    def __init__(
        self, journal: Journal, ports: Callable[[], Ports], found: Callable[[int], None]
    ) -> None:
        self._journal = journal
        self._ports = ports
        self._found = found
        self.begin_anew()

    def begin_anew(self) -> None:
        """The settings may be others: every library that is wanted now is asked for its news."""
        self._is_first = True
        self._has_new_albums = False
        self._away: set[str] = set()  # libraries that iCloud has no more

    async def look(self) -> None:
        """Everything that is new. One request when nothing is."""
        token, rows = await self._journal.cloud_tokens()
        changed = await self._changed(token)
        _same_account(changed.zones, rows)
        await self._judge_anew(rows)
        for zone in changed.zones:
            if zone.name not in rows and not zone.is_gone:
                await self._journal.cloud_page(zone, [], Delta())
        fresh = {z.name for z in changed.zones if not z.is_gone}
        _, rows = await self._journal.cloud_tokens()
        gone = {z.name for z in changed.zones if z.is_gone}
        for name, row in rows.items():
            if name in gone:
                await self._vanished(row.zone)
            elif wants_zone(self._rules, name) and (name in fresh or name not in self._away):
                await self._read_if_there(row, is_changed=self._is_first or name in fresh)
        if changed.token and changed.token != token:
            await self._journal.cloud_account(changed.token)
        self._is_first = False
        if self._has_new_albums:
            self._has_new_albums = False
            await self._judge_all(rows)

    async def _changed(self, token: str | None) -> Changed:
        try:
            return await self._ports().cloud.changed(token or None)
        except MediadError as fault:
            if fault.code != BAD_TOKEN or token is None:
                raise
            return await self._ports().cloud.changed(None)

    # -- one library ------------------------------------------------------------------------------

    async def _read_if_there(self, row: ZoneRow, *, is_changed: bool) -> None:
        """A shared library may have been left, or ended: that is no trouble of any other."""
        try:
            await self._read(row, is_changed=is_changed)
            self._away.discard(row.zone.name)
        except MediadError as fault:
            if fault.code != NO_ZONE or row.zone.name == HOME:
                raise
            await self._vanished(row.zone)

    async def _vanished(self, zone: Zone) -> None:
        """Nothing of it is in iCloud any more. Should it be told of again, it is listed anew."""
        log.warning("icloud.library_gone", zone=zone.name)
        self._away.add(zone.name)
        always = self._ports().clock.now() + WEEK_MS
        while refs := await self._journal.remotes_unseen(zone.name, always, AT_ONCE):
            await self._journal.cloud_page(zone, [], Delta(gone=tuple(refs)))
            await self._gets_on()
        await self._journal.cloud_forget(zone.name)

    async def _read(self, row: ZoneRow, *, is_changed: bool) -> None:
        if row.token is None:
            await self._list(row)
            return
        try:
            if is_changed:
                await self._follow(row.zone, row.token)
        except MediadError as fault:
            if fault.code != BAD_TOKEN:
                raise
            log.warning("icloud.rescan", zone=row.zone.name)
            await self._journal.cloud_forget(row.zone.name)
            await self._list(replace(row, token=None, listing=None))
            return
        if row.listing or self._is_stale(row.listed_at):
            await self._list(row)

    def _is_stale(self, listed_at: int | None) -> bool:
        now = self._ports().clock.now()
        return listed_at is None or not now - WEEK_MS < listed_at <= now + DAY_MS

    async def _follow(self, zone: Zone, token: str) -> bool:
        """
        Its changes, page by page. Returns whether anything went.

        Pages without anything on them are nothing unusual, many in a row, and some with the token of the one before.
        """
        has_gone, standing = False, 0
        while True:
            page = await self._ports().cloud.delta(zone, token)
            await self._take(zone, page, token=page.token or None)
            has_gone |= bool(page.gone)
            if not page.is_more:
                return has_gone
            standing = standing + 1 if page.token == token else 0
            if not page.token or standing > MOST_STANDING or (standing and _brings(page)):
                raise _odd("more changes, but no way to them")
            token = page.token

    async def _list(self, row: ZoneRow) -> None:
        """The whole of it, from where a listing was interrupted; then what happened meanwhile."""
        zone, on = row.zone, row.listing
        log.info("icloud.listing", zone=zone.name, rank=on.rank if on else 0)
        if on is None:
            on = Listing(self._ports().clock.now(), "")
        token = row.token or on.token
        while True:
            page = await self._ports().cloud.listing(zone, on.rank, hidden=on.hidden)
            if not on.token:
                on = replace(on, token=_token(page))
                token = token or on.token
                # After the token, so that no change of an album falls between the two.
                await self._take(zone, await self._ports().cloud.album_listing(zone))
            is_last, following = _after(on, page)
            await self._take(zone, page, listing=following)
            on = following
            if is_last:
                break
        await self._look_up_unseen(zone, on.at)
        await self._journal.cloud_listed(zone.name, on.at)
        if await self._follow(zone, token):
            # Ranks moved while we counted: what slipped through is found tomorrow, not in a week.
            await self._journal.cloud_listed(zone.name, on.at - WEEK_MS + DAY_MS)
        log.info("icloud.listed", zone=zone.name)

    async def _look_up_unseen(self, zone: Zone, since: int) -> None:
        """What the listing did not name may be gone, hidden, or have slipped through: iCloud is asked."""
        for _ in range(MOST_LOOKUPS):
            refs = await self._journal.remotes_unseen(zone.name, since, AT_ONCE)
            if not refs:
                return
            answers = await self._ports().cloud.lookup(refs)
            there = tuple(r for r in answers if r is not None and not r.is_deleted)
            still = {r.ref for r in there}
            gone = tuple(ref for ref in refs if ref not in still)
            await self._take(zone, Delta(there, gone))

    # -- one page ---------------------------------------------------------------------------------

    async def _take(
        self, zone: Zone, page: Delta, *, token: str | None = None, listing: Listing | None = None
    ) -> None:
        rows = await self._known(zone, page)
        fresh = {r.ref for r in page.remotes}
        moved = [
            r.remote for ref, r in rows.items() if ref not in fresh and r.why and not r.is_gone
        ]
        taken = await self._planned(zone, [*page.remotes, *moved], rows, page)
        made = await self._journal.cloud_page(zone, taken, page, token=token, listing=listing)
        await self._gets_on()
        self._has_new_albums |= bool(page.albums and self._rules.albums)
        if made:
            log.info("icloud.found", zone=zone.name, new=len(made))
            self._found(len(made))

    async def _known(self, zone: Zone, page: Delta) -> Mapping[CloudRef, RemoteRow]:
        """What the journal has of the assets on this page, and of those that an album on it has taken in."""
        refs = [r.ref for r in page.remotes]
        if self._rules.albums:
            refs += [CloudRef(zone.name, m.asset) for m in page.members]
        return await self._journal.remotes(list(dict.fromkeys(refs))) if refs else {}

    async def _planned(
        self,
        zone: Zone,
        remotes: Sequence[Remote],
        rows: Mapping[CloudRef, RemoteRow],
        page: Delta,
    ) -> list[tuple[Remote, str]]:
        if not remotes:
            return []
        now, rules = self._ports().clock.now(), self._rules
        ignored = await self._journal.ignored([f.fingerprint for r in remotes for f in r.files])
        albums = await self._albums(zone, remotes, page)
        nothing: frozenset[str] = frozenset()
        return [
            plan(
                remote,
                Known(
                    albums.get(remote.ref, nothing),
                    is_fetched=bool(remote.ref in rows and rows[remote.ref].assets),
                    ignored=ignored,
                ),
                rules,
                now,
            )
            for remote in remotes
        ]

    async def _albums(
        self, zone: Zone, remotes: Iterable[Remote], page: Delta
    ) -> Mapping[CloudRef, frozenset[str]]:
        """In which albums each is, by record and by name; nobody asks unless a filter does."""
        if not self._rules.albums:
            return {}
        names = await self._journal.albums(zone.name)
        names |= {a.record: a.name for a in page.albums if not a.is_gone}
        inside = await self._journal.albums_of([r.ref for r in remotes])
        for member in page.members:
            ref = CloudRef(zone.name, member.asset)
            if ref in inside:
                inside[ref] |= {member.album}
        return {
            ref: frozenset(records | {names[r] for r in records if r in names})
            for ref, records in inside.items()
        }

    # -- what was left out ------------------------------------------------------------------------

    async def _judge_anew(self, rows: Mapping[str, ZoneRow]) -> None:
        """Other filters than last time: what they let through now is fetched."""
        filters = filters_of(self._rules)
        if filters != await self._journal.cloud_filters():
            await self._judge_all(rows)
            await self._journal.set_cloud_filters(filters)

    async def _judge_all(self, rows: Mapping[str, ZoneRow]) -> None:
        for row in rows.values():
            after = ""
            while left := await self._journal.remotes_left(row.zone.name, after, AT_ONCE):
                after = left[-1].remote.ref.record
                await self._gets_on()
                known = {r.remote.ref: r for r in left}
                there = [r.remote for r in left if not r.is_gone]
                taken = await self._planned(row.zone, there, known, Delta())
                other = [(r, why) for r, why in taken if why != known[r.ref].why]
                made = await self._journal.cloud_page(row.zone, other, Delta()) if other else []
                if made:
                    self._found(len(made))

    async def _gets_on(self) -> None:
        """A page is done: whoever watches over this loop hears so. A library may take hours."""
        await self._ports().clock.sleep(0)

    @property
    def _rules(self) -> ICloud:
        return self._ports().settings.icloud


def _after(on: Listing, page: Delta) -> tuple[bool, Listing]:
    """Where the listing goes on after this page: first all that is shown, then the Hidden album."""
    if page.is_more:
        if page.rank is None or page.rank <= on.rank:
            raise _odd("more of the library, but no way to it")
        return False, replace(on, rank=page.rank)
    if not on.hidden:
        return False, replace(on, rank=0, hidden=True)
    return True, on


def _brings(page: Delta) -> bool:
    return bool(page.remotes or page.gone or page.albums or page.members or page.members_gone)


def _token(page: Delta) -> str:
    if not page.token:
        raise _odd("a listing without the token that changes are read from")
    return page.token


def _same_account(zones: Iterable[Zone], rows: Mapping[str, ZoneRow]) -> None:
    """One journal, one account: two would look like one library in which half was deleted."""
    for zone in zones:
        known = rows.get(zone.name)
        if known and known.zone.owner and zone.owner and known.zone.owner != zone.owner:
            raise NeedsOperator(
                f"this is another Apple Account than the one whose library {zone.name} the journal knows;"
                " nothing was read, and nothing there is touched",
                code="icloud.other_account",
                remedy="sign in with the account of before, or give this one a mediad with a root of its own",
                site="icloud",
            )


def _odd(what: str) -> Retryable:
    return Retryable(
        f"iCloud's answer makes no sense ({what}); nothing of it was believed",
        code="icloud.answer",
        remedy="none needed: it is asked again; if it lasts, please report it",
        site="icloud",
    )
