"""Guards the configuration: where each value comes from, and that a wrong one is named and never in force."""

import stat
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from mediad.config import ConfigFaults, Loaded, Settings, effective, load, set_value
from mediad.config.schema import KEYS, all_secrets
from mediad.errors import Bug, NeedsOperator
from mediad.model import Site
from mediad.state import WORKFLOWS, State

Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def _write(text: str) -> Path:
        file = tmp_path / "mediad.toml"
        file.write_text(text)
        return file

    return _write


def read(file: Path, environ: Mapping[str, str] | None = None) -> Loaded:
    return load(config_file=file, root=None, environ=environ or {})


def faults_of(file: Path, environ: Mapping[str, str] | None = None) -> list[str]:
    with pytest.raises(ConfigFaults) as caught:
        read(file, environ)
    return [str(fault) for fault in caught.value.faults]


# --- fifty wrong configurations: (lines below root, line of the fault, key, words of the message)
WRONG = [
    ("shutdwn_seconds = 3", 2, "shutdwn_seconds", "did you mean shutdown_seconds?"),
    ("shutdown_seconds = 0", 2, "shutdown_seconds", "more than 0"),
    ('shutdown_seconds = "soon"', 2, "shutdown_seconds", '"30 s"'),
    ("shutdown_seconds = true", 2, "shutdown_seconds", "a number of seconds"),
    ("shutdown_seconds = nan", 2, "shutdown_seconds", "finite"),
    ('[workflw]\npreset = "vault"', 2, "workflw", "did you mean workflow?"),
    ('[workflow]\npreset = "valt"', 3, "workflow.preset", '"vault", "relay"'),
    ('[workflow]\nhalt_on_error = "yes"', 3, "workflow.halt_on_error", "true or false"),
    ("[workflow]\nretries = -1", 3, "workflow.retries", "0 or more"),
    ("[workflow]\nretries = 2.5", 3, "workflow.retries", "whole number"),
    ("[workflow]\nretry_seconds = 0", 3, "workflow.retry_seconds", "more than 0"),
    ('[workflow.joins]\n"phone.verified" = ["archive.verified"]', 2, "workflow.joins", "opens no lane"),
    ('[workflow.joins]\n"library.due" = ["phone.verifed"]', 2, "workflow.joins", "'phone.verified'"),
    ('[workflow.joins]\n"library.due" = []', 2, "workflow.joins", "at least one state"),
    ('[workflow.joins]\n"library.due" = ["library.sorted"]', 2, "workflow.joins", "its own lane"),
    ('[workflow.joins]\n"cloud.due" = ["intake.hashed"]', 2, "workflow.joins", "archive.verified"),
    ('[workflow.joins]\n"phone.due" = ["library.sorted"]\n"library.due" = ["phone.verified"]',
     2, "workflow.joins", "never come to an end"),
    ("[workflow]\njoins = 3", 3, "workflow.joins", "write a table"),
    ('[compress.folders]\n"/Scans" = "keep"', 2, "compress.folders", "no folder below incoming/"),
    ('[compress.folders]\n"Scans/" = "keep"', 2, "compress.folders", "no slash at either end"),
    ('[compress.folders]\n"../Scans" = "keep"', 2, "compress.folders", "no folder below incoming/"),
    ('[compress.folders]\n"Scans" = "small"', 2, "compress.folders.Scans", 'write one of "keep"'),
    ('[folders]\nlibrary = "incoming/lib"', 3, "folders.library", "lies in folders.incoming"),
    ('[folders]\nlibrary = "incoming"', None, "folders.incoming", "the same folder"),
    ('[folders]\nincoming = "."', 3, "folders.incoming", "root itself"),
    ("[folders]\nlibrary = 7", 3, "folders.library", "path in quotes"),
    ('[folders]\nincomming = "x"', 3, "folders.incomming", "folders.incoming"),
    ('[ingest]\nsettle_seconds = "5 parsecs"', 3, "ingest.settle_seconds", "is no unit"),
    ("[ingest]\nsettle_seconds = -5", 3, "ingest.settle_seconds", "0 or more"),
    ('[ingest]\nmax_megapixels = "many"', 3, "ingest.max_megapixels", "whole number"),
    ("[ingest]\npolling = 1", 3, "ingest.polling", "true or false"),
    ('[dedup]\nkeep_days = "-3 d"', 3, "dedup.keep_days", "cannot be read"),
    ('[syncthing]\nurl = "127.0.0.1:8384"\napi_key = "k"', 3, "syncthing.url", "http://127.0.0.1:8384"),
    ('[syncthing]\nurl = "http://127.0.0.1:8384"', 3, "syncthing.url", "syncthing.api_key"),
    ('[syncthing]\napi_key_file = "no-such-file"', 3, "syncthing.api_key_file", "cannot be read"),
    ('[phone]\nbatch_by = "weight"', 3, "phone.batch_by", '"files" or "bytes"'),
    ('[phone]\nbatch_bytes = "2 XB"', 3, "phone.batch_bytes", "'XB' is no unit"),
    ("[phone]\nbatch_bytes = 1.5", 3, "phone.batch_bytes", "a number of bytes"),
    ('[archive]\ntemplate = "{YEAR}/{name}"', 3, "archive.template", "{YYYY}"),
    ('[archive]\ntemplate = "{YYYY}/{MM}"', 3, "archive.template", "{name}"),
    ('[archive]\ntemplate = "../{name}"', 3, "archive.template", "below the folder"),
    ('[sort]\ntemplate = "/{name}"', 3, "sort.template", "below the folder"),
    ('[sort]\ntemplate = "{YYYY/{name}"', 3, "sort.template", "template"),
    ("[compress]\nlight_quality = 85", 3, "compress.light_quality", "compress.photo.light_quality"),
    ("[compress]\nmin_saving = 1", 3, "compress.min_saving", "less than 1"),
    ("[compress.photo]\nlight_quality = 300", 3, "compress.photo.light_quality", "100 or less"),
    ("[compress.video]\nheavy_crf = 60", 3, "compress.video.heavy_crf", "51 or less"),
    ('[compress]\nvideo.codec = "vp9"', 3, "compress.video.codec", '"hevc", "h264" or "av1"'),
    ("[icloud]\nenabled = true", 3, "icloud.enabled", "icloud.username"),
    ('[icloud]\nalbums = "Family"', 3, "icloud.albums", "square brackets"),
    ("[icloud]\npassword = 1234", 3, "icloud.password", "text in quotes"),
    ('[safety]\nreserve = "all"', 3, "safety.reserve", '"2 GiB"'),
    ("[pools]\nhash = 1000", 3, "pools.hash", "64 or less"),
    ('[web]\nlisten = "0.0.0.0:80"', 3, "web.listen", "web.token"),
    ('[web]\nlisten = "8080"', 3, "web.listen", "host:port"),
    ('[web]\nlisten = "localhost:99999"', 3, "web.listen", "host:port"),
    ('[icloud]\ngateway = "http://192.168.1.5:80"', 3, "icloud.gateway", "127.0.0.1"),
    ('[icloud]\ngateway = "https://127.0.0.1.example.com"', 3, "icloud.gateway", "another machine"),
    ("web = 3", 2, "web", "[web]"),
    ('[log]\nlevel = "loud"', 3, "log.level", '"debug"'),
]  # fmt: skip


