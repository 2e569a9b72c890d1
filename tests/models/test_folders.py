"""What is no model is named for what it is, with the cure that it needs; and whose suite fits.

pytest tests/models/test_folders.py
"""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import (
    AutoModelForCausalLM,
    BertConfig,
    BertForMaskedLM,
    Gemma3Config,
    Gemma3ForConditionalGeneration,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    ViTConfig,
)

from ftlab.base.errors import InputError
from ftlab.base.paths import data_dir
from ftlab.datasets.load import suite_for
from ftlab.lab.lab import open_lab
from ftlab.methods.export import save_model
from ftlab.models.loading import load

SIZES: dict[str, Any] = {"hidden_size": 32, "num_hidden_layers": 2, "intermediate_size": 64}


@pytest.fixture
def folder(tiny_gpt2, tiny_tokenizer, tmp_path: Path) -> Path:
    """A saved tiny model, as a user might have one."""
    tiny_gpt2.save_pretrained(tmp_path / "mine")
    tiny_tokenizer.save_pretrained(tmp_path / "mine")
    return tmp_path / "mine"


def refused(name: Path, *parts: str) -> None:
    with pytest.raises(InputError) as caught:
        load(name)
    message = str(caught.value)
    assert "\n" not in message
    for part in parts:
        assert part in message, message


def test_an_adapter_is_named_alone_and_beside_a_model(tiny_gpt2, folder: Path) -> None:
    config = LoraConfig(r=2, target_modules=["c_attn"], fan_in_fan_out=True, task_type="CAUSAL_LM")
    adapter = folder.parent / "adapter"
    get_peft_model(tiny_gpt2, config).save_pretrained(str(adapter))
    refused(adapter, "holds an adapter (LoRA), no model", "merge_and_unload, then save_pretrained")
    settings = json.loads((adapter / "adapter_config.json").read_text())
    for base in ("owner/base", None, 3):
        settings["base_model_name_or_path"] = base
        (adapter / "adapter_config.json").write_text(json.dumps(settings))
        refused(adapter, "into its base (owner/base) with" if base == "owner/base" else "into its")
    for number in (9, 10):
        shutil.copytree(adapter, folder.parent / f"out/checkpoint-{number}")
    refused(folder.parent / "out", "leaves of an adapter", "checkpoint-10, merge it into")
    shutil.copy(adapter / "adapter_config.json", folder)
    refused(folder, "holds an adapter")


def test_gguf_pickles_and_what_a_trainer_leaves_are_named(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "gguf").mkdir()
    (tmp_path / "gguf/m-Q4.gguf").write_bytes(b"GGUF")
    refused(tmp_path / "gguf", "holds a GGUF file", "get the original model")
    refused(tmp_path / "gguf/m-Q4.gguf", "a GGUF file is not trained here")
    shutil.copytree(folder, tmp_path / "out/checkpoint-10")
    refused(
        tmp_path / "out", "what a Trainer leaves", "give a checkpoint in it", "out/checkpoint-10"
    )
    (tmp_path / "shards/model_0").mkdir(parents=True)
    (tmp_path / "shards/model_0/__0_0.distcp").touch()
    refused(tmp_path / "shards", "shards of FSDP", "accelerate merge-weights")
    (tmp_path / "shards/zero_to_fp32.py").touch()
    refused(tmp_path / "shards", "shards of DeepSpeed", "zero_to_fp32.py")
    assert load(tmp_path / "out/checkpoint-10").name.endswith("checkpoint-10")
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    refused(folder, "holds no model", "can run code", "save_pretrained")


def test_a_model_without_a_tokenizer_says_how_to_get_one(folder: Path) -> None:
    for path in folder.glob("tokenizer*"):
        path.unlink()
    refused(folder, "tokenizer in", "save_pretrained", "processing_class")
    (folder / "vocab.json").write_text('{"<|endoftext|>": 0}')
    (folder / "merges.txt").write_text("")
    refused(folder, "makes nothing of a text")


