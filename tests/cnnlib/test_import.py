"""How the library is built: quick to import, documented, and with floors that nothing climbs."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import subprocess
import sys
import time

import pytest

import cnnlib

#: Each module may import from the floors below it and from those before it on its own floor.
FLOORS = (
    ("errors", "sizes", "threads"),
    ("padding", "windows", "images", "signals"),
    (
        "convolution",
        "pooling",
        "filters",
        "variants",
        "upsampling",
        "activations",
        "losses",
        "normalization",
        "functional",
    ),
    ("receptive_field", "connections", "algorithms", "formulas"),
    ("layers", "summary", "network", "folding", "optimizers", "training", "weights", "torch_file"),
    ("architectures",),
    ("seeing",),
)
#: They may use every floor; no floor uses them.
SIDE_DOORS = ("plots", "explorers", "keras_bridge", "exercises")
#: What a package outside is for, and the only places that may import it.
OUTSIDE = {
    "numpy": None,  # everywhere
    "matplotlib": {"plots"},
    "matplotlib_inline": {"plots"},
    "cycler": {"plots"},
    "keras": {"keras_bridge"},
    "tensorflow": {"keras_bridge"},
    "skimage": {"images"},
    "pywt": {"signals"},
    "mlxtend": {"images"},
    "sympy": {"formulas"},
    "tqdm": {"training"},
    "hypothesis": {"keras_bridge"},
}
HEIGHTS = {name: (floor, place) for floor, names in enumerate(FLOORS) for place, name in enumerate(names)}


def modules() -> list[str]:
    return sorted(m.name for m in pkgutil.walk_packages(cnnlib.__path__, "cnnlib."))


def top(module: str) -> str:
    return module.split(".")[1]


def imports_of(module: str, root) -> set[str]:
    """All modules that ``module`` imports anywhere, also inside functions, by their full names."""
    path = root.joinpath(*module.split("."))
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: imports are written in full"
            found |= {
                f"{node.module}.{a.name}" if node.module == "cnnlib" else node.module for a in node.names
            }
    return found


@pytest.mark.parametrize("module", modules())
def test_imports_go_down(module, root):
    here = top(module)
    assert here in HEIGHTS or here in SIDE_DOORS, f"{module}: which floor is it on?"
    for imported in imports_of(module, root):
        if not imported.startswith("cnnlib"):
            continue
        there = imported.split(".")[1] if "." in imported else ""
        if here in SIDE_DOORS or there == here:
            continue
        assert there in HEIGHTS, f"{module} imports {imported}, which is no floor"
        assert HEIGHTS[there] < HEIGHTS[here], f"{module} imports {imported} from above"


@pytest.mark.parametrize("module", modules())
def test_packages_from_outside_stay_behind_their_doors(module, root):
    for imported in imports_of(module, root):
        package = imported.split(".")[0]
        if package == "cnnlib" or package in sys.stdlib_module_names:
            continue
        assert package in OUTSIDE, f"{module} imports {package}, which is nobody's to import"
        doors = OUTSIDE[package]
        assert doors is None or top(module) in doors, f"only {doors} may import {package}, not {module}"


def run(code: str) -> str:
    command = [sys.executable, "-W", "error", "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_importing_loads_numpy_alone():
    """The package itself loads nothing; its operators load NumPy and no other package."""
    loaded = run("import sys, cnnlib; print(*sorted({m.split('.')[0] for m in sys.modules}))").split()
    assert {name for name in loaded if name not in sys.stdlib_module_names} - site_hooks() == {"cnnlib"}
    code = (
        "import sys, importlib, cnnlib\n"
        "for name in cnnlib.__all__: getattr(cnnlib, name)\n"
        "print(*sorted({m.split('.')[0] for m in sys.modules}))"
    )
    outside = {name for name in run(code).split() if name not in sys.stdlib_module_names} - site_hooks()
    assert outside == {"cnnlib", "numpy"}


def site_hooks() -> set[str]:
    """What Python loads before any line runs: start-up files of the environment."""
    loaded = run("import sys; print(*sorted({m.split('.')[0] for m in sys.modules}))").split()
    return {name for name in loaded if name not in sys.stdlib_module_names}


def test_importing_is_quick():
    """Every name of the library costs less than 0.3 s beyond NumPy: the best of several runs each."""

    def seconds(code: str) -> float:
        started = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True)
        return time.perf_counter() - started

    everything = "import cnnlib\nfor name in cnnlib.__all__: getattr(cnnlib, name)"
    runs = [(seconds("import numpy"), seconds("import numpy\n" + everything)) for _ in range(5)]
    numpy_alone, with_ours = (min(column) for column in zip(*runs, strict=True))
    assert with_ours - numpy_alone < 0.3


def test_names_are_listed_once_and_resolve():
    assert sorted(cnnlib.__all__) == cnnlib.__all__
    assert set(cnnlib.__all__) == set(cnnlib._HOMES)
    for name, home in cnnlib._HOMES.items():
        value = getattr(cnnlib, name)
        assert value is getattr(importlib.import_module(f"cnnlib.{home}"), name)
        assert value.__module__ == f"cnnlib.{home}"
        assert name in dir(cnnlib)


def test_type_checkers_see_the_same_names(root):
    """The imports for type checkers repeat the table of homes, name by name."""
    tree = ast.parse((root / "cnnlib" / "__init__.py").read_text())
    block = next(n for n in tree.body if isinstance(n, ast.If) and n.test.id == "TYPE_CHECKING")
    seen = {alias.name: node.module.split(".")[1] for node in block.body for alias in node.names}
    assert seen == cnnlib._HOMES


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'cnnlib' has no attribute 'convolute'"):
        cnnlib.convolute  # noqa: B018


def public_functions() -> list[str]:
    found = []
    for name in modules():
        if top(name) not in HEIGHTS and top(name) != "keras_bridge":
            continue
        module = importlib.import_module(name)
        found += [
            f"{name}:{key}"
            for key, value in vars(module).items()
            if inspect.isfunction(value) and value.__module__ == name and not key.startswith("_")
        ]
    return found


@pytest.mark.parametrize("name", public_functions())
def test_every_function_says_what_it_takes(name):
    function = getattr(importlib.import_module(name.split(":")[0]), name.split(":")[1])
    doc = inspect.getdoc(function) or ""
    assert doc, f"{name} says nothing"
    assert doc[0].isupper()
    assert doc.split("\n")[0].rstrip().endswith((".", "?")) or "\n" in doc
    assert ">>>" in doc or "(" in doc or len(inspect.signature(function).parameters) <= 1, (
        f"{name} needs an example or the shapes that it takes"
    )
    hints = inspect.signature(function)
    assert hints.return_annotation is not inspect.Signature.empty
    assert all(p.annotation is not inspect.Parameter.empty for p in hints.parameters.values())


@pytest.mark.parametrize("module", modules())
def test_every_module_says_what_it_is_for(module):
    if top(module) in ("plots", "explorers", "exercises"):
        pytest.importorskip("matplotlib")
    assert len(importlib.import_module(module).__doc__ or "") > 40
