# The verbs of the course. `make` lists them; each sets up what it needs and does only what is out of date.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.SUFFIXES:

# Python 3.11, by whichever name it goes here.
PYTHON ?= $(shell for name in python3.11 python3 python; do \
	if "$$name" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null; then echo $$name; break; fi; done)

VENV := $(CURDIR)/.venv
RUN := "$(VENV)/bin/python"
PORT ?= 8000
# JupyterLab refuses to run as root unless told; grading/jupyter keeps its question about news off the first cell.
LAB = JUPYTER_CONFIG_PATH="$(CURDIR)/grading/jupyter" $(RUN) -m jupyterlab $(if $(filter 0,$(shell id -u)),--allow-root)

# The environment's own tools come first (nbgrader calls alembic by name), and whatever tools like to
# remember between runs stays in this folder.
export PATH := $(VENV)/bin:$(PATH)
export MPLCONFIGDIR := $(CURDIR)/.cache/matplotlib
export IPYTHONDIR := $(CURDIR)/.cache/ipython
export KERAS_HOME := $(CURDIR)/.cache/keras
export KERAS_BACKEND := tensorflow
export TF_CPP_MIN_LOG_LEVEL := 3
# One thread for each product: many small ones on several threads wait for each other.
export OPENBLAS_NUM_THREADS ?= 1

.PHONY: help course test check lint book pdf release rehearse grade serve lab bench fuzz lock format picture browser clean environment

##@ The course
course: environment ## build the website, release the exercises, grade the rehearsal class; say where all lies
	@$(RUN) -m book.build
	@$(RUN) -m grading release
	@$(RUN) -m grading rehearse
	@echo
	@echo "The course stands."
	@echo "  website          build/site/index.html            read it: make serve"
	@echo "  exercises        exercises/                       work them: make lab"
	@echo "  marks            build/rehearsal/marks/           of the rehearsal class: a CSV an assignment"
	@echo "  summary          build/rehearsal/report/          open index.html in a browser"
	@echo "  feedback         build/rehearsal/feedback/        one page a student"
	@echo "  gradebook        build/rehearsal/gradebook.db     SQLite, nbgrader's own format"

book: environment ## build the website into build/site, executing what changed
	@$(RUN) -m book.build

pdf: environment ## print the whole book into build/book.pdf (needs Chromium: make browser)
	@$(RUN) -m book.pdf

serve: book ## show the website at http://localhost:8000 (another port: PORT=8080)
	@echo "The book is at http://localhost:$(PORT) (end with Ctrl-C)"
	@$(RUN) -m http.server --bind 127.0.0.1 --directory build/site $(PORT)

lab: environment ## open JupyterLab on your own copy of the exercises, in class/desk
	@mkdir -p class/desk
	@for task in exercises/*/; do test -e "class/desk/$$(basename "$$task")" || cp -R "$$task" class/desk/ || exit 1; done
	@cd class/desk && $(LAB)

##@ For instructors
release: environment ## make exercises/ from solutions/, and an archive for students to take home: build/students
	@$(RUN) -m grading release
	@$(RUN) -m grading bundle

grade: environment ## grade what lies in class/submitted: make grade ASSIGNMENT=03-sizes-and-counts
	@test -n "$(ASSIGNMENT)" || { echo "make: name the assignment: make grade ASSIGNMENT=$$(ls solutions | head -1)" >&2; exit 1; }
	@$(RUN) -m grading grade "$(ASSIGNMENT)"

rehearse: environment ## grade the rehearsal class of tests/class
	@$(RUN) -m grading rehearse

##@ For maintainers
test: environment ## run every test (after building the site and grading the rehearsal class, which they read)
	@$(RUN) -m book.build
	@$(RUN) -m grading rehearse
	@$(RUN) -m pytest -n 2 --dist loadgroup $(ARGS)

check: lint ## lint, types and the quick tests, in under two minutes
	@$(RUN) -m pytest -q -n 2 -m "not (slow or keras or site or grading or browser)" $(ARGS)

lint: environment ## lint, spelling and types alone
	@$(RUN) -m ruff check .
	@$(RUN) -m ruff format --check .
	@codespell
	@$(RUN) -m mypy

fuzz: environment ## compare with Keras on new random cases, ten times as many as in make test
	@HYPOTHESIS_PROFILE=fuzz $(RUN) -m pytest -n 2 -m keras tests/cnnlib/test_keras_agreement.py

bench: environment ## measure time and memory against peers, as ratios, into build/bench (ARGS="--cases a,d")
	@$(RUN) tests/benchmarks/operators.py $(ARGS)
	@$(if $(ARGS),,$(RUN) tests/benchmarks/networks.py && $(RUN) tests/benchmarks/grading.py)

lock: environment ## write requirements.lock anew from pyproject.toml (newer versions: UPGRADE=1)
	@uv pip compile pyproject.toml --all-extras --universal --python-version 3.11 --generate-hashes --quiet \
		--no-emit-index-url --no-header --no-annotate --output-file requirements.lock $(if $(UPGRADE),--upgrade)

format: environment ## put the code into the house's format
	@$(RUN) -m ruff format .
	@$(RUN) -m ruff check --fix .

picture: book ## draw the README's picture anew from the site
	@$(RUN) -m book.picture

browser: ## install Chromium for the browser tests (as root, on Debian or Ubuntu)
	@if command -v chromium >/dev/null || command -v google-chrome >/dev/null; then echo "a browser is here already"; \
	elif ! command -v apt-get >/dev/null; then echo "make: no apt-get here; install Chromium by your system's own means" >&2; exit 1; \
	elif [ "$$(id -u)" != 0 ]; then echo "make: installing a system package needs root: sudo make browser" >&2; exit 1; \
	else apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium fonts-noto-core fonts-noto-cjk >/dev/null && echo "Chromium is installed"; fi

clean: ## remove all that was built (class/, with an instructor's own data, and .venv stay)
	rm -rf build .cache .pytest_cache .mypy_cache .ruff_cache .hypothesis

environment:
	@test -n "$(PYTHON)" || { echo "make: Python 3.11 is needed and not found (python3 is $$(python3 --version 2>&1 | head -1)); install it, or name it: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@"$(PYTHON)" bootstrap.py
	@mkdir -p .cache

help: ## list the verbs
	@awk 'BEGIN { FS = ":.*## " } /^##@/ { printf "\n%s\n", substr($$0, 5) } /^[a-z-]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' Makefile
