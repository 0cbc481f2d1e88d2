"""
Every section and setting there is: name, default, unit, and why one would change it.

The one source of etc/mediad.toml, of docs/configuration.md and of `mediad --check`. No decisions.
"""

import warnings
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal, Self, TypeAlias

from pydantic import AfterValidator, ValidationInfo, field_validator

from mediad.config.base import (
    Bytes,
    Count,
    Days,
    Flag,
    Hours,
    Minutes,
    Seconds,
    Section,
    Text,
    absolute,
    section,
    setting,
)
from mediad.config.joins import own_workflow
from mediad.config.units import template
from mediad.state import WORKFLOWS

Template: TypeAlias = Annotated[Text, AfterValidator(template)]


class WorkflowSection(Section):
    """Which lanes open when, and what happens when something fails."""

    preset: Literal["vault", "relay", "backup", "bridge", "sorter"] = setting(
        "The way of working: vault opens phone, archive and library at once; relay goes strictly one after the "
        "other; backup feeds phone and archive first; bridge compresses before phone and cloud; sorter only "
        "passes photos to the phone and sorts them.",
        default="vault",
    )
    halt_on_error: Flag = setting(
        "Stop everything at the first failure, instead of pausing only what it touches.",
        default=False,
    )
    retries: Count = setting(
        "How often a step is tried again before the asset counts as failed.",
        default=8,
        ge=0,
        le=1000,
    )
    retry_seconds: Seconds = setting(
        "The wait before the second try; it doubles with each further one.",
        default=5.0,
        unit="seconds",
        gt=0,
    )
    retry_longest_minutes: Minutes = setting(
        "The longest wait between two tries.", default=60.0, unit="minutes", gt=0
    )
    joins: dict[str, tuple[Text, ...]] = setting(
        'Your own table instead of the preset\'s: lane = what must be reached first, such as "library.due" = '
        '["phone.verified", "archive.verified"]. A state counts as reached also when its lane has gone on; '
        '"a | b" means either. Empty: the preset\'s own table.',
        default={},
    )

    @field_validator("joins")
    @classmethod
    def _lawful(
        cls, joins: dict[str, tuple[str, ...]], info: ValidationInfo
    ) -> dict[str, tuple[str, ...]]:
        preset = info.data.get("preset")
        if joins and preset is not None:
            own_workflow(WORKFLOWS[preset], joins)
        return joins


class Folders(Section):
    """Where things are. A relative path lies below root; each may be moved to another disk."""

    incoming: Path = setting("The drop folder, sub-folders included.", default="incoming")
    pixel_sync: Path = setting(
        "The folder that Syncthing shares with the phone.", default="pixel_sync"
    )
    nas_archive: Path = setting(
        "Verified copies of the originals, bit for bit; normally a mounted NAS.",
        default="nas_archive",
    )
    processing: Path = setting(
        "mediad's own working area; give it the file system of incoming and files are taken by a rename.",
        default="processing",
    )
    library: Path = setting("The sorted result that people browse.", default="library")
    icloud_delete: Path = setting(
        "Originals handed over for a deletion in iCloud by hand.", default="icloud_delete"
    )
    bridge: Path = setting("Renditions on their way to an upload.", default="bridge")
    duplicates: Path = setting("Exact duplicates, kept for dedup.keep_days.", default="duplicates")
    quarantine: Path = setting(
        "What is no media, is empty or cannot be read. Never deleted by mediad.",
        default="quarantine",
    )
    state: Path = setting(
        "The journal and its backups. On a local disk: SQLite is not safe on a NAS.",
        default="state",
    )
    step_names: Flag = setting(
        "Give workflow folders names such as step03_archive_20260115_143000_NAME (relay).",
        default=False,
    )

    def below(self, root: Path) -> Self:
        """The same folders, absolute; told apart by spelling alone."""
        return self.model_copy(update={n: absolute(p, root) for n, p in self.all().items()})

    def all(self) -> dict[str, Path]:
        return {n: v for n in type(self).model_fields if isinstance(v := getattr(self, n), Path)}


class Ingest(Section):
    """How files are noticed and taken in."""

    settle_seconds: Seconds = setting(
        "A file is complete when nothing about it has changed for so long. Raise it for slow or network uploads.",
        default=5.0,
        unit="seconds",
        ge=0,
    )
    group_seconds: Seconds = setting(
        "How long the halves of one shot (Live Photo, RAW+JPEG, sidecar) wait for each other.",
        default=60.0,
        unit="seconds",
        ge=0,
    )
    rescan_minutes: Minutes = setting(
        "The whole drop folder is compared with the journal this often, whatever the watcher said.",
        default=10.0,
        unit="minutes",
        gt=0,
    )
    polling: Flag = setting(
        "Look regularly instead of being told: for a drop folder on NFS or SMB.", default=False
    )
    max_megapixels: Count = setting(
        "Larger pictures go to quarantine: they are bombs more often than photographs.", default=220,
        unit="megapixels", ge=1, le=1000,
    )  # fmt: skip


