"""Libraries that need not be there: asked for when something needs them, in one place."""

from typing import Any

from ftlab.errors import InputError
from ftlab.quiet import quiet


def bitsandbytes() -> Any:
    """bitsandbytes, silenced. Raises InputError, with what to do, where it is not installed."""
    quiet()  # on some CPUs it logs a line when it is imported
    try:
        import bitsandbytes  # takes a second
    except ImportError:
        raise InputError(
            "Four bits and 8-bit or paged optimisers need bitsandbytes, which is not installed; "
            "run `pip install bitsandbytes` and restart."
        ) from None
    return bitsandbytes
