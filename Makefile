# Two commands do everything on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
RUN := opiscal-run
TORCH := 'torch==2.13.0+cpu'
TORCH_TESTS := 'pytorch-metric-learning>=2.8'

.PHONY: demo test torch lint types layers tests bench bench-loss bench-sampled coverage sample-data digits pictures clean

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

# -ra ends with every skipped test and its reason. Files of tests are shared out over the cores in the order of
# tests/conftest.py, where threads of BLAS that wait for one another would only be in the way.
tests: $(VENV)/installed-dev
	OPENBLAS_NUM_THREADS=1 OMP_WAIT_POLICY=PASSIVE \
	$(BIN)/pytest -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

# What trains: torch without CUDA, from PyPI where that has such a build, else from its own index.
# Without it the tests of opiscal.losses are skipped.
torch: $(VENV)/installed-dev
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(TORCH) $(TORCH_TESTS) || \
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(TORCH) $(TORCH_TESTS) \
		--extra-index-url https://download.pytorch.org/whl/cpu

bench: $(VENV)/installed-dev
	$(BIN)/python benchmarks/exact.py
	$(BIN)/python benchmarks/intervals.py
	$(BIN)/python benchmarks/command.py
	$(BIN)/python benchmarks/compare_command.py
	$(BIN)/python benchmarks/hard_pairs.py
	$(BIN)/python benchmarks/figures.py
	$(BIN)/python benchmarks/cluster.py

# The loss against a plain hinge of the same batch.
bench-loss: torch
	$(BIN)/python benchmarks/tcm_loss.py

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
	$(BIN)/python benchmarks/recall.py

sample-data: $(VENV)/installed-dev
	$(BIN)/python sample_data/make.py

# The experiment of examples/digits, its picture, and the pair of models among the sample data.
EMBEDDINGS := examples/digits/out/embeddings
digits: torch
	$(BIN)/python examples/digits/run.py
	cp examples/digits/out/circles.png examples/digits/circles.png
	cp $(EMBEDDINGS)/16d-seed0-arcface.parquet sample_data/digits-arcface.parquet
	cp $(EMBEDDINGS)/16d-seed0-arcface-tcm.parquet sample_data/digits-arcface-tcm.parquet

# The pictures of the README.
pictures: $(VENV)/installed
	$(BIN)/opiscal evaluate sample_data/places.parquet -o $(RUN) --quiet
	$(BIN)/opiscal plot $(RUN) --format png -o docs/pictures \
		--kind utility-curves --kind rates --kind spread --kind class-thresholds

clean:
	rm -rf $(VENV) $(RUN) build *.egg-info .mypy_cache .ruff_cache .pytest_cache
