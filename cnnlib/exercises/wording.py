"""Every sentence that a student reads from a check, in one place. (What a slip is called stands beside the
rule that finds it, in :mod:`cnnlib.exercises.kinds`.)

A translation replaces the values of :data:`SAY`, :data:`LABELS` and :data:`CHAPTERS`.
"""

from __future__ import annotations

import os
import textwrap
from typing import Any

#: Lines are no longer than this, so that nbgrader's Validate shows them whole.
WIDTH = 78

#: The chapters that messages send a student to: label → (number, title, page).
CHAPTERS = {
    "from-dense-to-local": (1, "From fully connected to local", "01-from-dense-to-local"),
    "one-dimension": (2, "Convolution in one dimension", "02-one-dimension"),
    "images-are-tensors": (3, "Images are tensors", "03-images-are-tensors"),
    "two-dimensions": (4, "Convolution in two dimensions", "04-two-dimensions"),
    "filters-and-kernels": (5, "Filters and kernels", "05-filters-and-kernels"),
    "padding-and-stride": (6, "Padding and stride", "06-padding-and-stride"),
    "pooling": (7, "Pooling", "07-pooling"),
    "receptive-field": (8, "Three properties and the receptive field", "08-receptive-field"),
    "variants": (9, "Variants of convolution", "09-variants"),
    "upsampling": (10, "Going up again", "10-upsampling"),
    "learning": (11, "A network that learns", "11-learning"),
    "classic-architectures": (12, "Classic architectures", "12-classic-architectures"),
    "after-vgg": (13, "After VGG", "13-after-vgg"),
    "seeing": (14, "Seeing what a network sees", "14-seeing"),
}

#: What a task's parameters are called in a sentence or a table.
LABELS = {
    "size": "input",
    "input_shape": "input",
    "kernel_size": "kernel",
    "pool_size": "window",
    "stride": "stride",
    "strides": "stride",
    "padding": "padding",
    "channels": "input channels",
    "filters": "filters",
    "use_bias": "bias",
    "parameters": "parameters",
    "signal": "signal",
    "kernel": "kernel",
    "inputs": "inputs",
    "kernels": "filters",
    "situation": "situation",
    "options": "answers",
}

