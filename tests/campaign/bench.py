"""Right values for every parameter of ftlab's public functions, and what is wrong for each."""

import dataclasses
from functools import cached_property
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from hypothesis import strategies as st

import ftlab
from ftlab import analysis, memory, methods
from ftlab.analysis import compare
from ftlab.evaluate.skills import SkillScore
from ftlab.explorer import Explorer
from ftlab.text import collate, encode

# --- what is wrong --------------------------------------------------------------------------------

KINDS: dict[str, st.SearchStrategy[Any]] = {
    "none": st.none(),
    "bool": st.booleans() | st.just(np.True_),
    "int": st.integers(-4, 4) | st.just(np.int64(3)),
    "float": st.floats(-4, 4, allow_nan=False).map(lambda number: round(number, 3) + 0.0625),
    "nan": st.sampled_from([float("nan"), float("inf"), -float("inf"), np.float32("nan")]),
    "huge": st.sampled_from([2**64, -(10**30), 10**400]),
    "text": st.sampled_from(["", "3", "xyzzy", "\udcff", "nan", "True", "[1]"]),
    "one of": st.nothing(),
    "list": st.sampled_from([[object()], (object(), None)]),
    "dict": st.sampled_from([{object(): 3}, {1: object()}]),
    "bytes": st.binary(max_size=3),
    "function": st.just(len),
    "class": st.just(dict),
    "another": st.builds(object),
}
"""By kind: values that are wrong wherever the kind is not taken."""

