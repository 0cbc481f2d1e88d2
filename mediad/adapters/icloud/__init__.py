"""The real iCloud Photos, through pyicloud and aiohttp: ports.Cloud and ports.SignInDoor."""

from mediad.adapters.icloud.cloud import ICloud

__all__ = ["ICloud"]