SAY = {
    # verdicts
    "right": "right.",
    "right-whole": "right. (A size or a count is a whole number: write it without the decimal point.)",
    "pending": "filled in; it is checked when your work is graded.",
    "empty": "not answered yet.",
    "empty-hint": "Put your answer in place of each ... above, run that cell, then this one.",
    "unknown": "{answer} is not right yet, and it is no slip that I know. Ask yourself: {question}",
    "unknown-array": "these are not the right numbers yet, and it is no slip that I know. "
    "Ask yourself: {question}",
    "chapter": "See chapter {number}, “{title}”{where}.",
    "anothers-numbers": "this is the right answer to another student's numbers. Your own stand above; work "
    "with those.",
    "typed-numbers": "this is right for the student id {typed}, which the notebook names. It is graded with "
    "the numbers of {student}, who handed it in.",
    # sheets
    "student": "{assignment}: these are the numbers of {student}.",
    "other-student": "These are the numbers of {student}. The notebook says student_id = {typed}; that is "
    "somebody else, and it counts for nothing here.",
    "no-student": "Whose sheet is this? Write your student id into the cell that says student_id, in "
    "quotation marks; run it, the cell below it, and this one.",
    "yes": "yes",
    "no": "no",
    # wrong type or shape
    "none": "your answer is None. Did you print a value instead of assigning it?",
    "bool": "your answer is {value}; a number is asked for, not True or False.",
    "text-number": "your answer is text. Write the number without quotation marks.",
    "text-shape": "your answer is text. Write the shape as numbers in round brackets: ({axes}).",
    "text-array": "your answer is text. Write the numbers as a list: [ …, … ].",
    "nan": "your answer is {value}, which is not a number that can be counted to.",
    "huge": "your answer has more than {digits} digits; nothing in this course is that large.",
    "type-number": "your answer is of type {type}; a plain number is asked for.",
    "type-shape": "your answer is of type {type}; a shape is asked for: numbers in round brackets, ({axes}).",
    "type-array": "your answer is of type {type}; a list or a NumPy array of numbers is asked for.",
    "type-sentence": "your answer is of type {type}; one of the sentences is asked for.",
    "sequence-for-number": "your answer is a {type}; one number is asked for.",
    "number-for-shape": "your answer is one number; a shape is asked for: {count} numbers, ({axes}).",
    "length": "your shape has {given} numbers; {count} are asked for: ({axes}).",
    "batch": "your shape has {given} numbers, the batch among them. Leave the batch out: ({axes}).",
    "fraction-in-shape": "{value} in your shape is not a whole number of at least 0.",
    "deep": "your answer is lists within lists, more than {count} deep; no array of this course has so many "
    "axes.",
    "ragged": "the rows of your array are not of equal length.",
    "axes": "your array has {given} (shape {shape}); the number of axes asked for is {count}.",
    "shape": "your array has shape {shape}; that is not how many places the kernel has. Count them again.",
    # functions
    "not-a-function": "{name} is of type {type}; a function is asked for.",
    "raised": "{call} raised {error}.",
    "wrong-call": "{call} gave {result}, which is not right.",
    "form-call": "{call}: {problem}",
    "slip-call": "{call} gave {result}. {message}",
    "printed": "{call} printed its result and returned None. A function hands its result back with return.",
    "returned-none": "{call} returned None. Is there a return at the end, on every path?",
    "returned-input": "{call} gave back its own input, unchanged.",
    "zeros": "{call} gave zeros everywhere. Is the sum stored in the array that you return?",
    "constant": "the same result, {result}, comes out for different arguments, as from {call}.",
    "mutated": "{call} changed the array that was handed to it. Work on a new array instead.",
    "whole-numbers": "{call} gave whole numbers (dtype {dtype}), which cut the fractions off. "
    "Make the output array with np.zeros(shape), which holds floats.",
    "result-shape": "{call} gave an array of shape {shape}, which is not the shape of the output.",
    "not-refused": "{call} gave {result}, but the kernel does not fit there. Raise a {error}.",
    "wrong-error": "{call} raised {raised}, but a {error} is asked for.",
    "function-right": "right for all {count} inputs tried.",
    "refuses-right": "refuses all {count} inputs that do not fit.",
    "function-question": "Ask yourself: {question}",
    # Keras models
    "not-a-model": "{name} is of type {type}; a keras.Sequential model is asked for.",
    "not-built": "{name} does not know its input shape yet. Start it with keras.Input(shape=…).",
    "model-input": "the input shape is {given}; {wanted} is asked for.",
    "model-layers": "the model has {given} layers (keras.Input not counted); {count} are asked for.",
    "layer-kind": "layer {number} is {given}, where {wanted} is asked for.",
    "layer-shape": "layer {number}, {layer}, makes {given}; the table asks for {wanted}.",
    "layer-count": "layer {number}, {layer}, has {given:,} parameters; the table asks for {wanted:,}.",
    "layer-weights": "layer {number}, {layer}, has the right count, but its weights have other shapes.",
    "layer-right": "layer {number}, {layer}, is right.",
    "model-question": "Ask yourself: which of kernel_size, filters, strides and padding decides that number?",
    # networks of the library, under a budget
    "not-a-network": "{name} is of type {type}; a network of cnnlib.network is asked for (Sequential "
    "or Model).",
    "network-unreadable": "{name} cannot be read: {problem}",
    "network-large": "{name} is far above its budget ({parameters:,} parameters, {macs:,} multiply–"
    "accumulates), so it was not tried.",
    "network-input": "the input shape is {given}; {wanted} is asked for.",
    "network-output": "the output has the shape {given}; one score for each of the {classes} classes "
    "is asked for.",
    "network-shapes-right": "reads {input} and gives {classes} scores.",
    "budget-above": "{given:,} {what}; the budget allows {limit:,}. Which layer has most of them?",
    "budget-below": "a unit of the last maps sees {given}×{given} pixels; at least {limit}×{limit} "
    "are asked for. What makes the field grow: kernels, depth, or strides early on?",
    "budget-within": "{given:,} {what}, within {limit:,}.",
    "budget-sees": "a unit of the last maps sees {given}×{given} pixels, at least {limit}×{limit} "
    "are asked for.",
    "parameters": "parameters",
    "macs": "multiply–accumulates",
    "accuracy": "reads {share:.1%} of {count} digits that it has not been trained on; {wanted:.0%} "
    "are asked for.",
    "accuracy-question": "Ask yourself: has the network been trained on these digits, does the loss still "
    "fall at the end, and are the pixels from 0 to 1?",
    "no-numbers": "{name} gives scores that are no numbers (NaN). Has the training gone astray?",
    # marks
    "points": "{points:g} of {worth:g}",
    "grade": "{points:g} of {worth:g} points",
}

