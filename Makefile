# Two commands do everything on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
RUN := opiscal-run

.PHONY: demo test lint types layers tests bench bench-sampled coverage sample-data pictures clean

# The tool itself, without what its developers need.
$(VENV)/installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	touch $@

$(VENV)/installed-dev: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	touch $@

demo: $(VENV)/installed
	$(BIN)/opiscal evaluate sample_data/places.parquet -o $(RUN)
	$(BIN)/opiscal threshold $(RUN) --far 1e-3

test: lint types layers tests

lint: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/installed-dev
	$(BIN)/mypy

layers: $(VENV)/installed-dev
	$(BIN)/lint-imports

# -ra ends with every skipped test and its reason. Files of tests are shared out over the cores.
tests: $(VENV)/installed-dev
	$(BIN)/pytest -n auto --maxprocesses 4 --dist loadfile

bench: $(VENV)/installed-dev
	$(BIN)/python benchmarks/exact.py
	$(BIN)/python benchmarks/intervals.py
	$(BIN)/python benchmarks/command.py
	$(BIN)/python benchmarks/hard_pairs.py
	$(BIN)/python benchmarks/figures.py

# Sampled pairs against every pair, up to a million rows: half an hour.
bench-sampled: $(VENV)/installed-dev
	$(BIN)/python benchmarks/sampled.py

# How often intervals hold the truth, and what is left of OPIS without its noise: an hour and more.
coverage: $(VENV)/installed-dev
	$(BIN)/python benchmarks/noise.py
	$(BIN)/python benchmarks/interval_coverage.py
	$(BIN)/python benchmarks/real_coverage.py
	$(BIN)/python benchmarks/gate_errors.py
	$(BIN)/python benchmarks/differences.py

sample-data: $(VENV)/installed-dev
	$(BIN)/python sample_data/make.py

# The pictures of the README.
pictures: $(VENV)/installed
	$(BIN)/opiscal evaluate sample_data/places.parquet -o $(RUN) --quiet
	$(BIN)/opiscal plot $(RUN) --format png -o docs/pictures \
		--kind utility-curves --kind rates --kind spread --kind class-thresholds

clean:
	rm -rf $(VENV) $(RUN) build *.egg-info .mypy_cache .ruff_cache .pytest_cache