class Dedup(Section):
    """Exact duplicates: the same bytes seen before, or made here before."""

    enabled: Flag = setting(
        "Recognise exact duplicates, and renditions of mediad's own that come back, and set them aside in duplicates.",
        default=True,
    )
    keep_days: Days = setting(
        "How long a duplicate is kept before it is cleaned.", default=30.0, unit="days", ge=0
    )
    near: Flag = setting(
        "Look at every photo once while nothing else is to be done, and tell which of them look the same "
        "(`mediactl list --near`). Nothing is moved, joined or removed for it.",
        default=True,
    )


class Archive(Section):
    """The NAS holds its own copy of every original, read back."""

    enabled: Flag = setting(
        "Copy originals to the archive. Off: no original is ever cleaned.", default=True
    )
    template: Template = setting(
        "Where an original goes below nas_archive. Words: {YYYY} {MM} {DD} of the shutter, {name}, or {stem} and "
        "{ext}, {kind}, {source}, {digest8}.",
        default="{YYYY}/{MM}/{name}",
    )


class CompressPhoto(Section):
    """Quality of photo renditions, 0 to 100, by the age of the photo."""

    light_quality: Count = setting("Younger than a year.", default=85, ge=30, le=100)
    medium_quality: Count = setting("From one to three years old.", default=75, ge=30, le=100)
    heavy_quality: Count = setting("Older than three years.", default=65, ge=30, le=100)
    encoder: Literal["auto", "jpegli", "pillow"] = setting(
        "jpegli makes smaller files of the same quality; auto takes it where it is installed.",
        default="auto",
    )
    light_target: float = setting(
        "SSIMULACRA 2 score that the quality is searched for, photo by photo, and that each rendition has to reach "
        "(90: nobody sees a difference; 70: hard to notice); 0: light_quality as it is.", default=0.0, ge=0, le=95,
    )  # fmt: skip
    medium_target: float = setting(
        "Likewise, from one to three years old; 0: medium_quality.", default=0.0, ge=0, le=95
    )
    heavy_target: float = setting(
        "Likewise, older than three years; 0: heavy_quality.", default=0.0, ge=0, le=95
    )
    search_seconds: float = setting(
        "How long the search may take for one photo; then the best answer so far is taken, or the tier's own quality.",
        default=60.0, unit="seconds", gt=0, le=600,
    )  # fmt: skip


class CompressVideo(Section):
    """Constant rate factor of video renditions (smaller: better and larger), by the age of the video."""

    light_crf: Count = setting("Younger than a year.", default=24, ge=0, le=51)
    medium_crf: Count = setting("From one to three years old.", default=26, ge=0, le=51)
    heavy_crf: Count = setting("Older than three years.", default=28, ge=0, le=51)
    codec: Literal["hevc", "h264", "av1"] = setting(
        "hevc is what iPhones and iCloud take back; h264 plays everywhere; av1 is smallest.",
        default="hevc",
    )
    hardware: Literal["off", "auto", "nvenc", "qsv", "vaapi", "v4l2m2m"] = setting(
        "A coder on a chip is several times as quick; its files are larger for the same quality. auto takes the first "
        "that passes a trial; what it cannot do, and HDR, is coded in software.",
        default="off",
    )
    dolby_vision: Flag = setting(
        "Make renditions of Dolby Vision films too: they lose that layer and show the HDR or SDR picture below it.",
        default=False,
    )
    light_target: float = setting(
        "Score that the rate factor is searched for, film by film, where ffmpeg can tell it; 0: light_crf as it is.",
        default=0.0, ge=0, le=100,
    )  # fmt: skip
    medium_target: float = setting(
        "Likewise, from one to three years old; 0: medium_crf.", default=0.0, ge=0, le=100
    )
    heavy_target: float = setting(
        "Likewise, older than three years; 0: heavy_crf.", default=0.0, ge=0, le=100
    )
    target_metric: Literal["vmaf", "xpsnr"] = setting(
        "What the targets are measured in: VMAF (95 is hard to tell from the original) or XPSNR in dB (about 40).",
        default="vmaf",
    )
    search_minutes: float = setting(
        "How long the search may take for one film before the tier's own rate factor is used.", default=10.0,
        unit="minutes", gt=0, le=1440,
    )  # fmt: skip


