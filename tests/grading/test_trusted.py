"""Whole notebooks through the two kernels: each hostile cell costs itself, and no test can be talked over."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_notebook
from traitlets.config import Config

if sys.platform != "linux":
    pytest.skip("sandboxes need Linux", allow_module_level=True)

from nbgrader.utils import determine_grade, is_grade

from cnnlib.exercises import Sheet
from grading import bounded, provisioner, sandbox, trusted

pytestmark = [pytest.mark.grading, pytest.mark.slow, pytest.mark.xdist_group("warm start")]

KERNEL_ARGUMENTS = ["--IPKernelApp.capture_fd_output=False", "--IPKernelApp.log_level=ERROR"]


@pytest.fixture(scope="module", autouse=True)
def _warm(root: Path) -> Iterator[None]:
    if reason := sandbox.why_not(root):
        pytest.skip(f"no sandbox here: {reason}")
    provisioner.register()
    with pytest.MonkeyPatch.context() as patch, provisioner.WarmStart(provisioner.modules_for([])) as started:
        patch.setenv(provisioner.VARIABLE, started.address)
        patch.setenv("JUPYTER_PATH", str(root / "grading" / "jupyter"))
        patch.setenv("NBGRADER_EXECUTION", "autograde")
        yield


def cell(source: str, name: str, kind: str = "") -> NotebookNode:
    about = {
        "grade_id": name,
        "schema_version": 3,
        "locked": kind != "",
        "grade": kind == "test",
        "solution": False,
    }
    if kind == "test":
        about["points"] = 2
    return new_code_cell(source, metadata={"nbgrader": about} if kind else {})


def notebook(*cells: str | tuple[str, str]) -> NotebookNode:
    """Cells of a student's; tests and locked ones as pairs with ``"test"`` and ``"locked"``."""
    made = []
    for number, one in enumerate(cells):
        source, kind = (one, "") if isinstance(one, str) else one
        made.append(cell(source, f"c{number}", kind))
    return new_notebook(cells=made)


def run(
    *cells: str | tuple[str, str],
    kind: type = trusted.TrustedExecute,
    timeout: int = 30,
    resources: Any = None,
    **options: Any,
) -> NotebookNode:
    nb = notebook(*cells)
    execute = kind(
        config=Config(options), kernel_name="course", timeout=timeout, shutdown_kernel="immediate",
        extra_arguments=KERNEL_ARGUMENTS, coalesce_streams=True,
    )  # fmt: skip
    execute.preprocess(nb, resources if resources is not None else {})
    return nb


def marks(nb: NotebookNode) -> list[float]:
    return [determine_grade(c, None)[0] for c in nb.cells if is_grade(c)]


def said(one: NotebookNode) -> str:
    return "\n".join(
        str(o.get("text") or o.get("data", {}).get("text/plain") or f"{o.get('ename')}: {o.get('evalue')}")
        for o in one.outputs
    )


def test(source: str) -> tuple[str, str]:
    return source, "test"


test.__test__ = False  # type: ignore[attr-defined]

SOUND = ("answer = 4\ndef double(n):\n    return 2 * n", test("assert answer == 4 and double(3) == 6\n1.5"))


def test_sound_answers_get_their_points() -> None:
    assert marks(run(*SOUND)) == [1.5]


@pytest.mark.parametrize(
    ("ending", "why"),
    [
        ("import os; os._exit(0)", "ended itself"),
        ("import ctypes; ctypes.string_at(0)", "crashed"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL) or os.abort()", "ended"),
        ("exit()", "exit() ends this cell"),
        ("raise SystemExit", "SystemExit"),
        ("x = bytearray(10 << 30)", "MemoryError"),
        ("import os\nfor f in range(3, 100):\n  try: os.close(f)\n  except OSError: pass", ""),
        ("while True: print('x' * 5000)", "more than 1024 KiB printed"),
        (
            "import threading\nfor _ in range(9999): threading.Thread(target=threading.Event().wait).start()",
            "",
        ),
    ],
)
def test_a_cell_that_ends_the_kernel_costs_itself(ending: str, why: str) -> None:
    nb = run(*SOUND, ending, "answer = 5", test("assert answer == 5 and double(1) == 2"), timeout=20)
    assert marks(nb) == [1.5, 2]
    assert why in said(nb.cells[2])


