"""Loading models: whole folders come back equal, broken ones are refused in one sentence.

pytest tests/models/test_load.py
"""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from ftlab.base import checksums
from ftlab.base.errors import InputError
from ftlab.models import loading as module
from ftlab.models.loading import load


@pytest.fixture
def folder(tiny_gpt2, tiny_tokenizer, tmp_path: Path) -> Path:
    """A saved tiny model, as a user might have one."""
    tiny_gpt2.save_pretrained(tmp_path / "mine")
    tiny_tokenizer.save_pretrained(tmp_path / "mine")
    return tmp_path / "mine"


@pytest.fixture
def shipped(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder whose nano-gpt2 is the tiny model, with its CHECKSUMS."""
    shutil.copytree(folder, tmp_path / "data/models/nano-gpt2")
    checksums.write(tmp_path / "data/models")
    monkeypatch.setenv("FTLAB_DATA", str(tmp_path / "data"))
    return tmp_path / "data/models/nano-gpt2"


def refused(name: str | Path, *parts: str, **options: Any) -> None:
    """Loading must raise an InputError of one line that holds every part."""
    with pytest.raises(InputError) as caught:
        load(name, **options)
    message = str(caught.value)
    assert "\n" not in message
    for part in parts:
        assert part in message, message


def test_a_folder_comes_back_as_it_was_saved(folder, tiny_gpt2) -> None:
    bundle = load(folder)
    assert bundle.name == str(folder) and not bundle.model.training
    saved = tiny_gpt2.state_dict()
    assert all(torch.equal(v, saved[k]) for k, v in bundle.model.state_dict().items())
    assert bundle.checksum == checksums.sha256(folder / "model.safetensors")[:12]


@pytest.mark.parametrize("dtype", ["bfloat16", torch.bfloat16])
def test_float32_unless_asked_otherwise(folder, tiny_gpt2, dtype) -> None:
    tiny_gpt2.half().save_pretrained(folder)
    assert load(folder).model.dtype == torch.float32
    assert load(folder, dtype=dtype).model.dtype == torch.bfloat16
    refused(folder, "int8", "float32, bfloat16, float16", dtype="int8")


def test_a_missing_pad_token_becomes_the_end_token(folder, tiny_tokenizer) -> None:
    path = folder / "tokenizer_config.json"
    settings = json.loads(path.read_text())
    path.write_text(json.dumps({k: v for k, v in settings.items() if k != "pad_token"}))
    assert load(folder).tokenizer.pad_token == "<|endoftext|>"


def test_the_model_outlives_its_file(folder, tiny_gpt2) -> None:
    """A bus error here would end the whole test run: the library maps the file."""
    model = load(folder).model
    (folder / "model.safetensors").write_bytes(b"")
    assert model.lm_head.weight is model.transformer.wte.weight  # still tied
    saved = tiny_gpt2.state_dict()
    assert all(torch.equal(v, saved[k]) for k, v in model.state_dict().items())


def test_loading_prints_nothing(folder, capfd) -> None:
    load(folder)
    assert capfd.readouterr() == ("", "")


def test_the_shipped_model_is_held_to_its_checksum(shipped: Path) -> None:
    assert load().name == "nano-gpt2"
    raw = bytearray((shipped / "model.safetensors").read_bytes())
    raw[-1] ^= 1  # one bit: still a model, only a wrong one
    (shipped / "model.safetensors").write_bytes(raw)
    refused("nano-gpt2", "damaged", "nano-gpt2/model.safetensors", "git checkout")
    (shipped / "model.safetensors").unlink()
    refused("nano-gpt2", "damaged")
    (shipped.parent / "CHECKSUMS").write_text("")
    refused("nano-gpt2", "CHECKSUMS is damaged")
    (shipped.parent / "CHECKSUMS").unlink()
    refused("nano-gpt2", "CHECKSUMS is missing")
    shutil.rmtree(shipped)
    refused("nano-gpt2", "install ftlab again")


@pytest.mark.parametrize("name", ["adapter_config.json", "adapter_model.safetensors", "x.bin"])
def test_a_file_dropped_into_the_shipped_model_is_refused(shipped: Path, name: str) -> None:
    (shipped / name).write_bytes(b"{}")
    refused("nano-gpt2", f"nano-gpt2/{name}", "not what CHECKSUMS lists")


def test_a_list_without_the_model_is_refused(shipped: Path) -> None:
    path = shipped.parent / "CHECKSUMS"
    path.write_text(path.read_text().replace("nano-gpt2/", "other/"))
    refused("nano-gpt2", "not what CHECKSUMS lists")


def test_an_adapter_beside_a_model_is_refused(folder: Path, tiny_gpt2) -> None:
    from ftlab.methods.lora import LoRA

    LoRA({"1-12": 1})(tiny_gpt2).model.save_pretrained(folder, save_embedding_layers=False)
    refused(folder, "holds an adapter", "merge it into its base", "merge_and_unload")


def test_the_laptop_model_comes_from_its_own_folder(folder, monkeypatch) -> None:
    from ftlab.models import smollm

    monkeypatch.setattr(smollm, "local_folder", lambda: folder)
    assert load("smollm2-135m").name == "smollm2-135m"


def test_damaged_weights_are_refused(folder: Path) -> None:
    path = folder / "model.safetensors"
    # cloned, since load_file maps the file that is overwritten below
    raw, tensors = path.read_bytes(), {k: v.clone() for k, v in load_file(path).items()}
    path.write_bytes(raw[:1000])
    refused(folder, "cannot be read")
    path.write_bytes(bytes(1000))
    refused(folder, "cannot be read")
    name = "transformer.h.3.mlp.c_fc.weight"
    rest = {key: value for key, value in tensors.items() if key != name}
    save_file(rest, path, metadata={"format": "pt"})
    refused(folder, f"lack {name}", "random numbers")
    save_file(rest | {name: torch.zeros(3, 3)}, path, metadata={"format": "pt"})
    refused(folder, "do not fit config.json", name)
    save_file(tensors | {"score.weight": torch.zeros(3)}, path, metadata={"format": "pt"})
    refused(folder, "hold score.weight", "no place for")


@pytest.mark.parametrize(
    ("file", "content", "part"),
    [
        ("config.json", None, "holds no model"),
        ("config.json", "{", "cannot be read"),
        ("config.json", '{"model_type": "nonsense"}', "cannot be read"),
        ("config.json", '{"model_type": "x", "auto_map": {"AutoConfig": "a.B"}}', "custom code"),
        ("model.safetensors", None, "holds no model"),
        ("tokenizer.json", "{", "tokenizer"),
        ("tokenizer.json", None, "tokenizer"),
    ],
)
def test_broken_folders_are_refused(folder: Path, file: str, content: str | None, part) -> None:
    if content is None:
        (folder / file).unlink()
    else:
        (folder / file).write_text(content)
    refused(folder, part)


def test_pickled_weights_are_never_read(folder: Path, tiny_gpt2) -> None:
    torch.save(tiny_gpt2.state_dict(), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    refused(folder, "can run code")


@pytest.mark.parametrize(
    "name", ["nano-gtp2", "", "./no/such", "~nobody/x", "x" * 5000, "a\0b", "a b"]
)
def test_unknown_models_name_the_known(name: str) -> None:
    refused(name, "nano-gpt2, nano-t5, smollm2-135m")


def test_a_near_miss_is_named_and_a_file_is_no_model(folder: Path) -> None:
    refused("nano-gtp2", "did you mean 'nano-gpt2'?")
    refused(folder / "config.json", "give the folder")


def test_a_name_on_the_hub_offline_is_one_line_at_once(monkeypatch) -> None:
    import huggingface_hub.constants

    monkeypatch.setenv("HF_HUB_OFFLINE", "1")  # too late for libraries that were imported before
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    asked: list[Any] = []
    monkeypatch.setattr("socket.getaddrinfo", lambda *name, **_: asked.append(name))
    refused("somebody/some-model", "HF_HUB_OFFLINE is set")
    assert asked == []  # so nothing was waited for


def test_nothing_else_calls_from_pretrained() -> None:
    package = Path(module.__file__).parent.parent
    callers = {p.name for p in package.rglob("*.py") if ".from_pretrained(" in p.read_text()}
    assert callers <= {"loading.py", "smollm.py", "weights.py"}  # a GGUF file, an adapter
