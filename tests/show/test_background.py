"""Runs behind a panel: in order, stopped, failed; in a terminal, in a loop and in a real kernel.

pytest tests/show/test_background.py
"""

import asyncio
import threading
from collections.abc import Iterator
from itertools import count
from queue import Empty
from time import monotonic, sleep
from typing import Any

import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import start_new_kernel

from ftlab.base.errors import InputError
from ftlab.show.panels.background import Ending, heard_meanwhile, run_in_background

FOREVER = 10_000  # more steps than any test waits for


class Spy:
    """What a panel was asked to show, and in which thread."""

    def __init__(self, stop_after: int = FOREVER) -> None:
        self.steps: list[int] = []
        self.endings: list[Ending] = []
        self.threads: set[threading.Thread] = set()
        self._stop_after = stop_after

    def on_step(self, step: int) -> None:
        self.steps.append(step)
        self.threads.add(threading.current_thread())

    def on_end(self, ending: Ending) -> None:
        self.endings.append(ending)
        self.threads.add(threading.current_thread())

    def should_stop(self) -> bool:
        return len(self.steps) >= self._stop_after

    def run(self, steps: Iterator[int]) -> Ending:
        """In this thread: over when the call returns."""
        run_in_background(
            steps, on_step=self.on_step, on_end=self.on_end, should_stop=self.should_stop
        )
        (ending,) = self.endings
        return ending

    def beside(self, steps: Iterator[int]) -> Ending:
        """In a loop, as in a kernel."""

        async def pressed() -> None:
            run_in_background(
                steps, on_step=self.on_step, on_end=self.on_end, should_stop=self.should_stop
            )
            assert not self.endings, "the callback must return before the run is over"
            while not self.endings:
                await asyncio.sleep(0.001)

        asyncio.run(pressed())
        (ending,) = self.endings
        return ending


HOW = pytest.mark.parametrize("how", [Spy.run, Spy.beside], ids=["here", "beside"])


@HOW
def test_all_steps_come_in_order_and_in_the_panels_thread(how: Any):
    spy = Spy()
    assert how(spy, iter(range(50))) == Ending("done", 50, "Done: 50 steps.")
    assert spy.steps == list(range(50)) and spy.threads == {threading.current_thread()}


@HOW
def test_a_stop_is_heard_before_the_next_step_and_the_generator_is_left(how: Any):
    computed, left = [], []

    def steps() -> Iterator[int]:
        try:
            for number in count():
                computed.append(number)
                yield number
        finally:
            left.append(threading.current_thread().name)

    spy = Spy(stop_after=3)
    assert how(spy, steps()) == Ending("stopped", 3, "Stopped after 3 steps.")
    assert computed == spy.steps == [0, 1, 2] and len(left) == 1


@HOW
@pytest.mark.parametrize(
    ("slip", "words"),
    [
        (InputError("Rank 0 leaves nothing to train; choose 1."), "Rank 0 leaves nothing to train"),
        (RuntimeError("shapes\n(2) and (3)"), "The run broke off: RuntimeError: shapes (2) and"),
        (MemoryError(), "The run broke off: MemoryError"),
    ],
)
def test_an_error_in_a_step_is_a_sentence(how: Any, slip: Exception, words: str):
    def steps() -> Iterator[int]:
        yield 1
        raise slip

    ending = how(Spy(), steps())
    assert (ending.how, ending.steps) == ("failed", 1) and ending.words.startswith(words)


@HOW
def test_an_error_in_showing_a_step_is_a_sentence(how: Any):
    spy = Spy()
    spy.on_step = lambda step: 1 // step  # type: ignore[assignment,return-value]
    ending = how(spy, iter(range(3)))
    assert ending == Ending("failed", 0, ending.words) and "ZeroDivisionError" in ending.words


@HOW
def test_an_error_in_leaving_the_steps_is_a_sentence(how: Any):
    def steps() -> Iterator[int]:
        try:
            yield 0
        finally:
            raise InputError("The file is full; remove something.")

    assert how(Spy(stop_after=1), steps()).words == "The file is full; remove something."


def test_all_steps_are_computed_in_one_thread_that_is_not_the_panels():
    threads = set()

    def steps() -> Iterator[int]:
        try:
            for number in range(20):
                threads.add(threading.current_thread())
                yield number
        finally:
            threads.add(threading.current_thread())

    for stop_after in (5, FOREVER):
        threads.clear()
        Spy(stop_after).beside(steps())
        assert len(threads) == 1 and threading.current_thread() not in threads


def test_an_interrupt_stops_where_no_button_is_heard():
    def steps() -> Iterator[int]:
        yield 0
        raise KeyboardInterrupt

    assert Spy().run(steps()) == Ending("stopped", 1, "Stopped after 1 step.")


def test_in_colab_the_run_is_over_when_the_callback_returns(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("COLAB_RELEASE_TAG", "release")
    assert not heard_meanwhile()

    async def pressed() -> Ending:
        return Spy().run(iter(range(3)))

    assert asyncio.run(pressed()).how == "done"


# --- in a real kernel: clicks as a page sends them -----------------------------------------------

CELL = """
import time
from threading import Event
from ipywidgets import HTML, Button, IntSlider
from ftlab.show.panels.background import run_in_background
go, stop, slider, line, answer = Button(), Button(), IntSlider(), HTML(), HTML()
pressed = Event()
def steps():
    for number in range(4000):
        time.sleep(0.05)
        yield number
def start(_button):
    run_in_background(steps(), on_step=lambda n: setattr(line, "value", f"step {n}"),
                      on_end=lambda end: setattr(line, "value", end.words),
                      should_stop=pressed.is_set)
go.on_click(start)
stop.on_click(lambda _button: pressed.set())
slider.observe(lambda change: setattr(answer, "value", f"moved to {change.new}"), "value")
print(*(widget.model_id for widget in (go, stop, slider, line, answer)))
"""
CLICK = {"method": "custom", "content": {"event": "click"}}


@pytest.fixture
def kernel() -> Iterator[BlockingKernelClient]:
    manager, client = start_new_kernel(startup_timeout=300)
    yield client
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def send(kernel: BlockingKernelClient, widget: str, data: dict[str, Any]) -> None:
    kernel.shell_channel.send(kernel.session.msg("comm_msg", {"comm_id": widget, "data": data}))


def heard(kernel: BlockingKernelClient, widget: str, words: str, seconds: float = 120) -> float:
    """Seconds until that widget's text starts with these words."""
    began = monotonic()
    while monotonic() - began < seconds:
        try:
            content = kernel.get_iopub_msg(timeout=0.1)["content"]
        except Empty:
            continue
        if content.get("comm_id") == widget:
            value = content["data"].get("state", {}).get("value", "")
            if str(value).startswith(words):
                return monotonic() - began
    pytest.fail(f"{words!r} did not come within {seconds} s")


def test_a_kernel_answers_a_slider_and_stop_during_a_run(kernel: BlockingKernelClient):
    printed: list[str] = []
    kernel.execute_interactive(
        CELL, timeout=300, output_hook=lambda got: printed.append(got["content"].get("text", ""))
    )
    go, stop, slider, line, answer = "".join(printed).split()
    send(kernel, go, CLICK)
    heard(kernel, line, "step 1")
    send(kernel, slider, {"method": "update", "state": {"value": 7}, "buffer_paths": []})
    heard(kernel, answer, "moved to 7")
    sleep(0.2)
    send(kernel, stop, CLICK)
    heard(kernel, line, "Stopped after")