@pytest.mark.parametrize(("lines", "line", "key", "words"), WRONG)
def test_a_wrong_setting_is_named_with_its_line_and_the_cure(
    write: Write, lines: str, line: int | None, key: str, words: str
) -> None:
    file = write(f'root = "here"\n{lines}\n')
    (fault,) = faults_of(file)
    where = f"{file}:{line}: {key}: " if line else f"{file}: {key}: "
    assert fault.startswith(where)
    assert words in fault


def test_every_fault_is_told_at_once_in_reading_order(write: Write) -> None:
    file = write(
        'root = "x"\n[pools]\nhash = -1\n[web]\nlisten = "0.0.0.0:1"\n[log]\nlevl = "info"\n'
    )
    told = faults_of(file, {"MEDIAD_POOLS__COPY": "many"})
    assert [f.rsplit(": ", 2)[-2].split(": ")[-1] for f in told] == [
        "pools.hash", "web.listen", "log.levl", "pools.copy",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "line"),
    [('root = "x"\nlevel = \n', 2), ('root = "x"\n[log\n', 2), ("a = 1\na = 2\n", 2), ('x = "', 1)],
)
def test_a_file_that_is_no_toml_is_named_with_its_line(write: Write, text: str, line: int) -> None:
    file = write(text)
    (fault,) = faults_of(file)
    assert fault.startswith(f"{file}:{line}: this is no TOML")


