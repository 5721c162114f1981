"""Each assignment's notebook: valid, whole, free of leaks, and true to the sheet that it is graded by."""

from __future__ import annotations

import ast
import re
import time
from typing import Any

import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient
from nbgrader.nbgraderformat import MetadataValidator

from cnnlib.exercises import Conv, Pool, Task, trace
from cnnlib.exercises.wording import CHAPTERS
from cnnlib.sizes import conv_parameters, conv_weights

#: The first cells: what it is about, and who answers.
HEAD = ["intro", "student-id", "sheet"]


def grade_ids(notebook: Any) -> list[str]:
    return [cell.metadata.nbgrader.grade_id for cell in notebook.cells]


def headings(notebook: Any) -> str:
    return "\n".join(cell.source for cell in notebook.solution.cells if cell.cell_type == "markdown")


def hidden(source: str) -> str:
    return "\n".join(re.findall(r"### BEGIN HIDDEN TESTS\n(.*?)### END HIDDEN TESTS", source, re.DOTALL))


def test_it_is_valid_and_clean(notebook):
    solution = notebook.solution
    nbformat.validate(solution)
    MetadataValidator().validate_nb(solution)
    assert (solution.nbformat, solution.nbformat_minor) == (4, 5)
    assert solution.metadata.kernelspec.name == "python3"
    for cell in solution.cells:
        assert cell.metadata.nbgrader.schema_version == 3
        assert cell.id == cell.metadata.nbgrader.grade_id
        assert re.fullmatch(r"[a-z]+(-[a-z0-9]+)*", cell.id)
        if cell.cell_type == "code":
            assert cell.outputs == []
            assert cell.execution_count is None
    assert len(set(grade_ids(solution))) == len(solution.cells)


def test_it_asks_first_who_answers(notebook):
    assert grade_ids(notebook.solution)[: len(HEAD)] == HEAD
    assert notebook.cell("student-id").metadata.nbgrader.solution
    assert notebook.cell("student-id", released=True).source.startswith("student_id = ...")
    about = notebook.cell("sheet")
    assert about.metadata.nbgrader.locked
    assert f'sheet = Sheet("{notebook.name}", globals())' in about.source
    assert about.source.endswith("sheet.who()")


def test_notebook_and_sheet_agree_on_questions_and_points(notebook):
    points = {
        cell.id.removesuffix("-check"): cell.metadata.nbgrader.points
        for cell in notebook.solution.cells
        if cell.metadata.nbgrader.grade
    }
    questions = {question.id: question for question in notebook.assignment.questions}
    assert list(points) == list(questions)
    assert points == {name: question.points for name, question in questions.items()}
    assert (
        f"# Assignment {notebook.assignment.order} · {notebook.assignment.title}"
        in notebook.cell("intro").source
    )
    assert f"{notebook.assignment.points:g} points" in notebook.cell("intro").source
    assert len(notebook.graded) >= 8
    numbered = re.findall(r"^### (\d+) · (.*?) <small>\((\d+) points? · ", headings(notebook), re.M)
    assert [int(number) for number, _, _ in numbered] == list(range(1, len(questions) + 1))
    assert [int(worth) for _, _, worth in numbered] == list(points.values())


def test_every_task_has_question_numbers_answer_and_check_in_this_order(task):
    ids = grade_ids(task.notebook.solution)
    start = ids.index(f"{task.id}-question")
    shown = [f"{task.id}-numbers"] if task.question.personal else []
    wanted = [f"{task.id}-question", *shown, task.id, f"{task.id}-check"]
    assert ids[start : start + len(wanted)] == wanted
    about = {name: task.notebook.cell(name).metadata.nbgrader for name in wanted}
    for name in wanted:
        assert about[name].locked == (name != task.id)
        assert about[name].solution == (name == task.id)
        assert about[name].grade == name.endswith("-check")
    if shown:
        assert task.notebook.cell(shown[0]).source.startswith(f'sheet.show("{task.id}")')


def test_every_autograded_task_has_a_visible_check_and_a_hidden_test(task):
    source = task.notebook.cell(f"{task.id}-check").source
    assert "marks." in hidden(source)
    assert f'marks = sheet.marks("{task.id}")' in source
    visible = task.notebook.asked(task.id, released=True)
    assert any(line.method != "look" for line in visible), "nothing is judged before handing in"
    asked = task.notebook.asked(task.id)
    assert sum(line.points for line in asked) == task.points
    assert {line.name for line in asked} == {line.name for line in visible}
    assert {line.name for line in asked} == {part.name for part in task.question.parts}
    for part in task.question.parts:
        assert sum(line.points for line in asked if line.name == part.name) == part.points, part.name
        if part.kind is not None and hasattr(part, "slips"):
            assert sum(line.method == "check" for line in asked if line.name == part.name) == 1


def test_the_release_leaks_neither_solutions_nor_hidden_tests(notebook):
    released = nbformat.writes(notebook.released)
    for word in ("BEGIN SOLUTION", "END SOLUTION", "BEGIN HIDDEN", "END HIDDEN", "Rubric"):
        assert word not in released
    secrets = []
    for cell in notebook.solution.cells:
        regions = re.findall(r"### BEGIN SOLUTION\n(.*?)### END SOLUTION", cell.source, re.DOTALL)
        for region in [*regions, hidden(cell.source)]:
            secrets += [line.strip() for line in region.splitlines() if len(line.strip()) > 20]
    assert len(secrets) > 40
    shown = "\n".join(cell.source for cell in notebook.released.cells)
    allowed = re.compile(r"(from|import) [\w.]+( import .*)?|\w+ = sheet\[.*\]")
    assert [line for line in secrets if line in shown and not allowed.fullmatch(line)] == []


