"""Retention while another trainer trains: transformers' Trainer, TRL's SFTTrainer and what is built
on them (Unsloth, Axolotl).

    trainer = SFTTrainer(model="my/model", args=args, train_dataset=rows)
    trainer.add_callback(ftlab.RetentionCallback(trainer, every=50, most_lost=0.1))
    trainer.train()

Before the first step and then every 50 the model is asked what a lab asks, and Trainer logs, so
that TensorBoard, W&B and `trainer.state.log_history` have it:

    retention, least_retained   share of the base's skills retained above chance: mean, worst
    forgotten, general_loss     rise of the loss on general text; that loss, nats per token
    skills/<name>               accuracy

Notable choices:
- The base is the model as it is before the first step, with the adapter's first weights: new LoRA
  changes nothing. A resumed run takes the base's numbers from the log that its checkpoint carries.
- SFTTrainer empties its own means into whatever is logged while the model trains. So this logs
  while the model is in eval mode, and Trainer's own line of the same step is left to come.
- Every process measures, since a sharded model needs all of them; what the first has found counts.

Run the tests: pytest tests/train/test_callback.py
"""

from pathlib import Path
from typing import Any

from accelerate.utils import broadcast_object_list
from transformers import TrainerCallback

from ftlab.base.door import checked
from ftlab.base.errors import InputError
from ftlab.datasets.load import Suite, load_suite, suite_for
from ftlab.evaluate.fit import check_suite
from ftlab.evaluate.likelihood import document_loss
from ftlab.evaluate.measures import finite
from ftlab.evaluate.retention import retained
from ftlab.evaluate.skills import measure_skills
from ftlab.plan import check_whole
from ftlab.record import retention, rows_checksum
from ftlab.text.scored_batches import evaluating


@checked
class RetentionCallback(TrainerCallback):
    """Measures what a Trainer's model has retained, logs it, and stops when too much is lost."""

    def __init__(
        self,
        trainer: Any,
        *,
        every: int = 50,
        most_lost: float | None = None,
        suite: str | Path | Suite | None = None,
        per_skill: int = 25,
        documents: int = 16,
        seed: int = 0,
    ) -> None:
        """`every`: steps between measurements. `most_lost`: training stops when more than this
        share of the base's skills is lost (1 - retention, 0 to 1); None never stops. `suite`: as in
        `open_lab`, by default what fits the model; of it `per_skill` probes of each skill and so
        many `documents` are asked, drawn by `seed`.

        Raises InputError for a trainer without a tokenizer, and for what the model cannot read.
        """
        check_whole("every", every, 1)
        if most_lost is not None and not 0 <= most_lost < 1:
            raise InputError(
                f"most_lost={most_lost:g} is not possible; give a share from 0 to below 1."
            )
        tokenizer = getattr(trainer, "processing_class", None)
        if not (hasattr(trainer, "log") and hasattr(tokenizer, "convert_tokens_to_ids")):
            raise InputError(
                f"The tokenizer of this {type(trainer).__name__} is not known; give a Trainer that "
                "was made with processing_class=tokenizer."
            )
        self.trainer, self.tokenizer, self.every, self.most_lost = (
            trainer, tokenizer, every, most_lost
        )  # fmt: skip
        asked = suite_for(trainer.model, tokenizer) if suite is None else suite
        whole = asked if isinstance(asked, Suite) else load_suite(asked)
        self.suite = whole.sample(per_skill, documents, seed=seed)
        texts = [{"text": text} for text in self.suite.documents]
        self.checksum = rows_checksum([*map(vars, self.suite.probes), *texts])
        self.base: dict[str, Any] = {}
        check_suite(trainer.model, tokenizer, self.suite)

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Measure the base, once. Raises InputError where a resumed run does not know its base."""
        if not state.global_step:
            self._log(control)
            return
        rows = (row for row in state.log_history if row.get("suite") == self.checksum)
        self.base = self.base or next(rows, {})
        if not self.base:
            raise InputError(
                f"The checkpoint of step {state.global_step} was trained without this callback and "
                "suite, so what its base could do is not known; start the training anew."
            )

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Measure where it is due and after the last step; stop where too much is lost."""
        if state.global_step % self.every and not control.should_training_stop:
            return
        share = self._log(control).get("retention")
        if self.most_lost is not None and share is not None and 1 - share > self.most_lost:
            control.should_training_stop = True
            if state.is_world_process_zero:
                print(
                    f"Stopped at step {state.global_step}: {1 - share:.0%} of the base's skills "
                    f"are lost, more than {self.most_lost:.0%}."
                )

    def _log(self, control: Any) -> dict[str, float]:
        """Measure and log; the row."""
        due = control.should_log  # logging takes it back
        with evaluating(self.trainer.model):
            (row,) = broadcast_object_list([self._measured()])
            self.trainer.log(dict(row))
        self.trainer.state.log_history[-1]["suite"] = self.checksum  # what the numbers are of
        control.should_log = due
        return row

    def _measured(self) -> dict[str, float]:
        """What the model can do, beside its base; without what is no number."""
        model = self.trainer.model
        skills = measure_skills(model, self.tokenizer, self.suite.probes)
        loss = document_loss(model, self.tokenizer, self.suite.documents).nats_per_token
        row = {f"skills/{name}": skill.accuracy for name, skill in skills.items()}
        row |= {"general_loss": loss}
        self.base = self.base or row
        kept = {
            name: retained(skill.accuracy, self.base[f"skills/{name}"], skill.chance)
            for name, skill in skills.items()
        }
        row = {**retention(kept), "forgotten": loss - self.base["general_loss"], **row}
        known = {key: value for key, value in row.items() if value is not None}
        return {key: value for key, value in known.items() if finite(value) is not None}
