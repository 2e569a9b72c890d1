"""A run of seconds behind a panel: the panel goes on answering, and a Stop button is heard.

    def pressed(_button):  # a button's callback, which returns at once
        stop.clear()
        run_in_background(steps, on_step=draw, on_end=say, should_stop=stop.is_set)

    callbacks' thread               on_step   Stop, sliders   on_step           on_end
    worker thread        one step ---^  one step --------------^  ... closed ----^

A kernel hears one click at a time, so a button that trains in its own callback is deaf to Stop
until it has finished. Here the callback only starts the run. Each step is computed in a worker
thread; `should_stop`, `on_step` and `on_end` are called between two steps, in the thread that runs
callbacks, so one thread alone touches widgets and figures. A cell that is run meanwhile goes first:
the run computes the step it is at and goes on after the cell.

Notable choices: one worker thread from the first step to `close()`, since torch keeps `no_grad`
and autocast per thread. Without a loop (tests, a terminal) the run is over when the call returns.
In Colab too: its page shows nothing that changes outside a callback (colabtools#3373), so there
the progress is seen, no Stop is heard, and interrupting the runtime ends the run. Whatever ends
it, `on_end` gets a sentence for the panel; nothing is left to a log.

Run the tests: pytest tests/show/test_background.py tests/show/test_browser.py
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from ftlab.base.errors import InputError

Step = TypeVar("Step")
Compute = Callable[..., Awaitable[Any]]  # a function and its arguments -> what it returns
END: Any = object()
_running: set[asyncio.Task[None]] = set()  # a loop drops a task that nobody holds


@dataclass(frozen=True)
class Ending:
    """How a run ended."""

    how: Literal["done", "stopped", "failed"]
    steps: int  # how many were shown
    words: str  # one sentence for the panel


def run_in_background(
    steps: Iterator[Step],
    *,
    on_step: Callable[[Step], None],
    on_end: Callable[[Ending], None],
    should_stop: Callable[[], bool],
) -> None:
    """Take the steps one by one while the panel goes on answering; returns at once in Jupyter.

    `should_stop` is asked before every step. `on_end` is called once, whether the steps ran out,
    were stopped or failed. A generator is closed, so what it holds in `with` or `finally` is left.
    """

    async def run(compute: Compute) -> None:
        on_end(await _follow(steps, on_step, should_stop, compute))

    loop = loop_here() if heard_meanwhile() else None
    if loop is None:
        _finish(run(_here))
        return
    task = loop.create_task(_beside(loop, run))
    _running.add(task)
    task.add_done_callback(_running.discard)


def heard_meanwhile() -> bool:
    """Whether a Stop button is heard during a run: not in Colab, so show none there."""
    from ftlab.base.machine import in_colab

    return not in_colab()


def hear_during_cells(button: Any) -> None:
    """Have the button's callback called while a cell computes, in a thread of its own.

    JupyterLab sends clicks to such a thread, but ipykernel 7.4 hands them to the thread that last
    wrote to the button, which is the busy one. Call this after the last change to the button.
    """
    vars(button.comm).pop("_reply_subshell_id", None)  # where 7.4 keeps that; elsewhere nothing


async def _follow(
    steps: Iterator[Step],
    on_step: Callable[[Step], None],
    should_stop: Callable[[], bool],
    compute: Compute,
) -> Ending:
    shown = 0
    try:
        try:
            while not should_stop():
                if (step := await compute(next, steps, END)) is END:
                    return Ending("done", shown, f"Done: {_count(shown)}.")
                on_step(step)
                shown += 1
        finally:
            await compute(_close, steps)  # by the thread that computed, as `no_grad` needs it
    except KeyboardInterrupt:
        pass  # the Stop of a page that hears no button
    except Exception as slip:
        return Ending("failed", shown, _sentence(slip))
    return Ending("stopped", shown, f"Stopped after {_count(shown)}.")


def _count(shown: int) -> str:
    return "1 step" if shown == 1 else f"{shown:,} steps"


def _close(steps: Iterator[Any]) -> None:
    """Leave a generator at its last `yield`; other iterators have nothing to leave."""
    if close := getattr(steps, "close", None):
        close()


def _sentence(slip: Exception) -> str:
    """What went wrong, for the panel: the sentence of an InputError, or the error in one line."""
    if isinstance(slip, InputError):
        return str(slip)
    text = " ".join(str(slip).split())
    return f"The run broke off: {type(slip).__name__}{': ' if text else ''}{text}"


def loop_here() -> asyncio.AbstractEventLoop | None:
    """The loop that runs callbacks in a notebook; None in a test or a terminal."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


async def _here(function: Callable[..., Any], *given: Any) -> Any:
    """Compute in this thread."""
    return function(*given)


def _finish(run: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine that never waits: one push takes it to its end, also inside a loop."""
    try:
        run.send(None)
    except StopIteration:
        return


async def _beside(
    loop: asyncio.AbstractEventLoop, run: Callable[[Compute], Coroutine[Any, Any, None]]
) -> None:
    """Run with each step computed in one worker thread."""
    with ThreadPoolExecutor(1, thread_name_prefix="ftlab") as worker:

        async def compute(function: Callable[..., Any], *given: Any) -> Any:
            return await loop.run_in_executor(worker, function, *given)

        await run(compute)
