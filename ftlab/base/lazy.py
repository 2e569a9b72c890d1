"""Public names that are found by pressing Tab, and loaded when they are first used (PEP 562).

if TYPE_CHECKING:                       what an editor reads ...
    from ftlab.lab.lab import open_lab
__all__, __dir__, __getattr__ = lazy(__name__, __file__)      ... is what Python loads, later
"""

import ast
import importlib
import inspect
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from ftlab.base.door import checked

_checked = cache(checked)

Names = tuple[list[str], Callable[[], list[str]], Callable[[str], Any]]


def _ours(found: Any) -> bool:
    """A function, a class that is no library's below, or a module that is no room."""
    module = inspect.ismodule(found) and not hasattr(found, "__path__")
    plain = inspect.isclass(found) and found.__mro__[1:] == (object,)
    return module or plain or inspect.isfunction(found)


def lazy(package: str, file: str) -> Names:
    """`__all__`, `__dir__` and `__getattr__` of the package whose `__init__.py` is `file`.

    Public is what stands there under `if TYPE_CHECKING:` as `from module import names`.
    """
    home: dict[str, str] = {}
    for node in ast.parse(Path(file).read_text(encoding="utf-8")).body:
        if isinstance(node, ast.If):
            imports = [line for line in node.body if isinstance(line, ast.ImportFrom)]
            home |= {name.name: str(line.module) for line in imports for name in line.names}

    def get(name: str) -> Any:
        if name not in home:
            raise AttributeError(f"module '{package}' has no attribute '{name}'")
        module = importlib.import_module(home[name])
        if name in vars(module):
            found = vars(module)[name]
        else:
            found = importlib.import_module(f"{home[name]}.{name}")
        return _checked(found) if _ours(found) else found

    return sorted(home), lambda: sorted(home), get