@pytest.mark.parametrize("text", ["a" + ".a" * 200_000 + " = 1", "# much to say\n" * 20_000])
def test_a_file_that_is_no_file_of_settings_is_refused(write: Write, text: str) -> None:
    """Before it is read as TOML: one key of so many parts would take minutes."""
    (fault,) = faults_of(write(text))
    assert "larger than 256 KiB" in fault


def test_a_file_that_is_a_maze_is_refused(write: Write) -> None:
    (fault,) = faults_of(write("x = " + "[" * 100_000))
    assert "nested" in fault


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "mediad.toml"
    file.write_bytes(b'root = "\xff"')
    assert "not UTF-8" in faults_of(file)[0]


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    (fault,) = faults_of(tmp_path / "none.toml")
    assert fault.startswith(f"{tmp_path}/none.toml: cannot be read")


def test_a_missing_root_says_how_to_give_one(write: Write) -> None:
    assert "--root DIR" in faults_of(write("[log]\n"))[0]
    assert "is empty" in faults_of(write('root = ""\n'))[0]


def test_neither_file_nor_root_tells_how_to_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mediad.config.loader.SYSTEM_FILE", tmp_path / "none")
    with pytest.raises(ConfigFaults, match="start with --root DIR"):
        load(config_file=None, root=None, environ={})


def test_a_wrong_variable_is_named_by_its_name(write: Write) -> None:
    told = faults_of(write('root = "x"\n'), {"MEDIAD_WEB__LISTN": "x", "MEDIAD_LOG__LEVEL": "loud"})
    assert any(f.startswith("MEDIAD_WEB__LISTN: web.listn: ") for f in told)
    assert any(f.startswith("MEDIAD_LOG__LEVEL: log.level: ") for f in told)


def test_variables_of_other_programs_are_left_alone(write: Write) -> None:
    read(write('root = "x"\n'), {"MEDIAD_SHARED": "/somewhere", "MEDIADIR": "x"})


def test_a_secret_is_never_repeated_in_a_fault(write: Write) -> None:
    file = write('root = "x"\n[notify]\nurls = ["fine", 8675309]\n[icloud]\npassword = 8675309\n')
    assert not any("8675309" in fault for fault in faults_of(file))


# --- where values come from


def test_environment_over_credential_over_named_file_over_file_over_default(
    write: Write, tmp_path: Path
) -> None:
    (tmp_path / "key").write_text("from the named file\n")
    (tmp_path / "credentials").mkdir()
    credential = tmp_path / "credentials" / "syncthing.api_key"
    credential.write_text("from the credential\n")
    plain = write('root = "x"\n[syncthing]\napi_key = "from the file"\n')

    def key(environ: Mapping[str, str]) -> tuple[str, str]:
        loaded = read(plain, environ)
        secret = loaded.settings.syncthing.api_key.get_secret_value()
        return secret, loaded.origins["syncthing.api_key"]

    assert key({}) == ("from the file", "file")
    plain.write_text(plain.read_text() + 'api_key_file = "key"\n')
    assert key({}) == ("from the named file", f"the file {tmp_path}/key")
    systemd = {"CREDENTIALS_DIRECTORY": str(credential.parent)}
    assert key(systemd) == ("from the credential", "the credential syncthing.api_key")
    assert key(systemd | {"MEDIAD_SYNCTHING__API_KEY": "12"}) == (
        "12",
        "the variable MEDIAD_SYNCTHING__API_KEY",
    )
    assert read(plain).origins["syncthing.url"] == "default"


def test_variables_are_read_as_what_the_setting_is(write: Write) -> None:
    settings = read(
        write('root = "x"\n'),
        {
            "MEDIAD_POOLS__HASH": "3",
            "MEDIAD_COMPRESS__PHOTO__LIGHT_QUALITY": "90",
            "MEDIAD_ARCHIVE__ENABLED": "off",
            "MEDIAD_ICLOUD__ALBUMS": "Family, Dog",
            "MEDIAD_PHONE__BATCH_BYTES": "1 GiB",
            "MEDIAD_INGEST__SETTLE_SECONDS": "250 ms",
            "MEDIAD_NOTIFY__URLS": '["https://a/b,c"]',
            "MEDIAD_WORKFLOW__JOINS": '{"archive.due" = ["intake.hashed"]}',
        },
    ).settings
    assert settings.pools.hash == 3
    assert settings.compress.photo.light_quality == 90
    assert not settings.archive.enabled
    assert settings.icloud.albums == ("Family", "Dog")
    assert settings.phone.batch_bytes == 1 << 30
    assert settings.ingest.settle_seconds == 0.25
    assert all_secrets(settings) == ["https://a/b,c"]
    assert settings.workflow.joins == {"archive.due": ("intake.hashed",)}


