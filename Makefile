VENV ?= .venv
PORT ?= 8501
BIN := $(VENV)/bin
# Workers for the tests that may run side by side.
JOBS ?= 2
# A file's tests stay on one worker (its fixtures are made once), in the order that tests/conftest.py wants.
PARALLEL := -n $(JOBS) --dist loadfile --no-loadscope-reorder
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
export PIP_DISABLE_PIP_VERSION_CHECK = 1

.PHONY: run check test test-fast test-browser test-gpu fix bench screenshots lock install install-test clean help
.DEFAULT_GOAL := help

help:
	@echo "make run          start the dashboard (PORT=8501, GPU=1 adds the GPU host's packages)"
	@echo "make test         every gate and every test, with a real headless Chromium"
	@echo "make test-fast    the same without the browser"
	@echo "make fix          format, and repair what ruff can repair"
	@echo "make bench        run the benchmarks and write their table"
	@echo "make screenshots  make the README's screenshots"
	@echo "make test-gpu     the tests that need an NVIDIA GPU"

run: $(VENV)/.installed $(if $(GPU),$(VENV)/.installed-gpu)
	@echo "Enginescope: http://127.0.0.1:$(PORT)"
	@exec $(BIN)/python -m streamlit run app.py --server.port $(PORT)

test: $(VENV)/.installed-test
	@chromium=$$($(BIN)/python scripts/chromium.py) || exit $$?; \
	ENGINESCOPE_CHROMIUM="$$chromium" scripts/check.sh $(BIN) $(PARALLEL) -m ""

test-fast check: $(VENV)/.installed-test
	@scripts/check.sh $(BIN) $(PARALLEL)

test-browser: $(VENV)/.installed-test
	@chromium=$$($(BIN)/python scripts/chromium.py) || exit $$?; \
	ENGINESCOPE_CHROMIUM="$$chromium" $(BIN)/python -m pytest -m browser

test-gpu: $(VENV)/.installed-test
	@$(BIN)/python -m pytest -m gpu tests/gpu

fix: $(VENV)/.installed-test
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: $(VENV)/.installed-test
	@$(BIN)/python -m benchmarks

screenshots: $(VENV)/.installed-test
	@chromium=$$($(BIN)/python scripts/chromium.py) || exit $$?; \
	ENGINESCOPE_CHROMIUM="$$chromium" $(BIN)/python scripts/screenshots.py

install: $(VENV)/.installed
install-test: $(VENV)/.installed-test

# One stamp for each requirements file: a second run has nothing to do, a changed pin installs again.
$(VENV)/.installed: requirements.txt scripts/bootstrap.sh
	@scripts/bootstrap.sh $(VENV)
	@echo "Installing the dashboard into $(VENV) (about 1.2 GB, once)."
	@$(PIP) -r requirements.txt
	@touch $@

$(VENV)/.installed-test: requirements-test.txt scripts/judges.py $(VENV)/.installed
	@echo "Installing what the tests need into $(VENV)."
	@$(PIP) -r requirements-test.txt
	@$(BIN)/python scripts/judges.py
	@touch $@

$(VENV)/.installed-gpu: requirements-gpu.txt $(VENV)/.installed
	@echo "Installing TensorRT into $(VENV), from NVIDIA's own index."
	@$(PIP) -r requirements-gpu.txt
	@touch $@

lock: $(VENV)/.installed-test
	@scripts/lock.sh $(BIN)

clean:
	@rm -rf .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis .coverage htmlcov build dist *.egg-info
