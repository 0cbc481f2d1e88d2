"""
The folders for real: the only code that writes, places, moves or removes media.

A copy is made in a `.part` beside its target, synced, dropped from the cache, read back from the medium and compared;
only then does it get its name, and never one that is taken. The cost of durability is shared by the lot, the fault of
a member is its own. Every path is walked from a root that was recognised for this very lot (roots.py). Everything may
be killed at any `touch` and asked for again.
"""

from mediad.adapters.durable.files import DurableFiles

__all__ = ["DurableFiles"]
