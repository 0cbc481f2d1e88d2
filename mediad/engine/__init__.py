"""The engine drives every lane: look, decide, act, look again."""

from mediad.engine.desk import Planned, is_work
from mediad.engine.engine import Engine

__all__ = ["Engine", "Planned", "is_work"]
