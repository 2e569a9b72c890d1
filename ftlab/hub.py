"""Is the Hub there? Asked before every download, so that no cell ever hangs on a dead network.

Two ways to be offline: the learner said so (HF_HUB_OFFLINE=1 or TRANSFORMERS_OFFLINE=1), or
nothing answers. The second is found out by one small request in a thread of its own: the
look-up of a name has no time-out, so only the thread's join is sure to come back.
"""

import importlib
import os
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

_TRUE = {"1", "true", "yes", "on"}


def told_offline() -> bool:
    """True when the environment forbids the network."""
    names = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")
    return any(os.environ.get(name, "").strip().lower() in _TRUE for name in names)


def online(seconds: float = 2.0) -> bool:
    """True when the Hub may be asked and answers within `seconds`."""
    if told_offline():
        return False
    heard: list[bool] = []
    asking = threading.Thread(target=_ask, args=(heard, seconds), daemon=True)
    asking.start()
    asking.join(seconds)
    return bool(heard)


def _ask(heard: list[bool], seconds: float) -> None:
    address = os.environ.get("HF_ENDPOINT", "https://huggingface.co")
    try:
        request = urllib.request.Request(address, method="HEAD")
        urllib.request.urlopen(request, timeout=seconds).close()
        heard.append(True)
    except urllib.error.HTTPError:  # an answer all the same
        heard.append(True)
    except (OSError, ValueError):
        pass


@contextmanager
def cache_only_if_offline() -> Iterator[bool]:
    """Yield online(); while it is False, the Hub's libraries look into their caches alone.

    They read HF_HUB_OFFLINE once, at import, and else try a dead network for 24 seconds: so the
    constants themselves are set, and put back afterwards.
    """
    for name, seconds in (("HF_HUB_ETAG_TIMEOUT", "5"), ("HF_HUB_DOWNLOAD_TIMEOUT", "10")):
        os.environ.setdefault(name, seconds)
    there = online()
    modules = [importlib.import_module("huggingface_hub.constants")]
    modules += [sys.modules[name] for name in ("datasets.config",) if name in sys.modules]
    before = [vars(module)["HF_HUB_OFFLINE"] for module in modules]
    try:
        for module in modules:
            vars(module)["HF_HUB_OFFLINE"] = not there
        yield there
    finally:
        for module, value in zip(modules, before, strict=True):
            vars(module)["HF_HUB_OFFLINE"] = value


def why_not() -> str:
    """The reason, for a message: HF_HUB_OFFLINE is set, or the Hub does not answer."""
    return "HF_HUB_OFFLINE is set" if told_offline() else "the Hub does not answer"
