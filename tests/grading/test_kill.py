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

from grading.config import why_not

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

COMMON = """
    import contextlib, json, multiprocessing, os, random, signal, sqlite3, sys, time
    from pathlib import Path
    from grading import gradebook, pool, provisioner, run, task
    from grading.course import Course

    root, seed, kills = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    course, name = Course.load(root), "01-tiny"
    students = sorted(p.name for p in course.submitted.iterdir())
    chance = random.Random(seed)

    # Processes that need not import nbgrader again.
    run._allowed = lambda *_: True  # its trial of the sandbox is a process too, and no worker to kill
    real = multiprocessing.get_context
    pool.multiprocessing = type("m", (), dict(vars(multiprocessing), get_context=lambda _: real("fork"),
                                              get_all_start_methods=lambda: ["fork"]))

    def write(student, source, cell=2):
        file = course.submitted / student / name / "tiny.ipynb"
        notebook = json.loads(file.read_text())
        notebook["cells"][cell]["source"] = source
        file.write_text(json.dumps(notebook))

    def coordinate(before=lambda: None, **options):
        child = os.fork()
        if child == 0:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, 1)
            code = 1
            with contextlib.suppress(BaseException):
                before()
                run.autograde(course, name, (), run.Options(jobs=2, **options))
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

    def answer(student, cell=2):
        cells = json.loads((course.submitted / student / name / "tiny.ipynb").read_text())["cells"]
        return "".join(cells[cell]["source"])

    def children(process):
        found = []
        with contextlib.suppress(OSError):
            for task in os.listdir(f"/proc/{process}/task"):
                found += map(int, Path(f"/proc/{process}/task/{task}/children").read_text().split())
        return found

    def kill(process):
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
"""

DRIVER = """
    import quick_tasks

    run.TASK, run.PREPARE, run.REHEARSE = "quick_tasks:quick", "", ""
    run._warm = lambda *_: ""

    def edit(student):
        write(student, f"answer = {chance.randrange(10**6)}")

    def expected():
        rows = []
        for student in students:
            given = zip(quick_tasks.QUESTIONS, quick_tasks.points(answer(student)))
            rows += [(student, question, points) for question, points in given]
        return rows

    assert os.waitpid(coordinate(), 0)[1] == 0
    first = state()
    for student in students:
        edit(student)
    began = time.monotonic()
    assert os.waitpid(coordinate(), 0)[1] == 0
    whole = time.monotonic() - began
    seen = {"coordinator": 0, "worker": 0, "too late": 0, "journals": 0}
    for number in range(kills):
        for student in chance.sample(students, chance.randint(3, len(students))):
            edit(student)
        child = coordinate()
        while number % 3 == 0 and not children(child):
            time.sleep(0.001)
        time.sleep(chance.uniform(0.05, 0.8 if number % 3 else 0.4) * whole)
        worker = chance.choice(children(child) or [0])
        if worker and number % 3 == 0:
            kill(worker)
            seen["worker"] += 1
            ended = os.waitpid(child, 0)[1]
            assert ended == 0, ("a run did not survive its worker", ended)
        else:
            kill(child)
            ended = os.waitpid(child, 0)[1]
            seen["coordinator" if ended else "too late"] += 1
            seen["journals"] += len(list((course.folder / ".state" / "results").glob("*/*.json")))
            assert os.waitpid(coordinate(), 0)[1] == 0, "the next run failed"
        now = state()
        assert [row[:3] for row in now] == expected(), (number, now, expected())
        assert [row[5] for row in now] == [row[5] for row in first], "rows were lost or doubled"
        for student in students:
            handed_in = (course.submitted / student / name / "tiny.ipynb").read_bytes()
            graded = course.autograded / student / name
            assert sorted(p.name for p in graded.parent.iterdir()) == [name], "something was left beside"
            assert (graded / "tiny.ipynb").read_bytes() == handed_in
        assert not list((course.folder / ".state" / "results").glob("*/*"))
    print(json.dumps(seen))
"""


