"""From what a notebook stores to HTML that stands alone: prose, code, outputs.

Markdown is read by nbconvert's reader, code coloured by Pygments, formulas turned into MathML by
latex2mathml. `mend` then makes any piece fit for the page: bleach leaves only what is named here,
links to notebooks become links to pages, remote pictures words, headings get addresses, wide tables
a box of their own.
"""

import html
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path, PurePosixPath

import bleach
from bleach.css_sanitizer import CSSSanitizer
from bs4 import BeautifulSoup, Tag
from latex2mathml.converter import convert
from nbconvert.filters.ansi import strip_ansi
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from nbformat import NotebookNode
from pygments import highlight
from pygments.formatters.html import HtmlFormatter
from pygments.lexers.python import PythonLexer

from ftlab.base.errors import InputError

HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")
ACTIVE = ("script", "style", "iframe", "object", "embed", "template", "noscript", "svg", "form")
"""What goes with all that is in it."""
TAGS = set(
    "h1 h2 h3 h4 h5 h6 a abbr b blockquote br caption code col colgroup dd del details div dl dt "
    "em hr i img kbd li ol p pre q s small span strong sub summary sup table tbody td tfoot th "
    "thead tr u ul math menclose mfrac mi mn mo mover mpadded mphantom mroot mrow ms mspace msqrt "
    "mstyle msub msubsup msup mtable mtd mtext mtr munder munderover".split()
)
ATTRIBUTES = set(
    "align alt class colspan columnalign display fence id linethickness lspace mathsize "
    "mathvariant maxsize minsize open role rowspan rspace scope separator span start stretchy "
    "style title width xmlns".split()
)
STYLES = (
    "align-items background-color border border-radius border-spacing box-sizing color display "
    "flex flex-wrap font-size gap height line-height margin max-width overflow-x padding "
    "text-align vertical-align white-space width"
)
"""What `ftlab.show` writes."""


class _Renderer(IPythonRenderer):
    """nbconvert's, with formulas as MathML in place of a text that MathJax would find."""

    def inline_math(self, body: str) -> str:
        return convert(body)

    def block_math(self, body: str) -> str:
        return f'<div class="formula scrolls">{convert(body, display="block")}</div>'


def prose(text: str, folder: Path) -> str:
    """Markdown as HTML; pictures that lie in `folder` are put into it."""
    renderer = _Renderer(
        escape=False, embed_images=True, exclude_anchor_links=True, path=str(folder)
    )
    return MarkdownWithMath(renderer=renderer).render(text)


def code(text: str) -> str:
    """Python as HTML, each kind of word in a class of its own (style.css has their colours)."""
    shown = highlight(text, PythonLexer(), HtmlFormatter(nowrap=True))
    return f'<pre class="code scrolls"><code>{shown}</code></pre>'


def output(found: NotebookNode) -> str:
    """A stored output as HTML: its HTML if it has some, else its text."""
    data = found.get("data", {})
    if "text/html" in data:
        return f'<div class="output">{data["text/html"]}</div>'
    text = found.get("text") or data.get("text/plain") or "\n".join(found.get("traceback", []))
    return f'<pre class="output scrolls">{html.escape(strip_ansi(text).rstrip())}</pre>'


@cache  # both versions of a notebook share most of their pieces
def clean(text: str) -> str:
    """The HTML without what could do something: scripts, frames, handlers, styles that fetch."""
    soup = BeautifulSoup(text, "html.parser")
    for one in soup.find_all(ACTIVE):
        one.decompose()
    return bleach.clean(
        str(soup),
        tags=TAGS,
        attributes=_may_stay,
        protocols=("http", "https", "data"),
        strip=True,
        css_sanitizer=CSSSanitizer(allowed_css_properties=STYLES.split()),
    )


def _may_stay(tag: str, name: str, value: str) -> bool:
    if name == "src":
        return tag == "img" and value.startswith(("data:image/", "http:", "https:", "//"))
    if name == "href":
        return tag == "a"
    return name in ATTRIBUTES or name.startswith("aria-")


def mend(text: str, pages: Mapping[str, str]) -> BeautifulSoup:
    """The piece, cleaned, as it may stand in a page; see `placed`."""
    return placed(clean(text), pages)


def placed(text: str, pages: Mapping[str, str]) -> BeautifulSoup:
    """Clean HTML as it may stand in a page; `pages`: file name in the repository to page.

    Raises InputError for a picture without alt text, or one that would have to be fetched from
    this machine.
    """
    soup = BeautifulSoup(text, "html.parser")
    for picture in soup.find_all("img"):
        _picture(soup, picture)
    for link in soup.find_all("a", href=True):
        _link(link, pages)
    for table in soup.find_all("table"):
        _table(soup, table)
    _addresses(soup)
    return soup


def _picture(soup: BeautifulSoup, picture: Tag) -> None:
    """Only what is inside the page may stay a picture; a remote one becomes its words."""
    source, alt = str(picture.get("src", "")), str(picture.get("alt", "")).strip()
    if not alt:
        raise InputError(f"A picture has no alt text ({source[:60]}); give it some in its source.")
    if source.startswith(("http:", "https:", "//")):
        picture.replace_with(soup.new_string(alt))
    elif not source.startswith("data:"):
        raise InputError(f"The picture {source} is not there; name it from the file's own folder.")


def _link(link: Tag, pages: Mapping[str, str]) -> None:
    """To the page of a notebook, to elsewhere on this page, or out; else only its words stay."""
    goal, _, place = str(link["href"]).partition("#")
    path = PurePosixPath(goal)
    name = f"solutions/{path.name}" if path.parent.name == "solutions" else path.name
    if name in pages:
        link["href"] = pages[name] + (f"#{place}" if place else "")
    elif goal and not goal.startswith(("http:", "https:")):
        link.unwrap()


def _table(soup: BeautifulSoup, table: Tag) -> None:
    """A box that scrolls around a table, or a class for the one it has; no header without words."""
    for head in table.find_all("th"):
        if not head.get_text().strip():
            head.name = "td"
            head.attrs.pop("scope", None)
    around = table.parent
    if around is not None and around.name == "div" and "overflow" in str(around.get("style", "")):
        around["class"] = "scrolls"
    else:
        table.wrap(soup.new_tag("div", attrs={"class": "scrolls"}))


def _addresses(soup: BeautifulSoup) -> None:
    for heading in soup.find_all(HEADINGS):
        heading["id"] = re.sub(r"[^a-z0-9]+", "-", heading.get_text().lower()).strip("-")
