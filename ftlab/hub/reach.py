"""Is the Hub there? Asked before every download, so that no cell ever hangs on a dead network.

Two ways to be offline: the learner said so (HF_HUB_OFFLINE=1 or TRANSFORMERS_OFFLINE=1), or
nothing answers. The second is found out by one small request in a thread of its own: the
look-up of a name has no time-out, so only the thread's join is sure to come back. A Hub that was
silent is not asked again for a minute, so that the next cells go on at once. How things are
fetched is in `ftlab/hub/fetch.py`.

Run the tests: pytest tests/hub/test_hub.py tests/datasets/test_datasets.py
"""

import importlib
import os
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

from ftlab.base.errors import InputError

SILENCE = 60.0
"""Seconds for which a Hub that was given up is not asked again."""
_TRUE = {"1", "true", "yes", "on"}
_given_up: dict[str, tuple[float, str]] = {}
"""By endpoint: until when it is not asked, and why."""


class Offline(InputError):
    """What was asked of the Hub cannot be had now; `reason` says why, in words."""

    def __init__(self, message: str, reason: str = "") -> None:
        super().__init__(message)
        self.reason = reason or message


def offline_by_setting() -> bool:
    """True when the environment forbids the network."""
    names = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")
    return any(os.environ.get(name, "").strip().lower() in _TRUE for name in names)


def endpoint() -> str:
    """Where the Hub is: HF_ENDPOINT, or its own address."""
    return os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")


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
    try:
        request = urllib.request.Request(endpoint(), method="HEAD")
        urllib.request.urlopen(request, timeout=seconds).close()
        heard.append(True)
    except urllib.error.HTTPError:  # an answer all the same
        heard.append(True)
    except (OSError, ValueError):
        pass


def why_not() -> str:
    """The reason, for a message: HF_HUB_OFFLINE is set, or the Hub does not answer."""
    if offline_by_setting():
        return "HF_HUB_OFFLINE is set"
    return _given_up[endpoint()][1] if _silent() else "the Hub does not answer"


def _silent() -> bool:
    return time.monotonic() < _given_up.get(endpoint(), (0.0, ""))[0]


def forget() -> None:
    """Ask the Hub again, whatever it was the last time."""
    _given_up.clear()


def give_up(reason: str) -> None:
    """Do not ask the Hub again for SILENCE seconds, for this reason."""
    _given_up[endpoint()] = time.monotonic() + SILENCE, reason


@contextmanager
def cache_only_if_offline() -> Iterator[bool]:
    """Yield whether the Hub is there; while it is not, its libraries look into their caches alone.

    They read HF_HUB_OFFLINE once, at import, and else try a dead network for 24 seconds: so the
    constants themselves are set, and put back afterwards (`cache_only`).
    """
    for name, seconds in (("HF_HUB_ETAG_TIMEOUT", "5"), ("HF_HUB_DOWNLOAD_TIMEOUT", "10")):
        os.environ.setdefault(name, seconds)
    there = not _silent() and online()
    if not (there or _silent() or offline_by_setting()):
        give_up("the Hub does not answer")
    if there:
        yield True
        return
    with cache_only():
        yield False


@contextmanager
def cache_only() -> Iterator[None]:
    """Inside, the Hub's libraries look into their caches alone."""
    modules = [importlib.import_module("huggingface_hub.constants")]
    modules += [sys.modules[name] for name in ("datasets.config",) if name in sys.modules]
    before = [vars(module)["HF_HUB_OFFLINE"] for module in modules]
    try:
        for module in modules:
            vars(module)["HF_HUB_OFFLINE"] = True
        yield
    finally:
        for module, value in zip(modules, before, strict=True):
            vars(module)["HF_HUB_OFFLINE"] = value