def test_a_model_that_reads_ahead_is_refused(tiny_tokenizer, tmp_path: Path) -> None:
    vocabulary = len(tiny_tokenizer)
    config = BertConfig(vocab_size=vocabulary, num_attention_heads=2, **SIZES)
    BertForMaskedLM(config).save_pretrained(tmp_path / "bert")
    shutil.copytree(tmp_path / "bert", tmp_path / "vit")
    ViTConfig().save_pretrained(tmp_path / "vit")
    for name in ("bert", "vit"):
        tiny_tokenizer.save_pretrained(tmp_path / name)
        refused(tmp_path / name, f"{name} does not write one token after another", "causal")


def test_of_a_model_that_reads_pictures_too_the_text_part_is_taken(
    tiny_tokenizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    heads: dict[str, Any] = {"num_attention_heads": 2, **SIZES}
    text = {"vocab_size": len(tiny_tokenizer), "num_key_value_heads": 1, "head_dim": 16, **heads}
    eyes = {"image_size": 28, "patch_size": 14, **heads}
    both = Gemma3ForConditionalGeneration(
        Gemma3Config(text_config=text, vision_config=eyes, mm_tokens_per_image=4)
    ).eval()
    both.save_pretrained(tmp_path / "both")
    tiny_tokenizer.save_pretrained(tmp_path / "both")
    model, ids = load(tmp_path / "both").model, torch.arange(16).reshape(2, 8)
    with torch.no_grad():
        assert torch.equal(model(input_ids=ids).logits, both(input_ids=ids).logits)
    save_model(model, tmp_path / "text")
    assert load(tmp_path / "text").model.config.model_type == "gemma3_text"

    def none(*_: Any) -> None:
        raise ValueError("no such class")

    monkeypatch.setattr(AutoModelForCausalLM, "from_config", none)
    refused(tmp_path / "both", "(gemma3) takes more than text", "a model of text alone")


# Which suite fits


def test_the_suite_follows_what_a_model_was_made_for_and_not_its_path(tmp_path: Path) -> None:
    torch.manual_seed(0)
    nano = load("nano-gpt2")
    shutil.copytree(data_dir() / "models/nano-gpt2", tmp_path / "mine")
    tuned = load(tmp_path / "mine")
    with torch.no_grad():
        tuned.model.transformer.wte.weight.add_(0.01)
    save_model(tuned.model, tmp_path / "tuned")
    again = load(tmp_path / "tuned")
    other = LlamaConfig(vocab_size=nano.model.config.vocab_size, num_attention_heads=2, **SIZES)
    LlamaForCausalLM(other).save_pretrained(tmp_path / "my-nano-llama")
    nano.tokenizer.save_pretrained(tmp_path / "my-nano-llama")
    llama = load(tmp_path / "my-nano-llama")
    found = [suite_for(each.model, each.tokenizer) for each in (nano, tuned, again, llama)]
    assert found == ["world", "world", "world", "english"]
    t5 = load("nano-t5")
    assert suite_for(t5.model, t5.tokenizer) == "tasks"


def test_the_lab_takes_the_suite_that_fits(tmp_path: Path) -> None:
    shutil.copytree(data_dir() / "models/nano-gpt2", tmp_path / "mine")
    assert open_lab("clinic", model=tmp_path / "mine").suite.name == "world"


# What save_model writes


def test_what_is_saved_has_its_tokenizer(folder: Path, tiny_gpt2, tiny_tokenizer, capsys) -> None:
    bundle = load(folder)
    again = load(save_model(bundle.model, folder.parent / "again"))
    assert again.tokenizer.get_vocab() == bundle.tokenizer.get_vocab()
    assert GPT2LMHeadModel.from_pretrained(folder.parent / "again")
    assert load(save_model(tiny_gpt2, folder.parent / "given", tiny_tokenizer)).name
    assert not capsys.readouterr().out
    save_model(tiny_gpt2, folder.parent / "without")
    assert "No tokenizer is known for" in capsys.readouterr().out
