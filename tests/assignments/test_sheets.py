"""Every student's numbers: the same for ever, well-posed, within bounds, different, and quickly drawn."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import time

import numpy as np
import pytest

from cnnlib.exercises import Assignment, NotYet, Part, Question, Sheet, Task, TaskError, faults, sheets
from cnnlib.exercises.misconceptions import likely
from cnnlib.exercises.sheet import (
    CLASS,
    SORTS,
    VARIABLES,
    Asked,
    ask,
    assignments,
    everybody,
    normalised,
    rows_text,
    seed,
)

IDS = [f"student{number:04}" for number in range(2000)]


@pytest.fixture(autouse=True)
def nobody(monkeypatch):
    """No student in the environment."""
    for name in (*VARIABLES, CLASS):
        monkeypatch.delenv(name, raising=False)


ASSIGNMENTS = assignments()
each_assignment = pytest.mark.parametrize("assignment", ASSIGNMENTS, ids=lambda assignment: assignment.name)


# --- Who ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("ada", "ada"),
        ("  Ada ", "ada"),
        ("ADA  Lovelace\t", "ada lovelace"),
        ("김하늘", "김하늘"),
        ("\u1100\u1175\u11b7하늘", "김하늘"),  # the same in pieces
        ("ÉMILE", "émile"),
        ("E\u0301mile", "émile"),
        ("Straße", "strasse"),
        (" 20261234 ", "20261234"),
        ("a\u00a0b", "a b"),
    ],
)
def test_ids_are_normalised(written, meant):
    assert normalised(written) == meant
    assert seed(written, "x", "y") == f"x/y/{meant}"


def test_where_the_id_is_looked_for(monkeypatch):
    names: dict[str, object] = {}
    sheet = Sheet("03-sizes-and-counts", names)
    with pytest.raises(NotYet, match="Whose sheet is this"):
        sheet.show("first-size")
    names["student_id"] = ...
    with pytest.raises(NotYet, match="student_id") as said:
        sheet.who()
    assert len(said.value._render_traceback_()) == 1
    for nobody_s in (None, [], "", "  ", "x" * 81, 10**5000, b"ada", type("Sly", (str,), {})("ada")):
        names["student_id"] = nobody_s
        assert sheet.typed is None or not sheet.typed.strip()
        with pytest.raises(NotYet):
            sheet.who()
    names["student_id"] = "Typed"
    assert sheet.student == "typed"
    names["student_id"] = 20261234
    assert sheet.student == "20261234"
    monkeypatch.setenv("JUPYTERHUB_USER", "hub")
    assert sheet.student == "hub"
    monkeypatch.setenv("COURSE_STUDENT", "Graded")
    assert sheet.student == "graded"
    assert "The notebook says student_id = 20261234" in sheet.who()
    names["student_id"] = "GRADED"
    assert sheet.who() == "Sizes and counts: these are the numbers of graded."


# --- Their numbers ------------------------------------------------------------------------------------


def test_numbers_are_the_same_for_ever():
    """Written down once, from Python 3.11 and NumPy 2. If this fails, every student's numbers change."""
    for student, expected in GOLDEN.items():
        sheet = Sheet("03-sizes-and-counts", student_id=student)
        for (question, part), answer in expected.items():
            assert sheet[question].tasks[part].answer == answer


GOLDEN: dict[str, dict[tuple[str, str], object]] = {
    "ada": {
        ("first-size", "size_a"): 47,
        ("dropped-column", "strided_b"): 46,
        ("layer-shape", "shape_b"): (35, 49, 12),
        ("read-the-summary", "total"): 4392,
        ("find-the-slip", "slip_line"): 5,
    },
    "김하늘": {
        ("first-size", "size_a"): 35,
        ("dropped-column", "strided_b"): 30,
        ("layer-shape", "shape_b"): (44, 55, 16),
        ("read-the-summary", "total"): 2352,
        ("find-the-slip", "slip_line"): 2,
    },
    "20261234": {
        ("first-size", "size_a"): 48,
        ("dropped-column", "strided_b"): 49,
        ("layer-shape", "shape_b"): (23, 30, 28),
        ("read-the-summary", "total"): 4624,
        ("find-the-slip", "slip_line"): 5,
    },
}


