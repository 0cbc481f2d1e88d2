"""The indexes of assets that can be asked for by rank: which assets each holds, the newest first."""

from collections.abc import Callable
from typing import Final

from mediad.testing.icloud.library import Zone
from mediad.testing.icloud.rows import AssetRow


def _is_live(asset: AssetRow) -> bool:
    return not asset.is_deleted and not asset.is_hidden


def _is_present(asset: AssetRow) -> bool:
    return not asset.is_deleted


def _is_hidden(asset: AssetRow) -> bool:
    return asset.is_hidden and not asset.is_deleted


def _is_deleted(asset: AssetRow) -> bool:
    return asset.is_deleted


_INDEXES: Final[dict[str, tuple[Callable[[AssetRow], bool], str]]] = {
    "CPLAssetAndMasterByAssetDateWithoutHiddenOrDeleted": (_is_live, "taken_at"),
    "CPLAssetAndMasterByAssetDate": (_is_present, "taken_at"),
    "CPLAssetAndMasterByAddedDate": (_is_live, "added_at"),
    "CPLAssetAndMasterDeletedByExpungedDate": (_is_deleted, "expunged_at"),
    "CPLAssetAndMasterHiddenByAssetDate": (_is_hidden, "taken_at"),
}
_SMART: Final[dict[str, Callable[[Zone, AssetRow], bool]]] = {
    "FAVORITE": lambda _, asset: asset.is_favourite,
    "LIVE": lambda _, asset: asset.subtype == 2,  # noqa: PLR2004 - Apple's number
    "SCREENSHOT": lambda _, asset: asset.subtype == 3,  # noqa: PLR2004
    "VIDEO": lambda zone, asset: zone.master(asset.master).files[0].uti.endswith("movie"),
}


def ranked(zone: Zone, index: str, smart: str) -> list[AssetRow] | None:
    """None: there is no such index."""
    if index == "CPLAssetAndMasterInSmartAlbumByAssetDate":
        is_in = _SMART.get(smart)
        if is_in is None:
            return []
        return zone.ranked(f"smart {smart}", lambda a: _is_live(a) and is_in(zone, a))
    if index not in _INDEXES:
        return None
    wanted, order = _INDEXES[index]
    return zone.ranked(index, wanted, order)
