"""The command: python -m tools.pages.book [--out FOLDER]"""

import argparse
import sys
import time
from pathlib import Path

from ftlab.base.errors import InputError
from tools.pages.book.pages import ROOT, write


def main(argv: list[str] | None = None) -> int:
    """Write the book and say where it is: 0 if all is well, 2 for a slip."""
    parser = argparse.ArgumentParser(prog="python -m tools.pages.book")
    parser.add_argument("--out", type=Path, default=ROOT / "_build" / "book")
    asked = parser.parse_args(argv)
    begin = time.perf_counter()
    try:
        pages = write(asked.out)
    except InputError as slip:
        print(f"ftlab: {slip}", file=sys.stderr)
        return 2
    size = sum(page.stat().st_size for page in pages) / 1e6
    took = time.perf_counter() - begin
    print(f"{len(pages)} pages, {size:.1f} MB, in {took:.1f} s: open {asked.out / 'index.html'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
