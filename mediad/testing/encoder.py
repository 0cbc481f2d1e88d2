"""An encoder that encodes nothing: the promises of ports.Encoder over folders in memory."""

from dataclasses import dataclass, field, replace

from mediad.errors import MediadError, Refused
from mediad.model import Digest, Place
from mediad.ports import Halves, Judgement, Recipe
from mediad.testing.files import MemoryFile, MemoryFiles


@dataclass
class MemoryEncoder:
    """
    Halves every file, and joins two by putting one behind the other.

    By source: `shares` says how large a rendition is, `no` what `render` raises, `spoilt` the gate that stops it. A
    still that is in `no` is joined to nothing.
    """

    files: MemoryFiles
    shares: dict[Place, float] = field(default_factory=dict)
    no: dict[Place, MediadError] = field(default_factory=dict)
    spoilt: dict[Place, str] = field(default_factory=dict)
    rendered: list[Place] = field(default_factory=list)  # sources, in order
    joined: list[Place] = field(default_factory=list)  # candidates, in order
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

    async def join(self, halves: Halves, candidate: Place) -> None:
        self.joined.append(candidate)
        fault = self.no.get(halves.still)
        if fault is None and not self._sources(halves):
            fault = Refused("a half is not what was hashed", code="motion.changed")
        if fault:
            if isinstance(fault, Refused):
                judged = Judgement(Digest(""), 0, fault.code, fault.what, is_gone=True)
                self._memory[candidate] = judged
            raise fault
        self.files.power.touch("join")
        self._memory.pop(candidate, None)
        still = self.files.files[halves.still]
        self.files.files[candidate] = MemoryFile(self._content(halves), still.mtime_ns)

    async def judge_joined(self, halves: Halves, candidate: Place) -> Judgement | None:
        made = self.files.files.get(candidate)
        if made is None:
            return self._memory.get(candidate)
        if not self._sources(halves) or made.content != self._content(halves):
            return None
        return Judgement(made.digest, len(made.content))

    def _sources(self, halves: Halves) -> bool:
        """Are both what they must be?"""
        still, film = (self.files.files.get(p) for p in (halves.still, halves.film))
        found = (still.digest if still else "", film.digest if film else "")
        return found == (halves.still_digest, halves.film_digest)

    def _content(self, halves: Halves) -> bytes:
        files = self.files.files
        return files[halves.still].content + b" moving " + files[halves.film].content
