"""Where a course lies on disk, and the surroundings in which nbgrader runs."""

from __future__ import annotations

import contextlib
import copy
import logging
import os
import re
import shutil
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from traitlets.config import Config
from traitlets.config.loader import PyFileConfigLoader

from grading.errors import GradingError

#: The checkout that this package belongs to.
ROOT = Path(__file__).resolve().parents[1]

#: What nbgrader and its kernels find in their environment, whoever runs them and wherever.
ENVIRONMENT = {
    "KERAS_BACKEND": "tensorflow",
    "TF_CPP_MIN_LOG_LEVEL": "3",  # nbgrader takes a cell that writes to stderr for a wrong one
    "TF_ENABLE_ONEDNN_OPTS": "0",
    "CUDA_VISIBLE_DEVICES": "-1",
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "PYTHONHASHSEED": "0",
    "JUPYTER_PLATFORM_DIRS": "1",
    "JUPYTER_NO_CONFIG": "1",
}

#: What would let a person's own settings into the grading.
UNWANTED = ("PYTHONSTARTUP", "PYTHONWARNINGS", "PYTHONINSPECT")

#: The kernels in the sandbox, as Jupyter finds them.
JUPYTER = Path(__file__).with_name("jupyter")

_NAME = re.compile(r"[\w@-][\w.@-]*")
_PATTERN = set("*?[](){}+|^$\\")


@dataclass(frozen=True)
class Course:
    """A course: the repository's folders, and the one folder of a class.

    >>> course = Course.load()
    >>> course.solutions.name, course.exercises.name
    ('solutions', 'exercises')
    """

    root: Path
    folder: Path
    config: Config

    @classmethod
    def load(cls, root: Path = ROOT, folder: Path | str | None = None, db: str | None = None) -> Course:
        """Read ``nbgrader_config.py`` in ``root``.

        ``folder`` names another class folder, and ``db`` another gradebook: a URL as SQLAlchemy reads it.
        """
        root = root.resolve()
        file = root / "nbgrader_config.py"
        if not file.is_file():
            raise GradingError(f"{file} is missing; run this inside a checkout of the course")
        named = folder if folder is not None else os.environ.get("COURSE_CLASS", "class")
        place = (root / named).resolve()
        clashes = {root, root / "solutions", root / "exercises"}
        if place in clashes or any(place.is_relative_to(c) for c in clashes - {root}):
            raise GradingError(
                f"the class folder {place} would lie over the course's own files; name another"
            )
        # nbgrader uses its folders as patterns; only the part below the root can hurt.
        if _PATTERN & set(os.path.relpath(place, root)) or set("*?[]") & set(str(root)):
            raise GradingError(
                f"nbgrader cannot work in a path with any of {' '.join('*?[](){}+|')}: {place}"
            )
        with _environment({"COURSE_CLASS": str(place)}), _module_path():
            config = PyFileConfigLoader(file.name, path=str(root)).load_config()
        if db:
            config.CourseDirectory.db_url = db
        return cls(root, place, config)

    @property
    def solutions(self) -> Path:
        """What instructors write."""
        return self.root / self.config.CourseDirectory.source_directory

    @property
    def exercises(self) -> Path:
        """What students get."""
        return self.root / self.config.CourseDirectory.release_directory

    @property
    def submitted(self) -> Path:
        """What students hand in: ``submitted/STUDENT/ASSIGNMENT/``."""
        return self.folder / "submitted"

    @property
    def autograded(self) -> Path:
        """Their notebooks after grading."""
        return self.folder / "autograded"

    @property
    def feedback(self) -> Path:
        """Their feedback pages."""
        return self.folder / "feedback"

    @property
    def db_url(self) -> str:
        """Nbgrader's database, as SQLAlchemy names it."""
        return str(self.config.CourseDirectory.db_url)

    @property
    def gradebook(self) -> Path | None:
        """The database's file; none where a server keeps it."""
        kind, _, file = self.db_url.partition(":///")
        return Path(file) if kind.startswith("sqlite") and file else None

    @property
    def log(self) -> Path:
        """What nbgrader had to say."""
        return self.folder / "log" / "nbgrader.log"

    def assignments(self) -> list[str]:
        """The names of all assignments, in order."""
        if not self.solutions.is_dir():
            return []
        return sorted(p.name for p in self.solutions.iterdir() if p.is_dir() and any(p.glob("*.ipynb")))

    def find(self, assignment: str) -> str:
        """The assignment of this name, or of a name that starts so (``03``)."""
        names = self.assignments()
        if assignment in names:
            return assignment
        starting = [name for name in names if assignment and name.startswith(assignment)]
        if len(starting) == 1:
            return starting[0]
        known = ", ".join(starting or names) or "none"
        if starting:
            raise GradingError(f"{assignment!r} may be any of several assignments, type more of one: {known}")
        raise GradingError(f"there is no assignment {assignment!r} in {self.solutions}; there are: {known}")

    def notebooks(self, assignment: str) -> list[Path]:
        """The notebooks of an assignment as the instructor wrote them."""
        return sorted((self.solutions / assignment).glob("*.ipynb"))

    def students(self, assignment: str) -> list[str]:
        """Who handed something in for this assignment."""
        return sorted(p.parent.name for p in self.submitted.glob(f"*/{assignment}") if p.is_dir())

    def stamp(self, assignment: str, student: str) -> Path:
        """Where it is noted that a submission was graded, or why it could not be."""
        return self.folder / ".state" / "graded" / assignment / f"{student}.json"

    def settings(self, **changes: Any) -> Config:
        """Nbgrader's configuration with some of ``CourseDirectory``'s settings changed."""
        config: Config = copy.deepcopy(self.config)
        config.CourseDirectory.update(changes)
        return config

    @contextlib.contextmanager
    def surroundings(self) -> Iterator[logging.Logger]:
        """Run nbgrader inside this: tools on PATH, nothing outside the class folder touched, a log file.

        Yields the logger to give to nbgrader's converters.
        """
        here = self.folder / ".home"
        for place in (here, self.log.parent):
            place.mkdir(parents=True, exist_ok=True)
        variables = environment(here) | {
            # nbgrader calls `alembic` by name.
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]),
            "COURSE_CLASS": str(self.folder),
        }
        logger = logging.getLogger("grading.nbgrader")
        logger.propagate = False
        logger.setLevel(logging.INFO)
        handler = logging.FileHandler(self.log, encoding="utf-8", errors="backslashreplace")
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        logger.addHandler(handler)
        before = Path.cwd() if _exists_cwd() else self.root
        try:
            with _environment(variables, UNWANTED), _module_path(), warnings.catch_warnings():
                warnings.simplefilter("ignore")  # deprecations inside nbgrader, which are not ours to mend
                if shutil.which("alembic") is None:
                    raise GradingError(
                        "nbgrader needs the program `alembic`, which is not beside "
                        f"{sys.executable}; run `make environment` (or: pip install 'nbgrader==0.9.6')"
                    )
                os.chdir(self.root)
                yield logger
        finally:
            os.chdir(before)
            logger.removeHandler(handler)
            handler.close()

    def show(self, path: Path) -> str:
        """A path as a person in the checkout would type it."""
        return str(path.relative_to(self.root)) if path.is_relative_to(self.root) else str(path)


