"""The README's computed parts: its picture, its table of notebooks, what was found.

    python -m tools.pages.readme        write them, docs/measured.md and docs/forgetting.png

What stands between two markers, such as <!-- notebooks --> and <!-- /notebooks -->, is written
here from the records, the measured minutes and the stored notebooks; the rest is a person's. A test
compares all of it with what this writes. Notable choices: the picture is that of a recorded run,
so it can be drawn again; its alt text is computed with it, stands in the README and is written
into the file, by which a test knows that the picture shows the numbers of today. Colab badges are
those of `make colab`, if the clone is stamped.
"""

import re
from collections import Counter
from pathlib import Path
from typing import Any

from ftlab.analysis import compare, scale
from ftlab.base.jsonfile import read_json
from ftlab.show import rate_text, two_numbers
from ftlab.show.canvas.sheet import Picture
from ftlab.teach.timings import AS_T4, Timing, report_file, timings
from tools.notebooks.stamp import stamp_in, stamp_readme
from tools.pages import findings, shipped
from tools.pages.film import FILM
from tools.pages.measured import (
    MODELS,
    judged,
    label,
    learners,
    measured,
)

ROOT = Path(__file__).resolve().parents[2]
PICTURE = Path("docs", "forgetting.png")
PAGE = Path("docs", "measured.md")
RATE = 1e-3
FILMED = (
    "The rank explorer: sliders for ranks, alpha and rate answer at once from recorded runs; "
    "one plan is trained for real, and then walked back towards the base."
)


def run_shown() -> Any:
    """The recorded run of the picture: full fine-tuning, nothing protected, the first seed."""
    runs = [
        run
        for run in shipped("nano")
        if run.extra.get("sweep") == "learning rate"
        and (run.domain, run.plan["lr"], run.plan["seed"]) == ("clinic", RATE, 0)
    ]
    if len(runs) != 1:
        raise LookupError(f"{len(runs)} recorded runs fit the README's picture; it takes one")
    return runs[0]


def picture() -> Picture:
    """The README's picture; its `alt` says it in words."""
    run = run_shown()
    title = f"Fine-tuning {run.model} on triage notes, learning rate {rate_text(run.plan['lr'])}"
    return two_numbers(run.curve, title=title, final=run.final)


def written(shown: Picture) -> dict[str, str | None]:
    """What the picture's file says about itself: the alt text, and nothing that ages."""
    return {"Description": shown.alt, "Software": None}


def picture_line() -> str:
    """The picture in Markdown."""
    return f"![{picture().alt}]({PICTURE.as_posix()})\n"


# ---- the notebooks


def notebooks(root: Path) -> str:
    """The table of notebooks with the minutes that each was measured to take, as Markdown."""
    timed = {p: found for p in ("nano", "laptop") if (found := timings(p))} | on_a_card()
    head = ["", "notebook", "what you see", *(f"minutes, {profile}" for profile in timed)]
    rows = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for path in learners(root):
        number, link = path.name[:2], path.relative_to(root).as_posix()
        minutes = [_minutes(found.get(path.stem)) for found in timed.values()]
        cells = [number, f"[{_title(path)}]({link})", _seen(path), *minutes]
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join([*rows, "", _where(timed)]) + "\n"


def on_a_card() -> dict[str, dict[str, Timing]]:
    """{the card's name: what each notebook took on it}, from `make gpu`'s report; or nothing."""
    if not report_file().is_file():
        return {}
    report = read_json(report_file())
    took = {check["name"]: check["seconds"] for check in report["checks"] if check["passed"]}
    found = {
        name.removesuffix(AS_T4): Timing(seconds, report["cores"])
        for name, seconds in took.items()
        if name.endswith(AS_T4)
    }
    return {report["device"]: found} if found else {}


def _minutes(timing: Timing | None) -> str:
    return f"{timing.seconds / 60:.1f}" if timing else "-"


