"""What can be set in ``nbgrader_config.py`` about grading itself, as traitlets like all nbgrader's options.

>>> from traitlets.config import Config
>>> Sandbox(config=Config({"Sandbox": {"memory_mib": 1024}})).limits().memory_mib
1024
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from traitlets import Integer
from traitlets.config import Config, Configurable

from grading.limits import Limits

#: The kernelspec of grading/jupyter/kernels whose kernels live in the sandbox.
KERNEL = "course"
#: Set to 1, it lets submissions run without a sandbox, where none can be had.
UNSANDBOXED = "COURSE_UNSANDBOXED"


class Sandbox(Configurable):
    """What the code of one submission may use at most."""

    memory_mib = Integer(3072, min=256, help="Memory of a process, in MiB.").tag(config=True)
    cpu_seconds = Integer(600, min=1, help="Processor time of a process, in seconds.").tag(config=True)
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


def use_sandbox(c: Config, root: Path) -> None:
    """Let nbgrader's autograding run submissions in the sandbox, and the tests out of their reach.

    Called by ``nbgrader_config.py``. Where there can be no sandbox, or it was waived, nothing is changed but
    that a cell which prints without end is stopped.
    """
    execute = "grading.bounded.Bounded"
    if sys.platform == "linux" and not unsandboxed():
        from grading import provisioner

        provisioner.register(root / "solutions")
        os.environ["JUPYTER_PATH"] = str(Path(__file__).with_name("jupyter"))
        c.Execute.kernel_name = KERNEL
        execute = "grading.trusted.TrustedExecute"
    c.Autograde.autograde_preprocessors = [
        execute,
        "nbgrader.preprocessors.IgnorePattern",
        "nbconvert.preprocessors.ClearMetadataPreprocessor",
        "nbgrader.preprocessors.LimitOutput",
        "nbgrader.preprocessors.SaveAutoGrades",
        "nbgrader.preprocessors.AssignLatePenalties",
        "nbgrader.preprocessors.CheckCellMetadata",
    ]
