"""Exercises that know the mistakes: tasks, checks that name the slip behind a wrong answer, and points.

The whole needs NumPy alone; Keras is looked at only where an answer is a Keras model.

>>> from cnnlib.exercises import Task, check
>>> check(Task("output_size", size=28, kernel_size=5), 23).slip
'forgot-the-one'

Quizzes, which end a chapter's sections, ask with the same kinds and know the same mistakes: how to write one
stands in :mod:`cnnlib.exercises.quiz_data`.

How to write an assignment
==========================

An assignment has five parts: kinds of task, likely mistakes, the sheet, the notebook, the bank of answers.
All are found by themselves: nothing is registered elsewhere.

1. *A kind of task* (``kinds/<topic>.py``) computes the right answer by the functions that the chapters
explain, says what an answer looks like and what to ask oneself next, and draws parameters.

>>> from cnnlib.exercises.answers import Number
>>> from cnnlib.exercises.tasks import add_kind
>>> from cnnlib.sizes import output_size
>>> def values_put_out(size: int, kernel_size: int, filters: int) -> int:
...     return output_size(size, kernel_size) ** 2 * filters
>>> def roll(dice):
...     return {"size": dice.roll(12, 40), "kernel_size": dice.pick((3, 5)), "filters": dice.roll(4, 20)}
>>> question = "how large is one feature map, and how many are there?"
>>> kind = add_kind("values_put_out", values_put_out, Number(), question, "filters-and-kernels", roll)

2. *A likely mistake* is a wrong rule with the same parameters, and what to say to someone who followed it.
It returns None where it makes no difference. The message names the slip and never the answer.

>>> from cnnlib.exercises.misconceptions import add
>>> def one_map(size: int, kernel_size: int, filters: int) -> int:
...     return values_put_out(size, kernel_size, 1)
>>> message = "{answer} is a single feature map: every filter makes one."
>>> one = add("values_put_out", "one-map-only", one_map, message, "filters-and-kernels")
>>> def unshrunk(size: int, kernel_size: int, filters: int) -> int:
...     return size**2 * filters
>>> message = "{answer} has maps as large as the input: a kernel without padding shrinks them."
>>> whole = add("values_put_out", "as-large-as-the-input", unshrunk, message, "padding-and-stride")
>>> print(check(Task("values_put_out", size=28, kernel_size=5, filters=6), 4704).text)
4704 has maps as large as the input: a kernel without padding shrinks them. See chapter 6, “Padding and
stride”.

3. *The sheet* (``sheets/<name>.py``, for ``solutions/NN-name``) declares the questions as data: parts,
points, what each trains, how difficult it is, and how a student's numbers are shown. Draws on which two
mistakes cannot be told apart are drawn anew; ``bounds`` keep the difficulty even.

>>> from cnnlib.exercises.sheet import ask
>>> part = Part("values_a", "values_put_out", points=1, bounds=(500, 20_000))
>>> objective = "count what a layer puts out"
>>> question = Question("count-it", "Count the values", objective, 1, "calculate", (part,))
>>> asked = ask(question, "04-example/count-it/ada")
>>> print(asked.text)
|  | input | kernel | filters |
| --- | --- | --- | --- |
| `values_a` | 17 | 5 | 17 |
>>> asked.tasks["values_a"].answer
2873

Parts that share something (a network, a signal) take it from the question's ``facts``; functions and models
are :class:`~cnnlib.exercises.sheet.Work`, judged by lines of the check cell. ``sheets/sizes_and_counts.py``
shows all of it.

4. *The notebook* (``solutions/NN-name/name.ipynb``) has for each question a text,
``sheet.show("count-it")``, the answer with its model solution, and the check, all with nbgrader's metadata.
Model solutions compute from the sheet (``sheet["count-it"].values_a.size``), since every student has other
numbers. The check::

    marks = sheet.marks("count-it")
    marks.look("values_a")
    ### BEGIN HIDDEN TESTS
    marks.check("values_a")
    ### END HIDDEN TESTS
    marks.score()

``check`` tells at once, ``look`` only whether something is filled in; hidden tests give points when graded.

5. *The bank* (``tests/assignments/banks/<name>.py``) holds answers to functions and models: at least three
right ones in different styles, at least six wrong ones with what is told. Answers that are values need
none: the tests make right ones in all styles, every mistake, other students' answers and what is no answer
from the task itself.

``python -m grading release`` then makes ``exercises/``; ``pytest tests/assignments`` holds every question
to all of this, for several students, and the rehearsal class hands the new assignment in.

>>> from cnnlib.exercises import misconceptions
>>> misconceptions.remove(one), misconceptions.remove(whole), KINDS.pop("values_put_out").name
(None, None, 'values_put_out')
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
from cnnlib.exercises.quizzes import quiz, review
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
    "quiz",
    "review",
    "trace",
    "well_posed",
]
