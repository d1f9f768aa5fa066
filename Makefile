# From LeNet to ResNet. `make help` says what there is.
#
# Everything lives in .venv, made with PYTHON (3.11 or newer) when it is not
# there. Nothing is installed twice: the stamps in .venv remember.

PYTHON ?= python3
PORT ?= 8000
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
SITE := $(VENV)/.site-installed
ALL := $(VENV)/.all-installed

# Every figure is computed on one thread, in the tests as in the chapters;
# labs run at their smallest scale and show no progress.
export OMP_NUM_THREADS := 1
export CNNBOOK_SCALE := smoke
export CNNBOOK_QUIET := 1

.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
.PHONY: help book html slides pdf zip colab test run run-all labs lock clean

help:  ## say what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-9s %s\n", $$1, $$2}' Makefile

book: html  ## build the site and serve it on this machine
	@$(BIN)/python tools/serve.py _build/html --port $(PORT)

html: $(SITE)  ## build the site into _build/html
	$(BIN)/python -m website.build

slides: html  ## say where the chapters' decks are, built with the site
	@echo "The decks: _build/html/slides/index.html"

pdf: html $(ALL)  ## print the book into dist/lenet-to-resnet.pdf
	$(BIN)/python -m website.pdf

zip: $(SITE)  ## pack the site as an offline edition into dist/
	$(BIN)/python -m website.build --zip

colab: $(SITE)  ## write the Colab edition of chapters and labs into dist/colab
	$(BIN)/python tools/colab.py

test: $(ALL)  ## run everything: library, notebooks, site in a browser
	$(BIN)/python tools/chromium.py
	$(BIN)/ruff check .
	$(BIN)/codespell
	$(BIN)/pytest -n 2 -m "not browser" --nbval tests \
		$$($(BIN)/python tools/notebooks.py list)
	$(BIN)/pytest -m browser tests

run: $(ALL)  ## execute the notebooks that changed; CHAPTER=lenet for one
	$(BIN)/python tools/notebooks.py run $(CHAPTER)

run-all: $(ALL)  ## execute every notebook
	$(BIN)/python tools/notebooks.py run --all

labs: $(ALL)  ## write the students' editions from the solutions
	$(BIN)/python tools/labs.py

# Every requirement at once, at its newest; only torch stays where it is, or
# goes where `make lock TORCH=2.14.0` says. A CPU build's local version ("+cpu")
# and the CUDA packages of the other builds are this or that machine's, not ours.
TORCH = $(shell sed -n 's/^torch==//p' requirements.lock)
lock: $(ALL)  ## write requirements.lock anew
	@echo "torch==$(TORCH)" > $(VENV)/torch.txt
	$(BIN)/pip-compile --quiet --upgrade --strip-extras --allow-unsafe \
		--no-emit-index-url --no-emit-find-links --no-annotate --no-header \
		-c $(VENV)/torch.txt --extra site --extra dev --extra grading \
		--output-file requirements.lock pyproject.toml
	@sed -i.old -E -e 's/\+cpu$$//' -e '/^(nvidia-|cuda-|triton|#|$$)/d' \
		requirements.lock
	@rm requirements.lock.old

clean:  ## remove what was built; the environment stays
	rm -rf _build dist .pytest_cache .hypothesis .ruff_cache

$(VENV)/pyvenv.cfg:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "The book needs Python 3.11 or newer: make PYTHON=python3.12 …"; exit 1; }
	$(PYTHON) -m venv $(VENV)

# The site needs no torch: only its own extra, at the locked versions.
$(SITE): $(VENV)/pyvenv.cfg pyproject.toml requirements.lock
	@echo "Installing what the site needs …"
	@$(BIN)/python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"]["site"], sep="\n")' \
		> $(VENV)/site.txt
	@$(PIP) -r $(VENV)/site.txt -c requirements.lock
	@touch $@

# torch first and alone, so that nothing else draws another build of it.
$(ALL): $(VENV)/pyvenv.cfg pyproject.toml setup.py requirements.lock
	@echo "Installing everything, from requirements.lock …"
	@$(PIP) "$$(grep '^torch==' requirements.lock)"
	@$(PIP) -r requirements.lock
	@$(PIP) --no-deps -e .
	@touch $(SITE) $@
