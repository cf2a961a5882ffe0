# Everything runs in .venv, which each target sets up by itself.
PYTHON ?= python3
BIN := .venv/bin
.DEFAULT_GOAL := help
.PHONY: help setup run book live students print test lint fast record lock clean distclean

help:  ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup:  ## create or refresh .venv from requirements.lock
	@wanted=$$(cat requirements.lock pyproject.toml | cksum); \
	if [ "$$(cat .venv/installed 2>/dev/null)" != "$$wanted" ]; then \
	  echo "Setting up .venv from requirements.lock: a few minutes, once"; \
	  { test -x $(BIN)/python || $(PYTHON) -m venv .venv; } && \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check --progress-bar off -r requirements.lock -e . && \
	  echo "$$wanted" > .venv/installed; \
	fi

run: setup  ## execute the chapters that are not up to date
	@$(BIN)/python -m helpers run

book: run  ## execute what changed and render everything to _build/html
	@$(BIN)/python -m helpers build --quiet

live: book  ## serve the book on this machine: a chapter's parameters are a form, its cells can be run
	@$(BIN)/python -m helpers live

students: run  ## render the edition without solutions to _build/students
	@$(BIN)/python -m helpers build --quiet --students

print: run  ## print the book to _build/book.pdf; needs Chromium or Chrome
	@$(BIN)/python -m helpers print

lint: setup
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . || { \
	  echo "lint failed; most of it is fixed by: $(BIN)/ruff check --fix . && $(BIN)/ruff format ."; exit 1; }

fast: lint  ## lint and the tests that execute no chapter
	@$(BIN)/python -m pytest -q -n 2 --dist loadfile -m "not slow"

test: lint  ## everything: lint, unit tests, doctests, chapters small, the book without warnings; at its end what failed
	@$(BIN)/python -m pytest -q -n 2 --dist loadfile

record: setup  ## measure what each chapter costs, for the table of the README
	@$(BIN)/python -m helpers run --record

lock: setup  ## write requirements.lock and environment.yml from what is installed
	@$(BIN)/python -m helpers.book.environment

clean:  ## remove everything that was built
	rm -rf _build .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -not -path './.venv/*' -exec rm -rf {} +

distclean: clean  ## remove the environment as well
	rm -rf .venv
