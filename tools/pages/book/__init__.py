"""The book: every notebook as a page to read in a browser, with the outputs that are stored in it.

    python -m tools.pages.book          into _build/book; open _build/book/index.html

    index.html                          what the workbook is, and its notebooks
    01_naive_full_fine_tuning.html      a page for each notebook, as learners get it
    01_naive_full_fine_tuning_solved.html
    instructor.html                     docs/instructor.md

Notable choices: nothing is executed, so it takes seconds. A page is one file that asks for
nothing: style inside, pictures as the notebooks store them, formulas as MathML, a remote picture
(a badge) replaced by its alt text. The one script, of five lines, lets the keyboard scroll what
is wider than the window. What the pages say comes from README.md, the notebooks and
docs/instructor.md alone.

Run the tests: pytest tests/tools/test_book.py (a browser looks at every page)
"""

from tools.pages.book.pages import write

__all__ = ["write"]