def test_sizes_and_durations_carry_units(write: Write) -> None:
    settings = read(
        write(
            'root = "x"\nshutdown_seconds = "1 min"\n[ingest]\nrescan_minutes = "1 h"\n'
            '[clean]\nafter_hours = "2 days"\n[safety]\nreserve = "500 MB"\n[dedup]\nkeep_days = 1.5\n'
        )
    ).settings
    assert settings.shutdown_seconds == 60
    assert settings.ingest.rescan_minutes == 60
    assert settings.clean.after_hours == 48
    assert settings.safety.reserve == 500_000_000
    assert settings.dedup.keep_days == 1.5


@pytest.mark.parametrize(
    "way", [str, str.lower, lambda d: d.replace("-", ""), lambda d: d.replace("-", " ")]
)
def test_a_device_id_is_one_however_it_is_written(
    way: Callable[[str], str], tmp_path: Path
) -> None:
    device = "-".join(f"PIXEL{n}A" for n in range(2, 10))
    told = {"MEDIAD_SYNCTHING__DEVICE_ID": way(device)}
    assert (
        load(config_file=None, root=tmp_path, environ=told).settings.syncthing.device_id == device
    )


def test_what_is_no_device_id_stays_as_it_was_written(tmp_path: Path) -> None:
    told = {"MEDIAD_SYNCTHING__DEVICE_ID": "my phone"}
    assert (
        load(config_file=None, root=tmp_path, environ=told).settings.syncthing.device_id
        == "my phone"
    )


def test_a_root_needs_no_file_and_takes_its_own_where_there_is_one(tmp_path: Path) -> None:
    bare = load(config_file=None, root=tmp_path, environ={})
    assert bare.file is None
    assert bare.settings.folders.incoming == tmp_path / "incoming"
    (tmp_path / "mediad.toml").write_text("[pools]\nhash = 2\n")
    own = load(config_file=None, root=tmp_path, environ={})
    assert own.settings.pools.hash == 2
    assert own.file == own.settings.file == tmp_path / "mediad.toml"
    by_variable = load(config_file=None, root=None, environ={"MEDIAD_ROOT": str(tmp_path)})
    assert by_variable.settings.root == tmp_path
    assert by_variable.settings.pools.hash == 2


def test_root_beside_a_file_overrides_its_root(write: Write, tmp_path: Path) -> None:
    file = write('root = "elsewhere"\n')
    assert read(file).settings.root == tmp_path / "elsewhere"
    loaded = load(config_file=None, root=tmp_path / "r", environ={"MEDIAD_CONFIG": str(file)})
    assert loaded.settings.root == tmp_path / "r"
    assert loaded.origins["root"] == "--root"


