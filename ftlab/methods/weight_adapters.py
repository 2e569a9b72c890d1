"""Three other changes of a frozen linear layer y = W x, all of them peft's.

    IA3    y = l * (W x), or W (l * x)        a factor for every output (k, v) or input (ff)
    OFT    y = W (R x)                        R turns the input, block by block; lengths stay
    OSF    y = (U_1 S_1 V_1 + U S V) x        the strongest directions of W stay, the rest trains

Notable choices and traps (peft 0.21):
- A GPT-2's Conv1D is made a linear layer first: OFT refuses it, OSF takes it and trains nothing.
- OFT's turns are made exactly orthogonal (Cayley, by solving). peft's default is a series of five
  terms, which holds near the start alone. A block that does not divide the width would be
  replaced by peft with one that does; here it is refused.
- OSF makes GRADIENTS orthogonal to what it protects. AdamW's step is not along its gradient: after
  ten steps a sixth of the change lay in the protected directions (with SGD: 2e-5).
- OSF's projection hangs on the parameters, and a copied model would train without; here it is put
  back. Weight decay draws OSF's directions to zero, which is away from the base.

Sources: Liu et al., (IA)^3 (2022), section 3.3; Qiu et al., OFT (2023), section 3; Nayak et al.,
Sculpting Subspaces (2025, arXiv 2504.07097), section 3.
Run the tests: pytest tests/methods/test_weight_adapters.py
"""

from dataclasses import dataclass
from typing import Annotated, Any

from torch import nn

from ftlab.base.errors import InputError
from ftlab.methods.lora import task_of, with_peft
from ftlab.methods.prepared import Prepared, count
from ftlab.models.layers import TARGETS, as_targets, layer_map
from ftlab.models.quantizing import is_quantized
from ftlab.models.split import linear_layers, split_qkv
from ftlab.plan import check_whole


@dataclass(frozen=True)
class IA3:
    """Factors on keys, values and the feed-forward's inner states. Call it on a model."""

    name: str = "ia3"
    """What records and plots call it."""

    def __call__(self, model: nn.Module) -> Prepared:
        """Wrap the model with peft."""
        from peft import IA3Config

        split_qkv(model)
        inner = _last_of_feed_forward(model)
        config = IA3Config(
            task_type=task_of(model),
            target_modules=[*_named(model, ("k", "v")), *inner],
            feedforward_modules=inner,
        )
        return count(with_peft(model, config), self.name)


@dataclass(frozen=True)
class OFT:
    """A turn of what each layer reads. Call it on a model to wrap it."""

    block: Annotated[int, "a whole number from 2 up"] = 32
    """Inputs that are turned among themselves; it divides the width of every layer."""
    targets: tuple[str, ...] = ("q", "v")
    """Of q, k, v, o and ff."""
    name: str = ""
    """What records and plots call it; by default it follows from the targets."""

    def __post_init__(self) -> None:
        check_whole("block", self.block, 2)
        _settle(self, "oft", ("q", "v"), f"OFT block {self.block}")

    def __call__(self, model: nn.Module) -> Prepared:
        """Wrap the model with peft. Raises InputError for a block that divides no width."""
        from peft import OFTConfig

        names = _named(linear_layers(model), self.targets)
        for name in names:
            layer: Any = layer_map(model).model.get_submodule(name)
            if layer.in_features % self.block:
                raise InputError(
                    f"block={self.block} does not divide the {layer.in_features} inputs of {name}; "
                    "give one that does, such as 16 or 32."
                )
        config = OFTConfig(
            task_type=task_of(model),
            target_modules=names,
            r=0,
            oft_block_size=self.block,
            use_cayley_neumann=False,
        )
        return count(with_peft(model, config), self.name)


@dataclass(frozen=True)
class OSF:
    """The weaker directions of every matrix, trained. Call it on a model to wrap it."""

    protected: Annotated[float, "a share above 0 and below 1, as 0.5"] = 0.5
    """Share of each matrix's directions that stay, the strongest first, above 0 and below 1."""
    targets: tuple[str, ...] = TARGETS
    """Of q, k, v, o and ff."""
    name: str = ""
    """What records and plots call it; by default it follows from the targets."""

    def __post_init__(self) -> None:
        share = self.protected
        if isinstance(share, bool) or not isinstance(share, int | float) or not 0 < share < 1:
            raise InputError(
                f"protected={share!r} is not possible; give a share above 0 and below 1, as 0.5."
            )
        _settle(self, "osf", TARGETS, f"OSF {share:g}")

    def __call__(self, model: nn.Module) -> Prepared:
        """Wrap the model with peft. Raises InputError for codes, and where no direction stays."""
        from peft import OSFConfig

        if is_quantized(model):
            raise InputError("OSF takes weights apart, and here they are codes; use QLoRA.")
        names = _named(linear_layers(model), self.targets)
        least = min(min(layer_map(model).model.get_submodule(n).weight.shape) for n in names)
        if int(least * self.protected) < 1:
            raise InputError(
                f"protected={self.protected:g} of {least} directions is less than one; "
                f"give at least {1 / least:.2g}."
            )
        config = OSFConfig(
            task_type=task_of(model), target_modules=names, effective_rank=float(self.protected)
        )
        made = with_peft(model, config)
        for module in made.modules():
            if hasattr(module, "osf_svd_params"):
                module.register_forward_pre_hook(_project_again)
        return count(made, self.name)


def _project_again(layer: Any, _: Any) -> None:
    """Copying a model drops the hooks of its parameters, which project OSF's gradients."""
    low = layer.osf_svd_params["default"]["U_low"]
    if low.requires_grad and not low._backward_hooks:  # while it is measured nothing asks for any
        layer._attach_hooks("default")


def _settle(method: Any, name: str, usual: tuple[str, ...], described: str) -> None:
    """Check the targets, and name what has no name."""
    object.__setattr__(method, "targets", as_targets(method.targets))
    plain = set(method.targets) == set(usual)
    made = name if plain else f"{described} {'+'.join(method.targets)}"
    object.__setattr__(method, "name", method.name or made)


def _named(model: nn.Module, targets: tuple[str, ...]) -> list[str]:
    """Paths of the linear layers that the targets name, in every stack."""
    found = layer_map(model)
    stacks = [stack.name for stack in found.entry.stacks]
    return [linear.name for stack in stacks for linear in found.linears(targets, stack=stack)]


def _last_of_feed_forward(model: nn.Module) -> list[str]:
    """Paths of the layers whose inputs are the feed-forward's inner states."""
    last = tuple(stack.feed_forward[-1] for stack in layer_map(model).entry.stacks)
    return [name for name in _named(model, ("ff",)) if name.endswith(last)]