PLACES = ["a\0b", "x" * 300, "\udcff\0", ""]
MEANT = {
    **{key: {"another"} for key in "model base tuned base_model copied tokenizer".split()},
    **{key: {"another"} for key in "lab explorer figure run step setting trainer".split()},
    **{key: {"list"} for key in "found runs points rows steps data".split()},
}
"""What a parameter takes whose annotation does not say; "anything" where all is right."""
MEANT_AT: dict[str, set[str]] = {
    "analysis.retained_of.base": {"dict"},
    "methods.save_model.tokenizer": {"none", "another"},
    "machine.room.on": {"anything"},  # the text of it is looked at, no more
}
UNKNOWN, SHARE = ["xyzzy", "FULL", "\0", ""], [-0.1, 1.5, 10**9]
RANGE: dict[str, list[Any]] = {
    **dict.fromkeys("schedule loss_on optimizer precision alphas".split(), UNKNOWN),
    **{key: [0, -1, -5] for key in "batch_size max_new_tokens per_skill rank draws".split()},
    **dict.fromkeys("sparsity keep protected".split(), SHARE),
    "datasets.mix.share": SHARE, "Lab.run.replay": SHARE, "Plan.stop_at": SHARE,
    "Plan.lr": [0, -1e-3], "Plan.steps": [0, -1], "Plan.seed": [-1], "Plan.warmup": [-1, 101],
    "Plan.weight_decay": [-0.1], "Plan.clip": [-1.0], "Plan.max_tokens": [0, 1, -3],
    "Plan.measure_every": [-1], "Plan.checkpoint_every": [-1],
    "Lab.items.count": [0, -1, 10**9], "Lab.own_items.count": [0, -1],
    "Lab.replay_rows.count": [0, -1], "Lab.replay_rows.source": UNKNOWN,
    "Lab.run.replay_source": UNKNOWN, "methods.STM.perplexity": [1.0, 0.0, -2.0],
    **{f"methods.{one}.strength": [-1.0] for one in ("L2SP", "EWC", "KL")},
    "methods.EWC.items": [0, -1], "methods.KL.on": UNKNOWN, "Lab.run.items": [0, -1, 10**9],
    "Lab.run.method": UNKNOWN, "Lab.sequence.method": UNKNOWN, "Lab.sequence.link": UNKNOWN,
    "Lab.sequence.tasks": [[], ["clinic"], ["clinic", "clinic"], ["clinic", "clinik"]],
    "Lab.sequence.replay": SHARE, "Lab.sequence.walk": [0.0, *SHARE],
    **{f"analysis.{one}.matrix": [[], [[0.5]], [[0.5, 0.5]], [[0.5], [0.5, 0.5]]] for one in (
        "average_accuracy", "just_learned", "forgetting", "backward_transfer")},
    "show.task_matrix.matrix": [[[0.5]], [[0.5, 0.5]] * 3],
    "methods.named.name": UNKNOWN, "methods.FreezeStack.stack": UNKNOWN,
    "methods.prune.without.numbers": [0, -1, 13, [], [1, 99]],
    "methods.prune.blocks.count": [0, -1, 12, 99], "methods.prune.update.score": UNKNOWN,
    "open_lab.domain": ["clinik", *PLACES], "open_lab.model": ["nano-gtp2", *PLACES[:3]],
    "open_lab.suite": ["wurld", *PLACES[:3]], "open_lab.base": ["nf5", "nf4-65", ""],
    "RetentionCallback.every": [0, -1], "RetentionCallback.documents": [0, -1],
    "RetentionCallback.most_lost": SHARE, "RetentionCallback.suite": ["wurld", *PLACES[:3]],
    **dict.fromkeys("too_long chat columns faulty".split(), UNKNOWN[:3]),
    "open_lab.longest": [0, 1, -1],
    "Lab.run.start": PLACES, "datasets.load_domain.name": ["clinik", *PLACES],
    "datasets.load_suite.name": ["wurld", *PLACES], "models.load.name": ["nano-gtp2", *PLACES],
    "models.load.dtype": UNKNOWN, "models.Quantize.block": [0, 63, 65, -64],
    "models.Quantize.kind": UNKNOWN, "methods.LoRA.ranks": [{}, {"7-99": 8}, {"x": 8}, {"7-9": 0}],
    "methods.LoRA.targets": [(), ("zz",), "zz"], "methods.LoRA.dropout": [-0.1, 1.0],
    "methods.Freeze.bands": [{}, {"7-99": 1.0}, {"x": 1.0}, {"1-6": -1.0}],
    "methods.AttentionLoRA.ranks": [{}, {"x": 8}, {"cross": 0}],
    "methods.Bottleneck.size": [0, -1], "methods.Prefix.tokens": [0, -1],
    "methods.Prompt.tokens": [0, -1], "methods.OFT.block": [0, -1],
    "methods.load_bottleneck.folder": PLACES, "store_runs.folder": PLACES[:3],
    "methods.save_model.folder": PLACES[:3], "analysis.records.folder_or_model": ["nono", *PLACES],
    "memory.MemoryPlan.base": UNKNOWN[:3], "memory.MemoryPlan.tokens": [0, -1],
    "memory.estimate.model": ["llama-8b", *UNKNOWN], "evaluate.wilson.right": [-1, 4],
    "evaluate.wilson.n": [0, -1], "predict.value": [-1, 101], "explorer.Settings.steps": [0, -1],
    "text.batch_indices.n": [0, -1], "train.lr_factor.steps": [0, -1],
    "machine.check_precision.value": UNKNOWN, "show.error.kind": UNKNOWN,
    "report.tolerance": [0.0, 1.0, -0.1], "report.run": ["none.json", [], [3], *PLACES],
}  # fmt: skip
"""Values of the right type that are wrong, by parameter or by function.parameter."""
TAKEN: dict[tuple[str, str], tuple[Any, ...]] = {
    ("predict", "value"): (-1, 101),  # said below the question: the notebook goes on
    ("methods.prune.without", "numbers"): ([],),  # no block: the model as it is
}
"""Bad values that are taken on purpose."""
_MADE = "ftlab makes it; who uses it reads it"
LEFT: dict[str, str] = {
    **dict.fromkeys(
        ["evaluate.Interval", "machine.Profile", "memory.Memory", "memory.Memory.rows",
         "methods.nf4.Quantized", "models.LayerMap", "teach.Claim", "teach.Prediction",
         "methods.Prepared", "methods.Prepared.on", "methods.Prepared.groups", "explorer.Explorer",
         "models.Bundle", "analysis.Setting", "datasets.Domain", "Run"],
        _MADE,
    ),
    **dict.fromkeys(["show.Picture.draw", "show.Picture.set"], "matplotlib calls it"),
    **dict.fromkeys(
        ["RetentionCallback.on_train_begin", "RetentionCallback.on_step_end"], "Trainer calls it"
    ),
    "methods.Adapter.forward": "torch calls it, at every step",
    "machine.room": "it looks at the text of it, no more",
    "show.show": "it takes whatever there is to show",
    **dict.fromkeys(
        ["train.optimizers.make", "train.optimizers.restore", "train.optimizers.store",
         "train.optimizers.state_bytes"],
        "the engine calls it; a notebook reads its code",
    ),
    "teach.answers": "the answers to the exercises, read and copied",
}  # fmt: skip
"""What nothing is thrown at, and why."""


