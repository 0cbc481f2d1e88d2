"""The phone at the other end of a real Syncthing, 1.19 to 2.x: ports.Phone over its REST interface."""

from mediad.adapters.syncthing.phone import SyncthingPhone

__all__ = ["SyncthingPhone"]
