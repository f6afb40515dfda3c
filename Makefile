# make demo, make test: each sets up .venv first, and then does its work. Nothing else need be installed by hand.
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
# EnvPool, Ray and what they alone ask for: there is not a wheel for every platform.
FAST := ^(envpool|attrs|dm-env|dm-tree|glfw|optree|types-protobuf|wrapt|ray|msgpack)[a-z-]*==

.PHONY: demo test soak check install lock figures clean

demo: install
	$(BIN)/rl-lab demo

test: install
	$(BIN)/python -m pytest -n auto --dist loadgroup

# Hundreds of kills, in every agent and environment, and an hour of looking at live runs: up to half an hour.
soak: install
	RL_LAB_SOAK=1 $(BIN)/python -m pytest -n auto tests/integration/test_kills.py tests/integration/test_power_cut.py tests/integration/test_ray.py tests/integration/test_export.py tests/viewer/test_soak.py

check: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

install: $(INSTALLED)

# The lock pins every package with its hashes. First, torch's CPU build, where pip has one at hand (its find-links):
# a tenth of the size. Last, the project itself and whatever a platform needs beyond the lock (see .ci/lock.py).
$(INSTALLED): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15))' || \
		{ echo "error: expected Python 3.11 to 3.14, got $$($(PYTHON) --version); name another: make PYTHON=python3.12 ..." >&2; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv || \
		{ echo "error: $(PYTHON) cannot make environments; on Debian and Ubuntu: apt install python3-venv" >&2; exit 2; }
	@awk '/^[a-z]/ { keep = /^torch==/ } keep' requirements.lock > .venv/torch.lock
	@awk '/^[a-z]/ { keep = /^box2d-py==/ } keep' requirements.lock > .venv/box2d.lock
	@awk '/^[a-z]/ { keep = /$(FAST)/ } keep' requirements.lock > .venv/fast.lock
	@awk '/^[a-z]/ { keep = !/^box2d-py==|$(FAST)/ } keep' requirements.lock > .venv/all.lock
	@$(PIP) --require-hashes --no-deps --no-index -r .venv/torch.lock 2> /dev/null || true
	$(PIP) --require-hashes --no-deps -r .venv/all.lock
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(PIP) --require-hashes --no-deps --no-build-isolation -r .venv/box2d.lock 2> .venv/box2d.log || \
		echo "note: Box2D has no wheel for this Python and could not be compiled (it needs a C++ compiler and the headers of Python): no LunarLander, all else works"
	@$(PIP) --require-hashes --no-deps --only-binary :all: -r .venv/fast.lock 2> .venv/fast.log || \
		echo "note: EnvPool (the extra 'fast') or Ray (the extra 'ray') has no wheel here: no backend = 'envpool', no --executor ray, all else works"
	$(PIP) --no-build-isolation -e .
	@touch $@

lock: install
	$(BIN)/python .ci/lock.py

figures: install
	$(BIN)/python docs/make_figures.py
	$(BIN)/python docs/make_mazes.py
	$(BIN)/python docs/make_algorithms.py
	$(BIN)/python docs/make_textbook.py
	$(BIN)/python docs/make_viewer.py

clean:
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis
