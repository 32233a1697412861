# Thin on purpose: the logic is in `sinehil` and in docker/*.sh. `make help` lists what there is.
SHELL := /bin/bash
.DEFAULT_GOAL := help
VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= python3
PORT ?= /dev/ttyACM0
JOBS ?= 2
PACKAGES := docker/debian-packages.txt docker/debian-packages-build.txt
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Compiled once, not by each of the thousands of processes that the tests start.
unexport PYTHONDONTWRITEBYTECODE

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 18

demo: setup ## train, convert, compile, flash a virtual Uno, verify: the whole main job
	@$(BIN)/sinehil demo

train: setup ## make artifacts/: data, models, .tflite, C array, plots
	@$(BIN)/sinehil train
compile: setup ## generate the kernel and compile the sketch
	@$(BIN)/sinehil compile
flash: setup ## upload to PORT (default /dev/ttyACM0)
	@$(BIN)/sinehil flash --port $(PORT)
verify: setup ## compare the board on PORT with the interpreter, for every input
	@$(BIN)/sinehil verify --port $(PORT)

notebook: setup $(VENV)/.notebook ## the book's chapter as a notebook, in JupyterLab
	@$(BIN)/sinehil notebook

docker-train: ## the same in a container: no Python or TensorFlow on this machine, no network while it works
	@docker/sinehil.sh train train
docker-demo: ## the whole main job in a container, with a virtual Uno inside
	@docker/sinehil.sh train demo
docker-flash: ## compile in a container and upload to PORT
	@docker/sinehil.sh rig flash --port $(PORT)
docker-verify: ## verify the board on PORT from a container
	@docker/sinehil.sh rig verify --port $(PORT) --report reports/verify

# Files in the order of their recorded durations, the longest first; see tests/conftest.py.
test: setup-test lint ## every behaviour once, on a virtual board and in one image: 15 minutes on two cores
	@$(BIN)/pytest -n $(JOBS) --no-loadscope-reorder -m "not extended"
test-rest: setup-test ## what `make test` leaves out: more nets, seeds, floods and soaks, bare machines, images from nothing
	@$(BIN)/pytest -n $(JOBS) --no-loadscope-reorder -m extended
test-all: test test-rest ## everything: under an hour on two cores
fuzz: setup-test ## fuzz everything that reads foreign bytes for 12 minutes; FUZZ="--seconds 600 --keep" for longer
	@$(BIN)/python tests/fuzz/run.py $(FUZZ)
test-container: setup-test ## images and bare clones in real containers; as root it brings an engine of its own
	@$(BIN)/pytest tests/container
check: lint ## lint, types, unit tests: the inner loop, under a minute
	@$(BIN)/pytest -q -m "not board and not slow" tests/unit tests/report tests/supply
lint: setup-lint ## format, lint, types, import rules
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check --quiet
	@git ls-files '*.c' '*.h' '*.cpp' '*.ino' | xargs clang-format --dry-run --Werror
	@shellcheck docker/*.sh docker/*/*.sh .ci/run
	@git ls-files '*Dockerfile' | xargs $(BIN)/hadolint
	@$(BIN)/mypy
	@$(BIN)/lint-imports > /dev/null || $(BIN)/lint-imports

report-picture: demo packages-test ## renew the picture of a report in README.md
	@profile=$$(mktemp -d) && chromium --headless --no-sandbox --disable-gpu --no-first-run --hide-scrollbars \
	  --disable-background-networking --user-data-dir=$$profile --window-size=1100,1000 \
	  --screenshot=$(CURDIR)/hil/report.png file://$(CURDIR)/reports/demo/report.html 2>/dev/null; rm -rf $$profile

engines: demo ## measure our kernels and others' again: pipeline/engines.md and .png
	@$(BIN)/sinehil bench engines --out pipeline

mutants: demo ## make kernels wrong and count who notices, again: hil/mutants.md, .png and .json
	@$(BIN)/sinehil audit mutants --sample 4000 --on-board 200 --out hil

source-mutants: setup-test ## change our own source in 200 small ways and count what the tests notice: build/mutations (hours)
	@for step in map choose run compare; do $(BIN)/python tests/source_mutations.py $$step || exit; done

faults: demo ## verify over a million faulted requests and 2,000 on virtual Unos: hil/faults.md
	@$(BIN)/sinehil audit link --transactions 1000000 --on-board 2000 --out hil/faults.md

translations: setup $(VENV)/.notebook ## make the notebooks and README.ko.md from their sources and catalogues
	@$(BIN)/python -m translation

lock: setup ## renew every lock: Python, Go, Debian
	@docker/lock.sh --upgrade
audit: setup ## ask the advisory databases about what is pinned (network; not part of `make test`)
	@docker/audit.sh

clean: ## remove what was generated here, not the tools in the cache
	rm -rf artifacts build reports

setup: packages $(VENV)/.ready
setup-lint: packages-lint $(VENV)/.ready
setup-test: packages-test $(VENV)/.ready $(VENV)/.notebook
packages:
	@docker/install-debian-packages.sh $(PACKAGES)
packages-lint:
	@docker/install-debian-packages.sh $(PACKAGES) docker/debian-packages-lint.txt
packages-test:
	@docker/install-debian-packages.sh $(PACKAGES) docker/debian-packages-{lint,test}.txt
$(VENV)/.ready: docker/requirements-dev.txt pyproject.toml | packages
	@echo "installing Python packages into $(VENV)" >&2
	@$(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/pip install --quiet --require-hashes -r docker/requirements-dev.txt
	@$(BIN)/pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@
$(VENV)/.notebook: docker/requirements-notebook.txt $(VENV)/.ready
	@echo "installing JupyterLab into $(VENV)" >&2
	@$(BIN)/pip install --quiet --require-hashes -r docker/requirements-notebook.txt
	@touch $@

.PHONY: help demo engines mutants source-mutants faults train compile flash verify notebook translations docker-train docker-demo docker-flash docker-verify test test-rest test-all test-container fuzz \
  check lint report-picture lock audit clean setup setup-lint setup-test packages packages-lint packages-test
