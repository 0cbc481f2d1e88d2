"""The engine drives every lane: look, decide, act, look again."""

from mediad.engine.desk import Planned
from mediad.engine.engine import Engine

__all__ = ["Engine", "Planned"]