@pytest.mark.parametrize(
    "stubborn",
    [
        "while True:\n  try:\n    while True: pass\n  except KeyboardInterrupt: pass",
        "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True: pass",
        "while True: pass",
        "import time; time.sleep(1000)",
    ],
)
def test_an_endless_cell_costs_itself(stubborn: str) -> None:
    nb = run(*SOUND, stubborn, test("assert answer == 4\n2"), timeout=3)
    assert marks(nb) == [1.5, 2]
    assert any(o.output_type == "error" for o in nb.cells[2].outputs)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("while True: pass", "TimeoutError"),
        ("try:\n    while True: pass\n  except BaseException:\n    while True: pass", "TimeoutError"),
        ("import os; os._exit(0)", "RuntimeError"),
        ("exit()", "RuntimeError"),
        ("raise SystemExit(0)", "RuntimeError"),
        ("import os; os.kill(1, 9); os.abort()", "RuntimeError"),
        ("return type('N', (int,), {'__eq__': lambda s, o: True})()", "AssertionError"),
        ("import unittest.mock as m; return m.ANY", "AssertionError"),
        ("print('x' * 10**7); return 3", "AssertionError"),
        ("return [0] * 10**6", "AssertionError"),
        ("import sys; sys.modules['builtins'].AssertionError = ValueError; return 3", "AssertionError"),
    ],
)
def test_a_function_costs_its_test_and_no_other(body: str, why: str) -> None:
    nb = run(
        "sound = 1", f"def f():\n  {body}", test("assert f() == 7"), test("assert sound == 1"),
        TrustedExecute={"call_seconds": 1},
    )  # fmt: skip
    assert marks(nb) == [0, 2]
    assert why in said(nb.cells[2])


def test_the_student_cannot_reach_the_tests() -> None:
    """Whatever is replaced in the student's kernel, the tests' own is what it was."""
    forging = (
        "import builtins, sys, IPython, cnnlib.exercises as e, numpy as np\n"
        "builtins.len = lambda *_: 4; builtins.isinstance = lambda *_: True; builtins.float = lambda *_: 99\n"
        "e.Marks.score = lambda self: 99; e.Marks.check = lambda *a, **k: None\n"
        "np.allclose = lambda *a, **k: True\n"
        "Marks = marks = e.Marks; score = 2\n"
        "clear = lambda *a: sys.modules['__main__'].__dict__.clear()\n"
        "IPython.get_ipython().events.register('pre_run_cell', clear)\n"
        "size = 3"
    )
    check = (
        "from cnnlib.exercises import Marks, Task\nmarks = Marks(globals())\n"
        "marks.check('size', Task('output_size', size=28, kernel_size=5), points=2)\nmarks.score()"
    )
    assert marks(run(forging, test(check))) == [0]
    assert marks(run("size = 24", test(check))) == [2]


def test_hidden_tests_are_never_in_the_students_process() -> None:
    nb = run(
        "def f(x):\n  import gc\n"
        "  return [d for d in gc.get_objects() if isinstance(d, dict) and 'hid' + 'den_number' in d]",
        test("hidden_number = 12345\nassert f(1) == []\n1"),
        "print([h for h in In if 'hidden' + '_number = ' in h], 'hidden_number' in globals())",
    )
    assert marks(nb) == [1]
    assert said(nb.cells[2]).strip() == "[] False"


def test_forged_messages_cost_their_test_alone() -> None:
    forge = (
        "import sys\nr = __import__('grading.remote').remote\n"
        "kept = r.frame\nr.frame = lambda *a: b'\\0\\0\\0\\2\\0\\0\\0\\2[]'"
    )
    nb = run("x = 1", forge, test("assert x == 1"), "r.frame = kept", test("assert x == 1"))
    assert marks(nb) == [0, 2]
    assert "cannot be read" in said(nb.cells[2])


def test_what_fills_the_examiner_costs_its_test_alone() -> None:
    huge = "x = [list(range(1000)) for _ in range(190)]"
    nb = run(
        huge,
        test("while True: x = x + [bytearray(100 << 20)]"),
        "y = 1",
        test("assert y == 1"),
        Sandbox={"memory_mib": 600},
    )
    assert marks(nb) == [0, 2]
    assert nb.cells[1].outputs


