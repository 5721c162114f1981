"""Runs that are killed: whatever dies, and whenever, the next run ends where an undisturbed one does.

The kills come from a process of its own that has imported everything and forks a coordinator for each run, so
that a run takes a fraction of a second. Its tasks are quick ones that mark a submission by its text; the
pool, the journal, the gradebook and the folders are the real ones.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.grading,
    pytest.mark.slow,
    pytest.mark.skipif(
        not Path("/proc/self/task").is_dir(), reason="needs /proc to find the processes to kill"
    ),
    pytest.mark.xdist_group("kill"),
]

#: What takes the place of grading; imported by the pool's processes.
QUICK = """
import json, time, zlib
from grading.task import Result, Score, Said

QUESTIONS = ("halve-test", "size-test", "why")

def points(text):
    number = zlib.crc32(text.encode())
    return [number % 3, number // 3 % 4, None]

def quick(setup, job):
    time.sleep(0.03)
    (name, content), = [(n, c) for n, c in job.files.items() if n.endswith(".ipynb")]
    text = json.loads(content)["cells"][2]["source"]
    scores = tuple(Score("tiny", q, p, p is None) for q, p in zip(QUESTIONS, points("".join(text))))
    return Result(job.student, job.assignment, scores, (Said("tiny", "size", None),), {name: content})
"""

DRIVER = """
    import contextlib, json, multiprocessing, os, random, signal, sqlite3, sys, time
    from pathlib import Path
    import quick_tasks
    from grading import gradebook, pool, provisioner, run
    from grading.course import Course

    root, seed, kills = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    course, name = Course.load(root), "01-tiny"
    students = sorted(p.name for p in course.submitted.iterdir())
    chance = random.Random(seed)

    # Quick tasks in processes that need not import nbgrader again.
    run.TASK, run.PREPARE = "quick_tasks:quick", ""
    run._warm = lambda *_: ""
    run._allowed = lambda *_: True  # its trial of the sandbox is a process too, and no worker to kill
    real = multiprocessing.get_context
    pool.multiprocessing = type("m", (), dict(vars(multiprocessing), get_context=lambda _: real("fork"),
                                              get_all_start_methods=lambda: ["fork"]))

    def edit(student):
        file = course.submitted / student / name / "tiny.ipynb"
        notebook = json.loads(file.read_text())
        notebook["cells"][2]["source"] = f"answer = {chance.randrange(10**6)}"
        file.write_text(json.dumps(notebook))

    def coordinate():
        child = os.fork()
        if child == 0:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, 1)
            code = 1
            with contextlib.suppress(BaseException):
                run.autograde(course, name, (), run.Options(jobs=2))
                code = 0
            os._exit(code)
        return child

    def state():
        with contextlib.closing(sqlite3.connect(course.gradebook)) as database:
            return database.execute(
                "select a.student_id, c.name, g.auto_score, g.needs_manual_grade, g.manual_score, g.id "
                "from grade g join base_cell c on g.cell_id = c.id "
                "join submitted_notebook n on g.notebook_id = n.id "
                "join submitted_assignment a on n.assignment_id = a.id order by a.student_id, c.name"
            ).fetchall()

    def answer(student):
        cells = json.loads((course.submitted / student / name / "tiny.ipynb").read_text())["cells"]
        return "".join(cells[2]["source"])

    def expected():
        rows = []
        for student in students:
            given = zip(quick_tasks.QUESTIONS, quick_tasks.points(answer(student)))
            rows += [(student, question, points) for question, points in given]
        return rows

    def children(process):
        try:
            return [int(p) for p in Path(f"/proc/{process}/task/{process}/children").read_text().split()]
        except OSError:
            return []

    assert os.waitpid(coordinate(), 0)[1] == 0
    first = state()
    for student in students:
        edit(student)
    began = time.monotonic()
    assert os.waitpid(coordinate(), 0)[1] == 0
    whole = time.monotonic() - began
    seen = {"coordinator": 0, "worker": 0, "too late": 0, "journals": 0}
    for kill in range(kills):
        for student in chance.sample(students, chance.randint(3, len(students))):
            edit(student)
        child = coordinate()
        while kill % 3 == 0 and not children(child):
            time.sleep(0.001)
        time.sleep(chance.uniform(0.05, 0.8 if kill % 3 else 0.4) * whole)
        worker = chance.choice(children(child) or [0])
        if worker and kill % 3 == 0:
            with contextlib.suppress(ProcessLookupError):
                os.kill(worker, signal.SIGKILL)
            seen["worker"] += 1
            ended = os.waitpid(child, 0)[1]
            assert ended == 0, ("a run did not survive its worker", ended)
        else:
            os.kill(child, signal.SIGKILL)
            ended = os.waitpid(child, 0)[1]
            seen["coordinator" if ended else "too late"] += 1
            seen["journals"] += len(list((course.folder / ".state" / "results").glob("*/*.json")))
            assert os.waitpid(coordinate(), 0)[1] == 0, "the next run failed"
        now = state()
        assert [row[:3] for row in now] == expected(), (kill, now, expected())
        assert [row[5] for row in now] == [row[5] for row in first], "rows were lost or doubled"
        for student in students:
            handed_in = (course.submitted / student / name / "tiny.ipynb").read_bytes()
            graded = course.autograded / student / name
            assert sorted(p.name for p in graded.parent.iterdir()) == [name], "something was left beside"
            assert (graded / "tiny.ipynb").read_bytes() == handed_in
        assert not list((course.folder / ".state" / "results").glob("*/*"))
    print(json.dumps(seen))
"""


@pytest.mark.parametrize("seed", [1, 2])
def test_killed_at_random_moments_nothing_is_lost_or_doubled(new_course, tmp_path: Path, seed: int) -> None:
    small = new_course()
    small.release()
    for number in range(5):
        small.hand_in(f"s{number}", size=f"answer = {number}", why="Because.")
    (tmp_path / "quick_tasks.py").write_text(QUICK)
    (tmp_path / "driver.py").write_text(textwrap.dedent(DRIVER))
    root = Path(__file__).parents[2]
    environment = os.environ | {"PYTHONPATH": f"{root}{os.pathsep}{tmp_path}"}
    done = subprocess.run(
        [sys.executable, tmp_path / "driver.py", small.root, str(seed), "25"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=400,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    seen = json.loads(done.stdout.splitlines()[-1])
    # The kills were real ones: some coordinators died in the middle, some workers did.
    assert seen["coordinator"] >= 8
    assert seen["worker"] >= 3
