"""A small class graded for real: marks, regrades, points by hand, what is skipped, what cannot be graded."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from datetime import datetime

import nbformat
import pytest

from grading import feedback, gradebook, run, task
from grading.course import Course
from grading.errors import GradingError

pytestmark = [pytest.mark.grading, pytest.mark.slow, pytest.mark.xdist_group("small class")]

HALVE = "def halve(n):\n    return n // 2"


@pytest.fixture(scope="module")
def klass(new_course):
    """Ada is right, Bo partly, Cy empty, Di cannot be read, Eve hands in no notebook, Fay nothing."""
    small = new_course()
    small.release()
    small.hand_in("ada", size="answer = 28", halve=HALVE, why="Each window needs room.")
    small.hand_in(
        "bo", "2026-03-10 12:00:00 UTC", size="answer = 27", halve="def halve(n):\n    return n / 2"
    )
    small.hand_in("cy")
    (small.hand_in("di") / "tiny.ipynb").write_text("<<<<<<< HEAD\n{}")
    folder = small.hand_in("eve")
    (folder / "tiny.ipynb").rename(folder / "tiny.pdf")
    course = small.course
    with course.surroundings(), gradebook.opened(course) as book:
        book.update_or_create_assignment(small.name, duedate=datetime(2026, 3, 9, 18))
        book.update_or_create_student("fay", first_name="Fay", last_name="=Lee")
    small.outcome = run.grade(course, small.name)
    return small


def table(course: Course) -> gradebook.Table:
    (found,) = run.tables(course)
    return found


def row(course: Course, student: str) -> gradebook.Row:
    return next(r for r in table(course).rows if r.student == student)


def rows_of(course: Course, student: str) -> list[tuple]:
    """All that the gradebook holds of a student, as the database has it."""
    with sqlite3.connect(course.gradebook) as database:
        return database.execute(
            "select c.name, g.auto_score, g.manual_score, g.extra_credit, g.needs_manual_grade, n.id, g.id, "
            "n.late_submission_penalty, a.timestamp from grade g join base_cell c on g.cell_id = c.id "
            "join submitted_notebook n on g.notebook_id = n.id "
            "join submitted_assignment a on n.assignment_id = a.id where a.student_id = ? order by c.name",
            (student,),
        ).fetchall()


def test_marks(klass) -> None:
    marks = {r.student: {q: m.score for q, m in r.marks.items()} for r in table(klass.course).rows}
    assert marks["ada"] == {"size-test": 2, "halve-test": 3, "why": 0}
    assert marks["bo"] == {"size-test": 0.5, "halve-test": 0, "why": 0}
    assert marks["cy"] == {"size-test": 0, "halve-test": 0, "why": 0}
    assert marks["di"] == marks["eve"] == {"size-test": 0, "halve-test": 0, "why": 0}
    assert marks["fay"] == {}


def test_status_of_each(klass) -> None:
    status = {r.student: r.status for r in table(klass.course).rows}
    assert status == {
        "ada": "waiting",
        "bo": "graded",
        "cy": "graded",
        "di": "zero",
        "eve": "zero",
        "fay": "not submitted",
    }


def test_what_cannot_be_graded_gets_nothing_for_a_reason_and_harms_nobody(klass) -> None:
    assert klass.outcome.problems.keys() == {"di", "eve"}
    assert "tiny.ipynb" in klass.outcome.problems["eve"]
    assert klass.outcome.graded.keys() == {"ada", "bo", "cy"}
    for student in ("di", "eve"):
        told = row(klass.course, student)
        assert told.problem == klass.outcome.problems[student]
        assert told.waiting == []
        assert (klass.course.feedback / student / klass.name / "tiny.html").is_file()
        with klass.course.surroundings(), gradebook.opened(klass.course) as book:
            said = gradebook.comments(book, klass.name, student)
        assert any(told.problem in text for text in said.values())


def test_late_costs_a_tenth_for_the_day_begun(klass) -> None:
    late = row(klass.course, "bo")
    assert late.seconds_late == 18 * 3600
    assert late.penalty == pytest.approx(0.05)
    assert late.total == pytest.approx(0.45)
    assert row(klass.course, "ada").penalty == 0


def test_the_csv_has_a_line_for_everyone(klass) -> None:
    text = (klass.course.folder / "marks" / f"{klass.name}.csv").read_text(encoding="utf-8-sig")
    lines = {line["student"]: line for line in csv.DictReader(io.StringIO(text))}
    assert lines.keys() == {"ada", "bo", "cy", "di", "eve", "fay"}
    assert lines["fay"]["last name"] == "'=Lee"
    assert lines["ada"]["waits for a person"] == "why"
    assert float(lines["bo"]["total"]) == pytest.approx(row(klass.course, "bo").total)


def test_what_is_unchanged_is_not_graded_again(klass, capsys) -> None:
    outcome = run.autograde(klass.course, klass.name)
    assert outcome.unchanged == ["ada", "bo", "cy", "di", "eve"]
    assert not outcome.graded
    assert "5 of 5 submissions graded and unchanged" in capsys.readouterr().out


def test_a_result_that_is_gone_is_made_again(klass) -> None:
    shutil.rmtree(klass.course.autograded / "cy")
    assert run.autograde(klass.course, klass.name, ["cy"]).graded.keys() == {"cy"}


def test_an_interrupted_grading_is_not_taken_for_finished(klass, monkeypatch) -> None:
    klass.course.stamp(klass.name, "cy").unlink()

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(gradebook, "record", interrupted)
        with pytest.raises(KeyboardInterrupt):
            run.autograde(klass.course, klass.name, ["cy"])
    assert run.autograde(klass.course, klass.name, ["cy"]).graded.keys() == {"cy"}


def test_a_result_that_was_cut_short_is_made_again(klass) -> None:
    klass.course.stamp(klass.name, "cy").unlink()
    graded = klass.course.autograded / "cy" / klass.name / "tiny.ipynb"
    graded.write_text(graded.read_text()[:200])
    assert run.autograde(klass.course, klass.name, ["cy"]).graded.keys() == {"cy"}
    assert nbformat.read(graded, as_version=4).cells


def test_a_gradebook_begun_anew_is_filled_again(klass) -> None:
    """As the message about a broken gradebook advises: the old one is put aside."""
    aside = klass.course.folder / "aside.db"
    klass.course.gradebook.rename(aside)
    try:
        assert run.autograde(klass.course, klass.name, ["ada", "cy"]).graded.keys() == {"ada", "cy"}
        assert row(klass.course, "ada").total == 5
    finally:
        aside.replace(klass.course.gradebook)


@pytest.mark.skipif(sys.platform == "darwin", reason="its disk takes UTF-8 names alone")
def test_names_in_another_encoding_harm_nobody(klass, capsys) -> None:
    """Archives made on Korean Windows unpack to such names."""
    korean = os.fsdecode("한글".encode("cp949"))
    folder = klass.hand_in("cy")
    (folder / f"{korean}.txt").write_text("a note")
    other = klass.hand_in("gil")
    (other / "tiny.ipynb").rename(other / f"{korean}.ipynb")
    nameless = klass.course.submitted / korean
    klass.hand_in("gil").parent.rename(nameless)
    try:
        outcome = run.autograde(klass.course, klass.name)
        run.write_all(klass.course, klass.name)
        assert "cy" in outcome.graded
        assert korean in outcome.problems
        assert row(klass.course, korean).status == "not graded"
        assert "\\udcc7" in capsys.readouterr().out
    finally:
        shutil.rmtree(nameless)
        (folder / f"{korean}.txt").unlink()


def test_regrading_keeps_all_as_it_was(klass) -> None:
    course = klass.course
    with course.surroundings(), gradebook.opened(course) as book:
        gradebook.give(book, klass.name, "ada", "why", 0.5)
        comment = book.find_comment("why", "tiny", klass.name, "ada")
        comment.manual_comment = "Nearly: say **why**."
        book.db.commit()
    run.tables(course)

    def all_of_it() -> tuple[object, ...]:
        graded = course.autograded / "ada" / klass.name / "tiny.ipynb"
        page = course.feedback / "ada" / klass.name / "tiny.html"
        run.write_feedback(course, [klass.name])
        return rows_of(course, "ada"), *(hashlib.sha256(f.read_bytes()).hexdigest() for f in (graded, page))

    before = all_of_it()
    course.stamp(klass.name, "ada").unlink()
    assert run.autograde(course, klass.name, ["ada"]).graded.keys() == {"ada"}
    assert all_of_it() == before
    assert row(course, "ada").marks["why"] == gradebook.Mark(None, 0.5, 0.0, False)
    assert "Nearly: say <strong>why</strong>." in (
        course.feedback / "ada" / klass.name / "tiny.html"
    ).read_text(encoding="utf-8")


def test_a_changed_answer_is_looked_at_again(klass) -> None:
    course = klass.course
    klass.hand_in("hal", size="answer = 28", why="One reason.")
    run.autograde(course, klass.name, ["hal"])
    with course.surroundings(), gradebook.opened(course) as book:
        gradebook.give(book, klass.name, "hal", "why", 1)
    klass.hand_in("hal", size="answer = 27", why="One reason.")
    run.autograde(course, klass.name, ["hal"])
    assert row(course, "hal").waiting == []
    assert row(course, "hal").total == 1.5
    klass.hand_in("hal", size="answer = 27", why="Another reason.")
    run.autograde(course, klass.name, ["hal"])
    assert row(course, "hal").waiting == ["why"]
    assert row(course, "hal").marks["why"].manual == 1


def test_points_given_later_are_penalised_too(klass) -> None:
    course = klass.course
    klass.hand_in("ida", "2026-03-10 12:00:00 UTC", size="answer = 28", halve=HALVE, why="Because.")
    run.autograde(course, klass.name, ["ida"])
    assert row(course, "ida").penalty == pytest.approx(0.5)
    with course.surroundings(), gradebook.opened(course) as book:
        gradebook.give(book, klass.name, "ida", "why", 1)
    assert row(course, "ida").penalty == pytest.approx(0.6)
    assert row(course, "ida").total == pytest.approx(5.4)


def test_more_points_than_there_are_cannot_be_given(klass) -> None:
    with (
        klass.course.surroundings(),
        gradebook.opened(klass.course) as book,
        pytest.raises(GradingError, match="2 points of 1 cannot be given"),
    ):
        gradebook.give(book, klass.name, "ada", "why", 2)


def test_a_deleted_test_and_a_changed_one_are_put_back(klass) -> None:
    folder = klass.hand_in("jo", size="answer = 28", halve="def halve(n):\n    return 0")
    file = folder / "tiny.ipynb"
    notebook = nbformat.read(file, as_version=4)
    notebook.cells = [c for c in notebook.cells if c.id != "size-test"]
    next(c for c in notebook.cells if c.id == "halve-test").source = "pass"
    nbformat.write(notebook, file)
    run.autograde(klass.course, klass.name, ["jo"])
    assert {q: m.score for q, m in row(klass.course, "jo").marks.items()} == {
        "size-test": 2,
        "halve-test": 0,
        "why": 0,
    }


def test_noise_past_python_costs_nothing_and_stays_off_the_terminal(klass, capfd) -> None:
    noisy = HALVE.replace("    return", "    os.write(2, b'noise'); os.system('echo noise >&2')\n    return")
    klass.hand_in("lee", size="answer = 28", halve="import os\n" + noisy)
    run.autograde(klass.course, klass.name, ["lee"])
    assert row(klass.course, "lee").marks["halve-test"].score == 3
    said = capfd.readouterr()
    assert "lee  5 points" in said.out
    assert "noise" not in said.out + said.err


def test_what_a_cell_prints_is_one_output(klass) -> None:
    """It reaches the notebook in pieces, cut by chance; a regrade must give the same file."""
    printing = "import time\nfor n in range(4):\n    print(n, flush=True)\n    time.sleep(0.3)\nanswer = 28"
    klass.hand_in("mia", size=printing)
    run.autograde(klass.course, klass.name, ["mia"])
    graded = nbformat.read(klass.course.autograded / "mia" / klass.name / "tiny.ipynb", as_version=4)
    outputs = next(c for c in graded.cells if c.id == "size").outputs
    assert [output.text for output in outputs] == ["0\n1\n2\n3\n"]


def test_every_setting_is_known_to_nbgrader(klass) -> None:
    assert "not recognized" not in klass.course.log.read_text(encoding="utf-8")


def test_a_page_that_cannot_be_made_stops_nobody_else(klass, monkeypatch) -> None:
    course, start = klass.course, feedback.GenerateFeedback.start
    for student in ("ada", "bo", "cy"):
        (course.folder / ".state" / "feedback" / klass.name / f"{student}.json").unlink()
        shutil.rmtree(course.feedback / student)
    marks = course.folder / "marks" / f"{klass.name}.csv"
    marks.unlink()

    def start_unless_ada(converter) -> None:
        if converter.coursedir.student_id == "ada":
            raise feedback.NbGraderException("no page")
        start(converter)

    with monkeypatch.context() as patched:
        patched.setattr(feedback.GenerateFeedback, "start", start_unless_ada)
        with pytest.raises(GradingError, match="the feedback pages of ada could not be made; see class/log"):
            run.write_all(course, klass.name)
    assert marks.is_file()
    assert {page.parts[-3] for page in course.feedback.glob("*/*/*.html")} >= {"bo", "cy"}
    assert not (course.feedback / "ada").exists()
    run.write_all(course, klass.name)
    assert (course.feedback / "ada").exists()


def test_what_stops_nbgrader_is_told_and_tried_again(klass, monkeypatch, tmp_path) -> None:
    course = klass.course
    with course.surroundings(), gradebook.opened(course) as book:
        setup = task.setup(course, klass.name, book)
    job = run.job(course, klass.name, "ada")

    def gives_up(converter) -> None:
        converter.log.error(words)
        raise task.NbGraderException("no more words")

    monkeypatch.setattr(task.Autograde, "start", gives_up)
    for words in ("ValueError: of the notebook", ""):
        result = task.grade(setup, job)
        assert (words or "no reason given") in result.problem
        assert not result.final


def test_the_code_of_a_submission_sees_nothing_of_this_machine(klass) -> None:
    """A home of its own, no network, no other process, nothing of the class or of the solutions."""
    klass.hand_in(
        "kit",
        size="import json, os, socket\n"
        "def tried(what, *arguments):\n"
        "    try:\n"
        "        return repr(what(*arguments))\n"
        "    except OSError as error:\n"
        "        return type(error).__name__\n"
        "print(json.dumps({\n"
        "    'home': os.environ['HOME'], 'here': os.getcwd(), 'me': os.getpid(),\n"
        "    'processes': [p for p in os.listdir('/proc') if p.isdigit()],\n"
        f"    'class': tried(os.listdir, {str(klass.course.folder)!r}),\n"
        f"    'solutions': tried(os.listdir, {str(klass.root)!r}),\n"
        "    'written': tried(open, '/usr/here', 'w'),\n"
        "    'network': tried(socket.create_connection, ('127.0.0.1', 9), 1),\n"
        "}))",
    )
    run.autograde(klass.course, klass.name, ["kit"])
    graded = nbformat.read(klass.course.autograded / "kit" / klass.name / "tiny.ipynb", as_version=4)
    seen = json.loads(next(c for c in graded.cells if c.id == "size").outputs[0].text)
    assert seen["home"] == seen["here"] == "/home/student"
    assert seen["me"] == 1
    assert seen["processes"] == ["1"]
    assert seen["class"] == seen["solutions"] == "FileNotFoundError"
    assert seen["written"] == "OSError"
    assert seen["network"] == "OSError"
    there = {p.name for p in klass.root.iterdir()}
    assert there == {"nbgrader_config.py", "solutions", "exercises", "class"}


def test_plain_nbgrader_does_the_same_with_the_same_configuration(klass) -> None:
    course = klass.course
    before = rows_of(course, "cy")
    page = course.feedback / "cy" / klass.name / "tiny.html"
    with course.surroundings():
        environment = dict(os.environ)
    for verb in ("autograde", "generate_feedback"):
        done = subprocess.run(
            [sys.executable, "-m", "nbgrader", verb, klass.name, "--student", "cy", "--force"],
            cwd=klass.root,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    assert rows_of(course, "cy") == before
    text = page.read_text(encoding="utf-8")
    assert "Content-Security-Policy" in text
    assert "hidden_expectation" not in text


def test_plain_nbgrader_may_be_the_first_command_of_all(small) -> None:
    """No class folder yet, and the environment not on PATH: nbgrader alone would end in a traceback."""
    environment = {"HOME": str(small.root), "PATH": "/usr/bin:/bin", "COURSE_CLASS": "class"}
    command = [sys.executable, "-m", "nbgrader", "db", "student", "add", "ada"]
    subprocess.run(command, cwd=small.root, env=environment, capture_output=True, check=True)
    with small.course.surroundings(), gradebook.opened(small.course) as book:
        assert [student.id for student in book.students] == ["ada"]


def test_a_rehearsal_is_grading_without_a_kernel(small, monkeypatch: pytest.MonkeyPatch) -> None:
    """What goes wrong in it is not told, and would cost each run of a class its quick start."""
    small.release()
    small.hand_in("ada", size="answer = 28")
    started: list[object] = []
    monkeypatch.setattr("grading.bounded.Bounded.preprocess", lambda *_, **__: started.append(_))
    read = task._read
    monkeypatch.setattr(task, "_read", lambda *about: started.append(read(*about)) or started[-1])
    with (
        small.course.surroundings() as log,
        run._prepared(small.course, small.name, log, run.Options()) as book,
    ):
        task.rehearse(task.setup(small.course, small.name, book))
    ((scores, comments),) = started
    assert scores
    assert comments


def test_a_duplicated_cell_costs_nothing(small) -> None:
    """One press of JupyterLab's button: nbgrader alone gives up on the whole notebook."""
    small.release()
    file = small.hand_in("dora", size="answer = 28")
    notebook = nbformat.read(file / "tiny.ipynb", as_version=4)
    copies = [nbformat.from_dict(cell) for cell in notebook.cells]
    for number, cell in enumerate(copies):
        cell.id = f"copy-{number}"
    notebook.cells = notebook.cells + copies
    nbformat.write(notebook, file / "tiny.ipynb")
    assert run.autograde(small.course, small.name).graded.keys() == {"dora"}


