"""
Every setting there is: name, default, unit, and why one would change it.

The one source of etc/mediad.toml, of docs/configuration.md and of `mediad --check`. Values are frozen; a reload makes
a new Settings. Paths are made absolute without asking the disk: a NAS that hangs must not hang the start.
"""

import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self, TypeAlias

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    SecretStr,
    Strict,
    ValidationInfo,
    field_validator,
    model_validator,
)

from mediad.config.joins import own_workflow
from mediad.config.units import duration_in, size
from mediad.errors import Bug
from mediad.model import Site
from mediad.state import WORKFLOWS, Workflow

RUN_DIR: Final = Path("/run/mediad")

Flag: TypeAlias = Annotated[bool, Strict()]
Count: TypeAlias = Annotated[int, Strict()]
Text: TypeAlias = Annotated[str, Strict()]
Seconds: TypeAlias = Annotated[float, BeforeValidator(duration_in("seconds"))]
Minutes: TypeAlias = Annotated[float, BeforeValidator(duration_in("minutes"))]
Hours: TypeAlias = Annotated[float, BeforeValidator(duration_in("hours"))]
Days: TypeAlias = Annotated[float, BeforeValidator(duration_in("days"))]
Bytes: TypeAlias = Annotated[int, BeforeValidator(size)]


def setting(default: object, what: str, *, unit: str = "", shown: str = "", **limits: Any) -> Any:
    """One setting. `shown`: how the default is written in TOML where the bare value would be hard to read."""
    extra = {"unit": unit, "shown": shown}
    return Field(default, description=what, json_schema_extra=extra, **limits)


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)


class WorkflowSection(Section):
    """Which lanes open when, and what happens when something fails."""

    preset: Literal["vault", "relay", "backup", "bridge", "sorter"] = setting(
        "vault",
        "The way of working: vault opens phone, archive and library at once; relay goes strictly one after the "
        "other; backup feeds phone and archive first; bridge compresses before phone and cloud; sorter only "
        "passes photos to the phone and sorts them.",
    )
    halt_on_error: Flag = setting(
        False, "Stop everything at the first failure, instead of pausing only what it touches."
    )
    retries: Count = setting(
        8, "How often a step is tried again before the asset counts as failed.", ge=0, le=1000
    )
    retry_seconds: Seconds = setting(
        5.0,
        "The wait before the second try; it doubles with each further one.",
        unit="seconds",
        gt=0,
    )
    retry_longest_minutes: Minutes = setting(
        60.0, "The longest wait between two tries.", unit="minutes", gt=0
    )
    joins: dict[str, tuple[Text, ...]] = setting(
        {},
        'Your own table instead of the preset\'s: lane = what must be reached first, such as "library.due" = '
        '["phone.verified", "archive.verified"]. A state counts as reached also when its lane has gone on; '
        '"a | b" means either. Empty: the preset\'s own table.',
    )


class Folders(Section):
    """Where things are. A relative path lies below root; each may be moved to another disk."""

    incoming: Path = setting("incoming", "The drop folder, sub-folders included.")
    pixel_sync: Path = setting("pixel_sync", "The folder that Syncthing shares with the phone.")
    nas_archive: Path = setting(
        "nas_archive", "Verified copies of the originals, bit for bit; normally a mounted NAS."
    )
    processing: Path = setting(
        "processing",
        "mediad's own working area; give it the file system of incoming and files are taken by a rename.",
    )
    library: Path = setting("library", "The sorted result that people browse.")
    icloud_delete: Path = setting(
        "icloud_delete", "Originals handed over for a deletion in iCloud by hand."
    )
    bridge: Path = setting("bridge", "Renditions on their way to an upload.")
    duplicates: Path = setting("duplicates", "Exact duplicates, kept for dedup.keep_days.")
    quarantine: Path = setting(
        "quarantine", "What is no media, is empty or cannot be read. Never deleted by mediad."
    )
    state: Path = setting(
        "state", "The journal and its backups. On a local disk: SQLite is not safe on a NAS."
    )
    step_names: Flag = setting(
        False, "Give workflow folders names such as step03_archive_20260115_143000_NAME (relay)."
    )

    def below(self, root: Path) -> Self:
        """The same folders, absolute; told apart by spelling alone."""
        return self.model_copy(update={n: absolute(p, root) for n, p in self.all().items()})

    def all(self) -> dict[str, Path]:
        return {n: v for n in type(self).model_fields if isinstance(v := getattr(self, n), Path)}


def absolute(path: Path, root: Path) -> Path:
    return Path(os.path.normpath(root / path.expanduser()))  # noqa: PTH118 - resolve() would ask a hung NAS