def test_an_examiner_that_ends_is_replaced_and_knows_what_it_knew() -> None:
    nb = run(("base = 10", "locked"), "x = 1", test("import os; os._exit(0)"), test("assert x + base == 11"))
    assert marks(nb) == [0, 2]
    assert "could not be finished" in said(nb.cells[2])


def test_locked_cells_cannot_be_overwritten() -> None:
    nb = run(
        ("def judge(v): return v == 1", "locked"), "def judge(v): return True\nx = 2", test("assert judge(x)")
    )
    assert marks(nb) == [0]


def test_answers_are_looked_up_anew() -> None:
    nb = run(
        "x = 1",
        test("assert x == 1"),
        "x = 2",
        test("assert x == 2"),
        "del x",
        test("assert 'x' not in globals()"),
    )
    assert marks(nb) == [2, 2, 2]


def test_answers_before_a_locked_cell_are_still_the_students() -> None:
    nb = run(
        "x = 1",
        test("assert x == 1"),
        ("def judge(v): return v == 2", "locked"),
        "x = 2\njudge = print",
        test("assert judge(x)"),
    )
    assert marks(nb) == [2, 2]


SHEET = (
    "from cnnlib.exercises import Sheet\nsheet = Sheet('03-sizes-and-counts', globals())\nsheet.who()",
    "locked",
)


def shapes(student: str) -> str:
    right = Sheet("03-sizes-and-counts", student_id=student).answers("layer-shape")
    return "\n".join(f"{name} = {value}" for name, value in right.items())


def test_numbers_are_those_of_who_handed_in_and_others_answers_are_told() -> None:
    """The grader's id counts, whatever the notebook and its environment say of it."""
    check = test(
        "m = sheet.marks('layer-shape')\n"
        "m.check('shape_a', points=1)\nm.check('shape_b', points=1)\nm.score()"
    )
    pretend = "import os\nos.environ['COURSE_STUDENT'] = student_id = 'ben'"
    peep = "print(os.environ.get('COURSE_CLASSMATES'), sheet.student)"
    nb = run(
        pretend, SHEET, peep, shapes("ben"), check, shapes("ada"), check, shapes("carol"), check,
        Bounded={"student": "ada"}, TrustedExecute={"classmates": ["ada", "carol"]},
    )  # fmt: skip
    assert marks(nb) == [0, 2, 0]
    assert said(nb.cells[2]).strip() == "None ben"
    mine, _, others = (" ".join(said(c).split()) for c in nb.cells if is_grade(c))
    assert mine.count("right for the student id ben, which the notebook names") == 2
    assert others.count("right answer to another student's numbers") == 2
    assert "carol" not in others


def test_whose_notebook_it_is_is_told_the_student_too() -> None:
    nb = run("student_id = 'Ben '", SHEET, Bounded={"student": "ada"})
    assert "These are the numbers of ada. The notebook says student_id = ben" in str(nb.cells[1].outputs)
    nb = run("student_id = ...", SHEET, resources={"nbgrader": {"student": "Dora"}})
    assert "these are the numbers of dora" in str(nb.cells[1].outputs)


def test_a_test_that_prints_without_end_is_not_right() -> None:
    nb = run("x = 1", test("print('x' * 3_000_000)\n2"))
    assert marks(nb) == [0]


def test_a_whole_notebook_ends_in_time() -> None:
    started = time.monotonic()
    nb = run(
        "x = 1",
        test("assert x == 1"),
        "while True: pass",
        "y = 1",
        test("assert y == 1"),
        Bounded={"seconds": 6},
    )
    assert time.monotonic() - started < 25
    assert marks(nb) == [2, 0]
    assert "used up the 6 seconds" in said(nb.cells[4])


def test_an_error_that_cannot_be_shown_is_one() -> None:
    shy = "class Shy(Exception):\n    def __str__(self): raise ValueError\nraise Shy"
    nb = run("x = 1", test(shy), test("assert x == 1"), test("import sys; sys.exit()"), test("1 +"))
    assert marks(nb) == [0, 2, 0, 0]


