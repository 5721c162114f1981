"""What can be set in ``nbgrader_config.py`` about grading itself, as traitlets like all nbgrader's options.

>>> from traitlets.config import Config
>>> Sandbox(config=Config({"Sandbox": {"memory_mib": 1024}})).limits().memory_mib
1024
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from nbclient import NotebookClient
from traitlets import Bool, Integer
from traitlets.config import Config, Configurable

from grading.course import JUPYTER
from grading.errors import SandboxError
from grading.limits import Limits

#: The kernelspec of grading/jupyter/kernels whose kernels live in the sandbox.
KERNEL = "course"
#: How cells are run: the tests out of reach of the student's code, or all in one kernel.
TRUSTED, BOUNDED = "grading.trusted.TrustedExecute", "grading.bounded.Bounded"
#: Set to 1, it lets submissions run without a sandbox, where none can be had.
UNSANDBOXED = "COURSE_UNSANDBOXED"

# nbclient does not mark this setting as one that configurations may set, and would leave it out.
NotebookClient.coalesce_streams.tag(config=True)


class Sandbox(Configurable):
    """What the code of one submission may use at most."""

    trusted = Bool(True, help="Run the tests in a kernel of their own, out of the student's reach.").tag(
        config=True
    )
    memory_mib = Integer(3072, min=256, help="Memory of a submission, in MiB.").tag(config=True)
    cpu_seconds = Integer(
        600, min=1, help="Processor time of a notebook's Python and all that it starts, in seconds."
    ).tag(config=True)
    processes = Integer(128, min=16, help="Processes and threads of a submission.").tag(config=True)
    files = Integer(512, min=64, help="Files that a process may have open.").tag(config=True)
    disk_mib = Integer(256, min=16, help="What may be written in all, in MiB (it is kept in memory).").tag(
        config=True
    )
    file_mib = Integer(128, min=1, help="The largest file, in MiB.").tag(config=True)

    def limits(self) -> Limits:
        """These numbers, as they travel to the sandbox."""
        return Limits(**{name: getattr(self, name) for name in Limits.__dataclass_fields__})


def unsandboxed() -> bool:
    """Whether somebody has said that submissions may run without a sandbox."""
    return os.environ.get(UNSANDBOXED, "") not in ("", "0")


def why_not(root: Path) -> str | None:
    """Why there can be no sandbox on this machine; None where there can. Tried once in a process."""
    if sys.platform != "linux":
        return f"a sandbox needs Linux, and this is {sys.platform}"
    from grading import sandbox

    return sandbox.why_not(root)


def check(root: Path) -> bool:
    """Tell whether submissions will run in the sandbox: False where it was waived.

    Raises:
        SandboxError: it was not waived, and there can be none; nothing has run.
    """
    if unsandboxed():
        return False
    reason = why_not(root)
    if reason is not None:
        raise SandboxError(refusal(reason))
    return True


def refusal(reason: str) -> str:
    """Why nothing is graded, and what to do, in one line."""
    return (
        f"no sandbox on this machine ({reason}); nothing was run. See: python -m grading doctor. "
        f"To run students' code unprotected, with your own rights: --unsandboxed, or {UNSANDBOXED}=1"
    )


def use_sandbox(c: Config, root: Path) -> None:
    """Let nbgrader's autograding run submissions in the sandbox, and the tests out of their reach.

    Called by ``nbgrader_config.py``, which students' JupyterLab reads too: nothing is tried here. Where there
    can be no sandbox, autograding refuses; where it was waived, submissions run in the common kernel, and all
    that is left is that a cell which prints or runs without end is stopped.
    """
    execute = BOUNDED if unsandboxed() else "grading.bounded.Refused"
    if sys.platform == "linux" and not unsandboxed():
        from grading import provisioner

        provisioner.register(root / "solutions")
        os.environ["JUPYTER_PATH"] = str(JUPYTER)
        c.Execute.kernel_name = KERNEL
        execute = TRUSTED
    c.Autograde.autograde_preprocessors = [
        execute,
        "nbgrader.preprocessors.IgnorePattern",
        "nbconvert.preprocessors.ClearMetadataPreprocessor",
        "nbgrader.preprocessors.LimitOutput",
        "nbgrader.preprocessors.SaveAutoGrades",
        "nbgrader.preprocessors.AssignLatePenalties",
        "nbgrader.preprocessors.CheckCellMetadata",
    ]
