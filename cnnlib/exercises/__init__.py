"""Exercises that know the mistakes: tasks, checks that name the slip behind a wrong answer, and points.

The whole needs NumPy alone; Keras is looked at only where an answer is a Keras model.

>>> from cnnlib.exercises import Task, check
>>> check(Task("output_size", size=28, kernel_size=5), 23).slip
'forgot-the-one'
"""

from cnnlib.exercises.checks import (
    Verdict,
    check,
    check_function,
    check_model,
    check_refusals,
    draw_cases,
    faults,
    well_posed,
)
from cnnlib.exercises.kinds.solutions import Line
from cnnlib.exercises.marks import Marks, NotYet
from cnnlib.exercises.networks import Conv, Pool, Row, Summary, trace
from cnnlib.exercises.sheet import Asked, Assignment, Part, Question, Sheet, Work
from cnnlib.exercises.tasks import KINDS, Task, TaskError, draw

__all__ = [
    "KINDS",
    "Asked",
    "Assignment",
    "Conv",
    "Line",
    "Marks",
    "NotYet",
    "Part",
    "Pool",
    "Question",
    "Row",
    "Sheet",
    "Summary",
    "Task",
    "TaskError",
    "Verdict",
    "Work",
    "check",
    "check_function",
    "check_model",
    "check_refusals",
    "draw",
    "draw_cases",
    "faults",
    "trace",
    "well_posed",
]
