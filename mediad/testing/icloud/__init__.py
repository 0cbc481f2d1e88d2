"""
A small iCloud on loopback: what Apple's servers answer to an unmodified pyicloud, as far as mediad asks them.

Whoever talks to it sends every request meant for an Apple host here, with that host in `X-Fake-Host`. A test holds the
library in its hands, plays the person who owns it, and says what goes wrong.
"""

from mediad.testing.icloud.account import Account
from mediad.testing.icloud.bodies import Body, jpeg, movie
from mediad.testing.icloud.faults import Destroyed, Fault, Seen
from mediad.testing.icloud.fingerprint import fingerprint
from mediad.testing.icloud.library import Library
from mediad.testing.icloud.person import Person
from mediad.testing.icloud.quirks import Quirks
from mediad.testing.icloud.rows import PRIMARY, AlbumRow, AssetRow, File, MasterRow
from mediad.testing.icloud.server import FakeICloud

__all__ = [
    "PRIMARY",
    "Account",
    "AlbumRow",
    "AssetRow",
    "Body",
    "Destroyed",
    "FakeICloud",
    "Fault",
    "File",
    "Library",
    "MasterRow",
    "Person",
    "Quirks",
    "Seen",
    "fingerprint",
    "jpeg",
    "movie",
]
