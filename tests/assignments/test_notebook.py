"""The assignment's notebook: valid, whole, free of leaks, and true to the tasks that it is graded by."""

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

from cnnlib.exercises import Conv, Line, Pool, Summary, Task, trace
from cnnlib.exercises.wording import CHAPTERS, shape_text
from cnnlib.sizes import conv_parameters, conv_weights


def grade_ids(notebook: Any) -> list[str]:
    return [cell.metadata.nbgrader.grade_id for cell in notebook.cells]


def hidden(source: str) -> str:
    return "\n".join(re.findall(r"### BEGIN HIDDEN TESTS\n(.*?)### END HIDDEN TESTS", source, re.DOTALL))


def test_it_is_valid_and_clean(sheet):
    notebook = sheet.solution
    nbformat.validate(notebook)
    MetadataValidator().validate_nb(notebook)
    assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)
    assert notebook.metadata.kernelspec.name == "python3"
    for cell in notebook.cells:
        assert cell.metadata.nbgrader.schema_version == 3
        assert cell.id == cell.metadata.nbgrader.grade_id
        assert re.fullmatch(r"[a-z]+(-[a-z0-9]+)*", cell.id)
        if cell.cell_type == "code":
            assert cell.outputs == []
            assert cell.execution_count is None
    assert len(set(grade_ids(notebook))) == len(notebook.cells)


def test_the_points_add_up_to_what_is_promised(sheet):
    points = {
        cell.id: cell.metadata.nbgrader.points
        for cell in sheet.solution.cells
        if cell.metadata.nbgrader.grade
    }
    assert sum(points.values()) == 40
    assert "40 points" in sheet.cell("intro").source
    for cell_id, worth in points.items():
        question = sheet.cell(question_of(cell_id)).source
        assert f"({worth} points" in question, cell_id
    assert len(sheet.graded) >= 9


def question_of(cell_id: str) -> str:
    if cell_id == "explain-to-a-friend":
        return "explain-question"
    return f"{cell_id.removesuffix('-check')}-question"


def test_every_task_has_question_answer_and_check_in_this_order(sheet, task_id):
    ids = grade_ids(sheet.solution)
    start = ids.index(f"{task_id}-question")
    assert ids[start : start + 3] == [f"{task_id}-question", task_id, f"{task_id}-check"]
    question, answer, check = (sheet.cell(name).metadata.nbgrader for name in ids[start : start + 3])
    assert question.locked
    assert not question.grade
    assert answer.solution
    assert not answer.locked
    assert check.grade
    assert check.locked


def test_every_autograded_task_has_a_visible_check_and_a_hidden_test(sheet, task_id):
    source = sheet.cell(f"{task_id}-check").source
    assert "marks." in hidden(source)
    asked = sheet.asked(task_id, released=True)
    assert any(line.method != "look" for line in asked), "nothing is judged before handing in"
    assert sum(line.points for line in sheet.asked(task_id)) == sheet.graded[task_id]
    assert {line.name for line in sheet.asked(task_id)} == {line.name for line in asked}


def test_the_release_leaks_neither_solutions_nor_hidden_tests(sheet):
    released = nbformat.writes(sheet.released)
    for word in ("BEGIN SOLUTION", "END SOLUTION", "BEGIN HIDDEN", "END HIDDEN", "Rubric"):
        assert word not in released
    secrets = []
    for cell in sheet.solution.cells:
        regions = re.findall(r"### BEGIN SOLUTION\n(.*?)### END SOLUTION", cell.source, re.DOTALL)
        for region in [*regions, hidden(cell.source)]:
            secrets += [line.strip() for line in region.splitlines() if len(line.strip()) > 20]
    assert len(secrets) > 60
    shown = "\n".join(cell.source for cell in sheet.released.cells)
    allowed = {"from cnnlib.exercises import Conv, Pool"}
    assert [line for line in secrets if line in shown and line not in allowed] == []


def test_the_released_answers_are_open_and_need_no_keras(sheet, task_id):
    source = sheet.cell(task_id, released=True).source
    assert "= ..." in source
    assert "keras" not in source
    assert "keras" not in sheet.cell(f"{task_id}-check", released=True).source
    names = {line.name for line in sheet.asked(task_id)}
    namespace: dict[str, Any] = {}
    exec(source, namespace)
    assert names <= set(namespace)
    for name in names:
        assert namespace[name] is ... or callable(namespace[name])


def test_answer_names_are_used_in_one_task_only(sheet):
    names = [name for task_id in sheet.graded for name in {line.name for line in sheet.asked(task_id)}]
    assert len(set(names)) == len(names)


def test_questions_state_the_numbers_that_are_graded(sheet, part):
    task_id, name, task = part
    question = sheet.cell(f"{task_id}-question").source
    row = next((line for line in question.splitlines() if f"`{name}`" in line and line.startswith("|")), None)
    if row is None:  # told in prose; the tests below hold it
        assert task_id in ("find-the-slip", "read-the-summary", "predict-the-map")
        return
    for parameter, value in task.given.items():
        if parameter in ("use_bias",) or (
            parameter in ("padding", "stride", "strides") and not row.count("|") > 5
        ):
            continue
        wanted = shape_text(value)
        if parameter in ("kernel_size", "pool_size") and f"{wanted}×{wanted}" in row:
            continue
        assert re.search(rf"\| {re.escape(wanted)} \|", row), f"{parameter} {wanted} is not in: {row}"


