"""Write and run the notebooks: a source in, the learner's and the solved notebook out.

    notebooks/source/NN_name.py -> notebooks/NN_name.ipynb            for the learner
                                   notebooks/solutions/NN_name.ipynb  solved

How a source is written stands in `tools.notebooks.sources`; where the first cell installs from, in
`tools.notebooks.stamp`; links from one notebook to the next are added by `tools.notebooks.way`.

Notable choices. Both versions run with FTLAB_PROFILE=nano and FTLAB_STRICT=1 and are stored with
their outputs, so that they read well unopened. What would age or tell of the machine is refused:
stderr, paths of this machine, memory addresses. A widget cannot be seen without its kernel, so it
is taken out of the stored outputs; a figure stays, as text/html `<img alt="...">` with its alt
text as text/plain. (Not image/png: JupyterLab gives such an image no alt text.) The files are
replaced only when both versions ran to the end.

Run: python -m tools.notebooks.build [names] [--no-execute] [--check]   (a name: 01, or 01_naive)
     python -m tools.notebooks.build [names] --time laptop   run and time them, write only minutes
"""

import argparse
import os
import re
import sys
import time
from itertools import zip_longest
from pathlib import Path
from typing import Any

import nbformat
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode

from ftlab.base.errors import InputError
from ftlab.base.files import whole
from ftlab.base.machine import PROFILES
from ftlab.base.quiet import quiet
from ftlab.teach.timings import Timing, note
from tools.notebooks.sources import METADATA, build, content
from tools.notebooks.stamp import stamp_in, stamp_notebook
from tools.notebooks.way import add, note_course
from tools.threads import limit

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = {"FTLAB_PROFILE": "nano", "FTLAB_STRICT": "1", "HF_HUB_OFFLINE": "1"}
WIDGET = "application/vnd.jupyter.widget-view+json"


class ThisPython(AsyncKernelManager):
    """Whatever kernels are registered, run the interpreter that runs this."""

    @property
    def kernel_spec(self) -> KernelSpec:
        kernel = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        quiet = "--log-level=ERROR"  # else it warns of unencrypted TCP to itself
        return KernelSpec(argv=[*kernel, quiet], display_name="Python 3", language="python")


class NotebookFault(Exception):
    """A notebook that fails, or differs from its source; the message says where and why."""


# ---- running


def execute(
    notebook: NotebookNode,
    *,
    timeout: float = 600,
    folder: Path = ROOT,
    environment: dict[str, str] = ENVIRONMENT,
) -> NotebookNode:
    """Run a copy of `notebook` in `folder`, on nano and strict, and return it with its outputs.

    timeout: seconds for each cell. environment: the kernel's, on top of this process's.
    Raises NotebookFault with the cell and the reason.
    """
    done = nbformat.reads(nbformat.writes(notebook), as_version=4)
    at = {"cell": 0}

    def begin(cell: NotebookNode, cell_index: int) -> None:
        at["cell"] = cell_index

    client = NotebookClient(
        done,
        kernel_manager_class=ThisPython,
        timeout=timeout,
        startup_timeout=300,  # of the kernel, on a machine with much else to do
        resources={"metadata": {"path": str(folder)}},
        store_widget_state=False,
        record_timing=False,
        coalesce_streams=True,
        on_cell_start=begin,
    )
    try:
        client.execute(env=_environment(environment))
    except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
        raise NotebookFault(f"cell {done.cells[at['cell']].id}: {_reason(error)}") from None
    done.metadata = nbformat.from_dict(METADATA)  # the kernel has added its own
    for cell in done.cells:
        if cell.cell_type == "code":
            cell.outputs = [kept for output in cell.outputs if (kept := stored(output, cell.id))]
    return done


