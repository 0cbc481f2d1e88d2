"""
Settings: the whole configuration as one frozen value, and what follows from it.

A reload makes a new Settings. Nothing here asks the disk: a NAS that hangs must not hang the start.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final, Self

from pydantic import PrivateAttr, ValidationInfo, field_validator

from mediad.config import outside, sections
from mediad.config.base import Seconds, Section, absolute, section, setting
from mediad.config.joins import own_workflow
from mediad.errors import Bug
from mediad.model import Site
from mediad.state import WORKFLOWS, Workflow

RUN_DIR: Final = Path("/run/mediad")


class Settings(Section):
    """The whole of it. `Settings(root=…)` is a complete configuration."""

    root: Path = setting(
        "Everything lies below this folder unless [folders] says otherwise.", default=...
    )
    shutdown_seconds: Seconds = setting(
        "How long running work may take to end when mediad is stopped.",
        default=25.0,
        unit="seconds",
        gt=0,
    )
    workflow: sections.WorkflowSection = section()
    folders: sections.Folders = section()
    ingest: sections.Ingest = section()
    dedup: sections.Dedup = section()
    syncthing: outside.Syncthing = section()
    phone: outside.Phone = section()
    archive: sections.Archive = section()
    compress: sections.Compress = section()
    sort: sections.Sort = section()
    icloud: outside.ICloud = section()
    upload: outside.Upload = section()
    delete: outside.Delete = section()
    clean: sections.Clean = section()
    scrub: sections.Scrub = section()
    safety: sections.Safety = section()
    journal: sections.JournalSection = section()
    pools: sections.Pools = section()
    web: outside.Web = section()
    notify: outside.Notify = section()
    mirror: outside.Mirror = section()
    metrics: outside.Metrics = section()
    log: sections.Log = section()

    _file: Path | None = PrivateAttr(default=None)
    _root_from_file: bool = PrivateAttr(default=False)

    @field_validator("root", mode="before")
    @classmethod
    def _named(cls, root: object) -> object:
        if root == "":
            raise ValueError("is empty; write the folder below which everything lies")
        return root

    @field_validator("root")
    @classmethod
    def _absolute(cls, root: Path) -> Path:
        return absolute(root, Path.cwd())

    @field_validator("folders")
    @classmethod
    def _below_root(cls, folders: sections.Folders, info: ValidationInfo) -> sections.Folders:
        root = info.data.get("root")
        return folders if root is None else folders.below(root)

    def read_from(self, file: Path | None, *, root_from_file: bool) -> Self:
        """The same settings, with the file they came from; the loader says so."""
        told = self.model_copy()
        told._file, told._root_from_file = file, root_from_file  # noqa: SLF001 - our own, of our own class
        return told

    @property
    def file(self) -> Path | None:
        """The file these settings were read from, if there was one."""
        return self._file

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
    def phone_gets_renditions(self) -> bool:
        """The preset bridge means renditions, unless phone.send says otherwise."""
        is_told = "send" in self.phone.model_fields_set
        by_preset = self.workflow.preset == "bridge" and not is_told
        return by_preset or self.phone.send == "rendition"

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
            (self.phone.release == "never", ("release",), '[phone] release = "never"'),
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