@pytest.fixture(scope="module")
def again(new_course):
    """A course whose student hands in again and again; what was right before is marked by hand."""
    small = new_course()
    small.release()
    small.hand_in("dora", size="answer = 28", halve=HALVE, why="Because.")
    small.hand_in("eli", size="answer = 27", halve=HALVE, why="So.")
    run.autograde(small.course, small.name)
    with small.course.surroundings(), gradebook.opened(small.course) as book:
        gradebook.give(book, small.name, "dora", "why", 1)
    return small


def test_a_resubmission_that_cannot_be_read_costs_its_points_until_it_is_mended(again) -> None:
    course, before = again.course, rows_of(again.course, "dora")
    file = course.submitted / "dora" / again.name / "tiny.ipynb"
    good = file.read_text()
    assert row(course, "dora").total == 6
    file.write_text("no notebook")
    run.grade(course, again.name)
    told = row(course, "dora")
    assert (told.status, told.total) == ("zero", 0)
    assert "no notebook" not in told.problem or "notebook" in told.problem
    kept = gradebook.earlier(course, again.name, "dora")
    assert "Because." in (kept / "tiny.ipynb").read_text()
    file.write_text(good)
    run.grade(course, again.name)
    assert rows_of(course, "dora") == before
    assert row(course, "dora").status == "graded"
    assert not kept.exists()


