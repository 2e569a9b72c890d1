"""Every tensor is made where its model lies: all notebooks, on a card that is not there.

The runs are cut to three steps, so what the notebooks conclude is not looked at, only whether they
would run on a card (tests/fake_card.py).

Run: pytest tests/test_card.py
"""

import contextlib
import dataclasses
import io
import re
from functools import cache
from pathlib import Path
from typing import Any

import matplotlib
import pytest
import torch
from fake_card import FakeCard, WrongDevice

import ftlab
from ftlab import record as records
from ftlab.base.paths import data_dir
from ftlab.evaluate import evaluator, own_texts, target
from ftlab.evaluate.evaluator import Evaluator
from ftlab.lab import lab as lab_room
from ftlab.lab import replays
from ftlab.lab.lab import Lab
from ftlab.lab.run import Run
from ftlab.methods import calibrate
from ftlab.models import loading
from tools.notebooks.sources import build

ROOT = Path(__file__).resolve().parents[1]
SOURCES = sorted((ROOT / "notebooks" / "source").glob("*.py"))
CUT_TO = {"steps": 3, "batch_size": 4, "warmup": 3}
FEW = 2
WHOLE = ("01", "03", "06", "08")
"""They name blocks by number, or count on what the base knows; the others get every third block."""
CUT = (AssertionError, StopIteration, NameError)
"""How a cell ends that counts on a longer run, and those that read its results."""


REPEATED = re.compile(r"for _ in range\(\d\d?\)")
"""What is timed again and again: here twice."""
load = records.load
SHIPPED = cache(load)
"""A record of what ships is read once for all notebooks."""


def ships(path: Any) -> bool:
    return data_dir() in Path(path).parents


def shallow(model: Any) -> Any:
    """A decoder with every third of its blocks."""
    if hasattr(model, "transformer"):
        model.transformer.h = model.transformer.h[::3]
        model.config.n_layer = len(model.transformer.h)
        for number, block in enumerate(model.transformer.h):
            block.attn.layer_idx = number
    return model


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs of three small steps, few questions, and answers of two tokens."""
    made, sizes = Run.__init__, {"target_items": 2, "per_skill": 1, "documents": 2, "kl_texts": 1}
    opened, own = Lab.__init__, replays.own

    def init(self: Any, lab: Any, plan: Any, *rest: Any, **more: Any) -> None:
        cut = {name: min(most, getattr(plan, name)) for name, most in CUT_TO.items()}
        made(self, lab, dataclasses.replace(plan, **cut), *rest, **more)

    monkeypatch.setattr(Run, "__init__", init)
    monkeypatch.setattr(Lab, "__init__", lambda *given, **more: opened(*given, **{**more, **sizes}))
    monkeypatch.setattr(lab_room, "FAST_SIZES", sizes)
    monkeypatch.setattr(replays, "own", lambda lab, count, *rest: own(lab, min(FEW, count), *rest))
    monkeypatch.setattr(own_texts, "BATCH_ROWS", FEW)
    texts = calibrate.text_segments
    monkeypatch.setattr(calibrate, "text_segments", lambda *given: texts(*given)[:FEW])
    monkeypatch.setattr(records, "load", lambda path: (SHIPPED if ships(path) else load)(path))
    config = target.GenerationConfig

    def cut(max_new_tokens: int, **more: Any) -> Any:
        return config(max_new_tokens=min(FEW, max_new_tokens), **more)

    monkeypatch.setattr(target, "GenerationConfig", cut)
    monkeypatch.setattr(Evaluator, "_full", Evaluator._quick)
    told = evaluator.evidence

    def of_few(now: Any, base: Any, items: Any, probes: Any, *rest: Any) -> Any:
        few = [p for name, s in now.skills.items() for p in named(name, probes)[: len(s.correct)]]
        return told(now, base, items, few, *rest)

    def named(skill: str, probes: Any) -> list[Any]:
        return [probe for probe in probes if probe.skill == skill]

    monkeypatch.setattr(evaluator, "evidence", of_few)
    monkeypatch.setattr(Evaluator, "test_items", property(lambda measures: measures.quick_items))


def test_what_a_real_card_refuses_is_refused(card: FakeCard) -> None:
    here, there = torch.ones(2, 2), torch.ones(2, 2, device="cuda")
    assert (there + torch.tensor(1.0)).device.type == "cuda" and here.device.type == "cpu"
    assert (there @ there).cpu().device.type == "cpu"
    assert there[torch.tensor([0])].is_cuda and here.to(there).is_cuda
    for slip in (
        lambda: here @ there,
        lambda: here[torch.ones(1, dtype=torch.long, device="cuda")],
        lambda: there.numpy(),
        lambda: torch.randn(2, device="cuda", generator=torch.Generator()),
        lambda: torch.stack([here, there]),
        lambda: torch.nn.Linear(2, 2).to("cuda")(here),
    ):
        with pytest.raises(WrongDevice):
            slip()


@pytest.mark.slow
@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem[:2])
def test_every_notebook_would_run_on_a_card(
    source: Path, card: FakeCard, short: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    if "qlora" in source.stem:
        pytest.importorskip("bitsandbytes")
    if source.stem[:2] not in WHOLE:
        whole = loading._model
        monkeypatch.setattr(loading, "_model", lambda *given: shallow(whole(*given)))
    monkeypatch.chdir(tmp_path)
    matplotlib.use("agg")
    namespace: dict[str, Any] = {"__name__": "__main__", "ftlab": ftlab}
    for cell in build(source.read_text(encoding="utf-8"), solved=True).cells:
        if cell.cell_type != "code" or "%pip" in cell.source:
            continue
        with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(*CUT):
            code = REPEATED.sub("for _ in range(2)", cell.source)
            exec(compile(code, f"{source.name}, cell {cell.id}", "exec"), namespace)
