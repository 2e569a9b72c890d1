"""What this machine can do: device, precision, and which of the three profiles fits.

    nano     the models that ship, on any CPU: the default without a GPU
    laptop   a real LLM of 135 million weights on a CPU: opt in with FTLAB_PROFILE=laptop
    t4       models from the Hub on a CUDA GPU: the default where there is one (a lab that cannot
             have its model opens with the one that ships, and says so)

Precision is chosen by compute capability, never by `torch.cuda.is_bf16_supported()`: a T4
(capability 7.5) answers True to that and then emulates bfloat16, slowly.

torch is imported inside the functions, so that the command line starts at once.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from ftlab.base.errors import InputError, OutOfMemory


@dataclass(frozen=True)
class Profile:
    """A model size with the patience it asks for."""

    name: str
    """nano, laptop or t4."""
    model: str
    """What `ftlab.models.loading` is asked for."""
    seq2seq: str
    """The same for an encoder-decoder model."""
    minutes: int
    """What one notebook may take."""

    def __str__(self) -> str:
        return self.name


PROFILES = {
    "nano": Profile("nano", "nano-gpt2", "nano-t5", 3),
    "laptop": Profile("laptop", "smollm2-135m", "nano-t5", 10),
    "t4": Profile("t4", "gpt2", "t5-base", 15),
}

PRECISIONS = ("bf16", "fp16", "fp32")


def profile() -> Profile:
    """The profile named by FTLAB_PROFILE; else t4 where there is a CUDA GPU, else nano.

    Raises InputError for a name that is none of the three.
    """
    name = os.environ.get("FTLAB_PROFILE", "").strip().lower()
    if not name:
        name = "t4" if device() == "cuda" else "nano"
    if name not in PROFILES:
        raise InputError(
            f"FTLAB_PROFILE={name} is not known; set it to one of {', '.join(PROFILES)}, "
            "or unset it."
        )
    return PROFILES[name]


def device() -> str:
    """ "cuda" where torch has a CUDA GPU, else "cpu".

    Apple's GPU is left out: there the bit-equal runs that the notebooks show do not hold.
    """
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def precision(on: str | None = None, asked: str | None = None) -> str:
    """ "bf16", "fp16" or "fp32" for training on the device `on` (default: this machine's).

    What `accelerate launch` decided, else what a plan `asked` for, else FTLAB_PRECISION, else what
    suits the device: on a CPU float32, whose results are the same everywhere. (On a CPU with
    bfloat16 instructions a real model trains about twice as fast in bf16.)
    Raises InputError for a precision that is none of the three.
    """
    launched = os.environ.get("ACCELERATE_MIXED_PRECISION", "")
    if launched:
        return check_precision("--mixed_precision", "fp32" if launched == "no" else launched)
    if asked:
        return asked
    if wanted := os.environ.get("FTLAB_PRECISION", "").strip().lower():
        return check_precision("FTLAB_PRECISION", wanted)
    if (on or device()) != "cuda":
        return "fp32"
    import torch

    return "bf16" if torch.cuda.get_device_capability() >= (8, 0) else "fp16"


def check_precision(name: str, value: str) -> str:
    """Raises InputError unless `value` is one of PRECISIONS."""
    if value not in PRECISIONS:
        raise InputError(
            f"{name}={value} is not known; set it to one of {', '.join(PRECISIONS)}, or unset it."
        )
    return value


def peak_memory(on: str | None = None) -> int | None:
    """Most bytes held so far: on a GPU by torch's tensors, else by this process.

    None where the system does not say (Windows).
    """
    if (on or device()) == "cuda":
        import torch

        return torch.cuda.max_memory_allocated()
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # Linux counts in KiB


def room(on: Any) -> int:
    """Bytes that the device `on` has: a card's memory, or what this process could take."""
    if str(on).startswith("cuda"):
        import torch

        return torch.cuda.mem_get_info(on)[1]
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # Windows does not say
        return 16 * 10**9


@contextmanager
def explain_if_full(when: str) -> Iterator[None]:
    """Turn a full card into one sentence that says `when` ("while a copy was made") and what to do.

    A training step has more to say: `ftlab.memory.advice`.
    """
    import torch

    try:
        yield
    except torch.OutOfMemoryError as error:
        raise OutOfMemory(
            f"ftlab: The card was full {when}: a lab holds its base twice, each run a model of its "
            "own. Delete runs you no longer need (del run), or restart the kernel; or take "
            "a smaller model, or a base in four bits (open_lab(..., base=Quantize()))."
        ) from error


def in_colab() -> bool:
    """True in a Colab runtime."""
    return "google.colab" in sys.modules or "COLAB_RELEASE_TAG" in os.environ
