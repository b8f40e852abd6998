"""Owner: the one thread that runs a model, and what waits for it."""

from __future__ import annotations

import asyncio
import sys
import traceback
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from queue import Empty, SimpleQueue
from threading import Thread
from time import perf_counter
from typing import TYPE_CHECKING, Any, TypeAlias

from chainrule.errors import DataError
from chainrule.serve.limits import RequestError
from chainrule.serve.rows import Asked, RowReader
from chainrule.shown import json_line

if TYPE_CHECKING:
    from chainrule.models import Model
    from chainrule.tasks.task import Answer

#: The JSON of an answer, or why there is none.
Found: TypeAlias = "bytes | Exception"
Waiting: TypeAlias = "tuple[Asked, asyncio.Future[bytes]]"

#: Answers that were found within so many seconds are handed over together.
TOGETHER = 0.001


class Owner:
    """One thread that runs a model for all who ask.

    It takes what waits, all of it, answers, and looks again: nobody waits for others to come. An answer is to have the
    bits that `Model.predict` gives for the request's rows alone, whoever asks at the same time: so requests go through
    the network together where that makes no difference (`Network.row_by_row`), and one at a time where it does.

    Args:
        model: that answers.
        reader: of the requests.
        most: rows that may wait; see `Limits`.
        engine: "native" or "eager".

    Attributes:
        waiting: rows that wait.
        answered: requests that were answered.
        rejected: requests that were not, as too many rows waited.
    """

    def __init__(self, model: Model, reader: RowReader, most: int, engine: str = "native") -> None:
        self.waiting = self.answered = self.rejected = 0
        self._model, self._reader, self._most, self._engine = model, reader, most, engine
        self._queue: SimpleQueue[Waiting | None] = SimpleQueue()
        self._together = model.network.row_by_row and not reader.columns
        self._thread = Thread(target=self._run, name="model", daemon=True)

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def stop(self) -> None:
        """Answer what waits, and end."""
        self._queue.put(None)
        self._thread.join()

    @property
    def full(self) -> bool:
        """Whether a request is to be rejected, as too many rows wait."""
        return self.waiting >= self._most

    async def answer(self, asked: Asked) -> bytes:
        """The answer as JSON: of one row an object, and of several a list.

        Raises:
            DataError: for rows that the model does not read.
        """
        future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self.waiting += len(asked.rows)
        self._queue.put((asked, future))
        try:
            found = await future
        finally:
            self.waiting -= len(asked.rows)
        self.answered += 1
        return found

    def _run(self) -> None:
        on = True
        while on:
            batch = [self._queue.get()]
            while True:
                try:
                    batch.append(self._queue.get_nowait())
                except Empty:
                    break
            on = None not in batch
            self._work([waiting for waiting in batch if waiting is not None])

    def _work(self, batch: Sequence[Waiting]) -> None:
        """Answer a batch, and hand over each answer soon after it is found."""
        ready: list[tuple[asyncio.Future[bytes], Found]] = []
        since = perf_counter()
        for waiting, found in zip(batch, self._found([asked for asked, _ in batch]), strict=True):
            ready.append((waiting[1], found))
            if perf_counter() - since > TOGETHER:
                _hand_over(ready)
                ready, since = [], perf_counter()
        _hand_over(ready)

    def _found(self, batch: Sequence[Asked]) -> Iterator[Found]:
        """What is found for each request of a batch."""
        if len(batch) > 1 and self._together:
            try:
                answers = iter(self._answers([row for asked in batch for row in asked.rows]))
                held = [list(islice(answers, len(asked.rows))) for asked in batch]
            except Exception:  # noqa: BLE001  (of one of them: each by itself then, which says whose)
                pass
            else:
                yield from (_json(asked, found) for asked, found in zip(batch, held, strict=True))
                return
        for asked in batch:
            yield self._alone(asked)

    def _answers(self, rows: list[Any]) -> Iterable[Answer]:
        return self._model.answers(self._reader.given(rows), engine=self._engine) if rows else ()

    def _alone(self, asked: Asked) -> Found:
        """The answer to one request."""
        try:
            return _json(asked, list(self._answers(asked.rows)))
        except DataError as error:
            return error
        except Exception as error:  # noqa: BLE001  (whatever happens, others go on being answered)
            traceback.print_exc(file=sys.stderr)
            return RequestError("model", "an answer", f"an error of type {type(error).__name__}; see the log", 500)


def _json(asked: Asked, answers: Sequence[Answer]) -> bytes:
    """Answers as they are sent."""
    lines = [json_line(answer.json(asked.top)) for answer in answers]
    return (lines[0] if asked.one else f"[{', '.join(lines)}]").encode()


def _hand_over(ready: Sequence[tuple[asyncio.Future[bytes], Found]]) -> None:
    """Give answers to the loop that waits for them."""
    if ready:
        ready[0][0].get_loop().call_soon_threadsafe(_settle, ready)


def _settle(ready: Sequence[tuple[asyncio.Future[bytes], Found]]) -> None:
    for future, found in ready:
        if future.done():
            continue  # whoever asked has gone
        if isinstance(found, bytes):
            future.set_result(found)
        else:
            future.set_exception(found)