class Compress(Section):
    """Smaller renditions for the library; originals are never changed."""

    enabled: Flag = setting("Make renditions. Off: the library holds the originals.", default=True)
    min_saving: float = setting(
        "A rendition that saves less than this share is thrown away and the original kept.", default=0.10,
        unit="share of the size, 0 to 1", ge=0, lt=1,
    )  # fmt: skip
    folders: dict[str, Literal["keep", "light", "medium", "heavy"]] = setting(
        'What came in below a folder of incoming/ gets this tier whatever its age, or is kept as it is: "Scans" = '
        '"keep", "Trips/2012" = "light". The longest folder that fits counts.',
        default={},
    )
    albums: dict[str, Literal["keep", "light", "medium", "heavy"]] = setting(
        'Likewise for what is in an album of iCloud when its turn comes, by the name of the album: "Wedding" = "keep". '
        "Of several the gentlest counts.",
        default={},
    )
    photo: CompressPhoto = section()
    video: CompressVideo = section()

    @field_validator("folders")
    @classmethod
    def _below_incoming(cls, folders: dict[str, str]) -> dict[str, str]:
        for name in folders:
            path = PurePosixPath(name)
            if str(path) != name or path.is_absolute() or name == "." or ".." in path.parts:
                raise ValueError(
                    f"{name!r} is no folder below incoming/, write it as Trips/2012 (no slash at either end)"
                )
        return folders


class Sort(Section):
    """The library's folders."""

    enabled: Flag = setting("Place results in the library.", default=True)
    template: Template = setting(
        "Where a result goes below library. Words: {YYYY} {MM} {DD} of the shutter, {name}, or {stem} and "
        "{ext}, {kind}, {source}, {digest8}.",
        default="{YYYY}/{MM}/{DD}/{name}",
    )


class Clean(Section):
    """Giving the working disk its space back."""

    enabled: Flag = setting(
        "Remove the working copy of an original that is verified elsewhere.", default=True
    )
    after_hours: Hours = setting(
        "How long the working copy stays after everything else is done.",
        default=24.0,
        unit="hours",
        ge=0,
    )


class Scrub(Section):
    """Reading every copy again, past the page cache, before anybody needs it."""

    enabled: Flag = setting(
        "Read all copies again and again, and heal what has rotted from another proved copy.",
        default=True,
    )
    cycle_days: Days = setting(
        "Every copy is read whole at least this often, as far as minutes_per_day allows.",
        default=30.0,
        unit="days",
        gt=0,
    )
    minutes_per_day: Minutes = setting(
        "At most so much reading a day. `mediactl status` says when the whole will have been read with it.",
        default=60.0, unit="minutes", gt=0, le=1440,
    )  # fmt: skip
    bytes_per_day: Bytes = setting(
        "At most so many bytes a day; 0: as many as the minutes allow.", default=0, unit="bytes",
        shown="0", ge=0,
    )  # fmt: skip
    begin_hour: Count = setting(
        "It reads from this hour on, by the clock on the wall.", default=1, ge=0, le=23
    )
    end_hour: Count = setting(
        "It reads until this hour; the same as begin_hour: all day.", default=6, ge=0, le=24
    )


class Safety(Section):
    """What stands between a mistake and your photographs."""

    armed: Flag = setting(
        "Allow deletions outside mediad's own folders (iCloud). Off: everything but that.",
        default=False,
    )
    min_copies: Count = setting(
        "Verified copies elsewhere that must exist before an original's working copy is removed.",
        default=1,
        ge=1,
        le=9,
    )
    reserve: Bytes = setting(
        "Space left free on each disk; work pauses before it is touched. At most 2 % of a small disk.",
        default=1 << 30,
        unit="bytes",
        shown='"1 GiB"',
        ge=0,
    )


class JournalSection(Section):
    """The record of every step."""

    backup_hours: Hours = setting(
        "Back the journal up this often; 0: never.", default=24.0, unit="hours", ge=0
    )
    backup_keep: Count = setting("Backups kept.", default=7, ge=1)


with warnings.catch_warnings():
    # `copy` is a key of the contract; what it hides is BaseModel.copy, deprecated and unused here.
    warnings.filterwarnings("ignore", 'Field name "copy"', UserWarning)

    class Pools(Section):
        """How many of each kind of work run at once. 0: as the machine allows."""

        hash: Count = setting("Threads that read and hash.", default=0, ge=0, le=64)
        copy: Count = setting("Threads that copy and read back.", default=0, ge=0, le=64)  # type: ignore[assignment]  # see above
        photo: Count = setting("Processes that compress photos.", default=0, ge=0, le=64)
        video: Count = setting("Processes that compress videos.", default=0, ge=0, le=16)


class Log(Section):
    """What mediad says while it works."""

    level: Literal["debug", "info", "warning", "error"] = setting(
        "The least that is said.", default="info"
    )
    format: Literal["auto", "json", "console"] = setting(
        "auto: readable on a terminal, JSON lines elsewhere.", default="auto"
    )
    file: Flag = setting(
        "Keep a log of bounded size in state/mediad.log for `mediactl logs`.", default=True
    )
    file_bytes: Bytes = setting(
        "The log is set aside at this size; one older part is kept.", default=10 << 20,
        unit="bytes", shown='"10 MiB"', ge=64 << 10,
    )  # fmt: skip