#: What to do about a name that :func:`is_name` refuses.
NAME_RULE = "use letters, digits, dots, hyphens, underscores or @"


def is_name(text: str) -> bool:
    """Whether a student's or an assignment's name can be a folder and part of nbgrader's patterns.

    >>> is_name("ada-kim"), is_name("kim.ada@uni"), is_name("김지우"), is_name("../ada"), is_name("a*")
    (True, True, True, False, False)
    """
    return _NAME.fullmatch(text) is not None


def environment(home: Path) -> dict[str, str]:
    """The variables of a process that runs nbgrader: what its tools keep for themselves lies in ``home``."""
    return ENVIRONMENT | {
        "JUPYTER_PATH": str(JUPYTER),
        "JUPYTER_CONFIG_DIR": str(home / "jupyter"),
        "JUPYTER_DATA_DIR": str(home / "jupyter" / "data"),
        "JUPYTER_RUNTIME_DIR": str(home / "jupyter" / "runtime"),
        "IPYTHONDIR": str(home / "ipython"),
        "MPLCONFIGDIR": str(home / "matplotlib"),
        "KERAS_HOME": str(home / "keras"),
        "XDG_CACHE_HOME": str(home / "cache"),
    }


@contextlib.contextmanager
def _environment(variables: dict[str, str], unwanted: tuple[str, ...] = ()) -> Iterator[None]:
    before = dict(os.environ)
    try:
        for name in unwanted:
            os.environ.pop(name, None)
        os.environ.update(variables)
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextlib.contextmanager
def _module_path() -> Iterator[None]:
    before = list(sys.path)
    try:
        yield
    finally:
        sys.path[:] = before


def _exists_cwd() -> bool:
    try:
        Path.cwd()
    except FileNotFoundError:  # the folder was removed under us
        return False
    return True
