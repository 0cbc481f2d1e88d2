"""Guards the phone's helper as far as can be without a phone: every shell here, a made-up database, a made-up /sys."""

import base64
import hashlib
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

PIXEL = Path(__file__).parents[2] / "contrib/pixel"
MODULE = PIXEL / "module"
SCRIPT = MODULE / "mediad-phone.sh"
SCRIPTS = sorted([*MODULE.rglob("*.sh"), MODULE / "META-INF/com/google/android/update-binary"])
SHELLS = [s for s in (("dash",), ("busybox", "sh"), ("mksh",)) if shutil.which(s[0])]
ODD = [
    b"plain.jpg", b'quo"te\\.jpg', b"new\nline.jpg", "emoji \U0001f600 \u00e9 \uffff.heic".encode(),
    b"no utf-8 \xff\xc3.jpg", b"half \xed\xa0\x80.jpg", b"-dash.jpg", b" lead  two .jpg", b"tab\t.jpg",
    b"\x01\x7f.jpg", b"a%20#b'$(x)`.jpg", b"overlong \xc0\xaf \xe0\x80\x80.jpg",
]  # fmt: skip
# As Google Photos' own statements make them, with the columns that matter here.
LOCAL = "CREATE TABLE local_media (_id INTEGER PRIMARY KEY, dedup_key TEXT NOT NULL, filepath TEXT, size_bytes INTEGER)"
REMOTE = (
    "CREATE TABLE remote_media (_id INTEGER PRIMARY KEY, dedup_key TEXT NOT NULL, media_key STRING UNIQUE NOT NULL,"
    " state INTEGER NOT NULL DEFAULT 0, upload_status INTEGER NOT NULL DEFAULT 100, trash_timestamp INTEGER,"
    " partial_backup INTEGER NOT NULL DEFAULT 0)"
)


@dataclass(frozen=True)
class World:
    """Folders that stand for a phone."""

    root: Path
    shell: tuple[str, ...]

    @property
    def shared(self) -> Path:
        return self.root / "shared"

    def put(self, name: bytes, content: bytes) -> Path:
        path = Path(os.fsdecode(os.fsencode(self.shared) + b"/" + name))
        path.write_bytes(content)
        return path

    def run(self, command: str) -> subprocess.CompletedProcess[str]:
        env = {**os.environ, "PATH": f"{self.root / 'bin'}:{os.environ['PATH']}"}
        return subprocess.run(
            [*self.shell, str(SCRIPT), "-c", str(self.root / "conf"), command],
            env=env, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip

    def lines(self, name: str) -> list[dict[str, Any]]:
        text = (self.root / "reports" / name).read_bytes().decode("ascii")
        return [json.loads(line) for line in text.splitlines()]

    def program(self, name: str, body: str) -> None:
        path = self.root / "bin" / name
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)

    def photos(self, *statements: str, name: str = "gphotos0.db") -> sqlite3.Connection:
        """A database that some process has open, its newest rows still in the write-ahead log."""
        base = sqlite3.connect(self.root / "photos" / name, isolation_level=None)
        base.execute("PRAGMA journal_mode=wal")
        base.execute("PRAGMA wal_autocheckpoint=0")
        for statement in statements:
            base.execute(statement)
        return base


@pytest.fixture(params=SHELLS, ids=" ".join)
def world(request: pytest.FixtureRequest, tmp_path: Path) -> World:
    for name in ("shared", "reports", "photos", "bin", "sys"):
        (tmp_path / name).mkdir()
    (tmp_path / "conf").write_text(
        f"SHARED={tmp_path}/shared/\nREPORTS={tmp_path}/reports\nSTATE={tmp_path}/state\n"
        f"SYSFS={tmp_path}/sys\nPHOTOS={tmp_path}/photos\n"
    )
    return World(tmp_path, request.param)


@pytest.fixture
def build() -> Callable[[Path], None]:
    def _build(target: Path) -> None:
        subprocess.run([sys.executable, str(PIXEL / "build.py"), str(target)], check=True)

    return _build


