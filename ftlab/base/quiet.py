"""Silence the libraries, so that a cell prints what it was written to print.

Progress bars and warnings of the stack differ from machine to machine (bitsandbytes logs a line
on CPUs with avx512_bf16 only), which buries the lesson and breaks strict notebook tests.
Environment variables reach what is not imported yet; what is loaded already is set directly.
Nothing is imported here, so the call takes no time. Calling it twice does no harm.
"""

import logging
import os
import sys
import warnings

_ENVIRONMENT = {
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
    "TRANSFORMERS_VERBOSITY": "error",
    "TOKENIZERS_PARALLELISM": "false",  # else every fork of a notebook warns
}

_LOGGERS = ("bitsandbytes", "transformers", "datasets", "accelerate", "peft", "huggingface_hub")

_WARNINGS = (
    r".*is_gradient_checkpointing.*",  # transformers, from get_peft_model
    r".*loss_type=None.*",  # transformers, for a config without a loss type
    r".*Paged optimizers are not supported on CPU.*",  # bitsandbytes; it runs unpaged
    r".*MatMul8bitLt: inputs will be cast.*",  # bitsandbytes, for each layer and call
)


def quiet() -> None:
    """Switch off progress bars, chatter and known harmless warnings of the libraries."""
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    for name in _LOGGERS:
        logging.getLogger(name).setLevel(logging.ERROR)
    for pattern in _WARNINGS:
        warnings.filterwarnings("ignore", message=pattern)
    _set_the_loaded()


def _set_the_loaded() -> None:
    talk = sys.modules.get("transformers.utils.logging")
    if talk is not None:
        talk.set_verbosity_error()
        talk.disable_progress_bar()
    for name in ("datasets", "huggingface_hub.utils"):
        module = sys.modules.get(name)
        if module is not None and hasattr(module, "disable_progress_bars"):
            module.disable_progress_bars()
