"""What a person may ask or order: one core, three faces."""

from mediad.service.parts import Orders, Parts
from mediad.service.service import Service

__all__ = ["Orders", "Parts", "Service"]
