"""
Picks batches out of sealed segments, a block at a time and in a thread, so that nothing else has to wait.
"""

from collections.abc import Callable

from attrs import define
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from tscm.base.threads import Threads
from tscm.model import Block, LogReader
from tscm.upload.batch import Part, Piece, Select, Stretch, clip, halves, pick, pieces
from tscm.upload_format import batch_key

BLOCK_BYTES = 128 << 10
_BLOCK_LEAST = 4096
_PASS_BYTES = 8 << 20  # so much without a policy line is passed at once
_SCAN_BYTES = 64 << 20  # and a batch is picked out of no more than this


@define(eq=False)
class Picker:
    """
    What *select* takes of one device's log; *salt* makes the keys of batches its own.
    """

    _reactor: IReactorTime
    _threads: Threads
    _reader: LogReader
    select: Select
    _salt: Callable[[], str]

    async def form(self, most: int, encoding: str) -> tuple[Part, list[Stretch]] | None:
        """
        A new batch from the position on, about *most* selected bytes; None when nothing is sealed.

        Lines that are not selected may be all of it.
        """
        offset, size, scanned = self._reader.position.offset, 0, 0
        stretches: list[Stretch] = []
        while size < most and scanned < (_SCAN_BYTES if size else _PASS_BYTES):
            room = max(_BLOCK_LEAST, min(BLOCK_BYTES, most - size))
            block = self._reader.read(offset, room, sealed_only=True)
            if block is None:
                break
            stretches.append(await self._pick(block))
            offset = block.end
            size += len(stretches[-1].selected)
            scanned += len(block.data)
        if not stretches:
            return None
        start = stretches[0].start
        key = batch_key(start, self._salt())
        return Part(key=key, start=start, end=offset, encoding=encoding), stretches

    async def stretches(self, part: Part) -> list[Stretch]:
        """What the log still holds of *part*, picked over."""
        return [await self._pick(block) for block in await self._blocks(part)]

    async def halves(self, part: Part) -> tuple[Part, Part] | None:
        """*part* as two of about half its size; None where it holds a single line."""
        held = [(block, self._pieces(block)) for block in await self._blocks(part)]
        return await self._threads.run(halves, held, self.select, part)

    def _pick(self, block: Block) -> Deferred[Stretch]:
        return self._threads.run(pick, block, self._pieces(block), self.select)

    def _pieces(self, block: Block) -> list[Piece]:
        return pieces(block, self._reader.origins(block.start, block.end))

    async def _blocks(self, part: Part) -> list[Block]:
        """What the log still holds of *part*."""
        offset, found = part.start, []
        while offset < part.end:
            block = self._reader.read(offset, BLOCK_BYTES, sealed_only=True)
            if block is None or block.start >= part.end:
                break
            found.append(clip(block, part.end))
            offset = block.end
            await self._turn()
        return found

    def _turn(self) -> Deferred[None]:
        """Let the reactor do something else."""
        return deferLater(self._reactor, 0)