def test_the_socket_is_in_run_only_for_a_root_from_the_file(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write('root = "x"\n')
    monkeypatch.setattr("mediad.config.model.RUN_DIR", tmp_path / "run")
    assert read(file).settings.socket_path == tmp_path / "x/state/mediad.sock"
    (tmp_path / "run").mkdir()
    assert read(file).settings.socket_path == tmp_path / "run/mediad.sock"
    own = load(config_file=file, root=tmp_path / "y", environ={}).settings
    assert own.socket_path == tmp_path / "y/state/mediad.sock"


def test_show_tells_every_setting_and_no_secret(write: Write) -> None:
    loaded = read(write('root = "x"\n[web]\ntoken = "canary"\n'))
    shown = {e.key: e for e in effective(loaded.settings, loaded.origins)}
    assert set(shown) == {key.dotted for key in KEYS.values()}
    assert (shown["web.token"].value, shown["web.token"].origin) == ("***", "file")
    assert shown["mirror.dsn"].value == ""
    assert "canary" not in repr(shown) + repr(loaded) + str(loaded.settings)


# --- what follows from settings


def test_every_site_but_the_cloud_has_its_folder(tmp_path: Path) -> None:
    settings = Settings(root=tmp_path)
    folders = {settings.path_of(site) for site in Site if site is not Site.CLOUD}
    assert len(folders) == len(Site) - 1
    with pytest.raises(Bug):
        settings.path_of(Site.CLOUD)


def test_lanes_without_their_outside_part_are_off_and_say_why(tmp_path: Path) -> None:
    off = Settings(root=tmp_path).off()
    assert set(off) == {"batch", "place", "verify", "release", "upload", "mark", "delete"}
    assert off["batch"] == "off by configuration: no [syncthing] url"
    assert off["delete"] == "off by configuration: [icloud] enabled = false"


def test_each_stage_can_be_switched_off(write: Write) -> None:
    off = read(
        write(
            'root = "x"\nclean.enabled = false\narchive.enabled = false\ncompress.enabled = false\n'
            "sort.enabled = false\n"
        )
    ).settings.off()
    assert off["archive"] == "off by configuration: [archive] enabled = false"
    assert {"archive", "compress", "sort", "clean"} <= set(off)
    assert not {"download", "settle", "hash"} & set(off)


def test_the_sorter_leaves_out_what_it_does_not_know(write: Write) -> None:
    settings = read(write('root = "x"\nworkflow.preset = "sorter"\n')).settings
    assert settings.law() is WORKFLOWS["sorter"]
    assert "sorter" in settings.off()["compress"]


def test_an_own_table_of_joins_becomes_the_law(write: Write) -> None:
    settings = read(
        write(
            'root = "x"\n[workflow.joins]\n"archive.due" = ["intake.hashed"]\n'
            '"library.due" = ["archive.verified"]\n'
            '"spool.cleanable" = ["archive.verified", "library.compressed | library.kept"]\n'
        )
    ).settings
    opens = {join.opens[0]: join.when for join in settings.law().joins[:-1]}
    assert opens[State.LIBRARY_DUE] == (frozenset({State.ARCHIVED}),)
    assert opens[State.CLEANABLE][1] == {State.COMPRESSED, State.KEPT, State.SORTED}
    last = settings.law().joins[-1]
    assert last.when == (frozenset({State.DUPLICATE}),)
    assert last.opens == (State.CLEANABLE,), "the table opens no lane for iCloud"


def test_settings_are_frozen(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="frozen"):
        Settings(root=tmp_path).root = Path("/")


# --- editing a person's file


def test_a_changed_value_keeps_comments_order_and_mode(write: Write) -> None:
    file = write('# ours\nroot = "x"  # here\n\n[pools]\nhash = 2 # two\n# the end\n')
    file.chmod(0o640)
    set_value(file, "pools.hash", "4")
    set_value(file, "compress.photo.light_quality", "90")
    text = file.read_text()
    assert text.startswith('# ours\nroot = "x"  # here\n\n[pools]\nhash = 4 # two\n# the end\n')
    assert read(file).settings.compress.photo.light_quality == 90
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert list(file.parent.iterdir()) == [file]


@pytest.mark.parametrize(
    ("key", "text"), [("pools.hash", "many"), ("pools.hsh", "1"), ("pools", "1"), ("", "1")]
)
def test_a_wrong_value_is_never_written(write: Write, key: str, text: str) -> None:
    file = write('root = "x"\n')
    with pytest.raises(ConfigFaults):
        set_value(file, key, text)
    assert file.read_text() == 'root = "x"\n'


def test_a_broken_file_is_not_edited(write: Write) -> None:
    file = write("root = \n")
    with pytest.raises(NeedsOperator, match="nothing was changed"):
        set_value(file, "pools.hash", "1")


def test_a_first_value_makes_the_file(tmp_path: Path) -> None:
    file = tmp_path / "mediad.toml"
    set_value(file, "icloud.albums", "Family,Dog")
    assert load(config_file=None, root=tmp_path, environ={}).settings.icloud.albums == (
        "Family",
        "Dog",
    )
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_link_to_the_file_stays_a_link(write: Write, tmp_path: Path) -> None:
    file = write('root = "x"\n')
    (tmp_path / "etc").mkdir()
    link = tmp_path / "etc" / "mediad.toml"
    link.symlink_to(file)
    set_value(link, "pools.hash", "1")
    assert link.is_symlink()
    assert "hash = 1" in file.read_text()


@pytest.mark.parametrize(
    "address", ["http://127.0.0.1:8490", "http://localhost:1", "http://[::1]:8"]
)
def test_a_gateway_on_this_machine_is_taken(write: Write, address: str) -> None:
    file = write(f'root = "x"\n[icloud]\ngateway = "{address}"\n')
    assert read(file).settings.icloud.gateway == address