def test_the_release_is_what_lies_in_exercises(notebook, root):
    there = nbformat.read(root / "exercises" / notebook.name / notebook.path.name, as_version=4)
    assert [cell.source for cell in there.cells] == [cell.source for cell in notebook.released.cells]


def test_the_place_for_an_answer_follows_at_once(notebook):
    """Code's format parts a function from what is before it; a release would keep the lines without it."""
    for cell in notebook.released.cells:
        assert "\n\n# your answer here" not in cell.source, cell.id


def test_the_released_answers_are_open_and_need_no_keras(task):
    source = task.notebook.cell(task.id, released=True).source
    assert "..." in source
    assert not re.search(r"^\s*(import|from) keras", source, re.MULTILINE) or task.question.sort == "repair"
    assert "keras" not in task.notebook.cell(f"{task.id}-check", released=True).source
    if task.notebook.needs_keras(task.id):
        return
    names = {part.name for part in task.question.parts}
    namespace = task.notebook.start("ada")
    exec(source, namespace)
    assert names <= set(namespace)
    for name in names:
        assert namespace[name] is ... or callable(namespace[name])


def test_hidden_tests_compute_and_type_no_results(task):
    """Answers come from tasks: no number is compared with a typed one."""
    for node in ast.walk(ast.parse(task.notebook.cell(f"{task.id}-check").source)):
        assert not isinstance(node, ast.Compare | ast.Assert)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "check":
            assert len(node.args) == 1
            assert not node.keywords


def test_model_answers_are_worked_out_and_not_looked_up(task):
    source = task.notebook.cell(task.id).source
    for shortcut in (".answer", ".solve(", "mistaken(", ".tasks[", "KINDS"):
        assert shortcut not in source


def test_chapters_named_are_those_that_there_are(notebook):
    """By number alone: a link would lead nowhere from a student's own folder."""
    text = nbformat.writes(notebook.solution)
    named = {int(number) for number in re.findall(r"\bchapters? (\d+)", text)}
    assert named
    assert named <= {number for number, _, _ in CHAPTERS.values()}
    assert not re.search(r"\]\((?!https://)", text)


def test_chapters_have_the_titles_that_messages_name(root):
    for number, title, page in CHAPTERS.values():
        assert page.startswith(f"{number:02}-")
        assert re.search(rf"^# {title}", (root / "chapters" / f"{page}.md").read_text(), re.MULTILINE), number


def test_messages_name_the_chapters_labels(root):
    for label, (_, _, page) in CHAPTERS.items():
        assert f"({label})=" in (root / "chapters" / f"{page}.md").read_text()


@pytest.fixture
def sizes(notebooks):
    """Assignment 3."""
    return notebooks["03-sizes-and-counts"]


def _block(question: str) -> list[str]:
    return re.search(r"```text\n(.*?)\n```", question, re.DOTALL).group(1).splitlines()


def test_the_example_drawing_shows_what_the_size_rule_says(sizes):
    drawing = _block(sizes.cell("dropped-column-question").source)
    example = {"size": drawing[0].count("■"), "kernel_size": 3, "stride": 2}
    assert len(drawing) - 1 == Task("output_size", **example).answer
    assert Task("dropped_inputs", **example).answer == 1
    assert "a row of 8 inputs with a kernel of 3 and stride 2" in sizes.cell("dropped-column-question").source
    starts = [line.index("└") for line in drawing[1:]]
    assert np.diff(starts).tolist() == [2 * example["stride"]] * (len(starts) - 1)


def test_the_model_answer_to_the_letter_counts_right(sizes):
    answer = sizes.cell("explain-to-a-friend").source
    assert f"5·5·3 = {conv_weights((5, 5), 3, 1)} weights" in answer
    assert f"= {conv_parameters((5, 5), 3, 10)} parameters" in answer
    points = [int(n) for n in re.findall(r"^\| (\d) \|", answer, re.MULTILINE)]
    assert sum(points) == sizes.cell("explain-to-a-friend").metadata.nbgrader.points


@pytest.mark.keras
def test_keras_counts_and_shapes_as_the_summary_does():
    from cnnlib.keras_bridge import keras

    layers = (Conv(8, 7, padding="same"), Pool(2), Conv(16, 3, strides=2))
    module = keras()
    model = module.Sequential(
        [
            module.Input((48, 64, 3)),
            module.layers.Conv2D(8, 7, padding="same"),
            module.layers.MaxPooling2D(2),
            module.layers.Conv2D(16, 3, strides=2),
        ]
    )
    rows = trace((48, 64, 3), layers)
    assert [tuple(layer.output.shape)[1:] for layer in model.layers] == [row.output for row in rows]
    assert [layer.count_params() for layer in model.layers] == [row.parameters for row in rows]
    assert [type(layer).__name__ for layer in model.layers] == [row.layer for row in rows]


@pytest.mark.grading
@pytest.mark.keras
@pytest.mark.slow
def test_the_solutions_run_in_a_kernel_and_get_every_point(notebook, monkeypatch, tmp_path):
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    monkeypatch.setenv("COURSE_STUDENT", "ada")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    solved = nbformat.from_dict(notebook.solution.copy())
    start = time.perf_counter()
    NotebookClient(solved, timeout=120, kernel_name="python3").execute()
    assert time.perf_counter() - start < 60
    for cell in solved.cells:
        if cell.metadata.nbgrader.grade and cell.cell_type == "code":
            (points,) = (
                out.data["text/plain"] for out in cell.outputs if out.output_type == "execute_result"
            )
            assert float(points) == cell.metadata.nbgrader.points
