"""The stages that run, in the order of the law. A new stage is a new file and a line here."""

from typing import Any, Final

from mediad.stages import (
    archive,
    batch,
    clean,
    compress,
    delete,
    download,
    hash,  # noqa: A004 - its name in the law
    mark,
    place,
    release,
    restore,
    settle,
    sort,
    upload,
    verify,
)
from mediad.stages.verdict import Stage

STAGES: Final[tuple[Stage[Any], ...]] = (
    download.STAGE,
    settle.STAGE,
    hash.STAGE,
    batch.STAGE,
    place.STAGE,
    verify.STAGE,
    release.STAGE,
    archive.STAGE,
    compress.STAGE,
    sort.STAGE,
    upload.STAGE,
    mark.STAGE,
    delete.STAGE,
    clean.STAGE,
    restore.STAGE,
)