class Ingest(Section):
    """How files are noticed and taken in."""

    settle_seconds: Seconds = setting(
        5.0,
        "A file is complete when nothing about it has changed for so long. Raise it for slow or network uploads.",
        unit="seconds",
        ge=0,
    )
    group_seconds: Seconds = setting(
        60.0,
        "How long the halves of one shot (Live Photo, RAW+JPEG, sidecar) wait for each other.",
        unit="seconds",
        ge=0,
    )
    rescan_minutes: Minutes = setting(
        10.0,
        "The whole drop folder is compared with the journal this often, whatever the watcher said.",
        unit="minutes",
        gt=0,
    )
    polling: Flag = setting(
        False, "Look regularly instead of being told: for a drop folder on NFS or SMB."
    )
    max_megapixels: Count = setting(
        220, "Larger pictures go to quarantine: they are bombs more often than photographs.",
        unit="megapixels", ge=1, le=1000,
    )  # fmt: skip


class Dedup(Section):
    """Exact duplicates: the same bytes seen before."""

    enabled: Flag = setting(True, "Recognise exact duplicates and set them aside in duplicates.")
    keep_days: Days = setting(
        30.0, "How long a duplicate is kept before it is cleaned.", unit="days", ge=0
    )


class Syncthing(Section):
    """The way to the phone. Without a url the phone lane is off."""

    url: Text = setting("", "Address of Syncthing's REST interface, such as http://127.0.0.1:8384.")
    api_key: SecretStr = setting("", "Syncthing's API key (its settings page shows it).")
    api_key_file: Path | None = setting(None, "A file that holds the API key instead.")
    folder_id: Text = setting("", "The id of the shared folder; empty: found by its path.")
    device_id: Text = setting("", "The phone's device id; empty: the folder's only other device.")
    timeout_seconds: Seconds = setting(
        30.0, "How long one answer of Syncthing may take.", unit="seconds", gt=0
    )
    ca_file: Path | None = setting(
        None, "The certificate to trust when url is https with a certificate of its own."
    )


class Phone(Section):
    """Batches on their way to the phone."""

    enabled: Flag = setting(True, "Send to the phone at all (needs syncthing.url).")
    batch_by: Literal["files", "bytes"] = setting("files", "What closes a batch: files or bytes.")
    batch_files: Count = setting(5, "Files in a batch.", unit="files", ge=1)
    batch_bytes: Bytes = setting(
        2 << 30, "Size of a batch.", unit="bytes", shown='"2 GiB"', ge=1 << 20
    )
    allow_parallel: Flag = setting(
        False, "Send the next batch before the last one is confirmed by the phone."
    )
    send: Literal["original", "rendition"] = setting("original", "What the phone gets.")
    release: Flag = setting(
        True, "Take a batch out of the shared folder once the phone has it verifiably."
    )


class Archive(Section):
    """The NAS holds its own copy of every original, read back."""

    enabled: Flag = setting(
        True, "Copy originals to the archive. Off: no original is ever cleaned."
    )
    template: Text = setting(
        "{YYYY}/{MM}/{name}",
        "Where an original goes below nas_archive. Words: {YYYY} {MM} {DD} {name}; the time is the shutter's.",
    )


class CompressPhoto(Section):
    """Quality of photo renditions, 0 to 100, by the age of the photo."""

    light_quality: Count = setting(85, "Younger than a year.", ge=30, le=100)
    medium_quality: Count = setting(75, "From one to three years old.", ge=30, le=100)
    heavy_quality: Count = setting(65, "Older than three years.", ge=30, le=100)
    encoder: Literal["auto", "jpegli", "pillow"] = setting(
        "auto",
        "jpegli makes smaller files of the same quality; auto takes it where it is installed.",
    )


class CompressVideo(Section):
    """Constant rate factor of video renditions (smaller: better and larger), by the age of the video."""

    light_crf: Count = setting(24, "Younger than a year.", ge=0, le=51)
    medium_crf: Count = setting(26, "From one to three years old.", ge=0, le=51)
    heavy_crf: Count = setting(28, "Older than three years.", ge=0, le=51)
    codec: Literal["hevc", "h264", "av1"] = setting(
        "hevc", "hevc is what iPhones and iCloud take back; h264 plays everywhere; av1 is smallest."
    )


class Compress(Section):
    """Smaller renditions for the library; originals are never changed."""

    enabled: Flag = setting(True, "Make renditions. Off: the library holds the originals.")
    min_saving: float = setting(
        0.10, "A rendition that saves less than this share is thrown away and the original kept.",
        unit="share of the size, 0 to 1", ge=0, lt=1,
    )  # fmt: skip
    photo: CompressPhoto = Field(CompressPhoto(), description="Photos.")
    video: CompressVideo = Field(CompressVideo(), description="Videos.")


