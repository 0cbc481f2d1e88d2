"""The engine drives every lane: look, decide, act, look again."""

from mediad.engine.desk import Planned
from mediad.engine.engine import Engine, is_work

__all__ = ["Engine", "Planned", "is_work"]
