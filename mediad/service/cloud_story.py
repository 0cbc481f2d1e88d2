"""What iCloud says of one asset, in words. Pure; as it was last listed, and never more than that."""

from collections.abc import Iterator, Mapping

from mediad.config import Settings
from mediad.policy.sign_in import DAY_MS
from mediad.ports import RemoteRow
from mediad.service.cloud_answers import CloudAssetDoc
from mediad.service.words import iso, maybe_iso


def cloud_doc(row: RemoteRow, albums: Mapping[str, str], settings: Settings) -> CloudAssetDoc:
    """`albums`: their names by record."""
    remote = row.remote
    until = None
    if row.marked_at is not None and row.deleted_at is None:
        until = row.marked_at + round(settings.delete.cooloff_days * DAY_MS)
    return {
        "zone": remote.ref.zone,
        "record": remote.ref.record,
        "name": remote.name,
        "taken_at": iso(remote.taken_at),
        "added_at": iso(remote.added_at),
        "favourite": remote.is_favourite,
        "hidden": remote.is_hidden,
        "albums": [albums.get(a, a) for a in remote.albums],
        "is_gone": row.is_gone,
        "marked_at": maybe_iso(row.marked_at),
        "deletable_from": maybe_iso(until),
        "deleted_at": maybe_iso(row.deleted_at),
        "recoverable_until": maybe_iso(row.recoverable_until),
        "replacement": row.replacement.record if row.replacement else None,
        "left_there": row.why,
    }


def sentences(doc: CloudAssetDoc | None) -> Iterator[str]:
    if doc is None:
        return
    also = [word for word in ("favourite", "hidden") if doc[word]]
    if (
        doc["albums"] and doc["deleted_at"] is None and not doc["is_gone"]
    ):  # Recently Deleted is in none
        also.append(f"in the albums {', '.join(doc['albums'])}")
    extra = f" ({'; '.join(also)})" if also else ""
    yield f"iCloud knows it as {doc['name']}, added {doc['added_at']}{extra}"
    if doc["deleted_at"] is not None:
        until = doc["recoverable_until"]
        back = f"; until {until} `mediactl icloud undelete` brings it back" if until else ""
        yield f"mediad moved it to Recently Deleted in iCloud at {doc['deleted_at']}{back}"
    elif doc["is_gone"]:
        yield "somebody has deleted it in iCloud; that deletes nothing here"
    elif doc["marked_at"] is not None:
        yield (
            f"it waits in the album to be deleted since {doc['marked_at']}, until {doc['deletable_from']} at least;"
            " taken out of the album, it stays"
        )
    if doc["replacement"] is not None:
        yield "a smaller picture of it was given to iCloud in its place"