class Sort(Section):
    """The library's folders."""

    enabled: Flag = setting(True, "Place results in the library.")
    template: Text = setting(
        "{YYYY}/{MM}/{DD}/{name}",
        "Where a result goes below library. Words: {YYYY} {MM} {DD} {name}; the time is the shutter's.",
    )


class ICloud(Section):
    """The source and, once everything is safe, the place to free. Off by default."""

    enabled: Flag = setting(False, "Fetch photos from iCloud.")
    username: Text = setting("", "The Apple Account, an e-mail address.")
    password: SecretStr = setting(
        "", "Its password. Better not stored: `mediactl icloud login` asks once."
    )
    password_file: Path | None = setting(None, "A file that holds the password instead.")
    domain: Literal["com", "cn"] = setting("com", "cn for accounts run in mainland China.")
    days: Days = setting(
        0.0, "Fetch only what was added in so many days; 0: everything.", unit="days", ge=0
    )
    albums: tuple[Text, ...] = setting((), "Fetch only these albums; empty: the whole library.")
    album: Text = setting(
        "DeletePending", "The album in which photos wait before they are deleted.", min_length=1
    )
    gateway: Text = setting(
        "", "Another server that speaks iCloud's protocol, for tests and demos."
    )
    poll_minutes: Minutes = setting(
        15.0, "How often iCloud is asked for news.", unit="minutes", ge=1
    )


class Upload(Section):
    """Giving renditions back to iCloud."""

    enabled: Flag = setting(False, "Upload renditions to iCloud.")


class Delete(Section):
    """Freeing iCloud of what is safe at home. Needs safety.armed as well."""

    enabled: Flag = setting(
        False, "Mark, and after the cool-off delete, what is verified elsewhere."
    )
    cooloff_days: Days = setting(
        30.0, "How long a photo stands in the album before it is deleted.", unit="days", ge=0
    )
    per_day: Count = setting(100, "No more deletions than this in a day.", unit="assets", ge=0)


class Clean(Section):
    """Giving the working disk its space back."""

    enabled: Flag = setting(
        True, "Remove the working copy of an original that is verified elsewhere."
    )
    after_hours: Hours = setting(
        24.0, "How long the working copy stays after everything else is done.", unit="hours", ge=0
    )


class Safety(Section):
    """What stands between a mistake and your photographs."""

    armed: Flag = setting(
        False, "Allow deletions outside mediad's own folders (iCloud). Off: everything but that."
    )
    min_copies: Count = setting(
        1,
        "Verified copies elsewhere that must exist before an original's working copy is removed.",
        ge=1,
        le=9,
    )
    reserve: Bytes = setting(
        1 << 30,
        "Space left free on each disk; work pauses before it is touched. At most 2 % of a small disk.",
        unit="bytes",
        shown='"1 GiB"',
        ge=0,
    )


class JournalSection(Section):
    """The record of every step."""

    backup_hours: Hours = setting(
        24.0, "Back the journal up this often; 0: never.", unit="hours", ge=0
    )
    backup_keep: Count = setting(7, "Backups kept.", ge=1)


with warnings.catch_warnings():
    # `copy` is a key of the contract; what it hides is BaseModel.copy, deprecated and unused here.
    warnings.filterwarnings("ignore", 'Field name "copy"', UserWarning)

    class Pools(Section):
        """How many of each kind of work run at once. 0: as the machine allows."""

        hash: Count = setting(0, "Threads that read and hash.", ge=0, le=64)
        copy: Count = setting(0, "Threads that copy and read back.", ge=0, le=64)  # type: ignore[assignment]  # see above
        photo: Count = setting(0, "Processes that compress photos.", ge=0, le=64)
        video: Count = setting(0, "Processes that compress videos.", ge=0, le=16)


class Web(Section):
    """The pages and the API over TCP; the UNIX socket is always there."""

    listen: Text = setting("", "host:port, such as 127.0.0.1:8480; empty: no TCP.")
    token: SecretStr = setting(
        "", "The bearer token for TCP. Needed to listen beyond this machine."
    )
    token_file: Path | None = setting(None, "A file that holds the token instead.")


class Notify(Section):
    """Who is told when a person is needed."""

    urls: tuple[SecretStr, ...] = setting((), "Where messages go, one address each.")
    urls_file: Path | None = setting(None, "A file with the addresses instead, one a line.")


class Mirror(Section):
    """A copy of the journal in PostgreSQL, for other programs to read."""

    dsn: SecretStr = setting("", "postgresql://user:password@host/database; empty: no mirror.")
    dsn_file: Path | None = setting(None, "A file that holds the address instead.")


class Metrics(Section):
    """Figures for Prometheus at /metrics."""

    enabled: Flag = setting(True, "Serve /metrics.")


