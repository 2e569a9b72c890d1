"""The command: python -m tools.pages.book [--out FOLDER]"""

import argparse
import sys
import time
from collections.abc import Sequence

from ftlab.cli.main import single
from ftlab.cli.terminal import check_folder, place
from tools.pages.book.pages import ROOT, write


def add_book(parser: argparse.ArgumentParser) -> None:
    """The options of `python -m tools.pages.book`."""
    parser.add_argument("--out", type=place, default=ROOT / "_build" / "book")


def book(asked: argparse.Namespace) -> int:
    """Write the book and say where it is."""
    check_folder(asked.out)
    begin = time.perf_counter()
    pages = write(asked.out)
    size = sum(page.stat().st_size for page in pages) / 1e6
    took = time.perf_counter() - begin
    print(f"{len(pages)} pages, {size:.1f} MB, in {took:.1f} s: open {asked.out / 'index.html'}")
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Read the arguments and do it; the exit codes are those of `ftlab`."""
    return single("python -m tools.pages.book", add_book, book, argv)


if __name__ == "__main__":
    sys.exit(main())
