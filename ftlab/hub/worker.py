"""What fetches from the Hub, in a process of its own that can be ended (`ftlab.hub.fetch`).

    python -m ftlab.hub.worker '{"snapshot": {"repo_id": "openai-community/gpt2"}}'
    python -m ftlab.hub.worker '{"dataset": "owner/set"}'

It fills the Hub's cache, prints a dot for every piece that comes in, and at its end one line of
JSON: null, or {"status": HTTP status or 0, "reason": words} of what went wrong.
"""

import json
import sys
from typing import Any

from ftlab.base.errors import first_line
from ftlab.base.quiet import quiet


def main(job: dict[str, Any]) -> dict[str, Any] | None:
    """Do the job; None, or what went wrong."""
    quiet()
    try:
        if "snapshot" in job:
            from huggingface_hub import snapshot_download

            snapshot_download(**job["snapshot"], etag_timeout=5, tqdm_class=dots())
        else:
            from datasets import load_dataset

            print(".", end="", flush=True)  # the import is a sign of life too
            load_dataset(job["dataset"])
    except Exception as error:  # the Hub's client raises a dozen kinds
        status, reason = reason_of(error)
        return {"status": status, "reason": reason}
    return None


def reason_of(error: BaseException) -> tuple[int, str]:
    """The HTTP status behind an error of the Hub's client, or 0, and the reason in words."""
    seen: BaseException | None = error
    while seen is not None:
        status = getattr(getattr(seen, "response", None), "status_code", None)
        if isinstance(status, int):
            return status, ""
        if "Timeout" in type(seen).__name__ or "ConnectError" in type(seen).__name__:
            return 0, ""
        seen = seen.__cause__ or seen.__context__
    return 0, first_line(error)


def dots() -> type:
    """A progress bar that prints a dot for every update and nothing else."""
    from tqdm.auto import tqdm

    class Dots(tqdm):  # type: ignore[type-arg]
        def __init__(self, *given: Any, **options: Any) -> None:
            options.pop("name", None)  # the Hub's own bars have one
            super().__init__(*given, **{**options, "disable": True})

        def update(self, n: float | None = 1) -> bool | None:
            print(".", end="", flush=True)
            return super().update(n)

    return Dots


if __name__ == "__main__":
    print("\n" + json.dumps(main(json.loads(sys.argv[1]))), flush=True)
