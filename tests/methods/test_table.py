"""One table of methods: every row makes what its name says, and a name never lies.

pytest tests/methods/test_table.py
"""

import itertools

import pytest

from ftlab.base.errors import InputError
from ftlab.methods import AttentionLoRA, Freeze, FreezeStack, LoRA, QLoRA, full
from ftlab.methods.table import METHODS, NAMES, name_of, named
from ftlab.models.layers import TARGETS


@pytest.mark.parametrize("name", NAMES)
def test_a_method_made_by_name_is_called_so(name: str) -> None:
    method = named(name, seed=3)
    assert name_of(method, seed=3) == name
    assert method is full or method.name == name


def test_a_name_follows_from_the_fields() -> None:
    assert LoRA({"10-12": 2}, targets=("ff",)).name == "LoRA ff 10-12 r2"
    assert LoRA({"1-12": 18}).name == "lora_qv"
    assert LoRA({"1-6": 8, "7-12": 8}, targets=("v", "q")).name == "lora_qv"
    assert LoRA({"1-12": 8}, head=True).name == "LoRA q+v 1-12 r8, head"
    assert LoRA({"7-9": 4, "10-12": 8}).name == "lora_band"
    assert Freeze({"1-3": 0.0, "4-12": 1.0}).name == "Freeze 1-3: 0, 4-12: 1"
    assert Freeze({"1-6": 0.0, "7-12": 1.0}, embeddings=1.0).name != "freeze_low"
    assert Freeze({"1,2,3,4,5,6": 0.0, "7-12": 1.0}).name == "freeze_low"
    assert AttentionLoRA({"cross": 8}).name == "lora_cross"
    assert AttentionLoRA({"cross": 8, "decoder": 4}).name == "LoRA q+v cross r8, decoder r4"
    assert QLoRA(AttentionLoRA()).name == "QLoRA: lora_article"
    assert LoRA({"1-12": 8}, name="mine").name == "mine"


def test_a_given_name_does_not_hide_which_row_it_is() -> None:
    assert name_of(LoRA(name="mine")) == "lora_qv"
    assert name_of(LoRA({"1-12": 5})) is None  # its kind has that name, but --method makes rank 8
    assert name_of(LoRA({"1-12": 4}, targets=TARGETS, scale=4.0)) is None
    assert name_of(lambda model: full(model)) is None
    assert name_of(FreezeStack("encoder")) == "freeze_encoder"


def test_an_unknown_name_is_a_slip_with_the_nearest() -> None:
    with pytest.raises(InputError, match="did you mean 'lora_all'"):
        named("lora_al")


def span(first: str, end: str) -> set[str]:
    """The rows from one to another, which is not among them."""
    return set(itertools.takewhile(end.__ne__, itertools.dropwhile(first.__ne__, METHODS)))


def test_no_two_methods_of_one_plot_look_alike() -> None:
    """By notebook: plans by attention, adapters, what is pruned, remedies, and all others."""
    by_attention = {name for name in NAMES if isinstance(named(name), AttentionLoRA | FreezeStack)}
    adapters, pruned = span("bottleneck", "tune_prune"), span("tune_prune", "walk")
    remedies = span("walk", "qlora") - {"replay_world"}  # one kind of other text for a model
    rest = METHODS.keys() - by_attention - adapters - pruned - span("walk", "qlora")
    groups = {
        "05": by_attention | {"full"}, "07": adapters | {"base", "full", "lora_small", "lora_all"},
        "08": pruned | {"base", "full"}, "09": remedies | {"base", "full", "replay"},
        "00 to 04, 06": rest - {"lora_small"},
    }  # fmt: skip
    for number, group in groups.items():
        for one, two in itertools.combinations(sorted(group), 2):
            assert METHODS[one].marker != METHODS[two].marker, (number, one, two)
            assert METHODS[one].label != METHODS[two].label, (number, one, two)


def test_targets_may_be_a_list_or_one_name() -> None:
    assert LoRA(targets=["q", "v"]) == LoRA()  # pyright: ignore
    assert LoRA(targets="ff").name == "lora_ff"  # pyright: ignore
    with pytest.raises(InputError, match="Targets are q, k, v, o, ff"):
        LoRA(targets="qv")  # pyright: ignore