def _where(timed: dict[str, dict[str, Timing]]) -> str:
    """On what the minutes were measured, and where they were not."""
    told = []
    for profile, found in timed.items():
        cores = sorted({timing.cores for timing in found.values()})
        if profile in ("nano", "laptop"):
            told.append(f"`{profile}` on {' and '.join(map(str, cores))} CPU cores")
        else:
            told.append(f"{profile} in fp16, held to 15 GB as on a T4, with the small models")
    missing = [f"`{name}`" for name in ("nano", "laptop") if name not in timed]
    missing += ["on a card (`make gpu`)"] if timed.keys() <= {"nano", "laptop"} else []
    rest = f" Not measured yet: {' and '.join(missing)}." if missing else ""
    return (
        f"Minutes to run all cells, measured: {'; '.join(told)}.{rest} A dash: not measured. "
        "The notebooks train nano-gpt2 (05: nano-t5) under every profile; only the end of 01 and "
        "all of 11 take the profile's own model: `laptop` (FTLAB_PROFILE=laptop) "
        "SmolLM2-135M-Instruct, `t4` (the default with an NVIDIA card) gpt2 from the Hub. The "
        "columns were timed on different days."
    )


def _title(path: Path) -> str:
    """The notebook's first heading."""
    return _first(path, r"^# (.+)$")


def _seen(path: Path) -> str:
    """What one sees in it: its source says so in a comment, `<!-- seen: ... -->`."""
    return _first(path, r"<!-- seen: (.+?) -->")


def _first(path: Path, pattern: str) -> str:
    """The first match in the notebook's prose; empty where there is none."""
    import nbformat

    prose = (c.source for c in nbformat.read(path, as_version=4).cells if c.cell_type == "markdown")
    return next((m[1] for text in prose if (m := re.search(pattern, text, re.M))), "")


# ---- what was found


def found(root: Path) -> str:
    """What learns most, and what became of all statements, as Markdown."""
    return "\n".join([best_learners(), "", counts(root), ""])


def best_learners(first: int = 4) -> str:
    """Which methods learn most while 90 % is retained, as a sentence."""
    nano, real = (compare.settings(shipped(size)) for size in MODELS)
    levels, told = scale.levels(nano, real, 0.9), []
    for place, model in enumerate(MODELS.values()):
        order = sorted(levels, key=lambda name: -levels[name][place])[:first]
        names = [f"*{label(name)}* {levels[name][place]:.0%}" for name in order]
        told.append(f"{model}: {', '.join(names)}")
    return (
        f"Which of {len(levels)} methods learns most while at least 90 % of the old skills are "
        f"retained (read off between the recorded rates)? {'; '.join(told)}. (Seeds lie further "
        "apart than a few points. The remedies of notebook 09 are not among the methods.)"
    )


def counts(root: Path) -> str:
    """How many statements were put to the test, and what became of them."""
    seen = Counter(row.verdict for _, row in judged(root))
    verbs = {"holds": "hold", "does not hold": "do not hold", "not decided": "are not decided"}
    verbs |= {
        "holds in part": "hold in part (other runs contradict them or leave them open)",
        "fails in part": "are contradicted in part while the rest is open",
    }
    told = ", ".join(f"{seen[word]} {verb}" for word, verb in verbs.items())
    return f"Of {seen.total()} statements that the notebooks put to the test, {told}."


# ---- putting it in its place


def filled(text: str, root: Path) -> str:
    """A README with every part between its markers written anew, and badged if stamped."""
    parts = {
        "film": f"![{FILMED}]({FILM.as_posix()})\n",
        "instead": f"{findings.instead()}\n",
        "five": f"{findings.five()}\n",
        "picture": picture_line(),
        "notebooks": notebooks(root),
        "found": found(root),
    }
    for name, part in parts.items():
        before, rest = text.split(f"<!-- {name} -->\n")
        after = rest.split(f"<!-- /{name} -->")[1]
        text = f"{before}<!-- {name} -->\n{part}<!-- /{name} -->{after}"
    return stamp_readme(text, stamp_in(root))


def main(root: Path = ROOT) -> None:
    """Write the picture, the page and the README's parts."""
    shown = picture()
    shown.savefig(root / PICTURE, metadata=written(shown))
    (root / PAGE).write_text(measured(root), encoding="utf-8")
    readme = root / "README.md"
    text = readme.read_text(encoding="utf-8")
    readme.write_text(filled(text, root), encoding="utf-8")


if __name__ == "__main__":
    main()
