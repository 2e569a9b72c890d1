"""The book as a reader has it: every page in a browser, with the network watched, and axe-core.

pytest tests/tools/test_book.py        (the browser's tests are skipped, loudly, where there is
none)
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from browser import browser
from bs4 import BeautifulSoup
from playwright.sync_api import Browser, Page

from ftlab.base.errors import InputError
from ftlab.show import Table
from tools.pages.book import pages
from tools.pages.book.__main__ import main
from tools.pages.book.markup import ATTRIBUTES, TAGS, clean, code, mend, output, prose
from tools.pages.book.pages import ROOT, chapters, write

CHAPTERS = {chapter.page: chapter for chapter in chapters()}
NAMES = ["index.html", "instructor.html", *CHAPTERS]
ONE_OF_EACH = """() => {
    const kinds = new Set();
    for (const word of document.querySelectorAll('pre span')) {
        if (!word.checkVisibility() || word.children.length) continue;
        if (kinds.has(word.className)) word.replaceWith(word.textContent);
        kinds.add(word.className);
    }
    const kind = one => one === document.documentElement ? '' : kind(one.parentElement)
        + `>${one.tagName}.${one.className}${one.getAttribute('style')}`
        + (one.matches('tr:first-child') ? 'first' : '');
    kinds.clear();
    for (const one of document.querySelectorAll('body *')) {
        const words = [...one.childNodes].some(node => node.nodeType === 3 && node.data.trim());
        if (!words || !one.checkVisibility()) continue;
        one.toggleAttribute('data-look', !kinds.has(kind(one)));
        kinds.add(kind(one));
    }
}"""
CONTRAST = "color-contrast"  # takes nine tenths of the time, and hangs on style sheets alone
SLOW = 480_000  # milliseconds, for a machine with much else to do
# Solved pages differ from the learner's in a few lines of code, so they are not looked at.
LOOKED_AT = [name for name in NAMES if "solved" not in name]
LOOKS = [(name, "dark", 400) for name in LOOKED_AT] + [(name, "light", 1280) for name in LOOKED_AT]


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("book")
    write(folder)
    return folder


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as opened:
        yield opened


def opened(chromium: Browser, page: Path, *, scheme: str = "light", width: int = 1280) -> Page:
    """The page in a window of its own; close its context when done."""
    window = chromium.new_context(viewport={"width": width, "height": 900})
    made = window.new_page()
    made.set_default_timeout(SLOW)
    made.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    made.goto(page.as_uri())
    return made


def faults(page: Page) -> list[str]:
    """What axe-core finds, all its rules (WCAG A and AA, and good practice), each with a place.

    Of all words of the same place and style, and of the thousands of coloured words of code, one
    is looked at for its contrast.
    """
    page.evaluate(ONE_OF_EACH)
    rest = {"rules": {CONTRAST: {"enabled": False}}}
    runs = [(None, rest), ("[data-look]", {"runOnly": [CONTRAST]})]
    options: Any = {"resultTypes": ["violations"]}
    answers = [Axe().run(page, where, options | more).response for where, more in runs]
    found = [one for answer in answers for one in answer["violations"]]
    return [f"{one['id']}: {node['html'][:120]}" for one in found for node in one["nodes"]]


# ---- in a browser


@dataclass
class Seen:
    """What a browser makes of a page."""

    asked: list[str] = field(default_factory=list)  # addresses, without what the page holds itself
    failed: list[str] = field(default_factory=list)  # requests that failed, errors of scripts
    levels: list[int] = field(default_factory=list)  # of its headings, in order
    pictures: list[tuple[str, int]] = field(default_factory=list)  # alt text, width in points
    widths: dict[int, int] = field(default_factory=dict)  # of the window, and of what is in it
    ids: set[str] = field(default_factory=set)
    links: list[str] = field(default_factory=list)
    faults: dict[tuple[str, int], list[str]] = field(default_factory=dict)  # of each look


@pytest.fixture(scope="module")
def seen(chromium: Browser, book: Path) -> dict[str, Seen]:
    """Every page, opened once."""
    return {name: look(chromium, book / name) for name in NAMES}


def look(chromium: Browser, path: Path) -> Seen:
    found = Seen()
    page = chromium.new_context(viewport={"width": 1280, "height": 900}).new_page()
    page.set_default_timeout(SLOW)
    page.on("request", lambda request: found.asked.append(request.url))
    page.on("requestfailed", lambda request: found.failed.append(request.url))
    page.on("pageerror", lambda error: found.failed.append(str(error)))
    page.goto(path.as_uri())  # what it asks for later is heard as well: the window stays open
    found.levels = page.evaluate(
        "[...document.querySelectorAll('h1, h2, h3, h4, h5, h6')].map(x => +x.tagName[1])"
    )
    found.pictures = page.evaluate("[...document.images].map(x => [x.alt, x.naturalWidth])")
    found.ids = set(page.evaluate("[...document.querySelectorAll('[id]')].map(x => x.id)"))
    found.links = page.evaluate(
        "[...document.querySelectorAll('a')].map(x => x.getAttribute('href'))"
    )
    for width in (1280, 800, 400):
        page.set_viewport_size({"width": width, "height": 900})
        found.widths[width] = page.evaluate("document.documentElement.scrollWidth")
    for scheme, width in [(scheme, width) for name, scheme, width in LOOKS if name == path.name]:
        page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        page.set_viewport_size({"width": width, "height": 900})
        found.faults[scheme, width] = faults(page)
    page.context.close()
    found.asked = [url for url in found.asked if not url.startswith("data:")]
    return found


@pytest.mark.parametrize("name", NAMES)
def test_a_page_asks_for_nothing_but_itself(seen: dict[str, Seen], book: Path, name: str):
    assert seen[name].asked == [(book / name).as_uri()]
    assert not seen[name].failed


@pytest.mark.parametrize("name", NAMES)
def test_headings_nest(seen: dict[str, Seen], name: str):
    levels = seen[name].levels
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


@pytest.mark.parametrize("name", NAMES)
def test_pictures_are_there_and_have_words(seen: dict[str, Seen], name: str):
    pictures = seen[name].pictures
    assert all(alt.strip() and width for alt, width in pictures)
    if name in CHAPTERS:
        cells = CHAPTERS[name].notebook.cells
        outputs = [output for cell in cells for output in cell.get("outputs", [])]
        stored = sum(one.get("data", {}).get("text/html", "").count("<img") for one in outputs)
        assert len(pictures) >= stored


@pytest.mark.parametrize("name", NAMES)
def test_no_page_scrolls_sideways(seen: dict[str, Seen], name: str):
    assert all(inside <= window for window, inside in seen[name].widths.items())


@pytest.mark.parametrize(("name", "scheme", "width"), LOOKS)
def test_axe_finds_nothing(seen: dict[str, Seen], name: str, scheme: str, width: int):
    assert not seen[name].faults[scheme, width]


def test_axe_would_find_something(chromium: Browser, book: Path):
    page = opened(chromium, book / "index.html")
    page.evaluate("document.querySelector('main img').removeAttribute('alt')")
    page.evaluate("document.querySelector('main p').style.color = '#aaa'")
    found = " ".join(faults(page))
    page.goto((book / next(iter(CHAPTERS))).as_uri())
    page.add_style_tag(content="pre .k { color: #aaa !important; }")  # a keyword in code
    in_code = " ".join(faults(page))
    page.context.close()
    assert "image-alt" in found and "color-contrast" in found
    assert 'color-contrast: <span class="k"' in in_code


def test_every_link_leads_somewhere(seen: dict[str, Seen]):
    links = [(name, goal) for name in NAMES for goal in seen[name].links]
    for name, goal in links:
        if goal.startswith(("http:", "https:")):
            continue
        file, _, place = goal.partition("#")
        assert (file or name) in seen, f"{name} leads to {goal}"
        assert not place or place in seen[file or name].ids, f"{name} leads to {goal}"


def test_one_can_read_on_and_open_a_hint(chromium: Browser, book: Path):
    page = opened(chromium, book / "index.html", width=400)
    page.get_by_role("link", name="00 Start here", exact=True).click()
    page.get_by_text("On this page").locator("visible=true").click()
    page.get_by_role("link", name="Exercise 1: how much is retained?").locator(
        "visible=true"
    ).click()
    assert page.url.endswith("#exercise-1-how-much-is-retained")
    hint = page.locator("details", has_text="Hint 1").last
    assert hint.get_attribute("open") is None
    hint.locator("summary").press("Enter")
    assert hint.get_attribute("open") is not None
    page.get_by_role("link", name="Next: 01").click()
    page.get_by_role("link", name="The solved version").click()
    assert "(solved)" in page.title() and page.url.endswith("_solved.html")
    page.context.close()


# ---- what pages are made of


def test_there_is_a_page_for_every_notebook(book: Path):
    notebooks = {*ROOT.glob("notebooks/*.ipynb"), *ROOT.glob("notebooks/solutions/*.ipynb")}
    assert {chapter.path for chapter in CHAPTERS.values()} == notebooks
    assert {path.name for path in book.iterdir()} == set(NAMES)


def test_a_remote_picture_becomes_its_words():
    badge = "[![Open in Colab](https://example.org/badge.svg)](https://example.org/open)"
    made = str(mend(prose(badge, ROOT), {}))
    assert "<img" not in made and '<a href="https://example.org/open">Open in Colab</a>' in made


def test_a_picture_of_the_repository_is_put_into_the_page():
    made = str(mend(prose("![curves](docs/forgetting.png)", ROOT), {}))
    assert 'src="data:image/png;base64,' in made and 'alt="curves"' in made


@pytest.mark.parametrize(
    ("text", "says"), [("![](docs/forgetting.png)", "no alt text"), ("![x](no.png)", "not there")]
)
def test_a_picture_that_cannot_be_shown_is_refused(text: str, says: str):
    with pytest.raises(InputError, match=says):
        mend(prose(text, ROOT), {})


def test_links_lead_to_pages():
    text = "[a](x.ipynb#part) [b](solutions/x.ipynb) [c](LICENSE) [d](#here) [e](https://e.org)"
    pages = {"x.ipynb": "x.html", "solutions/x.ipynb": "x_solved.html"}
    made = str(mend(prose(text, ROOT), pages))
    for goal in ("x.html#part", "x_solved.html", "#here", "https://e.org"):
        assert f'href="{goal}"' in made
    assert "LICENSE" not in made and " c " in made


def test_formulas_need_no_script():
    made = prose(r"The change is $\frac{\alpha}{r} B A$ and" + "\n\n$$y = W x$$\n", ROOT)
    assert made.count("<math") == 2 and "<mfrac>" in made and "$" not in made


def test_headless_headers_go():
    made = str(mend("<table><tr><th></th><th>a</th></tr></table>", {}))
    assert made.count("<th>") == 1 and '<div class="scrolls">' in made


EVIL = [
    "<script>alert(1)</script>",
    "<SCRIPT SRC=//e.org/x.js></SCRIPT>",
    "<iframe src='https://e.org'>alert(1)</iframe>",
    "<iframe srcdoc='&lt;script&gt;alert(1)&lt;/script&gt;'></iframe>",
    "<object data='https://e.org'></object><embed src='https://e.org'>",
    "<svg onload=alert(1)><script>alert(1)</script></svg>",
    "<style>p { background: url(https://e.org/x) }</style>",
    "<link rel=stylesheet href='https://e.org/x.css'><meta http-equiv=refresh content='0;e.org'>",
    "<base href='https://e.org/'><form action='https://e.org'><input name=alert(1)></form>",
    "<p onclick=alert(1)>x</p><div ONMOUSEOVER='alert(1)'>x</div><b onfocus=alert(1)>x</b>",
    "<img alt=x src='data:image/png;base64,AAAA' onerror=alert(1)>",
    "<img alt=x src='data:image/png;base64,AAAA' srcset='https://e.org/x.png 2x'>",
    "<p style='background: url(https://e.org/x.png); position: fixed'>x</p>",
    "<a href='javascript:alert(1)'>x</a><a href=' JaVa&#115;cript:alert(1)'>x</a>",
    "<a href='data:text/html,<script>alert(1)</script>'>x</a><a href='vbscript:alert(1)'>x</a>",
    "<math><mtext><img alt=x src='data:image/png;base64,A' onerror=alert(1)></mtext></math>",
    "<math href='javascript:alert(1)'><mi xlink:href='javascript:alert(1)'>x</mi></math>",
    "<!-- <script>alert(1)</script> --><template><script>alert(1)</script></template>",
    "<details ontoggle=alert(1) open><summary>x</summary></details>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'></noscript>",
    "<video src='https://e.org'></video><audio src='https://e.org'></audio>",
]


@pytest.mark.parametrize("text", EVIL)
def test_what_could_do_something_does_not_come_along(text: str):
    """Whether it comes from a stored output or stands in the prose."""
    from nbformat.v4 import new_output

    stored = output(new_output("display_data", data={"text/html": text}))
    for piece in (stored, prose(text, ROOT)):
        for name, attributes in told(str(mend(piece, {}))):
            assert name in TAGS and attributes.keys() <= ATTRIBUTES | {"src", "href", "id"}
            values = " ".join(value for key, value in attributes.items() if key != "title")
            assert not any(bad in values for bad in ("alert", "e.org", "fixed", "url("))


def told(text: str) -> list[tuple[str, dict[str, str]]]:
    """Every element with its attributes, their spaces left out."""
    found = BeautifulSoup(text, "html.parser").find_all(True)
    return [
        (
            tag.name,
            {name: str(value).replace(" ", "").strip(";") for name, value in tag.attrs.items()},
        )
        for tag in found
    ]


@pytest.mark.parametrize("page", CHAPTERS)
def test_what_the_notebooks_show_stays(page: str):
    cells = CHAPTERS[page].notebook.cells
    for stored in (one for cell in cells for one in cell.get("outputs", [])):
        if shown := stored.get("data", {}).get("text/html"):
            assert told(clean(shown)) == told(shown)


def test_a_table_without_a_word_above_a_column_has_no_header_there():
    made = Table(("", "right"), [("nano", "80 %")]).html
    assert made.count("<th ") == 1 and "<td></td><th" in made


def test_code_and_outputs_are_escaped():
    from nbformat.v4 import new_output

    assert "&lt;b&gt;" in code('print("<b>")')
    printed = new_output("stream", name="stdout", text="<b> \x1b[31mred\x1b[0m\n")
    assert output(printed) == '<pre class="output scrolls">&lt;b&gt; red</pre>'
    both = new_output("display_data", data={"text/html": "<i>x</i>", "text/plain": "y"})
    assert output(both) == '<div class="output"><i>x</i></div>'


# ---- the command


def test_the_command_says_where_the_book_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(pages, "_chapter", lambda *_: "A page.")
    for _ in range(2):  # the second over the first
        assert main(["--out", str(tmp_path)]) == 0
        assert f"{len(NAMES)} pages" in capsys.readouterr().out
        assert {path.name for path in tmp_path.iterdir()} == set(NAMES)


def test_a_folder_with_other_things_is_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    (tmp_path / "thesis.tex").write_text("years of work")
    assert main(["--out", str(tmp_path)]) == 2
    assert "name another folder" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]
