"""The engine around nbgrader: release, grade, feedback, export, report, rehearse.

``python -m grading --help`` lists the verbs.

nbgrader stays the format, the gradebook and the tool that instructors know. One submission's way is
``task`` (one student, one assignment, nbgrader's own converters) → ``gradebook`` → ``feedback``,
``report``, ``export``; ``course`` knows where everything lies, and ``state`` what is up to date.
"""
