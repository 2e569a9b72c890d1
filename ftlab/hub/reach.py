"""May the Hub be asked? Found out before every download, so that no cell hangs on a dead network.

Two ways to be offline: the learner said so (HF_HUB_OFFLINE=1 or TRANSFORMERS_OFFLINE=1), or
nothing answers. The second is found out by one small request in a thread of its own: the look-up
of a name has no time-out, so only the thread's join is sure to come back. A Hub that failed is not
asked again for a minute, so that the next cells go on at once.

Run the tests: pytest tests/hub/test_hub.py
"""

import os
import threading
import time
import urllib.error
import urllib.request
from contextlib import suppress

from ftlab.base.errors import InputError

SILENCE = 60.0
"""Seconds for which a Hub that was given up is not asked again."""
NO_ANSWER = "the Hub does not answer"
_TRUE = {"1", "true", "yes", "on"}
_given_up = (0.0, "")
"""Until when the Hub is not asked, and why."""


class Offline(InputError):
    """What was asked of the Hub cannot be had now; `reason` says why, in words."""

    def __init__(self, message: str, reason: str = "") -> None:
        super().__init__(message)
        self.reason = reason or message


def offline_by_setting() -> bool:
    """True when the environment forbids the network."""
    names = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")
    return any(os.environ.get(name, "").strip().lower() in _TRUE for name in names)


def online(seconds: float = 2.0) -> bool:
    """True when the Hub may be asked and answers within `seconds`."""
    if offline_by_setting():
        return False
    heard: list[bool] = []
    asking = threading.Thread(target=_ask, args=(heard, seconds), daemon=True)
    asking.start()
    asking.join(seconds)
    return bool(heard)


def _ask(heard: list[bool], seconds: float) -> None:
    address = os.environ.get("HF_ENDPOINT", "https://huggingface.co")
    with suppress(OSError, ValueError):
        with suppress(urllib.error.HTTPError):  # an answer all the same
            request = urllib.request.Request(address, method="HEAD")
            urllib.request.urlopen(request, timeout=seconds).close()
        heard.append(True)


def why_not() -> str:
    """Why the Hub is not to be asked now, in words; "" where it may be."""
    if offline_by_setting():
        return "HF_HUB_OFFLINE is set"
    until, reason = _given_up
    return reason if time.monotonic() < until else ""


def give_up(reason: str) -> None:
    """Do not ask the Hub for SILENCE seconds, for this reason."""
    global _given_up
    _given_up = time.monotonic() + SILENCE, reason