def _environment(added: dict[str, str]) -> dict[str, str]:
    """The kernel's environment: the very ftlab that runs this, one thread on shared cores."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    return {**os.environ, **limit(), **added, "PYTHONPATH": path}


def _reason(error: Exception) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", str(error)).strip()  # without the colours


def stored(output: NotebookNode, cell: str) -> NotebookNode | None:
    """The output of `cell` as it is stored; None for a widget that has nothing else to show.

    Raises NotebookFault for what must not be stored.
    """
    if output.get("name") == "stderr":
        raise NotebookFault(f"cell {cell} writes to stderr: {output.text.strip()}")
    data: dict[str, Any] = output.get("data", {})
    if data.pop(WIDGET, None) is not None and not data.keys() - {"text/plain"}:
        return None
    text = output.get("text") or " ".join(str(part) for part in data.values())
    text = re.sub(r"base64,[^\"']*", "", text)
    for pattern, what in _unwanted():
        if found := re.search(pattern, text):
            raise NotebookFault(f"cell {cell} shows {what}: {found[0]}")
    return output


def _unwanted() -> list[tuple[str, str]]:
    places = {str(ROOT), str(Path.home()), sys.prefix} - {"/"}
    paths = "|".join(re.escape(place) + r"[/\\]\S*" for place in places)
    return [(paths, "a path of this machine"), (r" at 0x[0-9a-f]{6,}", "a memory address")]


# ---- files


def versions(source: Path) -> list[tuple[Path, bool, str]]:
    """The two notebooks of a source: path, whether it is the solved one, and its name."""
    folder, name = source.parent.parent, f"{source.stem}.ipynb"
    return [(folder / name, False, name), (folder / "solutions" / name, True, f"solutions/{name}")]


def write(notebook: NotebookNode, path: Path) -> None:
    """Write `notebook` at once or not at all. Raises if it is not a valid notebook."""
    nbformat.validate(notebook)
    with whole(path) as part:
        part.write_text(nbformat.writes(notebook) + "\n", encoding="utf-8")


def regenerate(
    source: Path, *, run: bool = True, timeout: float = 600, measure: bool = False
) -> None:
    """Write both notebooks of `source`; if one of them fails, neither is touched.

    With measure=True what the learner's version took is noted, for `ftlab check` to show.
    With run=False the stored outputs are kept where no code has changed, else left out.
    Raises InputError for a source that cannot be built, NotebookFault for one that does not run.
    """
    made: list[tuple[NotebookNode, Path]] = []
    for path, solved, name in versions(source):
        notebook = _built(source, solved, name)
        path.parent.mkdir(exist_ok=True)
        try:
            began = time.perf_counter()
            ran = execute(notebook, timeout=timeout, folder=path.parent) if run else None
            if run and measure and not solved:
                note(source.stem, _timing(began))
        except NotebookFault as fault:
            raise NotebookFault(f"{name}, {fault}") from None
        made.append((ran or _with_old_outputs(notebook, path), path))
    for notebook, path in made:
        write(notebook, path)


def _timing(began: float) -> Timing:
    return Timing(round(time.perf_counter() - began, 1), 1 if limit() else os.cpu_count() or 1)


def time_on(profile: str, source: Path, *, timeout: float) -> None:
    """Run the learner's notebook of `source` on `profile`, note its minutes, write nothing else.

    Claims that were made about nano may fail there and are only shown.
    Raises InputError and NotebookFault as `regenerate` does.
    """
    path, solved, name = versions(source)[0]
    there = ENVIRONMENT if profile == "nano" else {"FTLAB_PROFILE": profile}
    notebook, began = _built(source, solved, name), time.perf_counter()
    execute(notebook, timeout=timeout, folder=path.parent, environment=there)
    note(source.stem, _timing(began), profile)


def _built(source: Path, solved: bool, name: str) -> NotebookNode:
    try:
        notebook = build(source.read_text(encoding="utf-8"), solved=solved)
        add(notebook, source, solved=solved)
        return stamp_notebook(notebook, stamp_in(source.parents[2]), f"notebooks/{name}")
    except InputError as slip:
        raise InputError(f"{source.name}: {slip}") from None


def _with_old_outputs(notebook: NotebookNode, path: Path) -> NotebookNode:
    """With the outputs stored at `path`, if they come from the same code from first to last.

    The first cell does not count: it says the same wherever it installs from.
    """
    if path.exists():
        old = [c for c in nbformat.read(path, as_version=4).cells if c.cell_type == "code"]
        new = [c for c in notebook.cells if c.cell_type == "code"]
        if [c.source for c in old[1:]] == [c.source for c in new[1:]]:
            for cell, ran in zip(new, old, strict=True):
                cell.outputs, cell.execution_count = ran.outputs, ran.execution_count
    return notebook


def first_difference(source: Path) -> str:
    """Where the stored notebooks differ from `source`, in words; empty if nowhere."""
    for path, solved, name in versions(source):
        if not path.exists():
            return f"{name} does not exist"
        pairs = zip_longest(
            _built(source, solved, name).cells, nbformat.read(path, as_version=4).cells
        )
        for wanted, found in pairs:
            if not (wanted and found and content(wanted) == content(found)):
                differing = wanted or found or {}
                return f"{name}: cell {differing['id']} differs from its source"
    return ""


# ---- the command


def sources(names: list[str], folder: Path) -> list[Path]:
    """The sources whose names begin with one of `names`; without names, all of them.

    Raises InputError for a name that fits none.
    """
    found = sorted((folder / "source").glob("[0-9][0-9]_*.py"))
    for name in names:
        if not any(path.stem.startswith(name) for path in found):
            stems = ", ".join(path.stem for path in found) or "none yet"
            raise InputError(f"No notebook is called {name!r}; there are: {stems}.")
    return [path for path in found if not names or path.stem.startswith(tuple(names))]


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tools.notebooks.build")
    parser.add_argument("names", nargs="*", help="such as 01 (default: all)")
    parser.add_argument("--no-execute", action="store_true", help="write the cells, run nothing")
    parser.add_argument("--check", action="store_true", help="compare only, write nothing")
    parser.add_argument("--time", choices=[*PROFILES], help="time them on a profile, write nothing")
    parser.add_argument("--timeout", type=float, default=600, help="seconds for each cell")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None, *, folder: Path = ROOT / "notebooks") -> int:
    """The command line: 0 if all is well, 1 for a difference or a failing cell, 2 for a slip."""
    asked = _arguments(argv)
    quiet()
    try:
        chosen, ours = sources(asked.names, folder), folder == ROOT / "notebooks"
        if ours and not (asked.check or asked.time):
            note_course(sources([], folder))
        for source in chosen:
            begin = time.perf_counter()
            if asked.time:
                time_on(asked.time, source, timeout=asked.timeout)
                print(f"{source.stem}: {time.perf_counter() - begin:.0f} s", flush=True)
            elif not asked.check:
                run, timeout = not asked.no_execute, asked.timeout
                measure = ours and sys.platform != "win32"
                regenerate(source, run=run, timeout=timeout, measure=measure)
                print(f"{source.stem}: {time.perf_counter() - begin:.0f} s", flush=True)
            elif difference := first_difference(source):
                raise NotebookFault(f"{difference}; run `make notebooks`.")
    except (InputError, NotebookFault) as fault:
        print(f"ftlab: {fault}", file=sys.stderr)
        return 2 if isinstance(fault, InputError) else 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
