"""A figure as HTML that a stored notebook keeps: `<img alt="..." src="data:image/png;...">`.

Notable choices: HTML and not a bare image, since JupyterLab shows alt text only there; the
plain-text side of the output is the alt text itself, for readers without pictures. The picture
is drawn by Agg and packed as RGB, which takes half the time of `Figure.savefig`.

How to run: in a notebook `show(figure)`; anywhere `img(figure)`.
"""

import base64
import html
import io
import sys
from dataclasses import dataclass
from typing import Any

from matplotlib.figure import Figure
from PIL import Image

from ftlab.show.canvas.agg import own_settings, pixels


@own_settings()
def png(figure: Figure) -> bytes:
    """The figure as the bytes of a PNG file."""
    picture = Image.fromarray(pixels(figure)).convert("RGB")
    buffer = io.BytesIO()
    dots = round(figure.dpi)
    picture.save(buffer, format="png", compress_level=3, dpi=(dots, dots))
    return buffer.getvalue()


def alt(figure: Figure) -> str:
    """The alt text of a figure; a plain word for one that came without."""
    return getattr(figure, "alt", "") or "A figure."


def img(figure: Figure) -> str:
    """The figure as an `<img>` tag with its alt text, never wider than the page."""
    data = base64.b64encode(png(figure)).decode("ascii")
    words = html.escape(alt(figure), quote=True)
    return f'<img alt="{words}" src="data:image/png;base64,{data}" style="max-width:100%">'


@dataclass(frozen=True)
class Drawn:
    """HTML that holds pictures among other things, and its words."""

    html: str
    alt: str


def markup(figure: Figure | Drawn) -> str:
    """What a panel shows of a figure."""
    return figure.html if isinstance(figure, Drawn) else img(figure)


def bundle(figure: Figure) -> dict[str, str]:
    """What a notebook stores of a figure: HTML, and the alt text as plain text."""
    return {"text/html": img(figure), "text/plain": alt(figure)}


def in_notebook() -> bool:
    """Whether this code runs in an IPython kernel (Jupyter, Colab, nbclient)."""
    if "IPython" not in sys.modules:
        return False
    from IPython.core.getipython import get_ipython

    return getattr(get_ipython(), "kernel", None) is not None


def show(thing: Any) -> None:
    """Display a figure or a table in a notebook; in a terminal print its words."""
    is_figure = isinstance(thing, Figure)
    if not in_notebook():
        print(alt(thing) if is_figure else thing)
        return
    from IPython.display import display

    if is_figure:
        display(bundle(thing), raw=True)
    else:
        display(thing)