def test_a_resubmission_that_is_taken_back_counts_no_more(again) -> None:
    course, before = again.course, rows_of(again.course, "dora")
    graded = course.autograded / "dora" / again.name / "tiny.ipynb"
    content = graded.read_bytes()
    folder = course.submitted / "dora" / again.name
    aside = folder.with_name("aside")
    shutil.copytree(folder, course.folder / "aside")
    (folder / "tiny.ipynb").write_text("no notebook")
    run.autograde(course, again.name)
    assert row(course, "dora").total == 0
    shutil.rmtree(folder)
    again.hand_in("finn").joinpath("tiny.ipynb").write_text("no notebook")
    run.autograde(course, again.name)
    assert rows_of(course, "dora") == before
    assert graded.read_bytes() == content
    assert row(course, "dora").status == "graded"
    assert row(course, "finn").status == "zero"
    shutil.rmtree(course.submitted / "finn")
    run.autograde(course, again.name)
    assert "finn" not in {r.student for r in table(course).rows if r.marks}
    assert not aside.exists()
    (course.folder / "aside").rename(folder)


def test_one_question_is_graded_anew_and_all_others_stay(again) -> None:
    """The tests of two questions change; only the one that was named takes effect."""
    course, page = again.course, again.course.autograded / "eli" / again.name / "tiny.ipynb"
    before = {s: {q: m.score for q, m in row(course, s).marks.items()} for s in ("dora", "eli")}

    def change(notebook) -> None:
        for each in notebook.cells:
            if each.id == "size-test":
                each.source = "assert answer in (27, 28), 'neither'"
            if each.id == "halve-test":
                each.source = "raise AssertionError('nobody can pass')"

    original = again.source.read_text()
    again.edit(change)
    again.release()
    try:
        run.autograde(course, again.name, (), run.Options(question="size-test"))
        after = {s: {q: m.score for q, m in row(course, s).marks.items()} for s in ("dora", "eli")}
        assert after == {s: marks | {"size-test": 2} for s, marks in before.items()}
        assert "answer in (27, 28)" in page.read_text()
        assert "nobody can pass" not in page.read_text()
        with pytest.raises(GradingError, match="no question 'other'; there are: halve-test, size-test, why"):
            run.autograde(course, again.name, (), run.Options(question="other"))
    finally:
        again.source.write_text(original)
        again.release()