@pytest.fixture
def _crowd() -> Iterator[None]:
    """Have kernels share one processor with three programs that compute without end."""
    mine = os.sched_getaffinity(0)
    busy = [sys.executable, "-c", "while True: pass"]
    os.sched_setaffinity(0, {min(mine)})
    programs = [subprocess.Popen(busy, start_new_session=True) for _ in range(3)]
    os.sched_setaffinity(0, mine)
    try:
        yield
    finally:
        for program in programs:
            program.kill()
            program.wait()


HERE = "import os, time\nos.sched_setaffinity(0, {min(os.sched_getaffinity(0))})"
COMPUTE = "begun = time.process_time()\nwhile time.process_time() - begun < 1.5: pass"


@pytest.mark.usefixtures("_crowd")
def test_what_neighbours_take_is_not_counted() -> None:
    if not Path("/proc/self/schedstat").exists():
        pytest.skip("this system does not tell how long a process waits for a processor")
    slow = "def slow():\n    " + COMPUTE.replace("\n", "\n    ") + "\n    return 1"
    nb = run(
        HERE,
        f"{COMPUTE}\nanswer = 1",
        slow,
        test("assert answer == 1"),
        test("assert slow() == 1"),
        "time.sleep(20)\nlate = 1",
        test("assert late == 1"),
        timeout=3,
        TrustedExecute={"call_seconds": 2},
        Bounded={"seconds": 30},
    )
    assert marks(nb) == [2, 2, 0]


def test_a_tag_does_not_keep_a_test_from_running() -> None:
    nb = notebook("x = 2", test("assert x == 1"))
    nb.cells[1].metadata["tags"] = ["skip-execution"]
    for kind in (trusted.TrustedExecute, bounded.Bounded):
        kind(kernel_name="course", extra_arguments=KERNEL_ARGUMENTS, shutdown_kernel="immediate").preprocess(
            nb, {}
        )
        assert marks(nb) == [0]


def test_a_submissions_own_tests_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    known = {"c1": ("assert x == 1", "# put back\n\nassert x == 1")}
    monkeypatch.setattr(trusted, "_sources", lambda *_: known)
    nb = run(
        "x = 1",
        test("assert x == 1"),
        test("open('/tmp/here', 'w')\n2"),
        "import os; os.path.exists('/tmp/here')",
    )
    assert marks(nb) == [2, 0]
    assert "not one of the assignment's own tests" in said(nb.cells[2])
    assert said(nb.cells[3]) == "False"


def test_outputs_that_no_notebook_can_hold_are_left_out() -> None:
    forge = (
        "from ipykernel.comm import Comm\nimport IPython\nk = IPython.get_ipython().kernel\n"
        "p = k.get_parent('shell')\n"
        "k.session.send(k.iopub_socket, 'stream', {'name': 7}, parent=p)\n"
        "k.session.send(k.iopub_socket, 'display_data', {'data': 3, 'metadata': None}, parent=p)\n"
        "k.session.send(k.iopub_socket, 'error', {}, parent=p)\nprint('after')"
    )
    nb = run(forge, "x = 1", test("assert x == 1"))
    nbformat.validate(nb)
    assert marks(nb) == [2]


def test_marks_are_those_of_one_kernel_on_the_solutions(root: Path) -> None:
    source = next((root / "solutions").glob("03-*/*.ipynb"))
    points = {}
    for kind in (bounded.Bounded, trusted.TrustedExecute):
        nb = nbformat.read(source, as_version=4)
        nb.cells = [c for c in nb.cells if "keras" not in c.source and "model" not in c.source]
        kind(
            config=Config({"Bounded": {"student": "ada"}}),
            kernel_name="course",
            timeout=60,
            extra_arguments=KERNEL_ARGUMENTS,
            shutdown_kernel="immediate",
        ).preprocess(nb, {})
        points[kind] = [determine_grade(c, None) for c in nb.cells if is_grade(c) and c.cell_type == "code"]
    first, second = points.values()
    assert first == second
    assert all(won == most for won, most in first)
    assert len(first) > 10


def test_plain_mode_uses_one_kernel() -> None:
    nb = run("x = 1", test("import os; x += os.getpid()"), "print(x)", Sandbox={"trusted": False})
    assert said(nb.cells[2]).strip() == "2"
    assert os.environ["NBGRADER_EXECUTION"] == "autograde"
