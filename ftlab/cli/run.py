"""`ftlab demo` and `ftlab run`: one fine-tuning run in a terminal.

    ftlab demo                              forgetting in about a minute: table, answers, picture
    ftlab run --lr 1e-4 --out runs          one run as a record, for plots and comparisons

Slips are found before anything heavy is loaded: the plan, then the output's place, then domain
and model.
"""

import argparse
from pathlib import Path
from textwrap import shorten
from typing import Any

import ftlab
from ftlab.base.errors import InputError
from ftlab.base.files import HUB_FORM, check_own
from ftlab.base.progress import watched
from ftlab.base.quiet import quiet
from ftlab.base.shares import percent, skill_name
from ftlab.cli.terminal import Progress, check_folder, check_picture, place, save_picture
from ftlab.datasets.forms import CHATS, FAULTY, TOO_LONG, Reading
from ftlab.lab.command import add_plan, plan_of
from ftlab.methods.table import NAMES, check_name
from ftlab.models.bases import BASES, quantize_named
from ftlab.plan import Plan, rate_text

WIDTH = 96  # letters of a prompt or an answer that are shown


def add_demo(parser: argparse.ArgumentParser) -> None:
    """The options of `ftlab demo`."""
    _add_lab(parser)
    parser.add_argument("--steps", type=int, default=100, help="(default: 100)")
    parser.add_argument("--lr", type=float, default=1e-3, help="learning rate (default: 1e-3)")
    _path(parser, "--out", "FILE", "draw it there", None)


def add_run(parser: argparse.ArgumentParser) -> None:
    """The options of `ftlab run`: every field of a Plan, and what a lab's run takes."""
    _add_lab(parser)
    add_reading(parser)
    parser.add_argument("--suite", default=None, help="a suite or a folder (default: by the model)")
    parser.add_argument("--method", help=f"one of: {', '.join(NAMES)} (default: full)")
    add_plan(parser)
    parser.add_argument("--items", type=int, help="how many training items (default: all)")
    parser.add_argument(
        "--longest",
        type=int,
        help="leave out items of more tokens (default: --max-tokens, with --too-long)",
    )
    parser.add_argument("--replay", type=float, default=0.0, help="share of general text, as 0.05")
    parser.add_argument("--base", default="plain", help=f"one of: {', '.join(BASES)}")
    _path(parser, "--out", "FOLDER", "where the record goes", Path("runs"))
    _path(parser, "--store", "FOLDER", "store the run there, and go on from what is stored", None)
    _path(parser, "--save", "FOLDER", "save the adapter, or the whole model, with tokenizer", None)
    parser.add_argument("--merged", action="store_true", help="save the whole model in any case")
    _path(parser, "--adapter", "FOLDER", "go on from an adapter that was saved there", None)


def add_reading(parser: argparse.ArgumentParser) -> None:
    """The options that say how a file of one's own is read."""
    parser.add_argument(
        "--columns", default="", help="what columns are, as prompt=context+question,answer=label"
    )
    parser.add_argument(
        "--chat",
        choices=CHATS,
        default="auto",
        help="use the chat template: auto for chats and instructions, on, off (default: auto)",
    )
    parser.add_argument(
        "--too-long",
        choices=TOO_LONG,
        help="what to do with items over --max-tokens (default: refuse)",
    )
    parser.add_argument(
        "--faulty", choices=FAULTY, default="refuse", help="faulty rows (default: refuse)"
    )


def _path(parser: Any, name: str, what: str, words: str, default: Path | None) -> None:
    shown = "%(default)s" if default else "none"
    parser.add_argument(
        name, type=place, default=default, metavar=what, help=f"{words} (default: {shown})"
    )


def _add_lab(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--domain",
        default="clinic",
        help="clinic, helpdesk, contracts, ledger, or a file (default: clinic)",
    )
    add_model(parser)


def add_model(parser: argparse.ArgumentParser) -> None:
    """The option that names the base model."""
    parser.add_argument(
        "--model",
        default=None,
        help="nano-gpt2, smollm2-135m, a folder or a Hub name (default: by FTLAB_PROFILE)",
    )


def demo(asked: argparse.Namespace) -> int:
    """Train once, then show what was learned and what was forgotten."""
    plan = Plan(steps=asked.steps, lr=asked.lr)
    if asked.out:
        check_picture(asked.out)
    lab, run = _open(asked, plan)
    asked.stopped = lambda: _stopped("nothing was written", run)
    print(
        f"Teaching {lab.bundle.name} the domain {lab.domain.name}: {plan.steps} steps of "
        f"{plan.batch_size} items at learning rate {rate_text(plan.lr)}."
    )
    record = _train(run, plan)
    print("\n" + table(record.baseline, record.final))
    for row in run.samples(2):
        print("\n" + sample(row))
    if asked.out:
        from ftlab.show import two_numbers

        save_picture(two_numbers(record.curve, method=record.method, final=record.final), asked.out)
        print(f"\nThe picture is in {asked.out}.")
    print(closing(record.final, plan, record.budget["steps"]))
    return 0