#: The same with real kernels in real sandboxes, and with all that stands between them and the coordinator: a
#: class hands in again and again, and until all is graded somebody dies every now and then.
REAL = """
    provisioner.register(root / "nowhere")  # so that nothing heavy is imported ahead
    run._warm = lambda *_: provisioner.address()  # beside it processes are forked: nothing may be imported
    shared = provisioner.WarmStart(provisioner.modules_for([]))
    stamps = {student: course.stamp(name, student) for student in students}

    def edit(student):
        number, right = chance.choice([28, 27, 26]), chance.random() < 0.5
        write(student, f"import time\\ntime.sleep({chance.uniform(0, 0.1)})\\nanswer = {number}")
        write(student, "def halve(n):\\n    return n // 2" if right else "halve = None", 5)

    def expected():
        rows = []
        for student in students:
            size = {"28": 2.0, "27": 0.5, "26": 0.0}[answer(student)[-2:]]
            rows.append((student, "halve-test", 3.0 if "def" in answer(student, 5) else 0.0))
            rows += [(student, "size-test", size), (student, "why", None)]
        return rows

    def results():
        return {s: (course.autograded / s / name / "tiny.ipynb").read_bytes() for s in students}

    def share():
        os.environ["COURSE_WARM"] = shared.address

    def bubble():
        \"\"\"The run's own warm start, or the one that runs share.\"\"\"
        if begin is share:
            return shared._process.pid
        for process in children(child):
            with contextlib.suppress(OSError):
                if Path(f"/proc/{process}/comm").read_text() == "bwrap\\n":
                    return process

    def there(victim):
        \"\"\"The processes of a kind.\"\"\"
        outer = bubble()
        if victim == "coordinator":
            return [child]
        if victim == "worker":
            return [process for process in children(child) if process != outer]
        inner = children(outer) if outer else []  # the first process of its world
        python = children(inner[0]) if inner else []
        guards = children(python[0]) if python else []
        kernels = [kernel for guard in guards for kernel in children(guard)]
        return {"kernel": kernels, "guard": guards, "warm": python if kernels else []}[victim]

    def strike(victim):
        \"\"\"Kill one, unless that would be the second time for a submission: more are not forgiven.\"\"\"
        unfinished = [s for s in students if stamps[s].stat().st_mtime_ns < handed_in]
        way = "worker" if victim == "worker" else "kernel"
        if victim != "coordinator" and spared[way] & set(unfinished):
            return False
        found = there(victim)
        if not found or not unfinished or len(students) - len(unfinished) < finished:
            return False
        kill(chance.choice(found))
        plan.remove(victim)
        seen[victim] += 1
        seen["resumed"] += victim == "coordinator" and 0 < len(unfinished) < len(students)
        spared[way] = set(unfinished[:3])
        return True

    def look():
        done, status = os.waitpid(child, os.WNOHANG)
        return status if done else None

    assert os.waitpid(coordinate(share), 0)[1] == 0
    first = state()
    plan = ["kernel"] * 16 + ["guard"] * 8 + ["worker"] * 10 + ["coordinator"] * 12 + ["warm"] * 4
    assert len(plan) == kills
    chance.shuffle(plan)
    seen = dict.fromkeys([*plan, "resumed", "rounds"], 0)
    while plan:
        for student in students:
            edit(student)
        handed_in = time.time_ns()
        seen["rounds"] += 1
        # The run has a warm start of its own where that is killed, and starts it anew.
        begin = provisioner.address if plan[0] == "warm" else share
        child, ended, spared = coordinate(begin), None, {"worker": set(), "kernel": set()}
        while ended is None:
            victim = next((each for each in plan if begin is not share or each != "warm"), "nobody")
            moment = time.monotonic() + chance.uniform(0.02, 0.5)
            # What is resumed is to have come some of the way.
            finished = chance.randrange(len(students) - 1) if victim == "coordinator" else 0
            struck = False
            while ended is None and not struck:
                time.sleep(0.004)
                struck = victim != "nobody" and time.monotonic() > moment and strike(victim)
                ended = look()
            if struck and victim == "coordinator":
                ended = ended if ended is not None else os.waitpid(child, 0)[1]
                child, ended, spared = coordinate(begin), None, {"worker": set(), "kernel": set()}
        assert ended == 0, ("a run did not survive", ended)
        now = state()
        assert [row[:3] for row in now] == expected(), (now, expected())
        assert [row[5] for row in now] == [row[5] for row in first], "rows were lost or doubled"
        for student in students:
            graded = course.autograded / student / name
            assert sorted(p.name for p in graded.parent.iterdir()) == [name], "something was left beside"
        assert not [s for s, file in results().items() if b"KernelEnded" in file]
        assert not list((course.folder / ".state" / "results").glob("*/*"))
    disturbed = state(), results()
    assert os.waitpid(coordinate(share, again=True), 0)[1] == 0
    assert disturbed == (state(), results()), "an undisturbed run comes to something else"
    shared.close()
    print(json.dumps(seen))
"""


def drive(small, tmp_path: Path, driver: str, seed: int, kills: int) -> dict[str, int]:
    """Run a driver; return what it killed."""
    (tmp_path / "quick_tasks.py").write_text(QUICK)
    (tmp_path / "driver.py").write_text(textwrap.dedent(COMMON) + textwrap.dedent(driver))
    root = Path(__file__).parents[2]
    environment = {name: value for name, value in os.environ.items() if name != "COURSE_WARM"}
    environment |= {"PYTHONPATH": f"{root}{os.pathsep}{tmp_path}"}
    done = subprocess.run(
        [sys.executable, tmp_path / "driver.py", small.root, str(seed), str(kills)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=900,  # on a machine that does much else
    )
    assert done.returncode == 0, done.stderr[-3000:]
    seen: dict[str, int] = json.loads(done.stdout.splitlines()[-1])
    return seen


def test_killed_at_random_moments_nothing_is_lost_or_doubled(new_course, tmp_path: Path) -> None:
    small = new_course()
    small.release()
    for number in range(5):
        small.hand_in(f"s{number}", size=f"answer = {number}", why="Because.")
    seen = drive(small, tmp_path, DRIVER, 1, 25)
    # The kills were real ones: some coordinators died in the middle, some workers did.
    assert seen["coordinator"] >= 8
    assert seen["worker"] >= 3


def test_whoever_dies_with_real_kernels_the_marks_are_those_of_an_undisturbed_run(
    new_course, tmp_path: Path, root: Path
) -> None:
    """Fifty kills: of coordinators, workers, kernels, their guards, and the warm start."""
    if reason := why_not(root):
        pytest.skip(f"no sandbox here: {reason}")
    small = new_course()
    small.release()
    for number in range(8):
        small.hand_in(f"s{number}", size="answer = 28", halve="halve = None", why="Because.")
    seen = drive(small, tmp_path, REAL, 5, 50)
    assert seen["kernel"] + seen["guard"] + seen["worker"] + seen["coordinator"] + seen["warm"] == 50
    assert seen["resumed"] >= 4  # runs that had come half the way
