"""Optional libraries: loaded with a clear error, or hidden, in one place."""

import importlib.util
import sys
from typing import Any

from ftlab.base.errors import InputError
from ftlab.base.quiet import quiet

OLDEST_TORCHAO = (0, 16)
"""The oldest that peft works beside."""


def bitsandbytes() -> Any:
    """bitsandbytes, silenced. Raises InputError, with what to do, where it is not installed."""
    quiet()  # on some CPUs it logs a line when it is imported
    try:
        import bitsandbytes  # takes a second
    except ImportError:
        raise InputError(
            "Four bits and 8-bit or paged optimizers need bitsandbytes, which is not installed; "
            "run `pip install bitsandbytes` and restart."
        ) from None
    return bitsandbytes


def hide_old_torchao() -> None:
    """Make this process believe that a torchao older than 0.16 is absent; no file is touched.

    Where peft finds one (Colab has 0.10), get_peft_model raises ImportError, although nothing
    here needs torchao. None in sys.modules is Python's own way to say "not installed": find_spec
    returns None, and `import torchao` raises ModuleNotFoundError. One that is loaded already
    stays: hiding it would break whoever loaded it.
    """
    if "torchao" in sys.modules or importlib.util.find_spec("torchao") is None:
        return
    import importlib.metadata as metadata

    try:
        version = metadata.version("torchao")
    except metadata.PackageNotFoundError:  # peft then says itself that there is none
        return
    if release(version) < OLDEST_TORCHAO:
        sys.modules["torchao"] = None  # pyright: ignore[reportArgumentType]


def is_hidden(name: str) -> bool:
    """True where `hide_old_torchao`, or anyone, has hidden this library."""
    return name in sys.modules and sys.modules[name] is None


def release(version: str) -> tuple[int, ...]:
    """ "0.10.0+git12" as (0, 10, 0): its leading integers, for comparing."""
    from packaging.version import Version  # comes with datasets and transformers

    return Version(version).release