#: The first digits of SHA-256 of all answers of the students above.
DIGESTS = {
    "01-one-dimension": "0b27b9cbb82a5d33",
    "02-tensors-and-filters": "a65e8405688e4307",
    "03-sizes-and-counts": "d0db106d9735069f",
    "04-pooling": "f07bce394431d099",
    "05-receptive-fields": "613fd6c437467b4b",
    "06-variants": "e12ca4004e552e92",
    "07-upsampling": "d23bd77a6df37738",
    "08-learning": "1e247364a777ada7",
    "09-architectures": "1e8e56d3deb4e044",
    "10-capstone": "e6a47d1f3d4aa6a2",
}


@each_assignment
def test_all_answers_of_an_assignment_are_the_same_for_ever(assignment):
    """Written down once; a new assignment prints its own. A change gives all students other numbers."""
    lines = []
    for student in GOLDEN:
        sheet = Sheet(assignment.name, student_id=student)
        for question in assignment.questions:
            for name, task in sheet[question.id].tasks.items() if question.values else ():
                numbers = np.ravel(np.asarray(task.answer, dtype=float)) + 0.0  # no −0
                lines.append(f"{student} {name} {' '.join(f'{number:.5g}' for number in numbers)}")
    digest = hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]
    assert DIGESTS.get(assignment.name) == digest


@each_assignment
def test_questions_are_well_posed_and_within_bounds_for_everybody(assignment):
    check_everybody(assignment, IDS[:12])


@pytest.mark.slow
@each_assignment
def test_questions_are_well_posed_and_within_bounds_for_hundreds(assignment):
    check_everybody(assignment, IDS[:200])


@pytest.mark.slow
@pytest.mark.parametrize("question_id", ["first-size", "keep-the-size", "count-a-layer"])
def test_questions_are_well_posed_for_thousands(question_id):
    question = sheets.load("03-sizes-and-counts")[question_id]
    for student in IDS:
        check_question(ask(question, seed(student, "03-sizes-and-counts", question_id)))


def check_everybody(assignment: Assignment, students: list[str]) -> None:
    for _, asked in everybody(assignment, students):
        check_question(asked)


def check_question(asked: Asked) -> None:
    for part in asked.question.values:
        task = asked.tasks[part.name]
        assert faults(task) == []
        told = [entry for entry in likely(task.kind.name) if not entry.over_many]
        assert sum(entry.answer(task) is not None for entry in told) >= part.slips
        if part.bounds:
            assert part.bounds[0] <= np.min(task.answer)
            assert np.max(task.answer) <= part.bounds[1]


@each_assignment
def test_students_get_different_numbers(assignment):
    """Of two dozen students, hardly two have all answers of a question in common."""
    for question in assignment.questions:
        if question.values:
            drawn = [ask(question, seed(student, assignment.name, question.id)) for student in IDS[:12]]
            answers = {repr([task.answer for task in asked.tasks.values()]) for asked in drawn}
            assert len(answers) >= 4, question.id


@each_assignment
def test_questions_are_quickly_drawn(assignment):
    start = time.process_time()
    drawn = list(everybody(assignment, ["quick 1", "quick 2", "quick 3", "quick 4"]))
    assert (time.process_time() - start) / len(drawn) < 0.1


@each_assignment
def test_what_is_shown_holds_the_numbers(assignment):
    for _, asked in everybody(assignment, IDS[:3]):
        text = asked.text
        assert text
        assert "{" not in text.replace("\\{", "")
        if asked.question.shown == "{table}":
            for name, task in asked.tasks.items():
                row = next(line for line in text.splitlines() if f"`{name}`" in line)
                assert row.count("|") == text.splitlines()[0].count("|")
                assert task is not None


@each_assignment
def test_an_assignment_is_whole(assignment):
    assert assignment.points == sum(question.points for question in assignment.questions)
    graded = [question for question in assignment.questions if question.parts]
    assert len(graded) >= 8
    assert sum(question.by_hand > 0 for question in assignment.questions) == 1
    for question in assignment.questions:
        assert question.objective
        assert question.sort in SORTS
        assert (question.sort == "explain") == (question.by_hand > 0)
    sorts = {question.sort for question in assignment.questions}
    assert len(sorts) >= 4, sorts
    assert sum(question.personal for question in graded) >= len(graded) / 2


