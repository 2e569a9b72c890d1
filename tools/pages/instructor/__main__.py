"""The command: python -m tools.pages.instructor"""

import sys
from pathlib import Path

from ftlab.base.errors import InputError
from tools.pages.instructor.page import ROOT, page


def main(path: Path = ROOT / "docs" / "instructor.md") -> int:
    """Write the page: 0 if all is well, 2 where the sources do not fit together."""
    try:
        path.write_text(page(), encoding="utf-8")
    except InputError as slip:
        print(f"ftlab: {slip}", file=sys.stderr)
        return 2
    print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