# -- the package ----------------------------------------------------------------------------------


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda p: p.name)
def test_every_script_is_clean_to_shellcheck(script: Path) -> None:
    found = subprocess.run(
        ["shellcheck", "-s", "sh", str(script)], capture_output=True, text=True, check=False
    )
    assert found.returncode == 0, found.stdout


@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda p: p.name)
def test_every_shell_here_can_read_every_script(script: Path, shell: tuple[str, ...]) -> None:
    subprocess.run([*shell, "-n", str(script)], check=True)


@pytest.mark.parametrize(
    "path", [*SCRIPTS, MODULE / "module.prop", PIXEL / "README.md"], ids=lambda p: p.name
)
def test_every_part_says_that_no_phone_has_tried_it(path: Path) -> None:
    assert "NOT TRIED ON A PHONE" in path.read_text()


def test_two_builds_are_the_same_bytes_whatever_the_files_times(
    build: Callable[[Path], None], tmp_path: Path
) -> None:
    build(tmp_path / "one.zip")
    stamp = SCRIPT.stat()
    os.utime(SCRIPT, (1_000_000_000, 1_000_000_000))
    try:
        build(tmp_path / "two.zip")
    finally:
        os.utime(SCRIPT, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()


def test_the_zip_is_what_magisk_takes(build: Callable[[Path], None], tmp_path: Path) -> None:
    build(tmp_path / "new" / "phone.zip")
    with zipfile.ZipFile(tmp_path / "new" / "phone.zip") as package:
        names = package.namelist()
        prop = package.read("module.prop").decode()
        marker = package.read("META-INF/com/google/android/updater-script")
    assert names == sorted(names)
    assert {"module.prop", "service.sh", "customize.sh", "uninstall.sh", "mediad-phone.sh"} <= set(
        names
    )
    assert "install.sh" not in names, "Magisk treats this name in a way of its own"
    assert marker == b"#MAGISK\n"
    assert "\r" not in prop
    keys = [line.partition("=")[0] for line in prop.splitlines()]
    assert keys == ["id", "name", "version", "versionCode", "author", "description"]


# -- phone-hash.jsonl -----------------------------------------------------------------------------


def test_a_name_of_any_bytes_comes_back_as_it_was(world: World) -> None:
    for name in ODD:
        world.put(name, name * 7)
    done = world.run("hash")
    assert (done.returncode, done.stderr) == (0, "")
    told = {os.fsencode(line["name"]): line for line in world.lines("phone-hash.jsonl")}
    assert sorted(told) == sorted(ODD)
    for name, line in told.items():
        assert line["sha256"] == hashlib.sha256(name * 7).hexdigest()
        assert line["size"] == len(name) * 7
        assert line["at"] > 1_700_000_000_000
        assert set(line) == {"name", "size", "sha256", "state", "at"}


def test_what_syncthing_keeps_for_itself_and_folders_are_passed_over(world: World) -> None:
    world.put(b"a.jpg", b"a")
    world.put(b".syncthing.b.jpg.tmp", b"b")
    world.put(b"~syncthing~c.jpg.tmp", b"c")
    (world.shared / ".stfolder").mkdir()
    (world.shared / "inner").mkdir()
    (world.shared / "inner" / "d.jpg").write_bytes(b"d")
    world.run("hash")
    assert [line["name"] for line in world.lines("phone-hash.jsonl")] == ["a.jpg"]


def test_only_new_and_changed_files_are_hashed_again_and_nothing_told_is_forgotten(
    world: World,
) -> None:
    hashed = world.root / "hashed"
    real = shutil.which("sha256sum")
    world.program("sha256sum", f'echo x >>"{hashed}"\nexec {real} "$@"')
    for number in range(230):  # more than one hand-over of names
        world.put(b"%d.jpg" % number, b"%d" % number)
    world.run("hash")
    world.run("hash")
    assert len(hashed.read_text().splitlines()) == 230
    world.put(b"7.jpg", b"changed")
    (world.shared / "8.jpg").unlink()
    world.run("hash")
    lines = world.lines("phone-hash.jsonl")
    assert len(hashed.read_text().splitlines()) == len(lines) == 231
    sums = [line["sha256"] for line in lines if line["name"] == "7.jpg"]
    assert sums == [hashlib.sha256(b"7").hexdigest(), hashlib.sha256(b"changed").hexdigest()]
    assert [line["name"] for line in lines].count("8.jpg") == 1


def test_a_file_that_changes_while_it_is_read_gives_no_line(world: World) -> None:
    path = world.put(b"a.jpg", b"before")
    real = shutil.which("sha256sum")
    world.program("sha256sum", f'{real}\nprintf longer >>"{path}"')
    world.run("hash")
    assert world.lines("phone-hash.jsonl") == []


def test_a_low_battery_is_not_worked_hard(world: World) -> None:
    battery(world, capacity="12", status="Discharging")
    world.put(b"a.jpg", b"a")
    assert "the charge is low" in world.run("hash").stderr
    assert world.lines("phone-hash.jsonl") == []
    battery(world, capacity="12", status="Charging")
    world.run("hash")
    assert len(world.lines("phone-hash.jsonl")) == 1


# -- google.jsonl ---------------------------------------------------------------------------------


def key_of(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha1(content).digest()).decode().rstrip("=")  # noqa: S324  # Google's choice


def row(base: sqlite3.Connection, world: World, name: str, key: str, **remote: object) -> None:
    """A file on the phone with this dedup key, and its other half at Google unless `remote` is empty."""
    base.execute(
        "INSERT INTO local_media (dedup_key, filepath, size_bytes) VALUES (?, ?, 5)",
        (key, f"{world.shared}/{name}"),
    )
    if remote:
        cells = {"dedup_key": key, "media_key": f"m-{name}", **remote}
        base.execute(
            f"INSERT INTO remote_media ({', '.join(cells)}) VALUES ({', '.join('?' * len(cells))})",  # noqa: S608  # ours
            tuple(cells.values()),
        )


@pytest.fixture
def photos(world: World) -> Iterator[sqlite3.Connection]:
    base = world.photos(LOCAL, REMOTE)
    yield base
    base.close()


def test_what_the_database_lists_as_uploaded_is_told_with_its_sha1(
    world: World, photos: sqlite3.Connection
) -> None:
    row(photos, world, 'a"b\n\U0001f600.jpg', key_of(b"hello"), upload_status=100)
    before = (world.root / "photos/gphotos0.db").read_bytes()
    done = world.run("google")
    assert (done.returncode, done.stderr) == (0, "")
    [line] = world.lines("google.jsonl")
    assert line.pop("at") > 1_700_000_000_000
    assert line == {
        "name": 'a"b\n\U0001f600.jpg', "size": 5, "state": "backed-up",
        "sha1": hashlib.sha1(b"hello").hexdigest(),  # noqa: S324  # Google's choice
    }  # fmt: skip
    assert (world.root / "photos/gphotos0.db").read_bytes() == before


@pytest.mark.parametrize(
    "remote",
    [
        {},
        {"upload_status": 99},
        {"upload_status": 100, "state": 1},
        {"upload_status": 100, "state": 2},
        {"upload_status": 100, "trash_timestamp": 1_700_000_000_000},
        {"upload_status": 100, "partial_backup": 1},
    ],
    ids=["only here", "on its way", "to be deleted", "deleted", "in the bin", "in part"],
)
def test_what_is_not_whole_at_google_is_no_evidence(
    world: World, photos: sqlite3.Connection, remote: dict[str, object]
) -> None:
    row(photos, world, "a.jpg", key_of(b"hello"), **remote)
    world.run("google")
    assert world.lines("google.jsonl") == []


def test_a_key_that_is_no_sha1_is_not_called_one(world: World, photos: sqlite3.Connection) -> None:
    for number, key in enumerate(("fake:12345", "A" * 26, "A" * 26 + "B", "A" * 26 + "!")):
        row(photos, world, f"{number}.jpg", key, upload_status=100)
    world.run("google")
    assert [line["sha1"] for line in world.lines("google.jsonl")] == [""] * 4


def test_only_files_of_the_shared_folder_are_told_of(
    world: World, photos: sqlite3.Connection
) -> None:
    for name in ("../private.jpg", "inner/deep.jpg", "ours.jpg"):
        row(photos, world, name, key_of(name.encode()), upload_status=100)
    photos.execute(
        "UPDATE local_media SET filepath = '/else/where.jpg' WHERE filepath LIKE '%private%'"
    )
    world.run("google")
    assert [line["name"] for line in world.lines("google.jsonl")] == ["ours.jpg"]


def test_what_was_told_once_stays_told_with_its_time_and_never_twice(
    world: World, photos: sqlite3.Connection
) -> None:
    row(photos, world, "a.jpg", key_of(b"a"), upload_status=100)
    world.run("google")
    first = world.lines("google.jsonl")
    photos.execute("DELETE FROM local_media")  # its space was freed
    row(photos, world, "b.jpg", key_of(b"b"), upload_status=100)
    world.run("google")
    world.run("google")
    lines = world.lines("google.jsonl")
    assert lines[:1] == first
    assert [line["name"] for line in lines] == ["a.jpg", "b.jpg"]


@pytest.mark.parametrize(
    ("statements", "lacking"),
    [
        ((), "local_media has no dedup_key"),
        ((LOCAL,), "remote_media has no dedup_key"),
        (
            (LOCAL, REMOTE.replace("upload_status", "upload_state")),
            "remote_media has no upload_status",
        ),
        ((LOCAL.replace("filepath", "path"), REMOTE), "local_media has no filepath"),
    ],
    ids=["empty", "half", "status renamed", "path renamed"],
)
def test_an_unknown_schema_is_said_and_nothing_is_claimed(
    world: World, statements: tuple[str, ...], lacking: str
) -> None:
    base = world.photos(*statements, "CREATE TABLE other (x)")
    try:
        world.run("google")
        [line] = world.lines("google.jsonl")
        world.run("google")
        assert world.lines("google.jsonl") == [line], "the time stays that of the first such run"
    finally:
        base.close()
    assert line["state"] == "unknown-schema"
    assert line["detail"] == f"gphotos0.db: {lacking}"
    assert "name" not in line


def test_a_database_that_is_none_is_said_and_nothing_is_claimed(world: World) -> None:
    (world.root / "photos/gphotos0.db").write_bytes(b"no database at all" * 100)
    world.run("google")
    [line] = world.lines("google.jsonl")
    assert line["state"] == "busy"


def test_trouble_now_takes_nothing_back_that_was_seen_before(
    world: World, photos: sqlite3.Connection
) -> None:
    row(photos, world, "a.jpg", key_of(b"a"), upload_status=100)
    world.run("google")
    photos.execute("ALTER TABLE remote_media RENAME COLUMN upload_status TO progress")
    world.run("google")
    assert [line["state"] for line in world.lines("google.jsonl")] == [
        "backed-up",
        "unknown-schema",
    ]


# -- scanning and the report ----------------------------------------------------------------------


def told(world: World) -> list[str]:
    log = world.root / "told"
    return log.read_text().splitlines() if log.exists() else []


def test_android_is_told_of_each_new_file_once(world: World) -> None:
    world.program("am", f'for last in "$@"; do :; done; echo "$last" >>"{world.root}/told"')
    world.put(b"a b#%.jpg", b"a")
    world.run("scan")
    world.run("scan")
    world.put("\u00e9.jpg".encode(), b"b")
    world.run("scan")
    assert told(world) == [
        f"file://{world.shared}/a%20b%23%25.jpg",
        f"file://{world.shared}/%C3%A9.jpg",
    ]


def test_android_is_told_again_of_a_file_when_telling_failed(world: World) -> None:
    world.program("am", f'echo x >>"{world.root}/told"; exit 1')
    world.put(b"a.jpg", b"a")
    world.run("scan")
    world.run("scan")
    assert len(told(world)) == 2


@pytest.mark.skipif(os.geteuid() != 0, reason="what only root may ask of Android")
def test_a_file_that_android_does_not_list_is_announced_again(world: World) -> None:
    listed = world.root / "listed"
    world.program("getprop", '[ "$1" = ro.build.version.sdk ] && echo 30')
    world.program(
        "content",
        f'case $1 in call) echo "$7" >>"{world.root}/told" ;;'
        f' query) if [ -e "{listed}" ]; then echo "Row: 0 _id=7"; else echo "No result found."; fi ;; esac',
    )
    world.put(b"it's.jpg", b"a")
    world.run("scan")
    listed.touch()
    world.run("scan")
    world.run("scan")
    assert told(world) == [f"{world.shared}/it's.jpg"] * 2


def battery(world: World, **values: str) -> None:
    folder = world.root / "sys/class/power_supply/battery"
    folder.mkdir(parents=True, exist_ok=True)
    for name, value in values.items():
        (folder / name).write_text(f"{value}\n")


def test_the_report_says_what_the_kernel_says_and_null_where_nobody_does(world: World) -> None:
    world.run("report")
    [empty] = world.lines("phone.json")
    assert empty["battery"] == {"percent": None, "status": "", "celsius": None}
    battery(world, capacity="87", status="Not charging", temp="-15")
    zone = world.root / "sys/class/thermal/thermal_zone3"
    zone.mkdir(parents=True)
    (zone / "type").write_text("skin\n")
    (zone / "temp").write_text("34100\n")
    world.run("report")
    [full] = world.lines("phone.json")
    assert full["format"] == "mediad-phone/1"
    assert full["tried_on_a_phone"] is False
    assert full["battery"] == {"percent": 87, "status": "Not charging", "celsius": -1.5}
    assert full["zones"] == {"thermal_zone3 skin": 34100}
    assert 0 < full["storage"]["free_bytes"] <= full["storage"]["total_bytes"]


# -- as a whole -----------------------------------------------------------------------------------


def test_one_run_does_all_and_leaves_no_scratch(world: World) -> None:
    world.put(b"a.jpg", b"a")
    done = world.run("run")
    assert done.returncode == 0
    assert {p.name for p in (world.root / "reports").iterdir()} == {
        "phone-hash.jsonl", "google.jsonl", "phone.json",
    }  # fmt: skip
    left = {p.name for p in (world.root / "state").iterdir()}
    assert not [name for name in left if name == "lock" or name.startswith("scratch")]


def test_a_report_that_says_the_same_is_not_written_again(world: World) -> None:
    world.put(b"a.jpg", b"a")
    world.run("hash")
    first = (world.root / "reports/phone-hash.jsonl").stat()
    world.run("hash")
    assert (world.root / "reports/phone-hash.jsonl").stat().st_mtime_ns == first.st_mtime_ns


def test_the_lock_of_a_dead_run_is_taken_over_and_that_of_a_living_one_is_not(world: World) -> None:
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    holder = world.root / "state/lock/holder"
    holder.parent.mkdir(parents=True)
    holder.write_text(f"{boot} {os.getpid()}\n")
    assert "another run" in world.run("run").stderr
    holder.write_text(f"an-earlier-boot {os.getpid()}\n")
    assert world.run("run").returncode == 0


def test_reports_inside_the_shared_folder_are_refused(world: World) -> None:
    with (world.root / "conf").open("a") as conf:
        conf.write(f"REPORTS={world.shared}/reports\n")
    done = world.run("run")
    assert done.returncode == 1
    assert "nothing written there ever reaches mediad" in done.stderr


def test_nothing_in_the_shared_folder_is_touched(world: World) -> None:
    paths = [world.put(name, b"x") for name in ODD]
    before = [(p.stat().st_mtime_ns, p.stat().st_ino) for p in paths]
    world.run("run")
    assert [(p.stat().st_mtime_ns, p.stat().st_ino) for p in paths] == before
    assert len(list(world.shared.iterdir())) == len(paths)
