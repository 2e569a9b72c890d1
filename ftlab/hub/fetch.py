"""Fetch from the Hub in bounded time, or read what its cache has.

    fetch("openai-community/gpt2", wanted=["*.json", "*.safetensors"])     a folder, or Offline
    with asking("owner/set"):                                              the same bounds for
        load_dataset("owner/set")                                          any of its libraries

The Hub's client has time-outs for some requests only. It tries others again five times, and after
HTTP 429 ("too many requests") it sleeps as long as the Hub says. So `_send` stands in front of it:

    silent for PATIENCE seconds, or HTTP 5xx    asked once more, then the Hub is given up
    HTTP 429                                    given up at once
    no progress with a file                     given up after TRIES requests

Given up means OfflineModeIsEnabled: the client does not try again after that, and the libraries
read their caches instead. A slow download that goes on is never broken off. Notable choices:

- Files come one by one, in this thread, so an interrupt ends a download at once; threads of the
  client's own would finish it first. And by plain HTTP: Xet has retries of its own.
- A file of a named commit that is in the cache needs no Hub at all.

Run the tests: pytest tests/hub/test_hub.py
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

from ftlab.base.errors import first_line
from ftlab.base.quiet import quiet
from ftlab.hub.reach import NO_ANSWER, Offline, give_up, online, why_not

PATIENCE = 8.0
"""Seconds without a byte after which a request has failed."""
TRIES = 3
"""Requests for the same bytes of a file after which the Hub is given up."""
LARGE = 10e6
"""Bytes of a file whose download is announced."""
REASONS = {
    401: "the Hub wants a login: the name is wrong, or it is private or gated (HTTP 401)",
    403: "its owner has gated it: accept the terms on its page and log in (HTTP 403)",
    404: "the Hub has nothing of that name (HTTP 404)",
    429: "the Hub limits how often it may be asked (HTTP 429)",
}
_one_at_a_time = threading.Lock()


def fetch(
    repo: str,
    *,
    wanted: Sequence[str],
    kind: str = "model",
    left_out: Sequence[str] = (),
    revision: str | None = None,
) -> Path:
    """The folder of a snapshot of `repo` ("model" or "dataset") with the files `wanted`.

    From the cache where the Hub cannot be had. Raises Offline, with the reason.
    """
    from huggingface_hub import HfApi, constants, hf_hub_download, snapshot_download
    from huggingface_hub.utils import filter_repo_objects

    cached = Path(constants.HF_HUB_CACHE, f"{kind}s--{repo.replace('/', '--')}", "snapshots")
    if revision and all((cached / revision / name).is_file() for name in wanted):
        return cached / revision
    which: dict[str, Any] = {"repo_id": repo, "repo_type": kind}
    files: dict[str, Any] = {"allow_patterns": list(wanted), "ignore_patterns": list(left_out)}
    with asking(repo):
        with suppress(Exception):  # then the last line finds a copy, or says what is wrong
            info: Any = HfApi().repo_info(revision=revision, **which)
            for name in filter_repo_objects([f.rfilename for f in info.siblings or ()], **files):
                hf_hub_download(filename=name, revision=info.sha, **which)
        return Path(snapshot_download(revision=revision, **which, **files))


@contextmanager
def asking(what: str) -> Iterator[None]:
    """Inside, the Hub's libraries get their answers in bounded time, or read their caches.

    Whatever they raise leaves it as Offline, with the reason in words.
    """
    from huggingface_hub import constants, get_session

    quiet()
    if not why_not() and not online():
        give_up(NO_ANSWER)
    with _one_at_a_time:
        client, xet = get_session(), constants.HF_HUB_DISABLE_XET
        client.send = partial(_send, client.send, what, Counter())
        constants.HF_HUB_DISABLE_XET = True
        try:
            yield
        except Exception as error:  # the Hub's libraries raise a dozen kinds
            reason = why_not() or _reason(error)
            raise Offline(f"{what} cannot be had: {reason}.", reason) from error
        finally:
            del client.send
            constants.HF_HUB_DISABLE_XET = xet


def _send(
    send: Callable[..., Any], what: str, tries: Counter[Any], request: Any, **how: Any
) -> Any:
    """The answer to one request. Raises OfflineModeIsEnabled where the Hub is given up."""
    from huggingface_hub import constants
    from huggingface_hub.errors import OfflineModeIsEnabled

    limits = request.extensions.get("timeout", {})
    request.extensions["timeout"] = {k: min(v or PATIENCE, PATIENCE) for k, v in limits.items()}
    same = request.url, request.headers.get("Range")
    tries[same] += bool(how.get("stream"))  # a file
    if tries[same] > TRIES:
        give_up("the Hub has stalled")
    once = partial(send, request, **how)
    is_hub = str(request.url).startswith(constants.ENDPOINT)  # else a store of files, a counter
    answer = None if why_not() else _answer(once) if is_hub else once()
    if answer is None:
        raise OfflineModeIsEnabled(why_not())
    size = int(answer.headers.get("Content-Length", 0))
    if tries[same] == 1 and size > LARGE:
        print(f"Fetching {what} from the Hub, {size / 1e6:,.0f} MB; once, then it is here.")
    return answer


def _answer(once: Callable[[], Any]) -> Any:
    """The Hub's answer, asked for twice; None where it gives none, or refuses everything."""
    status = 0
    for pause in (0.0, 1.0):
        time.sleep(pause)
        with suppress(Exception):  # a time-out, a broken connection
            answer = once()
            status = answer.status_code
            if status != 429 and status < 500:
                return answer
            answer.close()
        if status == 429:
            break
    give_up(_in_words(status))
    return None


def _reason(error: BaseException) -> str:
    """Why the Hub refuses, in words: by the HTTP status behind the error, else its first line."""
    for seen in (error, error.__cause__):
        if status := getattr(getattr(seen, "response", None), "status_code", 0):
            return _in_words(status)
    return first_line(error)


def _in_words(status: int) -> str:
    otherwise = f"the Hub is out of order (HTTP {status})" if status else NO_ANSWER
    return REASONS.get(status, otherwise)
