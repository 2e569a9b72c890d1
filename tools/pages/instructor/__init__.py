"""The instructor's page, docs/instructor.md: what to do when, and what to say at which plot.

    python -m tools.pages.instructor            write docs/instructor.md

It is put together from three sources, so that it cannot drift from what learners see: the stored
notebooks (sections, exercises, figures, the numbers that came out), the recorded runs (the same
over three seeds) and notebooks/source/instructor.toml (what only a person can say).

Notable choices: minutes are counted, not felt (`sections` says how); the plans must fit their
hour; a section, a question or a figure that one source has and the other lacks is refused.

Run the tests: pytest tests/tools/test_instructor.py (they compare the page with what this writes)
"""

from tools.pages.instructor.page import page

__all__ = ["page"]