#: What quizzes say beside what checks say (:data:`SAY`).
QUIZ = {
    "label_title": "Quiz: {section}",
    "legend": "Check yourself",
    "legend_of": "Check yourself, {number} of {count}",
    "label_number": "Your answer",
    "label_shape": "Your answer: {axes}",
    "label_array": "Your answer: numbers with commas between them",
    "label_rows": "Your answer: numbers with commas between them, rows with semicolons",
    "check": "Check",
    "new": "New numbers",
    "another": "Another one",
    "show": "Show the answer",
    "fold": "Answer",
    "done": "answered right",
    "empty": "Answer first, then check.",
    "not_number": "“{answer}” cannot be read as one number. Write digits, for example 1234 or 0.25.",
    "not_shape": "“{answer}” cannot be read as a shape. Write {count} numbers with commas between them: "
    "{axes}.",
    "not_array": "“{answer}” cannot be read as numbers. Write them with commas between them, for example "
    "2, 0.5, −1.",
    "array_shape": "an array of shape {shape}",
    "axis": "1 axis",
    "axes_of": "{count} axes",
    "shown": "The answer is {answer}. To get there, ask: {question}",
}

#: What the page about all quizzes says.
REVIEW = {
    "label_title": "What to review",
    "summary": "Of {all} questions you have tried {tried} and answered {right} right; {review} to look at "
    "again.",
    "none": "You have not tried any question yet. Each section of a chapter ends with one or two.",
    "every": "All {all} questions answered right. What about new numbers?",
    "chapter": "{right} of {count} right",
    "right": "right",
    "right_after": "right, after {tries} tries",
    "review": "again: {said}",
    "open": "not tried",
    "question": "question {number}",
    "export": "Save to a file",
    "import": "Read from a file",
    "erase": "Erase",
    "erase_really": "Erase the answers to {tried} questions from this browser? This cannot be undone.",
    "erased": "Erased.",
    "imported": "{count} answers read from the file.",
    "not_imported": "This file holds no answers of this book.",
    "not_kept": "This browser keeps nothing (a private window?): answers are forgotten when the page closes.",
    "static": "Which of these you have answered is shown where JavaScript runs. Answers stay in your "
    "browser.",
    "file": "quiz-answers.json",
}


def say(key: str, **values: Any) -> str:
    """Return a sentence with its blanks filled in.

    >>> say("points", points=1, worth=2)
    '1 of 2'
    """
    return SAY[key].format(**values)


def chapter_reference(label: str) -> str:
    """Tell where to read on; with its address where the environment variable COURSE_SITE names the book's.

    >>> chapter_reference("padding-and-stride")
    'See chapter 6, “Padding and stride”.'
    """
    number, title, page = CHAPTERS[label]
    where = f", {site()}/{page}.html" if site() else ""
    return say("chapter", number=number, title=title, where=where)


def site() -> str:
    """The book's address, where COURSE_SITE tells it; else nothing."""
    return os.environ.get("COURSE_SITE", "").rstrip("/")


def shape_text(value: Any) -> str:
    """Write a parameter as the chapters do: shapes with ×, everything else as it is.

    >>> shape_text((28, 28, 6)), shape_text("same"), shape_text(5)
    ('28×28×6', 'same', '5')
    """
    if isinstance(value, tuple):
        return "×".join(str(entry) for entry in value)
    return str(value)


def wrapped(text: str, indent: str = "") -> str:
    """Break a sentence into lines of at most :data:`WIDTH` characters."""
    return textwrap.fill(
        text, WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )
