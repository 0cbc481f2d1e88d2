"""Guards that a kept library is the same after a restart: rows, tokens, bytes, sessions, and what was on its way."""

from pathlib import Path

from mediad.testing.clock import StoppedClock
from mediad.testing.icloud import Account, FakeICloud, Library, Person
from mediad.testing.icloud.demo import demo_library
from mediad.testing.icloud.rows import AlbumRow, AssetRow, MasterRow, MemberRow
from mediad.testing.icloud.saved import Saved


def kept(folder: Path, library: Library, account: Account) -> tuple[Library, Account]:
    Saved(folder).save(library, account)
    again, secrets = Library(library.clock), Account()
    assert Saved(folder).load(again, secrets)
    return again, secrets


def test_everything_is_there_again(tmp_path: Path, clock: StoppedClock) -> None:
    library = Library(clock)
    demo_library(library)
    person = Person(library)
    film = person.film("A.MOV")
    person.edit(film.record)
    person.expunge(person.shoot("B.JPG").record)
    again, _ = kept(tmp_path, library, Account())
    assert again.change == library.change
    assert set(again.zones) == set(library.zones)
    for name, zone in library.zones.items():
        rows = {r.record: (type(r), r.tag, r.change) for r in zone.rows.values()}
        assert {
            r.record: (type(r), r.tag, r.change) for r in again.zones[name].rows.values()
        } == rows
        assert [r.record for r in again.zones[name].changes(0)] == [
            r.record for r in zone.changes(0)
        ]
    for master in library.primary.of(MasterRow):
        same = again.primary.master(master.record)
        assert [f.body.fingerprint for f in same.files] == [
            f.body.fingerprint for f in master.files
        ]
    assert again.primary.asset(film.record).edited[0].uti == "com.apple.quicktime-movie"


def test_a_session_holds_and_a_token_is_understood(tmp_path: Path, clock: StoppedClock) -> None:
    library, account = Library(clock), Account()
    note = account.sign("web", is_trusted=True)
    Person(library).shoot("A.JPG")
    token = FakeICloud(clock, account, library).cloudkit.token(library.primary)
    again, secrets = kept(tmp_path, library, account)
    assert secrets.read("web", note, clock.now())
    assert FakeICloud(clock, secrets, again).cloudkit.token(again.primary) == token
    secrets.end_sessions(trust=False)
    _, ended = kept(tmp_path, again, secrets)
    assert ended.read("web", note, clock.now()) is None


def test_an_upload_on_its_way_arrives_all_the_same(tmp_path: Path, clock: StoppedClock) -> None:
    library = Library(clock)
    asset = AssetRow(record="A", master="M", taken_at=0, added_at=0)
    library.primary.put_later(asset, clock.now() + 1_000)
    again, _ = kept(tmp_path, library, Account())
    again.settle()
    assert "A" not in again.primary.rows
    clock.advance(1)
    again.settle()
    assert again.primary.asset("A").tag


def test_nothing_is_written_when_nothing_changed(tmp_path: Path, clock: StoppedClock) -> None:
    library, account, saved = Library(clock), Account(), Saved(tmp_path)
    Person(library).shoot("A.JPG")
    saved.save(library, account)
    (tmp_path / "library.json").unlink()
    saved.save(library, account)
    assert not (tmp_path / "library.json").exists()
    assert not saved.load(Library(clock), account)
    Person(library).make_album("B")
    saved.save(library, account)
    assert (tmp_path / "library.json").exists()


def test_the_demo_has_what_a_familys_library_has(clock: StoppedClock) -> None:
    library = Library(clock)
    demo_library(library)
    zone = library.primary
    assets, masters = list(zone.of(AssetRow)), list(zone.of(MasterRow))
    assert sum(a.subtype == 2 for a in assets) == 2
    assert sum(bool(a.edited) for a in assets) == 1
    assert sum(bool(a.burst) for a in assets) == 3
    assert sum(a.is_hidden for a in assets) == 1
    assert sum(a.is_favourite for a in assets) == 2
    assert [m.name for m in masters].count("IMG_0001.JPG") == 2
    assert {f.uti.rpartition(".")[2] for m in masters for f in m.files} == {
        "jpeg", "heic", "quicktime-movie", "raw-image",
    }  # fmt: skip
    assert {a.name for a in zone.of(AlbumRow)} == {"Family", "At the beach"}
    assert sum(1 for _ in zone.of(MemberRow)) == 8
    [shared] = [z for name, z in library.zones.items() if name.startswith("SharedSync-")]
    assert {bool(a.contributor) for a in shared.of(AssetRow)} == {True, False}
