"""Before training: `ftlab data FILE` looks at one's own data, `ftlab suite FILE` asks the base.

ftlab data mine.jsonl --model smollm2-135m --html mine.html       in the terminal or as a page
ftlab suite prompts.txt --model smollm2-135m --out my_skills      answers, for `ftlab run --suite`
"""

import argparse
import io
import textwrap
from contextlib import redirect_stdout
from html import escape
from typing import Any

from ftlab.base.errors import InputError
from ftlab.base.files import whole
from ftlab.base.quiet import quiet
from ftlab.cli.run import add_model, add_reading, reading
from ftlab.cli.terminal import check_file, check_folder, place
from ftlab.datasets.forms import Reading
from ftlab.datasets.rows import read_text
from ftlab.plan import Plan

WIDTH, BAR, NAME = 100, 40, 14
ITEM_LETTERS = 2000
"""Letters of each side of an item that the terminal shows."""
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>
body {{ font: 16px/1.5 sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }}
th {{ text-align: left; vertical-align: top; padding-right: 1rem; white-space: nowrap }}
.bar {{ background: #0072b2; height: 1rem }} pre {{ white-space: pre-wrap; background: #f4f4f4 }}
mark {{ background: #ffd966 }} td.wide {{ width: 30rem }}
</style></head><body><h1>{title}</h1><table>{rows}</table>
<h2>Lengths in tokens</h2><table>{bars}</table>
<h2>One item, as the model reads it</h2><p>What is learned is <mark>marked</mark>.</p>
<pre>{item}</pre></body></html>
"""
ROW = '<tr><th scope="row">{}</th><td>{}</td></tr>'
BAR_ROW = """<tr><th scope="row">{}</th><td class="wide"><div class="bar" style="width:{:.1f}%">
</div></td><td>{:,}</td></tr>"""


def add_data(parser: argparse.ArgumentParser) -> None:
    """The options of `ftlab data`."""
    parser.add_argument("file", metavar="FILE", help="a file, a folder or a set on the Hub")
    add_model(parser)
    add_reading(parser)
    most = Plan().max_tokens
    parser.add_argument("--max-tokens", type=int, default=most, help=f"(default: {most})")
    parser.add_argument("--html", type=place, metavar="FILE", help="write a page (default: none)")


def data(asked: argparse.Namespace) -> int:
    """Print the sheet, or write it as a page."""
    most = Plan(max_tokens=asked.max_tokens).max_tokens
    Reading(asked.columns)
    if asked.html:
        check_file(asked.html, (".html",), "the page so, as in data.html")
    quiet()
    said = io.StringIO()
    try:
        with redirect_stdout(said):
            sheet = _look(asked, most)
    finally:
        print(said.getvalue(), end="")
    if asked.html:
        with whole(asked.html) as part:
            part.write_text(page(sheet, said.getvalue().splitlines()), encoding="utf-8")
        print(f"The page is in {asked.html}.")
    else:
        print(text(sheet))
    return 0


def add_suite(parser: argparse.ArgumentParser) -> None:
    """The options of `ftlab suite`."""
    parser.add_argument("file", type=place, metavar="FILE", help="text, one prompt a line")
    add_model(parser)
    parser.add_argument("--out", type=place, metavar="FOLDER", required=True, help="where it goes")


def suite(asked: argparse.Namespace) -> int:
    """Ask the base every prompt, and write its answers as probes."""
    if not asked.file.is_file():
        raise InputError(f"There is no file {asked.file}; give a text file, one prompt a line.")
    prompts = [line for line in read_text(asked.file).splitlines() if line.strip()]
    if check_folder(asked.out).is_dir() and any(asked.out.iterdir()):
        raise InputError(f"{asked.out} holds something already; name a new folder.")
    quiet()
    from ftlab.lab.defaults import bundle_of
    from ftlab.lab.own_suite import own_suite

    count = own_suite(bundle_of(asked.model, None, False), prompts, asked.file.stem, asked.out)
    print(f"{count} of {len(prompts)} prompts became probes of '{asked.file.stem}'.")
    print(f"Read them, then: ftlab run --suite {asked.out} ...")
    return 0


def _look(asked: argparse.Namespace, most: int) -> Any:
    from ftlab.datasets.load import load_domain
    from ftlab.lab.defaults import bundle_of
    from ftlab.lab.sheet import look

    how = reading(asked, most)
    domain = load_domain(asked.file, columns=asked.columns, faulty=asked.faulty)
    base = bundle_of(asked.model, None, False)
    return look(base, domain, most=most, too_long=how.get("too_long"), chat=asked.chat)


def text(sheet: Any) -> str:
    """The sheet for a terminal."""
    gap = " " * NAME
    rows = [
        textwrap.fill(words, WIDTH, initial_indent=f"{name:<{NAME}}", subsequent_indent=gap)
        for name, words in sheet.rows
    ]
    most = max(count for _, count in sheet.bars)
    bars = []
    for name, n in sheet.bars:
        bar = "#" * max(round(BAR * n / most), bool(n))
        bars.append(f"{gap}{name:>13}  {bar:<{BAR}} {n:,}")
    marked = ""
    for part, learned in sheet.item:
        shown = part if len(part) <= ITEM_LETTERS else f"{part[:ITEM_LETTERS]} ... "
        marked += f"[[{shown}]]" if learned else shown
    item = ["", "One item, as the model reads it; [[ ]] is what is learned:", marked]
    return "\n".join(["", sheet.title, *rows[:2], *bars, *rows[2:], *item])


def page(sheet: Any, said: list[str]) -> str:
    """The sheet as one page of HTML that opens anywhere."""
    told = [*sheet.rows, *(("said", line) for line in said)]
    rows = "".join(ROW.format(escape(name), escape(words)) for name, words in told)
    most = max(count for _, count in sheet.bars)
    bars = "".join(BAR_ROW.format(escape(name), 100 * n / most, n) for name, n in sheet.bars)
    parts = [(escape(part), learned) for part, learned in sheet.item]
    item = "".join(f"<mark>{part}</mark>" if learned else part for part, learned in parts)
    return PAGE.format(title=escape(sheet.title), rows=rows, bars=bars, item=item)
