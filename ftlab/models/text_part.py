"""The text model in one that sees or hears as well.

    text = text_part(model)       of Gemma 3 from 4B on: Gemma3ForCausalLM, with the same tensors

Run the tests: pytest tests/models/test_folders.py
"""

from typing import Any

import torch

from ftlab.base.errors import InputError


def text_part(model: Any) -> Any:
    """It as stock transformers has it. Raises InputError where there is no class for it alone."""
    from transformers import AutoModelForCausalLM

    try:
        with torch.device("meta"):
            text = AutoModelForCausalLM.from_config(model.config.get_text_config())
        if type(text.base_model) is not type(model.get_decoder()):
            raise ValueError("another class")
    except ValueError as error:
        raise InputError(
            f"{model.name_or_path} ({model.config.model_type}) takes more than text, and its text "
            "part is no model of its own in transformers; take a model of text alone."
        ) from error
    setattr(text, text.base_model_prefix, model.get_decoder())
    text.set_output_embeddings(model.get_output_embeddings())
    text.generation_config = model.generation_config
    return text
