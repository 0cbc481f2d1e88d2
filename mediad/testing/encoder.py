"""An encoder that encodes nothing: the promises of ports.Encoder over folders in memory."""

from dataclasses import dataclass, field, replace

from mediad.errors import MediadError, Refused
from mediad.model import Digest, Place
from mediad.ports import Judgement, Recipe
from mediad.testing.files import MemoryFile, MemoryFiles


@dataclass
class MemoryEncoder:
    """
    Halves every file.

    By source: `shares` says how large a rendition is, `no` what `render` raises, `spoilt` the gate that stops it.
    """

    files: MemoryFiles
    shares: dict[Place, float] = field(default_factory=dict)
    no: dict[Place, MediadError] = field(default_factory=dict)
    spoilt: dict[Place, str] = field(default_factory=dict)
    rendered: list[Place] = field(default_factory=list)  # sources, in order
    _memory: dict[Place, Judgement] = field(default_factory=dict)

    async def render(self, source: Place, candidate: Place, recipe: Recipe) -> None:
        self.rendered.append(source)
        if fault := self.no.get(source):
            if isinstance(fault, Refused):
                judged = Judgement(Digest(""), 0, fault.code, fault.what, is_gone=True)
                self._memory[candidate] = judged
            raise fault
        self.files.power.touch("render")
        original = self.files.files[source]
        size = int(len(original.content) * self.shares.get(source, 0.5))
        head = f"{recipe.name} of {original.digest} ".encode()
        self._memory.pop(candidate, None)
        self.files.files[candidate] = MemoryFile(head.ljust(size, b".")[:size], original.mtime_ns)

    async def judge(self, source: Place, candidate: Place, recipe: Recipe) -> Judgement | None:
        made = self.files.files.get(candidate)
        if made is None:
            known = self._memory.get(candidate)
            return replace(known, is_gone=True) if known else None
        code = self.spoilt.get(source, "")
        figures = {"recipe": recipe.name, "source_digest": self.files.files[source].digest}
        judged = Judgement(made.digest, len(made.content), code, code and "spoilt", figures)
        self._memory[candidate] = judged
        return judged