def test_the_summary_is_what_the_library_makes_of_the_model(sheet):
    layers = next(
        line.task.given["layers"]
        for line in sheet.asked("read-the-summary")
        if line.points and line.name == "total"
    )
    table = Summary((48, 64, 3), tuple(layers), blanks={(2, 3), (3, 3), (0, 3)})
    assert str(table) in sheet.cell("read-the-summary-question").source
    asked = next(
        line.task for line in sheet.asked("read-the-summary") if line.points and line.name == "kernel_width"
    )
    first = trace((48, 64, 3), layers)[0]
    assert asked.given == {"parameters": first.parameters, "channels": 3, "filters": layers[0].filters}
    assert layers[0].kernel_size == asked.answer
    third = next(
        line.task for line in sheet.asked("read-the-summary") if line.points and line.name == "layer_3"
    )
    assert third.answer == trace((48, 64, 3), layers)[2].parameters


def test_the_worked_solution_has_the_one_slip_that_is_graded(sheet):
    lines = next(
        line.task.given["lines"]
        for line in sheet.asked("find-the-slip")
        if line.points and line.name == "slip_line"
    )
    question = sheet.cell("find-the-slip-question").source
    notes = re.findall(r"^> \d\. (.*)$", question, re.MULTILINE)
    assert len(notes) == len(lines)
    for note, line in zip(notes, lines, strict=True):
        assert isinstance(line, Line)
        assert str(line.claim) in note
    assert sum(line.claim != line.task.answer for line in lines) == 1


def test_the_predicted_inputs_stand_in_the_question(sheet):
    question = sheet.cell("predict-the-map-question").source.replace("−", "-")
    row, picture = (line.task for line in sheet.asked("predict-the-map") if line.method == "check")
    assert f"signal {', '.join(map(str, row.given['signal']))} and" in question
    assert f"kernel {', '.join(map(str, row.given['kernel']))}, **stride {row.given['stride']}**" in question
    block = [re.findall(r"-?\d", line) for line in _block(question)]
    rows = zip(block, picture.given["signal"], (*picture.given["kernel"], ()), strict=True)
    for numbers, inputs, kernel in rows:
        assert tuple(map(int, numbers)) == (*inputs, *kernel)


def _block(question: str) -> list[str]:
    return re.search(r"```text\n(.*?)\n```", question, re.DOTALL).group(1).splitlines()


def test_the_model_asked_for_is_the_one_in_the_table(sheet):
    visible, graded = (line.task for line in sheet.asked("build-a-model"))
    assert visible[0] == graded[0]
    rows = trace(*graded)
    assert visible[1] == rows
    question = sheet.cell("build-a-model-question").source
    for number, row in enumerate(rows, 1):
        assert f"| {number} · `{row.layer}` | {shape_text(row.output)} | {row.parameters} |" in question


def test_the_example_drawing_shows_what_the_size_rule_says(sheet):
    drawing = _block(sheet.cell("dropped-column-question").source)
    example = {"size": drawing[0].count("■"), "kernel_size": 3, "stride": 2}
    assert len(drawing) - 1 == Task("output_size", **example).answer
    assert Task("dropped_inputs", **example).answer == 1
    assert "a row of 8 inputs with a kernel of 3 and stride 2" in sheet.cell("dropped-column-question").source
    starts = [line.index("└") for line in drawing[1:]]
    assert np.diff(starts).tolist() == [2 * example["stride"]] * (len(starts) - 1)


def test_the_model_answer_to_the_letter_counts_right(sheet):
    answer = sheet.cell("explain-to-a-friend").source
    assert f"5·5·3 = {conv_weights((5, 5), 3, 1)} weights" in answer
    assert f"= {conv_parameters((5, 5), 3, 10)} parameters" in answer
    points = [int(n) for n in re.findall(r"^\| (\d) \|", answer, re.MULTILINE)]
    assert sum(points) == sheet.cell("explain-to-a-friend").metadata.nbgrader.points


def test_hidden_tests_compute_and_type_no_results(sheet, task_id):
    """Answers come from tasks: no number is compared with a typed one."""
    for node in ast.walk(ast.parse(sheet.cell(f"{task_id}-check").source)):
        assert not isinstance(node, ast.Compare | ast.Assert)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "check":
            assert not any(isinstance(argument, ast.Constant | ast.Tuple) for argument in node.args[1:])


def test_chapters_named_are_those_that_messages_name_too(sheet, root):
    """By number alone: a link would lead nowhere from a student's own folder."""
    text = nbformat.writes(sheet.solution)
    named = {int(number) for number in re.findall(r"\bchapter (\d+)", text)}
    assert named
    assert named <= {number for number, _, _ in CHAPTERS.values()}
    assert not re.search(r"\]\((?!https://)", text)
    for number, title, page in CHAPTERS.values():
        chapter = (root / "chapters" / f"{page}.md").read_text()
        assert re.search(rf"^# {title}", chapter, re.MULTILINE), number


def test_messages_name_the_chapters_labels(root):
    for label, (_, _, page) in CHAPTERS.items():
        assert f"({label})=" in (root / "chapters" / f"{page}.md").read_text()


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
def test_the_solutions_run_in_a_kernel_and_get_every_point(sheet, monkeypatch, tmp_path):
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    notebook = nbformat.from_dict(sheet.solution.copy())
    start = time.perf_counter()
    NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    assert time.perf_counter() - start < 60
    for cell in notebook.cells:
        if cell.metadata.nbgrader.grade and cell.cell_type == "code":
            (points,) = (
                out.data["text/plain"] for out in cell.outputs if out.output_type == "execute_result"
            )
            assert float(points) == cell.metadata.nbgrader.points
