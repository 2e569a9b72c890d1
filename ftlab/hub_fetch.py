"""Fetch from the Hub: wait for it while it shows signs of life, and no longer.

    fetch("openai-community/gpt2", wanted=["*.json", "*.safetensors"])     a folder, or Away

Notable choices:
- The Hub's client waits by itself: it tries again five times, and after HTTP 429 ("too many
  requests") it sleeps for as long as the Hub says, which may be minutes. So it works in a thread,
  and is left alone there when no byte has come for PATIENCE seconds. A slow download that goes on
  is never broken off; after a few seconds one line says that it goes on.
- Whatever goes wrong is `Away`, with the reason in words; what is in the cache is used all the
  same.

Run the tests: pytest tests/test_hub.py
"""

import os
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from ftlab.hub import Away, cache_only_if_offline, endpoint, give_up, why_not
from ftlab.world.rows import first_line

PATIENCE = 15.0
"""Seconds without a byte after which the Hub is given up."""
DOUBT = 3.0
"""Seconds without a byte after which the Hub is asked whether it refuses."""
TELL_AFTER = 4.0
"""Seconds of a download that goes on, after which one line says so."""
REASONS = {
    401: "the Hub wants a login: the name is wrong, or it is private or gated (HTTP 401)",
    403: "its owner has gated it: accept the terms on its page and log in (HTTP 403)",
    404: "the Hub has nothing of that name (HTTP 404)",
    429: "the Hub limits how often it may be asked (HTTP 429)",
}
T = TypeVar("T")


def fetch(
    repo: str,
    *,
    wanted: Sequence[str],
    kind: str = "model",
    left_out: Sequence[str] = (),
    revision: str | None = None,
) -> Path:
    """The folder of a snapshot of `repo` ("model" or "dataset") with the files `wanted`.

    From the cache where the Hub cannot be had. Raises Away, with the reason.
    """
    from huggingface_hub import snapshot_download

    signs = _Signs(repo, kind)
    options: dict[str, Any] = {"repo_type": kind, "revision": revision}
    options |= {"allow_patterns": list(wanted), "ignore_patterns": list(left_out)}
    options |= {"etag_timeout": 5, "tqdm_class": signs.bar()}
    return Path(
        ask(
            repo,
            lambda there: snapshot_download(repo, local_files_only=not there, **options),
            alive=signs.now,
        )
    )


def ask(what: str, call: Callable[[bool], T], *, alive: Callable[[], Any]) -> T:
    """`call(True)`, with the Hub; where that fails or stalls, `call(False)`, its cache alone.

    `alive()` changes while something comes in. Raises Away.
    """
    with cache_only_if_offline() as there:
        if not there:
            return _from_cache(what, call, why_not())
        try:
            return patiently(lambda: call(True), what, alive)
        except TimeoutError as stalled:
            reason = str(stalled)
        except Exception as error:  # the Hub's client raises a dozen kinds
            status, reason = reason_of(error)
            if status in (None, 401, 403, 404):  # no fault of the Hub's
                raise Away(f"{what} cannot be had from the Hub: {reason}.", reason) from error
        give_up(reason)
    with cache_only_if_offline():  # by now it counts as away
        return _from_cache(what, call, reason)


def _from_cache(what: str, call: Callable[[bool], T], reason: str) -> T:
    try:
        return call(False)
    except Exception as error:  # as above
        raise Away(f"{what} is not in the Hub's cache here, and {reason}.", reason) from error


def patiently(
    call: Callable[[], T], what: str, alive: Callable[[], Any], seconds: float | None = None
) -> T:
    """What `call` gives, waited for as long as `alive()` goes on changing.

    Raises TimeoutError, saying why, after `seconds` (PATIENCE) without a change, and earlier where
    the Hub refuses; the call is left to itself.
    """
    seconds = PATIENCE if seconds is None else seconds
    done: list[tuple[bool, Any]] = []

    def work() -> None:
        try:
            done.append((True, call()))
        except BaseException as error:  # handed on below, in the thread that waits
            done.append((False, error))

    thread = threading.Thread(target=work, daemon=True, name="ftlab-hub")
    thread.start()
    began = since = time.monotonic()
    last, told, doubted = alive(), False, False
    while not done:
        thread.join(0.1)
        now, sign = time.monotonic(), alive()
        if sign != last:
            last, since = sign, now
        elif now - since > seconds:
            raise TimeoutError("the Hub has stalled")
        elif now - since > DOUBT and not doubted and (refusal := _refuses(what)):
            raise TimeoutError(refusal)
        doubted = doubted or now - since > DOUBT
        if not told and since - began > TELL_AFTER:
            print(f"Fetching {what} from the Hub; once, then it is here.")
            told = True
    right, value = done[0]
    if right:
        return value
    raise value


def reason_of(error: BaseException | None) -> tuple[int | None, str]:
    """The HTTP status behind an error of the Hub's client, if any, and the reason in words."""
    seen, first = error, error
    while seen is not None:
        status = getattr(getattr(seen, "response", None), "status_code", None)
        if isinstance(status, int):
            return status, _in_words(status)
        if "Timeout" in type(seen).__name__ or "ConnectError" in type(seen).__name__:
            return 0, "the Hub does not answer"
        seen = seen.__cause__ or seen.__context__
    return None, first_line(first) if first else "unknown"


def _in_words(status: int) -> str:
    return REASONS.get(status, f"the Hub is out of order (HTTP {status})")


def _refuses(repo: str) -> str:
    """Why the Hub refuses everything right now, in words; "" where it does not say so in 2 s."""
    found: list[int] = []

    def look() -> None:
        for kind in ("models", "datasets"):
            try:
                urllib.request.urlopen(f"{endpoint()}/api/{kind}/{repo}", timeout=2).close()
            except urllib.error.HTTPError as error:
                found.append(error.code)
            except (OSError, ValueError):
                return

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    thread.join(2.0)
    refusal = next((status for status in found if status == 429 or status >= 500), 0)
    return _in_words(refusal) if refusal else ""


class _Signs:
    """Signs of life of a download: bytes told to a progress bar, and bytes in the cache."""

    def __init__(self, repo: str, kind: str) -> None:
        from huggingface_hub import constants

        self.folder = Path(constants.HF_HUB_CACHE) / f"{kind}s--{repo.replace('/', '--')}"
        self.told = 0

    def now(self) -> tuple[int, int]:
        """Changes while the download goes on."""
        return self.told, size_of(self.folder)

    def bar(self) -> type:
        """A progress bar that shows nothing and counts."""
        from tqdm.auto import tqdm

        signs = self

        class Bar(tqdm):  # type: ignore[type-arg]
            def __init__(self, *given: Any, **options: Any) -> None:
                options.pop("name", None)
                super().__init__(*given, **{**options, "disable": True})

            def update(self, n: float | None = 1) -> bool | None:
                signs.told += int(n or 0)
                return super().update(n)

        return Bar


def size_of(folder: Path) -> int:
    """Bytes of all files below a folder, links not followed; 0 where there is none."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(place, name)).st_size
            except OSError:  # gone since: a part that became a whole
                continue
    return total
