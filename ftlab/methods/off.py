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
    own = [module for module in model.modules() if isinstance(module, Adapter)]
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
    with ExitStack() as back:
        back.callback(_put_back, model, {n: v for n, v in vars(model).items() if n in _SWITCHED})
        back.enter_context(model.disable_adapter())
        if model.active_peft_config.is_prompt_learning:
            model.generate = model.get_base_model().generate
        for module in model.modules():
            if isinstance(module, SplitQKV) and (fused := fused_of(module)) is not None:
                back.callback(
                    _put_back, module, {n: vars(module)[n] for n in vars(module) if n in _SWITCHED}
                )
                vars(module)["forward"] = fused.forward
        yield


def _put_back(module: Any, before: dict[str, Any]) -> None:
    """Take off what the switch has set on a module itself: left there, it outlives the switch."""
    for name in _SWITCHED:
        vars(module).pop(name, None)
    vars(module).update(before)