def meant(name: str, key: str, said: set[str]) -> set[str]:
    """The kinds that a parameter takes; `said`: by its annotation."""
    return MEANT_AT.get(f"{name}.{key}") or said or MEANT.get(key, {"anything"})


FEW: dict[str, Any] = {"target_items": 2, "per_skill": 1, "documents": 2}

# --- what is right --------------------------------------------------------------------------------


class Bench:
    """One of everything that a function may ask for; made when it is first asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def call(self, name: str, function: Any, key: str, value: Any) -> Any:
        """Call it with right values, and this value for the parameter `key`."""
        import inspect

        given = {}
        owner = name.rpartition(".")[0]
        for one in inspect.signature(function).parameters.values():
            if one.name == "self":
                if inspect.isclass(function):
                    continue
                given["self"] = self.right(owner, "self")
            elif one.name == key:
                given[key] = value
            elif one.default is one.empty and one.kind not in (one.VAR_KEYWORD, one.VAR_POSITIONAL):
                given[one.name] = self.right(name, one.name)
        if "self" in given:
            bound = getattr(given.pop("self"), name.rpartition(".")[2])
            made = bound(**given)
        else:
            made = function(**given)
        if hasattr(made, "gen"):  # a context
            context: Any = made
            with context:
                pass
        return list(made) if inspect.isgenerator(made) else made

    def right(self, name: str, key: str) -> Any:
        if key == "self":
            return getattr(self, "a_" + name.rpartition(".")[2].lower())
        for place in (f"{name}.{key}".replace(".", "_"), key):
            if hasattr(self, place):
                return getattr(self, place)
        raise LookupError(f"tests/campaign/bench.py has no right value for {name}({key})")

    @cached_property
    def bundle(self) -> Any:
        return ftlab.models.load("nano-gpt2")

    @cached_property
    def lab(self) -> Any:
        lab = ftlab.open_lab("clinic", model=self.bundle, **FEW)
        test = lab.domain.test.select(range(4))
        domain = dataclasses.replace(lab.domain, test=test)
        return ftlab.Lab(self.bundle, domain, lab.suite.sample(2, 2), **FEW)

    @cached_property
    def made(self) -> dict[str, Any]:
        """Everything else, by parameter or function_parameter."""
        lab, tokenizer = self.lab, self.bundle.tokenizer
        runs = compare.shipped("nano")
        found = analysis.settings(runs)
        every, t5 = list(found), compare.shipped("nano-t5")
        bands = [one for one in every if one.sweep.startswith("freeze")]
        found = [one for one in found if one.sweep in ("learning rate", "lora_qv")]
        runs = runs[:3]
        setting, measured = found[0], runs[0].final
        weight = torch.arange(64.0).reshape(8, 8) / 64
        batch = collate(
            encode([{"prompt": "a", "answer": " b"}], tokenizer, loss_on="answer", limit=64)
        )
        explorer = Explorer.load()
        tasks = {"tasks": ["a", "b"], "matrix": [[0.9, 0.1], [0.5, 0.8]], "retained": [0.9, 0.8]}
        one = dataclasses.replace(runs[0], extra={"sweep": "LoRA merged", "sequence": tasks})
        in_a_row = [analysis.Setting("LoRA merged", (one,))]
        return {
            "show_bands_plans": {"lower half frozen": {"1-6": 0.0, "7-12": 1.0}},
            "weights": [0.1, -0.2],
            "absmax": 0.2,
            "show_four_bits_levels": [i / 7.5 - 1 for i in range(16)],
            "d_in": 8,
            "d_out": 8,
            "show_low_rank_r": 2,
            "bundle": self.bundle,
            "domain": lab.domain,
            "suite": lab.suite,
            "lab": lab,
            "analysis_priorities_domain": "new_words",
            "analysis_priorities_runs": t5,
            "source": "world",
            "datasets_mix_rows": lab.items(8),
            "reads": 8,
            "model": self.bundle.model,
            "base_model": self.bundle.model,
            "tuned": self.bundle.model,
            "base": self.bundle.model,
            "copied": self.bundle.model,
            "tokenizer": tokenizer,
            "trainer": SimpleNamespace(
                model=self.bundle.model, processing_class=tokenizer, log=print
            ),
            "name": "mine",
            "datasets_load_domain_name": "clinic",
            "methods_named_name": "full",
            "machine_check_precision_name": "precision",
            "machine_check_precision_value": "fp32",
            "total": 4,
            "step": 1,
            "Live_update_step": runs[0].curve[0],
            "show_Live_update_step": runs[0].curve[0],
            "run": runs[0],
            "Live_follow_run": runs[0].curve,
            "show_Live_follow_run": runs[0].curve,
            "plan": memory.MemoryPlan(),
            "Run_plan": ftlab.Plan(steps=1),
            "methods_Prepared_groups_plan": ftlab.Plan(),
            "train_optimizers_make_plan": ftlab.Plan(),
            "memory_plan_of_plan": ftlab.Plan(),
            "method": "full",
            "Run_method": methods.full,
            "prompts": ["a"],
            "runs": runs,
            "analysis_Setting_runs": setting.runs,
            "report": ftlab.report(runs[0]),
            "key": "retention",
            "loss": 0.5,
            "found": found,
            "analysis_points_text_found": analysis.paired([1.0, 2.0], [0.0, 1.5]),
            "methods_of_kind_found": ftlab.models.layer_map(self.bundle.model),
            "first": found[0],
            "second": found[1],
            **{
                f"{f}_{k}": [1.0, 2.0, 2.5]
                for k in ("first", "second")
                for f in ("analysis_paired", "analysis_verdict", "evaluate_paired_difference")
            },
            "sweeps": ["lora_qv"],
            "setting": setting,
            "plain": measured | {"chance": {}},
            "analysis_left_plain": found[0].runs[0].baseline,
            "nano": every,
            "real": every,
            "retained": 0.5,
            "sweep": "lora_qv",
            "rate": 0.1,
            "now": measured,
            "analysis_retained_of_base": runs[0].baseline,
            "evaluate_retained_now": 0.5,
            "evaluate_retained_base": 0.9,
            "chance": 0.1,
            **{
                f"evaluate_retained_by_skill_{k}": {
                    "a": SkillScore("a", 0.5, 0.1, 2, (True, False))
                }
                for k in ("now", "base")
            },
            "size": "nano",
            "methods_Adapter_size": 4,
            "width": 8,
            "xs": [1.0, 2.0, 3.0],
            "ys": [1.0, 3.0, 2.0],
            "rows": [],
            "analysis_spearman_interval_rows": [
                ((1.0, 2.0), (2.0, 3.0)),
                ((2.0, 3.0), (1.0, 2.0)),
                ((4.0, 5.0), (6.0, 3.0)),
            ],
            "show_Table_rows": [["a"]],
            "show_samples_rows": [{"prompt": "a", "expected": "b"}],
            "show_sweep_rows": runs,
            "x": "lr",
            "sentence": "It holds.",
            "holds": True,
            "evidence": "seen",
            "train": lab.domain.train,
            "validation": lab.domain.validation,
            "test": lab.domain.test,
            "evaluate_probe_train": weight,
            "evaluate_probe_test": weight,
            "probes": lab.suite.probes,
            "documents": lab.suite.documents,
            "datasets_Suite_sample_documents": 2,
            "per_skill": 2,
            "share": 0.1,
            "estimate": 0.1,
            "low": 0.0,
            "high": 1.0,
            "texts": ["a text"],
            "max_new_tokens": 1,
            "queries": ["a"],
            "answers": [" b"],
            "items": lab.items(1),
            "train_labels": [0, 1] * 4,
            "test_labels": [0, 1] * 4,
            "pairs": [("a", " b")],
            "base_state": self.bundle.model.state_dict(),
            "evaluate_wilson_right": 1,
            "explorer_Explorer_header": explorer.header,
            "explorer_Explorer_points": explorer.points,
            "n": 3,
            "answer": 3,
            "reference": 3,
            "header": ["a"],
            "points": [],
            "asked": ftlab.explorer.Settings(),
            "other": ftlab.explorer.Settings(),
            "on": "cpu",
            "when": "now",
            "target": "q",
            "show_Point_target": 0.5,
            "retention": 0.5,
            "batch": batch,
            "capacity": 10**9,
            "tokens": 8,
            "memory_saved_shape": memory.shape("nano-gpt2"),
            "count": 3,
            "methods_prune_blocks_count": 1,
            "stack": "encoder",
            "band": "10-12",
            "trainable": 1,
            "folder": self.folder / "new",
            "weight": weight,
            "show_attention_panel_found": analysis.settings(t5, domain="new_words"),
            "show_freeze_panel_found": bands,
            "show_prune_panel_found": {"nano": every},
            "show_remedy_panel_found": {"nano": every},
            "show_sequence_panel_found": {"nano": in_a_row},
            "show_recorded_matrix_runs": in_a_row[0].runs,
            "matrix": [[0.9, 0.1], [0.5, 0.8]],
            "tasks": ["clinic", "ledger"],
            "places": {0.0: measured | {"said": {"a": " b"}}},
            "expected": {"a": "b"},
            "show_scatter_groups": {"full": [(0.0, 1.0), (1.0, 2.0)]},
            "show_adapter_panel_found": runs,
            "seq2seq": "nano-t5",
            "minutes": 3,
            "thing": "a",
            "unit": "%",
            "evaluate_update_norms_base_state": dict(self.bundle.model.named_parameters()),
            "methods_of_kind_targets": ("q",),
            "stored": methods.nf4.quantize(torch.ones(64)),
            "methods_nf4_nearest_x": weight.flatten(),
            "levels": [0.5],
            "methods_nf4_nearest_levels": methods.nf4.nf4_levels(),
            "codes": torch.zeros(4, dtype=torch.uint8),
            "packed": torch.zeros(4, dtype=torch.uint8),
            "kind": "nf4",
            "methods_of_kind_kind": "self",
            "methods_pattern_kind": "decoder",
            "targets": ("q",),
            "sparsity": 0.5,
            "seed": 0,
            "keep": 0.5,
            "numbers": 1,
            "sublayer": torch.nn.Linear(4, 4),
            "adapter": methods.Adapter(4, 2),
            "checksum": "0",
            "parameter": "transformer.wte.weight",
            "question": "How much?",
            "article": "It says.",
            "figure": self.picture,
            "norms": {},
            "series": {"a": [(0, 1.0)]},
            "reading": "a",
            "xlabel": "a",
            "lines_name": "a",
            "memories": {"a": memory.estimate("nano-gpt2", memory.MemoryPlan())},
            "names": ["facts"],
            "after": measured,
            "show_skills_bars_base": runs[0].baseline,
            "steps": 10,
            "show_two_numbers_steps": runs[0].curve,
            "measured": 0.5,
            "batch_size": 2,
            "examples": encode(
                [{"prompt": "a", "answer": " b"}], tokenizer, loss_on="answer", limit=64
            ),
            "data": lab.items(2),
            "loss_on": "answer",
            "limit": 64,
            "schedule": "constant",
            "train_train_plan": ftlab.Plan(steps=1),
            "groups": [{"params": [torch.nn.Parameter(weight)], "lr": 1.0}],
            "optimizer": torch.optim.AdamW([torch.nn.Parameter(weight)]),
            "state": {},
            "a_lab": lab,
            "a_live": ftlab.Live(4),
            "a_suite": lab.suite,
            "a_setting": setting,
            "a_run": lab.run(ftlab.Plan(steps=1)),
            "a_evaluator": lab.evaluator,
            "a_explorer": explorer,
            "a_settings": ftlab.explorer.Settings(),
            "a_memoryplan": memory.MemoryPlan(),
            "a_lora": methods.LoRA(),
            "a_prepared": methods.full(self.bundle.model),
            "a_prediction": ftlab.predict("How much?", 3),
            "a_layermap": ftlab.models.layer_map(self.bundle.model),
        }

    @cached_property
    def picture(self) -> Any:
        return ftlab.show.paging()

    def __getattr__(self, key: str) -> Any:
        if key.startswith("__") or key == "made" or key not in self.made:
            raise AttributeError(key)
        return self.made[key]