def test_what_lies_in_a_wrong_place_is_told(again) -> None:
    course = again.course
    there = course.submitted
    (there / "tiny.ipynb").touch()
    (there / "gus").mkdir()
    (there / "gus" / "tiny.ipynb").touch()
    (there / "gus" / "01-tinny").mkdir()
    (there / again.name).mkdir()
    (there / again.name / "hal.ipynb").touch()
    told = run.misplaced(course)
    assert told == [
        f"class/submitted/{again.name}/hal.ipynb belongs into class/submitted/STUDENT/{again.name}/",
        f"class/submitted/gus/01-tinny is no assignment; it may be meant for {again.name} "
        f"(there are: {again.name})",
        "class/submitted/gus/tiny.ipynb belongs into class/submitted/gus/ASSIGNMENT/",
        "class/submitted/tiny.ipynb belongs into class/submitted/STUDENT/ASSIGNMENT/",
    ]
    shutil.rmtree(there / "gus")
    shutil.rmtree(there / again.name)
    (there / "tiny.ipynb").unlink()
    assert run.misplaced(course) == []


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("step", ["_write", "state.write_folder", "state.note"])
@pytest.mark.parametrize("broken", [False, True])
def test_what_a_run_that_was_killed_had_begun_to_write_is_completed(
    again, monkeypatch, step: str, after: bool, broken: bool
) -> None:
    """Killed before or after each step of the writer; the next run ends where an undisturbed one does."""
    course = again.course
    file = course.submitted / "dora" / again.name / "tiny.ipynb"
    good = file.read_text()
    changed = "no notebook" if broken else good.replace("answer = 28", "answer = 27")
    file.write_text(changed)
    run.autograde(course, again.name)
    expected = rows_of(course, "dora"), row(course, "dora")
    file.write_text(good)
    run.autograde(course, again.name)
    with course.surroundings(), gradebook.opened(course) as book:
        gradebook.give(book, again.name, "dora", "why", 1)
    before = rows_of(course, "dora")

    class Killed(BaseException):
        pass

    owner, name = (gradebook.state, step.split(".")[1]) if "." in step else (gradebook, step)
    real = getattr(owner, name)

    def kills(*arguments, **more):
        if after:
            real(*arguments, **more)
        raise Killed

    file.write_text(changed)
    with monkeypatch.context() as patched:
        patched.setattr(owner, name, kills)
        with pytest.raises(Killed):
            run.autograde(course, again.name)
    run.autograde(course, again.name)
    assert rows_of(course, "dora") == expected[0]
    assert row(course, "dora") == expected[1]
    file.write_text(good)
    run.autograde(course, again.name)
    assert [r[:2] + r[3:4] for r in rows_of(course, "dora")] == [r[:2] + r[3:4] for r in before]
    with course.surroundings(), gradebook.opened(course) as book:
        gradebook.give(book, again.name, "dora", "why", 1)
    assert rows_of(course, "dora") == before