class Log(Section):
    """What mediad says while it works."""

    level: Literal["debug", "info", "warning", "error"] = setting("info", "The least that is said.")
    format: Literal["auto", "json", "console"] = setting(
        "auto", "auto: readable on a terminal, JSON lines elsewhere."
    )
    file: Flag = setting(
        True, "Keep a log of bounded size in state/mediad.log for `mediactl logs`."
    )
    file_bytes: Bytes = setting(
        10 << 20, "The log is set aside at this size; one older part is kept.",
        unit="bytes", shown='"10 MiB"', ge=64 << 10,
    )  # fmt: skip


class Settings(Section):
    """The whole of it. `Settings(root=…)` is a complete configuration."""

    root: Path = setting(..., "Everything lies below this folder unless [folders] says otherwise.")
    shutdown_seconds: Seconds = setting(
        25.0, "How long running work may take to end when mediad is stopped.", unit="seconds", gt=0
    )
    workflow: WorkflowSection = WorkflowSection()
    folders: Folders = Folders()
    ingest: Ingest = Ingest()
    dedup: Dedup = Dedup()
    syncthing: Syncthing = Syncthing()
    phone: Phone = Phone()
    archive: Archive = Archive()
    compress: Compress = Compress()
    sort: Sort = Sort()
    icloud: ICloud = ICloud()
    upload: Upload = Upload()
    delete: Delete = Delete()
    clean: Clean = Clean()
    safety: Safety = Safety()
    journal: JournalSection = JournalSection()
    pools: Pools = Pools()
    web: Web = Web()
    notify: Notify = Notify()
    mirror: Mirror = Mirror()
    metrics: Metrics = Metrics()
    log: Log = Log()

    _root_from_file: bool = PrivateAttr(default=False)

    @field_validator("root")
    @classmethod
    def _absolute(cls, root: Path) -> Path:
        return absolute(root, Path.cwd())

    @field_validator("folders")
    @classmethod
    def _below_root(cls, folders: Folders, info: ValidationInfo) -> Folders:
        root = info.data.get("root")
        return folders if root is None else folders.below(root)

    def path_of(self, site: Site) -> Path:
        """The folder of a site. The cloud is no folder: asking for it is a Bug."""
        folders = {
            Site.INCOMING: self.folders.incoming,
            Site.SPOOL: self.folders.processing,
            Site.PHONE: self.folders.pixel_sync,
            Site.ARCHIVE: self.folders.nas_archive,
            Site.LIBRARY: self.folders.library,
            Site.DUPLICATES: self.folders.duplicates,
            Site.QUARANTINE: self.folders.quarantine,
        }
        if site not in folders:
            raise Bug(f"the site {site} is no folder")
        return folders[site]

    @property
    def journal_path(self) -> Path:
        return self.folders.state / "journal.db"

    @property
    def socket_path(self) -> Path:
        """In /run/mediad for the system's own daemon; beside the journal for one with a root of its own."""
        own = RUN_DIR if self._root_from_file and RUN_DIR.is_dir() else self.folders.state
        return own / "mediad.sock"

    @property
    def log_path(self) -> Path:
        return self.folders.state / "mediad.log"

    def law(self) -> Workflow:
        preset = WORKFLOWS[self.workflow.preset]
        return own_workflow(preset, self.workflow.joins) if self.workflow.joins else preset

    def off(self) -> Mapping[str, str]:
        """Stage → why it is switched off, for the journal and the person."""
        reasons = dict.fromkeys(
            WORKFLOWS[self.workflow.preset].off,
            f'[workflow] preset = "{self.workflow.preset}" leaves it out',
        )
        for applies, stages, why in self._switches():
            if applies:
                reasons |= dict.fromkeys(stages, why)
        return {stage: f"off by configuration: {why}" for stage, why in reasons.items()}

    def _switches(self) -> tuple[tuple[bool, tuple[str, ...], str], ...]:
        """From the narrowest reason to the widest: the last one that applies is told."""
        phone = ("batch", "place", "verify", "release")
        cloud = ("upload", "mark", "delete")
        return (
            (not self.phone.release, ("release",), "[phone] release = false"),
            (not self.syncthing.url, phone, "no [syncthing] url"),
            (not self.phone.enabled, phone, "[phone] enabled = false"),
            (not self.archive.enabled, ("archive",), "[archive] enabled = false"),
            (not self.compress.enabled, ("compress",), "[compress] enabled = false"),
            (not self.sort.enabled, ("sort",), "[sort] enabled = false"),
            (not self.upload.enabled, ("upload",), "[upload] enabled = false"),
            (not self.delete.enabled, ("mark", "delete"), "[delete] enabled = false"),
            (not self.icloud.enabled, cloud, "[icloud] enabled = false"),
            (not self.clean.enabled, ("clean",), "[clean] enabled = false"),
        )
