"""Switch an adapter off, and the base is back, bit for bit; switch it on, and it acts again.

    with adapter_off(run.model) as base:
        lab.evaluator(base)                 what is retained with the adapter off: 100 %

Notable choices:
- peft's own switch is used, and two things are added. Its prompt on an encoder-decoder model goes
  on acting in `generate`; and a GPT-2 whose attention was split differs from the fused one in the
  last bits (a product of width 3d and three of width d are not summed alike), so the fused
  product is used while the adapter is off.
- What trained the model's own weights has no switch, and is refused: full, Freeze, a merged one.

Run the tests: pytest tests/methods/test_off.py
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from ftlab.base.errors import InputError
from ftlab.methods.adapter import Adapter
from ftlab.models.split import SplitQKV, fused_of

_SWITCHED = ("forward", "generate", "prepare_inputs_for_generation")


@contextmanager
def adapter_off(model: Any) -> Iterator[Any]:
    """Inside, the model answers as its base, bit for bit. Yields the model.

    Raises InputError for a model without an adapter.
    """
    own = [module for module in getattr(model, "modules", list)() if isinstance(module, Adapter)]
    if not own and not hasattr(model, "peft_config"):
        raise InputError(
            "This model carries no adapter that could be switched off: its own weights were "
            "trained, or an adapter was merged into them; load the base anew."
        )
    with ExitStack() as back:
        for adapter in own:
            back.callback(setattr, adapter, "on", adapter.on)
            adapter.on = False
        if hasattr(model, "peft_config"):
            back.enter_context(_peft_off(model))
        yield model


@contextmanager
def _peft_off(model: Any) -> Iterator[None]:
    """What is set on a module itself is taken off again: left there, it would stay switched."""
    with ExitStack() as back:
        back.enter_context(_as_before(model))
        back.enter_context(model.disable_adapter())
        if model.active_peft_config.is_prompt_learning:
            model.generate = model.get_base_model().generate
        for module in model.modules():
            if isinstance(module, SplitQKV) and (fused := fused_of(module)) is not None:
                back.enter_context(_as_before(module))
                vars(module)["forward"] = fused.forward
        yield


@contextmanager
def _as_before(module: Any) -> Iterator[None]:
    before = {name: vars(module).get(name) for name in _SWITCHED}
    try:
        yield
    finally:
        for name, value in before.items():
            vars(module).pop(name, None)
            vars(module).update({name: value} if value is not None else {})
