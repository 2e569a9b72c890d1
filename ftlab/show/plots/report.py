"""A report as pictures and as one page of HTML that opens anywhere, without a network.

changes_plot(report)    what the task gained and each skill lost, with intervals and the tolerance
report_page(report)     verdict, numbers, curves, answers, lost facts, plan: one file
"""

import html
from typing import Any

from ftlab.lab.report import Report
from ftlab.show.canvas.agg import own_settings
from ftlab.show.canvas.html import img
from ftlab.show.canvas.sheet import Picture, bar_axes, head, row, text_width
from ftlab.show.canvas.style import BAD, GOOD, INK, SOFT
from ftlab.show.plots.curves import two_numbers
from ftlab.show.plots.tables import Table, samples

TONES = {"lost": BAD, "not decided": SOFT, "within the tolerance": GOOD}
HEAD = ("what", "before", "after", "change (95 % interval)", "verdict")
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width"><title>{title}</title><style>
body {{ font: 16px/1.5 sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem }}
table {{ border-collapse: collapse }} td, th {{ border-top: 1px solid #ddd }}
caption {{ text-align: left }} code {{ overflow-wrap: anywhere }}
.verdict {{ font-size: 1.5rem; font-weight: bold; color: {colour} }}
</style></head><body><main><h1>Ship or don't: {title}</h1>
<p class="verdict">{verdict}</p>{reasons}
<p>{notes}</p><p><b>Rule.</b> {rule}</p><p><b>One change.</b> {advice}</p>
<h2>What changed</h2>{plot}{table}
<h2>On the way</h2>{curve}
<h2>Answers before and after</h2>{samples}
<h2>What is gone</h2>{gone}
<h2>Plan</h2>{plan}
<p>Made again by: <code>{command}</code></p>
</main></body></html>
"""


@own_settings()
def changes_plot(report: Report) -> Picture:
    """Each measure's change as a dot with its 95 % interval; the tolerance for losses is shaded."""
    there = [change for change in (report.task, *report.skills) if change.in_points]
    names = [change.name for change in there]
    figure = Picture(9.0, 1.3 + 0.42 * len(there))
    (axes,) = row(figure, [0.3], left=max(1.3, text_width(names) + 0.4))
    head(axes, "What changed", "points of accuracy, with 95 % intervals (to the right is better)",
         left=max(1.3, text_width(names) + 0.4))  # fmt: skip
    bar_axes(axes, names)
    axes.axvspan(-100 * report.tolerance, 0, color=GOOD, alpha=0.1, linewidth=0)
    axes.axvline(0, color=INK, linewidth=1)
    for i, change in enumerate(there):
        said = "" if change is report.task else report.said(change)
        low, at, high = (
            100 * x for x in (change.interval.low, change.interval.estimate, change.interval.high)
        )
        colour = TONES.get(said, INK if change is report.task else SOFT)
        axes.plot([low, high], [i, i], color=colour, linewidth=3, solid_capstyle="butt")
        axes.plot(at, i, "o", color=colour, markersize=7)
    axes.set_xlabel(f"change in points; shaded: what a skill may lose ({100 * report.tolerance:g})")
    words = "; ".join(f"{name} {c.text}" for name, c in zip(names, there, strict=True))
    figure.alt = f"Change from base to tuned, with 95 % intervals: {words}."
    return figure


def report_page(report: Report) -> str:
    """The report as one HTML document, pictures within."""
    run, e = report.first, html.escape
    reasons = "".join(f"<li>{e(reason)}</li>" for reason in report.reasons)
    shown = [field for field in run.plan.items() if field[1] is not None]
    plan = [("method", run.method), ("parameters trained", f"{run.trainable:,} of {run.total:,}")]
    plan += [(name.replace("_", " "), str(value)) for name, value in shown]
    return PAGE.format(
        title=e(report.name),
        colour=GOOD if report.ship else BAD,
        verdict=e(report.verdict),
        reasons=f"<ul>{reasons}</ul>" if reasons else "",
        notes="<br>".join(e(note) for note in report.notes),
        rule=e(report.rule),
        advice=e(report.advice),
        plot=img(changes_plot(report)),
        table=Table(HEAD, report.rows).html,
        curve=img(two_numbers(run.curve, method=run.method, final=run.final)),
        samples=_samples(run.evidence.get("samples")),
        gone=_gone(run.evidence.get("skills", {})),
        plan=Table(("what", "value"), plan).html,
        command=e(run.command),
    )


def _samples(rows: Any) -> str:
    if not rows:
        return "<p>This record holds no answers; run it again with this ftlab.</p>"
    return samples(rows).html


def _gone(skills: dict[str, Any]) -> str:
    """The lost probes as text, skill by skill."""
    found = ""
    for name, turned in skills.items():
        rows = [[row["asked"] or "(which sentence?)", row["was"], row.get("now", "another choice")]
                for row in turned["gone"]]  # fmt: skip
        if rows:
            words = f"{turned['lost']} lost, {turned['won']} won; {len(rows)} of the lost ones."
            table = Table(("asked", "was right", "says now"), rows, words).html
            found += f"<h3>{html.escape(name.replace('_', ' '))}</h3>{table}"
    return found or "<p>Nothing that the base knew and this record tells of.</p>"