def run(asked: argparse.Namespace) -> int:
    """Train once and keep the record."""
    plan = plan_of(asked)
    check_name(asked.method or "full")  # slips are found before the model is loaded
    Reading(asked.columns)
    quantize_named(asked.base)
    if not 0 <= asked.replay < 1:
        raise InputError(
            f"replay={asked.replay:g} is not possible; give a share from 0 to below 1."
        )
    check_folder(asked.out)
    if asked.save:
        check_own(check_folder(asked.save), HUB_FORM)
        if asked.out.resolve().is_relative_to(asked.save.resolve()):
            raise InputError(f"--save {asked.save} would hold the record too; name another folder.")
    elif asked.merged:
        raise InputError("--merged says how to save the model; give --save FOLDER with it.")
    asked.stopped = "no record was written"
    if asked.store:
        ftlab.store_runs(asked.store)
    _, made = _open(asked, plan)
    asked.stopped = lambda: _stopped("no record was written", made)
    if asked.save:
        from ftlab.lab.weights import check_save

        check_save(made, asked.save, asked.merged)
    record = _train(made, plan)
    from ftlab import record as records

    path = records.save(record, asked.out)
    asked.stopped = f"the record is in {path}"
    print(closing(record.final, plan, record.budget["steps"]))
    print(f"The record is in {path}.")
    if asked.save:
        what = made.save(asked.save, merged=asked.merged)
        print(f"The {what} and the tokenizer are in {asked.save}.")
    return 0


def _stopped(words: str, run: Any) -> str:
    """What an interrupt leaves: what a run was to write is missing, and its steps may be stored."""
    stored = getattr(run, "stored", None)
    if not (stored and stored.stored_step):
        return words
    return (
        f"{words}, but {stored.stored_step} of {run.plan.steps} steps are stored in "
        f"{stored.folder}: the same command goes on from there"
    )


def _open(asked: argparse.Namespace, plan: Plan) -> tuple[Any, Any]:
    """The lab and its run, prepared."""
    quiet()
    import ftlab.lab.lab  # torch and transformers, some seconds

    given = vars(asked)
    lab = ftlab.lab.lab.open_lab(
        asked.domain,
        model=asked.model,
        suite=given.get("suite"),
        base=given.get("base", "plain"),
        **reading(asked, plan.max_tokens),
    )
    wanted = {name: given[name] for name in ("method", "items", "replay") if name in given}
    return lab, lab.run(plan, **wanted, start=given.get("adapter"))


def reading(asked: argparse.Namespace, most: int) -> dict[str, Any]:
    """How a file is read, as `open_lab` takes it; too long is what has more than `most` tokens."""
    found = {n: v for n in ("columns", "chat", "faulty", "too_long") if (v := vars(asked).get(n))}
    longest = vars(asked).get("longest")
    longest = most if longest is None and "too_long" in found else longest
    return found | {"longest": longest}


def _train(run: Any, plan: Plan) -> Any:
    """The run's record; a bar says how far training and measuring are."""
    words = ""
    with Progress(plan.steps) as bar, watched(bar.measuring):
        for step in run:
            if step.measured:
                words = (
                    f"at step {step.step} learned {_percent(step.measured['target_score'])}, "
                    f"retained {_percent(step.measured['retention'])}"
                )
            bar.to(step.step, words)
        return run.record


def table(before: dict[str, Any], after: dict[str, Any]) -> str:
    """What was learned and what was kept, skill by skill, as aligned text."""
    rows = [("", "before", "after", "retained")]
    rows.append(("learned: new items right", *_both(before, after, "target_score"), ""))
    if after.get("held_score") is not None:
        rows.append(("  of cases never trained on", *_both(before, after, "held_score"), ""))
    for skill, share in after["skills"].items():
        was, kept = before["skills"].get(skill), (after.get("kept") or {}).get(skill)
        rows.append((f"skill: {skill_name(skill)}", _percent(was), _percent(share), _percent(kept)))
    rows.append(("retained, the mean", "", "", _percent(after["retention"])))
    losses = [part["general_loss"] for part in (before, after)]
    told = ["-" if loss is None else f"{loss:.2f}" for loss in losses]
    rows.append(("general text, nats a token", told[0], told[1], ""))
    wide = max(len(row[0]) for row in rows)
    return "\n".join(
        f"{name:<{wide}}  {was:>8}  {now:>8}  {kept:>8}".rstrip() for name, was, now, kept in rows
    )


def _both(before: dict[str, Any], after: dict[str, Any], key: str) -> tuple[str, str]:
    return _percent(before.get(key)), _percent(after.get(key))


def _percent(share: float | None) -> str:
    return "-" if share is None else percent(share)


def sample(row: dict[str, str]) -> str:
    """One test item with the answers before and after."""
    names = {"prompt": "asked", "expected": "expected", "before": "before", "after": "after"}
    return "\n".join(
        f"  {names[key]:<8}  {shorten(str(row[key]), WIDTH, placeholder=' ...') or '(nothing)'}"
        for key in names
    )


def closing(final: dict[str, Any], plan: Plan, steps: int) -> str:
    """The run in one sentence; a target score may have ended it before the plan's last step."""
    always = final.get("commonest")
    guess = f" ('{always['answer']}' alone: {_percent(always['share'])})" if always else ""
    return (
        f"After {steps} steps at learning rate {rate_text(plan.lr)} the model answers "
        f"{_percent(final['target_score'])} of new items correctly{guess} and has retained "
        f"{_percent(final['retention'])} of the skills it had."
    )
