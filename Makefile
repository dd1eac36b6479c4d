# On a machine with Python 3.11 or newer, make and git, `make train` is all that it takes.

PYTHON ?= python3
MINUTES ?= 10
VENV := .venv
BIN := $(VENV)/bin
BENCH := .venv-bench
ORACLES := .venv-oracles
# A process for each core: threads of the BLAS would only wait for one another.
PARALLEL := --numprocesses auto --dist worksteal
PYTEST := OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest tests $(PARALLEL)
ORACLED := OPENBLAS_NUM_THREADS=1 $(ORACLES)/bin/python -m pytest tests -m oracle $(PARALLEL)
PACKAGES := verigrad.graph verigrad.ops verigrad.passes verigrad.runtime

.PHONY: help train test test-jit test-more test-oracles test-sklearn-before test-page accuracy fuzz \
	kill notebooks catch mutants pictures on-device lint docs bench bench-scale clean

help:
	@echo "make train   install verigrad into $(VENV) and train a net on the digits it ships with"
	@echo "make test    install what the tests need too, and run them"
	@echo "make test-jit runs all tests, their programs on the jitted backend"
	@echo "make test-oracles runs the tests that compare with other libraries, in $(ORACLES)"
	@echo "make test-sklearn-before runs those of the estimators under the scikit-learn before"
	@echo "make test-page opens reports in a real browser: Debian's package chromium"
	@echo "make accuracy measures every op beside mpmath, into tests/accuracy/ACCURACY.md"
	@echo "make test-more runs them with twenty times as many cases where not all can be tried"
	@echo "make fuzz    checks random programs, then changed files, for MINUTES=10 each: see tests/fuzz"
	@echo "make kill    kills ranks of runs at random steps, and looks at what is left (ARGS=\"--by processes\")"
	@echo "make notebooks runs the example notebooks, and keeps what they print"
	@echo "make catch   plants faults in copies, and tabulates what catches each (an hour)"
	@echo "make mutants changes the passes and the planner everywhere, and tries the tests on each"
	@echo "make pictures draws examples/pictures anew, but for the curves of what is trained"
	@echo "make on-device trains a net in C, and tells its size: see examples/on_device"
	@echo "make lint    check style (ruff) and types (mypy, strict)"
	@echo "make docs    runs the commands that the pages show, and builds the site into build/docs"
	@echo "make bench   install the peers into $(BENCH), and time a step beside theirs"
	@echo "make bench-scale times a step on two ranks beside PyTorch's DDP, and models more"
	@echo "make clean   remove $(VENV), $(BENCH), $(ORACLES) and what was built"

train: $(VENV)/installed-all
	$(BIN)/verigrad train $(ARGS)

test: $(VENV)/installed-dev
	$(PYTEST) $(ARGS)

test-jit: $(VENV)/installed-dev
	$(PYTEST) --backend numba $(ARGS)

# PyTorch, scikit-learn, ONNX, JAX, Keras and Dask: large, and in no way of the other tests. One that cannot
# be imported would only skip what compares with it. Ray, which takes long, is tried where it is installed.
test-oracles: $(ORACLES)/installed
	KERAS_BACKEND=jax $(ORACLES)/bin/python -c "import torch, sklearn, onnx, onnxruntime, jax, keras, distributed"
	$(ORACLED) $(ARGS)
	$(ORACLED) --backend numba $(ARGS)

# The estimators under the scikit-learn before, which lies in a folder that is looked in first.
test-sklearn-before: $(ORACLES)/installed
	$(ORACLES)/bin/python -m pip install --quiet --no-deps --upgrade --target build/sklearn-before \
		'scikit-learn==1.8.*'
	PYTHONPATH=$(CURDIR)/build/sklearn-before OPENBLAS_NUM_THREADS=1 \
		$(ORACLES)/bin/python -m pytest tests/estimators $(PARALLEL) $(ARGS)

$(ORACLES)/installed: pyproject.toml
	$(PYTHON) -m venv $(ORACLES)
	$(ORACLES)/bin/python -m pip install --quiet --editable '.[dev,oracles]'
	touch $@

# Reports in Debian's Chromium, driven by Playwright. Without either the tests would only be skipped.
test-page: $(VENV)/installed-browser
	command -v chromium || { echo "there is no chromium: apt-get install chromium"; exit 1; }
	$(BIN)/python -c "import playwright, axe_playwright_python"
	$(BIN)/python -m pytest tests/report -m browser $(ARGS)

# Each op beside mpmath: minutes, for numbers that the tests have a few of.
accuracy: $(VENV)/installed-dev
	PYTHONPATH=tests:tests/ops OPENBLAS_NUM_THREADS=1 $(BIN)/python -m accuracy $(ARGS)

test-more: $(VENV)/installed-dev
	EFFORT=20 $(PYTEST) $(ARGS)

fuzz: $(VENV)/installed-dev
	cd tests && OPENBLAS_NUM_THREADS=1 ../$(BIN)/python -m fuzz --minutes $(MINUTES) $(ARGS)
	cd tests && OPENBLAS_NUM_THREADS=1 ../$(BIN)/python -m fuzz.readers --minutes $(MINUTES)

kill: $(VENV)/installed-dev
	cd tests && OPENBLAS_NUM_THREADS=1 ../$(BIN)/python -m ranks.kills $(ARGS)

notebooks: $(VENV)/installed-notebook
	cd tests && OPENBLAS_NUM_THREADS=1 ../$(BIN)/python -m notebooks

catch: $(VENV)/installed-dev
	cd tests && ../$(BIN)/python -m catch $(ARGS)

mutants: $(VENV)/installed-dev $(VENV)/installed-mutants
	cd tests && ../$(BIN)/python -m catch.mutants $(ARGS)

# Without PATH, what draws is the graphviz-pure of the environment: the same bytes on each machine.
pictures: $(VENV)/installed-dev
	PATH= $(BIN)/python examples/draw_pictures.py examples/pictures

on-device: $(VENV)/installed-dev
	$(MAKE) -C examples/on_device PYTHON=$(abspath $(BIN)/python)

# mypy wants the root folder to bear the package's name: build/mypy/verigrad is a link to it.
lint: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	mkdir -p build/mypy
	ln -sfn ../.. build/mypy/verigrad
	MYPYPATH=build/mypy $(BIN)/mypy $(addprefix -p ,$(PACKAGES))
	MYPYPATH=build/mypy $(BIN)/mypy --follow-imports=silent tests/test_typed_use.py

# Warnings are errors, a link that leads nowhere among them.
docs: $(VENV)/installed-dev $(VENV)/installed-docs notebooks
	$(BIN)/python -m pytest tests/test_pages.py -m commands --numprocesses auto
	$(BIN)/python -m sphinx --quiet --fail-on-warning --keep-going docs build/docs

# The peers stay out of the way of the tests, in an environment of their own.
bench: $(BENCH)/installed
	$(BENCH)/bin/python -m verigrad.benchmarks $(ARGS)

bench-scale: $(BENCH)/installed
	$(BENCH)/bin/python -m verigrad.benchmarks.scaling $(ARGS)

$(BENCH)/installed: pyproject.toml
	$(PYTHON) -m venv $(BENCH)
	$(BENCH)/bin/python -m pip install --quiet --editable '.[bench]'
	touch $@

# A stamp for each set of extras, older than pyproject.toml whenever that has changed.
$(VENV)/installed-%: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable '.[$*]'
	touch $@

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

clean:
	rm -rf $(VENV) $(BENCH) $(ORACLES) build dist *.egg-info .mypy_cache .ruff_cache .hypothesis
