"""Guards `mediactl google`: what is proven is recorded once, and nothing is believed for its name or its place."""

import hashlib
import json
import zipfile
from pathlib import Path
from typing import Any

from mediad.model import AssetId, SiteKey
from mediad.state import State
from mediad.testing.files import digest_of
from tests.mediactl.typed import Terminal, a_terminal
from tests.service.phone_lane import URL, sent, whole

S = State


def takeout(path: Path, **files: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(f"Takeout/Google Photos/2024/{name}.jpg", content)
    return path


def listed(path: Path, *lines: Any) -> Path:
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    return path


async def sent_and_kept(t: Terminal, name: str, content: bytes) -> AssetId:
    """On the phone, and its working copy is a real file that can be read."""
    asset = await sent(t.world, name, content, then=S.ON_PHONE)
    [original] = (await whole(t.world, asset)).originals
    spool = t.world.settings.folders.processing / original.spool_key
    spool.parent.mkdir(parents=True, exist_ok=True)
    spool.write_bytes(content)
    return asset


def sha1(content: bytes) -> str:
    return hashlib.sha1(content, usedforsecurity=False).hexdigest()


async def proven(t: Terminal, asset: AssetId) -> str:
    return (await t.world.service.asset(asset))["phone"]["google"]


async def test_a_takeout_is_compared_with_what_was_sent(tmp_path: Path) -> None:
    async with a_terminal(tmp_path / "root", **URL) as t:
        asset = await sent(t.world, "a.jpg", b"one", then=S.ON_PHONE)
        other = await sent(t.world, "b.jpg", b"two", then=S.ON_PHONE)
        export = takeout(tmp_path / "t.zip", x=b"one", y=b"strange")
        first = await t.type("google", "import", str(export))
        again = await t.type("google", "import", str(export), "--json")
        none = await t.type("google", "import", str(takeout(tmp_path / "u.zip", y=b"strange")))
        states = await proven(t, asset), await proven(t, other)
    assert (first.code, again.code, none.code) == (0, 0, 1)
    assert "1 files proven now, 0 known before, 1 are none of ours" in first.out
    assert (again.doc["matched"], again.doc["already"], again.doc["unknown"]) == (0, 1, 1)
    assert states[0].startswith("proven by the Takeout export t.zip")
    assert states[1] == "not proven"


async def test_more_files_than_go_into_one_page_all_count(tmp_path: Path) -> None:
    async with a_terminal(tmp_path / "root", **URL) as t:
        export = takeout(tmp_path / "t.zip", **{f"f{n}": b"%d" % n for n in range(450)})
        await sent(t.world, "a.jpg", b"449", then=S.ON_PHONE)
        doc = (await t.type("google", "import", str(export), "--json")).doc
    assert (doc["matched"], doc["unknown"]) == (1, 449)


async def test_our_own_folders_and_plain_ones_prove_nothing(tmp_path: Path) -> None:
    async with a_terminal(tmp_path / "root", **URL) as t:
        asset = await sent(t.world, "a.jpg", b"one", then=S.ON_PHONE)
        own = t.world.settings.folders.pixel_sync / "Takeout"
        own.mkdir(parents=True)
        (own / "a.jpg").write_bytes(b"one")
        plain = tmp_path / "plain"
        plain.mkdir()
        (plain / "a.jpg").write_bytes(b"one")
        for path in (own, own.parent, tmp_path, plain, tmp_path / "nosuch"):
            said = await t.type("google", "import", str(path))
            assert said.code == 2, path
            assert said.err
        assert await proven(t, asset) == "not proven"


async def test_a_sha_of_the_phone_is_compared_through_a_copy_of_our_own(tmp_path: Path) -> None:
    async with a_terminal(tmp_path / "root", **URL) as t:
        asset = await sent_and_kept(t, "a.jpg", b"one")
        other = await sent_and_kept(t, "b.jpg", b"two")
        lines = [
            {"name": "a.jpg", "size": 3, "sha256": hashlib.sha256(b"one").hexdigest(), "state": "phone-hash"},
            {"name": "DCIM/a.jpg", "size": 3, "sha1": sha1(b"one"), "state": "backed-up", "at": 9},
            {"name": "b.jpg", "size": 3, "sha1": sha1(b"2wo"), "state": "backed-up"},
            {"name": "b.jpg", "size": 3, "state": "backed-up"},
            {"name": "b.jpg", "size": 3, "sha1": "", "state": "backed-up"},
            {"name": "nosuch.jpg", "size": 3, "sha1": "0" * 40, "state": "backed-up"},
        ]  # fmt: skip
        path = listed(tmp_path / "google.jsonl", *lines)
        first = await t.type("google", "import", str(path), "--json")
        again = await t.type("google", "import", str(path), "--json")
        seen = (await whole(t.world, asset)).witnesses
        states = await proven(t, asset), await proven(t, other)
    assert (first.doc["matched"], first.doc["unknown"], len(first.doc["refused"])) == (2, 1, 3)
    assert (again.doc["matched"], again.doc["already"]) == (0, 2)
    assert states[0].startswith("proven by the evidence file google.jsonl")
    assert states[1] == "not proven"
    assert {w.rung.value for w in seen} == {"indexed", "phone-has", "phone-hash", "google-has"}


async def test_a_copy_that_is_not_what_it_was_vouches_for_nothing(tmp_path: Path) -> None:
    async with a_terminal(tmp_path / "root", **URL) as t:
        asset = await sent_and_kept(t, "a.jpg", b"one")
        [original] = (await whole(t.world, asset)).originals
        (t.world.settings.folders.processing / original.spool_key).write_bytes(b"bad")
        sha = hashlib.sha256(b"bad").hexdigest()
        line = {"name": "a.jpg", "size": 3, "sha256": sha, "state": "google-has"}
        said = await t.type("google", "import", str(listed(tmp_path / "l.jsonl", line)))
        assert await proven(t, asset) == "not proven"
    assert said.code == 1
    assert "no copy of ours can be read" in said.err


async def test_lines_that_are_no_entries_are_said_and_harmless(tmp_path: Path) -> None:
    async with a_terminal(tmp_path / "root", **URL) as t:
        asset = await sent(t.world, "a.jpg", b"one", then=S.ON_PHONE)
        path = tmp_path / "l.jsonl"
        odd = [b"no json", b"[" * 100_000, b"[1]", b"\xff\xfe", b'{"name": 7}']
        trouble = {"state": "no-root", "detail": "the phone is not rooted", "at": 1}
        line = {
            "name": "x\udce9.jpg",
            "size": 3,
            "blake3": digest_of(b"one"),
            "state": "google-has",
        }
        path.write_bytes(b"\n".join([*odd, json.dumps(trouble).encode(), json.dumps(line).encode()]))  # fmt: skip
        said = await t.type("google", "import", str(path))
        assert (await proven(t, asset)).startswith("proven")
    assert said.code == 0
    assert "the list says: no-root the phone is not rooted" in said.out
    assert "l.jsonl:1: the line is no JSON object" in said.err


async def test_a_persons_word_needs_a_name_a_reason_and_a_file_that_was_sent(
    tmp_path: Path,
) -> None:
    async with a_terminal(tmp_path, **URL) as t:
        asset = await sent(t.world, "a.jpg", b"one", then=S.ON_PHONE)
        assert (await t.type("google", "confirm", "a.jpg", "--who", "Ada")).code == 2
        blank = await t.type("google", "confirm", "a.jpg", "--who", " ", "--why", "seen")
        assert blank.code == 2
        unknown = await t.type("google", "confirm", "nosuch.jpg", "--who", "Ada", "--why", "seen")
        assert unknown.code == 1
        assert await proven(t, asset) == "not proven"
        said = await t.type("google", "confirm", str(asset), "--who", "Ada", "--why", "seen there")
        assert said.code == 0
        assert "kept as the word of Ada: 1 file of 1 asset" in said.out
        assert "by the word of Ada" in (await t.type("explain", "a.jpg")).out


async def test_the_api_takes_ids_and_names_and_no_lies(tmp_path: Path) -> None:
    async with a_terminal(tmp_path, **URL) as t:
        await sent(t.world, "a.jpg", b"one", then=S.ON_PHONE)
        ask = t.api.ask
        word = {"who": "Ada", "why": "seen"}
        assert (await ask("POST", "/google/confirm", {"assets": [1], **word}))[0] == 200
        assert (await ask("POST", "/google/confirm", {"assets": ["a.jpg"], **word}))[0] == 200
        assert (await ask("POST", "/google/confirm", {"assets": [True], **word}))[0] == 422
        assert (await ask("POST", "/google/confirm", {"assets": [99], **word}))[0] == 404
        wrong: list[Any] = [[1], ["x"], {"a": 1}, [{}] * 1001]
        for entries in wrong:
            body = {"how": "takeout", "source": "t", "entries": entries}
            assert (await ask("POST", "/google/evidence", body))[0] == 422
        body = {"how": "hearsay", "source": "t", "entries": []}
        assert (await ask("POST", "/google/evidence", body))[0] == 422
        assert SiteKey("a.jpg") in await t.world.journal.placed_under([SiteKey("a.jpg")])
