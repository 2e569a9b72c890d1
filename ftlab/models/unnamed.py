"""An architecture without an entry: what its modules tell.

    blocks            the list of modules with the most weights; of an encoder-decoder model, one
                      in each half
    q, k, v, o        linear layers that are called so (q_proj, query, wq, ...), below one module
    ff                every other linear layer of a block

Nothing is guessed that no name says: where q, k and v lie in one matrix, or there are none (Mamba),
every linear layer is "ff". No final norm is named, and no states of blocks are cached.

Run the tests: pytest tests/models/test_layer_map.py
"""

from typing import Any

from torch import nn

from ftlab.models.architectures import Architecture, Attention, Stack

CALLED = {
    "q": "q q_proj q_lin query query_proj wq".split(),
    "k": "k k_proj k_lin key key_proj wk".split(),
    "v": "v v_proj v_lin value value_proj wv".split(),
    "o": "o o_proj out_proj out_lin dense wo c_proj".split(),
}


def read_off(model: Any) -> Architecture | None:
    """The entry that the modules of a live model give; None where there are no blocks."""
    if not hasattr(model, "get_output_embeddings") or model.get_output_embeddings() is None:
        return None
    names = {id(module): name for name, module in model.named_modules()}
    seq2seq = getattr(model.config, "is_encoder_decoder", False)
    halves = {"decoder": model.get_decoder() if seq2seq else model}
    halves = ({"encoder": model.get_encoder()} if seq2seq else {}) | halves
    rows = {name: _blocks(half) for name, half in halves.items()}
    stacks = [
        _stack(name, names[id(blocks)], blocks, model.config)
        for name, blocks in rows.items()
        if blocks is not None
    ]
    if len(stacks) < len(halves):
        return None
    inside = {id(module) for blocks in rows.values() for module in blocks.modules()}  # type: ignore
    tables = [m for m in model.modules() if isinstance(m, nn.Embedding) and id(m) not in inside]
    first = model.get_input_embeddings()
    embeddings = dict.fromkeys(names[id(table)] for table in (first, *tables))
    head = names[id(model.get_output_embeddings())]
    return Architecture(tuple(stacks), tuple(embeddings), head, plain=False)


def _blocks(half: nn.Module) -> nn.ModuleList | None:
    lists = [module for module in half.modules() if isinstance(module, nn.ModuleList)]
    weights = [sum(p.numel() for p in one.parameters()) for one in lists]
    return lists[weights.index(max(weights))] if lists else None


def _stack(name: str, path: str, blocks: nn.ModuleList, config: Any) -> Stack:
    linears = list(dict.fromkeys(linear for block in blocks for linear in _linears(block)))
    attentions = [
        found
        for parent in dict.fromkeys(linear.rpartition(".")[0] for linear in linears)
        if (found := _attention(parent, linears))
    ]
    named = {way for a in attentions for way in (a.q, a.k, a.v, a.o)}
    counts = (f"{name}_layers", f"num_{name}_layers", "num_hidden_layers")
    count = next((key for key in counts if hasattr(config, key)), counts[-1])
    rest = tuple(linear for linear in linears if linear not in named)
    return Stack(name, path, tuple(attentions), rest, count)


def _linears(block: nn.Module) -> list[str]:
    """Paths of the linear layers below a block; an adapter around one is looked through."""
    found: list[str] = []
    for name, module in block.named_modules():
        conv1d = hasattr(module, "nf")  # transformers' transposed layer, without importing it
        linear = isinstance(module, nn.Linear) or conv1d or hasattr(module, "base_layer")
        adapter = "adapter" in name.split(".") or name.startswith(tuple(f"{one}." for one in found))
        if linear and not adapter:
            found.append(name)
    return found


def _attention(parent: str, linears: list[str]) -> Attention | None:
    """The attention whose projections lie below `parent`; None where it is none."""
    below = [linear for linear in linears if linear.rpartition(".")[0] == parent]
    ways = {
        part: next((linear for linear in below if linear.rpartition(".")[2] in words), "")
        for part, words in CALLED.items()
    }
    if not (ways["q"] and ways["k"] and ways["v"]):
        return None
    cross = any(word in parent.lower() for word in ("cross", "enc"))
    return Attention("cross" if cross else "self", **ways)
