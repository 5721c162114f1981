"""nbgrader's configuration of this course, read by `python -m grading` and by plain `nbgrader` alike.

Two folders belong to the repository (`solutions/`, `exercises/`); all that a run makes lies in one folder
that git ignores: `class/`, or the one that the environment variable COURSE_CLASS names.
"""

import contextlib
import os
import sys
from pathlib import Path

c = get_config()  # noqa: F821  (the loader puts it here)

root = Path(__file__).resolve().parent
# Relative where it can be: nbgrader reads an absolute folder as a pattern.
folder = Path(os.path.relpath(root / os.environ.get("COURSE_CLASS", "class"), root))

# Classes of our own are named below; plain `nbgrader` must find them too.
sys.path.insert(0, str(root))
from grading.config import use_sandbox  # noqa: E402

# Plain `nbgrader` may be the first command of all: the gradebook needs its folder, and is made by `alembic`,
# which nbgrader calls by name and which lies beside this Python, on PATH or not.
with contextlib.suppress(OSError):  # where nothing can be written, what needs to write says so
    (root / folder).mkdir(parents=True, exist_ok=True)
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])

# Where things lie. What an instructor writes is called what it is: solutions and exercises.
c.CourseDirectory.root = str(root)
c.CourseDirectory.course_id = "cnn"
c.CourseDirectory.source_directory = "solutions"
c.CourseDirectory.release_directory = "exercises"
c.CourseDirectory.submitted_directory = str(folder / "submitted")
c.CourseDirectory.autograded_directory = str(folder / "autograded")
c.CourseDirectory.feedback_directory = str(folder / "feedback")
c.CourseDirectory.solution_directory = str(folder / "solution")
c.CourseDirectory.source_with_tests_directory = str(folder / "source_with_tests")
c.CourseDirectory.db_url = f"sqlite:///{(root / folder / 'gradebook.db').resolve()}"

# Where students and instructors share a machine (a JupyterHub, say): the folder in which they exchange files.
if os.environ.get("COURSE_EXCHANGE"):
    c.Exchange.root = os.environ["COURSE_EXCHANGE"]

# What takes the place of a solution: a comment, so that the lines around it (`answer = ...`, a function's
# head and docstring) stay valid Python, and an empty answer gets the check's own words, not an error.
c.ClearSolutions.code_stub = {"python": "# your answer here"}
c.ClearSolutions.text_stub = "*Write your answer here.*"

# A cell may compute for a minute, and an endless loop costs that cell alone.
c.Execute.timeout = 60
c.Execute.startup_timeout = 120
c.Execute.interrupt_on_timeout = True
# What a cell prints comes in pieces that are cut by chance: one output each.
c.Execute.coalesce_streams = True
# Execution times would make every regrade a different file.
c.Execute.record_timing = False
# A graceful goodbye from each kernel takes two seconds of about ten.
c.Execute.shutdown_kernel = "immediate"
# The kernel of this environment, whatever the student's notebook names.
c.Execute.kernel_name = "python3"
# … and where this machine can, one in a sandbox, which the tests never enter (grading/trusted.py).
use_sandbox(c, root)
c.Sandbox.memory_mib = 3072
c.Sandbox.cpu_seconds = 600
c.Sandbox.processes = 128
c.Sandbox.disk_mib = 256
# One call of a student's function, one cell's output, a whole submission.
c.TrustedExecute.call_seconds = 20
c.Bounded.output_kib = 1024
c.Bounded.seconds = 600
# nbgrader gives nothing for a test cell with output on stderr. What is written there past Python (TensorFlow
# does so) reaches the cell sometimes before and sometimes after its end; marks would depend on chance, so
# leave it out. And kernels greet with a warning about their transport, which is this machine alone.
c.Execute.extra_arguments = ["--IPKernelApp.capture_fd_output=False", "--IPKernelApp.log_level=ERROR"]
# A runaway print must not make a feedback page of a gigabyte.
c.LimitOutput.max_lines = 500
c.LimitOutput.max_traceback = 60

# A cell that was duplicated is no reason to grade nothing: the last copy counts.
c.Autograde.sanitize_preprocessors = [
    "nbgrader.preprocessors.ClearOutput",
    "nbgrader.preprocessors.DeduplicateIds",
    "grading.preprocessors.ForgetDuplicates",
    "nbgrader.preprocessors.OverwriteKernelspec",
    "nbgrader.preprocessors.OverwriteCells",
    "nbgrader.preprocessors.CheckCellMetadata",
]
# A deleted test cell is put back; its answer is gone, but all others still count.
c.OverwriteCells.add_missing_cells = True

# Late: 10 % of the score for each day begun, at most half of it (grading/late.py says more).
c.AssignLatePenalties.plugin_class = "grading.late.StartedDays"
c.StartedDays.grace_minutes = 15
c.StartedDays.percent_per_day = 10
c.StartedDays.maximum_percent = 50

# Feedback pages: without hidden tests, without scripts, without anything loaded from elsewhere.
c.GenerateFeedback.exporter_class = "grading.feedback.FeedbackExporter"
c.GenerateFeedback.preprocessors = ["grading.feedback.HideTests", "grading.feedback.Marks"]

# Where the book is, for links from feedback to its chapters; the variable COURSE_SITE says it as well.
# c.FeedbackExporter.site = "https://example.org/cnn"

# One line for what needs attention instead of twenty for what went well.
c.Application.log_level = "WARN"
