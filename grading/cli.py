"""The command line: ``python -m grading VERB``."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from grading.course import ROOT, Course
from grading.errors import GradingError, printable


def parser() -> argparse.ArgumentParser:
    """All verbs and their options."""
    top = argparse.ArgumentParser(
        prog="python -m grading",
        description="Release exercises, grade what students hand in, and tell them and you how it went.",
        epilog="Submissions lie in class/submitted/STUDENT/ASSIGNMENT/; all results lie in class/ too. "
        "VERB --help tells what a verb can be told.",
    )
    top.add_argument(
        "--class",
        dest="folder",
        metavar="FOLDER",
        help="the class's folder (default: the environment variable COURSE_CLASS, or class/ in the checkout)",
    )
    verbs = top.add_subparsers(dest="verb", required=True, metavar="VERB")
    book = argparse.ArgumentParser(add_help=False)
    book.add_argument(
        "--db",
        metavar="URL",
        help="the gradebook's database, such as postgresql+psycopg2://… "
        "(default: the file gradebook.db in the class's folder, unless nbgrader_config.py names another)",
    )

    def add(name: str, text: str, more: str = "", **about: Any) -> argparse.ArgumentParser:
        whole = f"{text[0].upper()}{text[1:]}.{' ' if more else ''}{more}"
        return verbs.add_parser(name, help=text, description=whole, **about)

    def add_assignments(verb: argparse.ArgumentParser) -> None:
        verb.add_argument(
            "assignments",
            nargs="*",
            metavar="ASSIGNMENT",
            help="which ones, by name or how it begins (default: all)",
        )

    def add_assignment(verb: argparse.ArgumentParser) -> None:
        verb.add_argument("assignment", metavar="ASSIGNMENT", help="its name, or how its name begins: 03")

    add_assignments(
        add(
            "release",
            "make exercises/ from solutions/",
            "Solutions and hidden tests are left out. What is unchanged is not touched; a file in exercises/ "
            "that holds answers is kept aside.",
        )
    )
    add("bundle", "put the released notebooks, cnnlib and a guide into one archive for students")

    verb = add(
        "collect",
        "put submissions downloaded from Moodle or Canvas, or of nbgrader's exchange, into the class",
        "Each goes to class/submitted/STUDENT/ASSIGNMENT/, in the place of what lies there.",
        parents=[book],
    )
    add_assignment(verb)
    verb.add_argument("sources", nargs="+", metavar="FILE", help="a folder of downloads, or a zip archive")

    verb = add(
        "grade",
        "grade new and changed submissions, then write feedback, marks and report",
        "A run that was cut short goes on with the same command. Points and comments given by hand stay.",
        parents=[book],
    )
    add_assignment(verb)
    verb.add_argument(
        "--student",
        action="append",
        default=[],
        metavar="ID",
        help="only this one (may be repeated; default: all)",
    )
    verb.add_argument(
        "--jobs",
        type=_at_least_one,
        default=0,
        metavar="N",
        help="so many at a time (default: two for each core, or as many as memory allows)",
    )
    verb.add_argument(
        "--scheduler",
        nargs="?",
        const="local",
        default="",
        metavar="ADDRESS",
        help="a Dask cluster does the work: tcp://…; one on this machine where none is named "
        "(default: processes of this machine, without Dask)",
    )
    verb.add_argument(
        "--question", default="", metavar="ID", help="grade this question anew in all; leave all other marks"
    )
    verb.add_argument("--again", action="store_true", help="grade what is unchanged too")
    verb.add_argument(
        "--plain",
        action="store_true",
        help="run tests in the student's own kernel, as nbgrader does (default: out of its reach)",
    )
    verb.add_argument(
        "--unsandboxed", action="store_true", help="where there can be no sandbox: go on without one"
    )

    verb = add("feedback", "write the feedback pages anew where marks or comments changed", parents=[book])
    add_assignments(verb)
    verb = add(
        "export",
        "write the marks as CSV: class/marks/ASSIGNMENT.csv",
        "The files for Canvas and Moodle hold final marks alone, so that an import takes nothing away.",
        parents=[book],
    )
    add_assignments(verb)
    verb.add_argument(
        "--format",
        choices=["csv", "canvas", "moodle"],
        default="csv",
        help="what is to read it (default: csv, all columns for a spreadsheet)",
    )

    verb = add("key", "write a student's answer key: class/keys/STUDENT/ASSIGNMENT.html")
    verb.add_argument("student", metavar="STUDENT", help="the student's id")
    add_assignments(verb)

    add(
        "report",
        "write the instructor's page with pictures: class/report/index.html",
        "It tells of every assignment that is in the gradebook.",
        parents=[book],
    )
    add("doctor", "try which protections against students' code hold on this machine")
    add("rehearse", "grade the rehearsal class of tests/class into build/rehearsal")
    return top


def _at_least_one(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of processes: give 1 or more")
    return int(text)


def main(arguments: Sequence[str] | None = None, root: Path = ROOT) -> int:
    """Run one verb; return the exit code: 0 done, 1 something is wrong, 130 interrupted."""
    options = parser().parse_args(arguments)
    try:
        return _run(options, root)
    except GradingError as error:
        print(f"grading: {printable(str(error))}", file=sys.stderr, flush=True)
        return 1
    except OSError as error:  # a disk that is full, a file that belongs to somebody else
        print(f"grading: {error}", file=sys.stderr, flush=True)
        return 1
    except KeyboardInterrupt:
        print("grading: interrupted; run the same command again to go on", file=sys.stderr, flush=True)
        return 130


def _run(options: argparse.Namespace, root: Path) -> int:  # noqa: PLR0911, PLR0912  # one return a verb
    # Matplotlib's cache, where no home may be there to write to.
    os.environ.setdefault("MPLCONFIGDIR", str(root / ".cache" / "matplotlib"))
    if options.verb == "doctor":
        from grading import doctor

        return doctor.main(root)
    # Loaded here, since nbgrader takes seconds and `--help` should not.
    from grading import rehearsal, run

    if options.verb == "rehearse":
        course, _ = rehearsal.rehearse(root)
        for what, where in (
            ("marks", course.folder / "marks"),
            ("report", course.folder / "report" / "index.html"),
            ("feedback", course.feedback / "index.html"),
            ("gradebook", course.gradebook or course.folder),
        ):
            run.say(f"  {what:<10}{course.show(where)}")
        return 0

    if getattr(options, "unsandboxed", False):
        from grading.config import UNSANDBOXED

        os.environ[UNSANDBOXED] = "1"
    course = Course.load(root, options.folder, getattr(options, "db", None))
    if options.verb == "release":
        return _release(course, options.assignments)
    if options.verb == "bundle":
        from grading import bundle

        run.say(f"{course.show(bundle.make(course))} is what a student needs")
        return 0
    if options.verb == "key":
        from grading import key

        for file in key.write(course, options.student, options.assignments):
            run.say(f"key       {course.show(file)}")
        return 0
    if options.verb == "grade":
        how = run.Options(
            jobs=options.jobs,
            scheduler=options.scheduler,
            question=options.question,
            again=options.again,
            trusted=not options.plain,
        )
        run.grade(course, course.find(options.assignment), options.student, how)
        return 0
    if options.verb == "collect":
        with run.locked(course):
            for source in options.sources:
                run.collect_from(course, course.find(options.assignment), Path(source))
        return 0
    with run.locked(course):
        if options.verb == "report":
            run.write_report(course)
            return 0
        names = [course.find(name) for name in options.assignments]
        if options.verb == "export":
            run.write_marks(course, names, options.format)
        else:
            run.write_feedback(course, names)
    return 0


def _release(course: Course, wanted: Sequence[str]) -> int:
    from grading import release, run

    names = [course.find(name) for name in wanted] or course.assignments()
    if not names:
        raise GradingError(f"{course.show(course.solutions)} holds no assignment")
    for number, name in enumerate(names, 1):
        changed = release.release(course, name)
        said = f"changed: {', '.join(changed)}" if changed else "unchanged"
        run.say(f"[{number}/{len(names)}] {course.show(course.exercises / name)}  {said}")
        for file, kept in changed.items():
            if kept:
                run.say(f"note: {file} held answers; as it was, it lies in {course.show(kept)}")
    for name in release.strays(course):
        run.say(
            f"note: {course.show(course.exercises / name)} has no source in {course.show(course.solutions)}; "
            "move it away"
        )
    return 0