def test_assignments_stand_in_the_order_of_their_numbers():
    assert [assignment.order for assignment in ASSIGNMENTS] == sorted(a.order for a in ASSIGNMENTS)
    assert len({assignment.name for assignment in ASSIGNMENTS}) == len(sheets.names())


# --- What is refused ----------------------------------------------------------------------------------


def test_names_that_are_none_are_told():
    with pytest.raises(TaskError, match="no assignment is called '04-nothing'"):
        Sheet("04-nothing")
    with pytest.raises(TaskError, match="did you mean '03-sizes-and-counts'"):
        Sheet("3-sizes-and-counts")
    sheet = Sheet("03-sizes-and-counts", student_id="ada")
    with pytest.raises(TaskError, match="no question 'size'; there are first-size"):
        sheet.show("size")
    with pytest.raises(AttributeError, match="it has size_a, size_b"):
        _ = sheet["first-size"].size_c
    with pytest.raises(TaskError, match="does not ask for 'size_c'; it asks for size_a, size_b"):
        sheet.marks("first-size").check("size_c")


def test_questions_that_cannot_be_are_refused():
    with pytest.raises(TaskError, match="no sort 'guess'"):
        Question("x", "X", "…", 1, "guess")
    with pytest.raises(TaskError, match="difficulty 4"):
        Question("x", "X", "…", 4, "calculate")
    with pytest.raises(TaskError, match="no kind of task is called 'sizes'"):
        Question("x", "X", "…", 1, "calculate", (Part("a", "sizes"),))
    question = Question("x", "X", "…", 1, "calculate", (Part("a", "output_size"),))
    with pytest.raises(TaskError, match="used more than once: x"):
        Assignment("01-x", "X", (question, question))
    impossible = Question("x", "X", "…", 1, "calculate", (Part("a", "output_size", bounds=(-2, -1)),))
    with pytest.raises(TaskError, match="nothing well-posed was drawn"):
        ask(impossible, "any")


def test_a_fixed_task_that_is_not_well_posed_is_refused():
    fixed = {"size": 32, "kernel_size": 5, "padding": 1}
    assert faults(Task("output_size", **fixed))
    question = Question("x", "X", "…", 1, "calculate", (Part("a", "output_size", given=fixed),))
    with pytest.raises(TaskError, match="nothing well-posed"):
        ask(question, "any")


# --- Answers to somebody else's numbers ---------------------------------------------------------------


def test_one_match_in_a_part_that_tells_little_is_no_finding(monkeypatch):
    monkeypatch.setenv(CLASS, '["Ada", "ben"]')
    sheet = Sheet("03-sizes-and-counts", student_id="carol")
    padding = {n: sheet.asked("keep-the-size", "ada").tasks[n].answer for n in ("padding_a", "padding_b")}
    assert not sheet.telling("keep-the-size", "padding_a")
    assert sheet.whose("keep-the-size", "padding_a", padding["padding_a"]) is None
    said = sheet.whose("keep-the-size", "padding_b", padding["padding_b"])
    assert said is not None
    assert "ada" not in said.lower()
    shape = sheet.asked("layer-shape", "ben").tasks["shape_b"].answer
    assert "another student" in (
        Sheet("03-sizes-and-counts", student_id="x").whose("layer-shape", "shape_b", shape) or ""
    )


def test_what_is_in_the_environment_is_data_and_no_more(monkeypatch):
    sheet = Sheet("03-sizes-and-counts", student_id="carol")
    for text in ("", "no json", "{}", "[1, null]", '["carol"]'):
        monkeypatch.setenv(CLASS, text)
        assert sheet.whose("layer-shape", "shape_b", sheet.answers("layer-shape")["shape_b"]) is None


# --- Around -------------------------------------------------------------------------------------------


def test_rows_stand_side_by_side():
    assert rows_text([[1, 2], [3, 4]], [[-1]]) == "1  2     -1\n3  4"


def test_the_package_needs_numpy_alone():
    source = (
        "import sys, cnnlib.exercises as e\n"
        "e.Sheet('03-sizes-and-counts', student_id='a').show('first-size')\n"
        "print(sorted({m.split('.')[0] for m in sys.modules} & {'keras', 'scipy', 'IPython', 'matplotlib'}))"
    )
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
