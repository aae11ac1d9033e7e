# Every target makes the environment that it needs. Options, with defaults:
#   PYTHON=python3   the interpreter to make the environment from
#   VENV=.venv       where to make it
#   NUMPY=numpy      which NumPy to install, for example NUMPY='numpy<2'
#   LOCKED=          yes: exactly the packages of requirements/dev.txt
#   CUPY=            a CuPy to install for test-gpu, for example 'cupy-cuda13x[ctk]'
#   ARGS=            more arguments for pytest, the example or the benchmark

PYTHON ?= python3
VENV ?= .venv
NUMPY ?= numpy
LOCKED ?=
CUPY ?=
ARGS ?=

# What each command runs.
EXAMPLE = examples/sequence_prediction/train_ucr.py --dataset GunPoint
BENCHMARK = benchmarks/cpu.py

BIN = $(VENV)/bin
# Most of what is installed is never imported: leave compiling to the import.
INSTALL = $(BIN)/python -m pip --disable-pip-version-check install --quiet \
	--no-compile
# ... and let it keep what it compiled, for the many processes of the tests.
unexport PYTHONDONTWRITEBYTECODE
# Other options mean another environment.
KEY := $(shell { $(PYTHON) -c \
	'import sys; print(sys.version, sys.base_prefix)' 2>/dev/null; \
	echo '$(NUMPY)$(LOCKED)'; } | cksum | cut -d ' ' -f 1)
CREATED = $(VENV)/created-$(KEY)
INSTALLED = $(VENV)/installed
CXX_SOURCES = $(wildcard sdtw_cpu/src/*.cpp sdtw_cpu/src/*.hpp \
	sdtw_cpu/src/simd/*.hpp)
NATIVE = $(wildcard sdtw_cpu/*.pyx) $(CXX_SOURCES)
CXX_FILES = $(CXX_SOURCES) $(wildcard \
	tools/aarch64/*.cpp chainer_sdtw/cuda/*.cu chainer_sdtw/cuda/*.cuh \
	tools/ptx_on_cpu/*.cpp \
	tools/ptx_on_cpu/*.hpp tests/tools_tests/*.cu tests/tools_tests/*.cuh \
	tests/*.cpp tests/tools_tests/*.cpp)

.PHONY: help example test lint format pytest fuzz test-gpu test-aarch64 \
	sanitize docs bench matrix dist venv clean
.DEFAULT_GOAL := help

help:
	@echo 'make example   train two models on GunPoint: soft-DTW and MSE'
	@echo 'make test      linters, types and all tests'
	@echo 'make pytest    the tests alone'
	@echo 'make fuzz      100,000 random calls of all functions'
	@echo 'make test-gpu  the tests that need CuPy and a GPU'
	@echo 'make test-aarch64  the tests of kernels, cross-compiled, under QEMU'
	@echo 'make sanitize  the tests of kernels, watched by sanitizers of gcc'
	@echo 'make lint      the linters and types alone'
	@echo 'make format    format the sources'
	@echo 'make docs      the documentation, in docs/_build/html'
	@echo 'make bench     time and memory beside other implementations'
	@echo 'make matrix    the tests on the oldest to the newest Python here'
	@echo 'make dist      source distribution and wheel, in dist/'
	@echo 'make clean     remove the environment and everything built'
	@echo
	@sed -n '/^#   /s/^# //p' $(firstword $(MAKEFILE_LIST))

example: $(INSTALLED)
	$(BIN)/python $(EXAMPLE) $(ARGS)

test: lint pytest

pytest: $(INSTALLED)
	$(BIN)/python -m pytest -n logical --dist worksteal $(ARGS)

fuzz: $(INSTALLED)
	PYTHONPATH=tests $(BIN)/python -m fuzz $(ARGS)

# Fails where there is no GPU, instead of skipping everything.
test-gpu: $(INSTALLED)
	$(if $(CUPY),$(INSTALL) '$(CUPY)' '$(NUMPY)')
	$(BIN)/python -m pytest -m gpu --require-gpu $(ARGS)

# The kernels run in a process of their own; pytest runs here.
test-aarch64: $(INSTALLED)
	$(BIN)/python tools/aarch64/build.py build/aarch64
	SDTW_KERNEL_SERVER='qemu-aarch64 build/aarch64/server' \
		PYTHONPATH=tools/aarch64 $(BIN)/python -m pytest -n logical \
		--dist worksteal -p remote_kernels $(ARGS) tests/sdtw_cpu_tests

# First whether the sanitizers report what they should.
sanitize: $(INSTALLED)
	$(BIN)/python -m pytest -n logical tests/tools_tests/test_sanitizers.py
	$(BIN)/python tools/sanitizers.py address -n logical \
		--dist worksteal $(ARGS)
	$(BIN)/python tools/sanitizers.py thread -n logical \
		--dist worksteal $(ARGS)

lint: $(INSTALLED)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(if $(CXX_FILES),$(BIN)/clang-format --dry-run -Werror $(CXX_FILES))
	$(BIN)/mypy

format: $(INSTALLED)
	$(BIN)/ruff check --fix
	$(BIN)/ruff format
	$(if $(CXX_FILES),$(BIN)/clang-format -i $(CXX_FILES))

docs: $(INSTALLED)
	$(BIN)/python -m sphinx -W --keep-going -q $(ARGS) docs docs/_build/html
	@echo 'docs/_build/html/index.html'

bench: $(INSTALLED)
	$(BIN)/python $(BENCHMARK) $(ARGS)

matrix: $(INSTALLED)
	$(BIN)/nox $(ARGS)

dist: $(INSTALLED)
	rm -rf dist
	umask 022 && SOURCE_DATE_EPOCH=$${SOURCE_DATE_EPOCH:-$$(git log -1 \
		--format=%ct)} $(BIN)/python -m build $(ARGS)

venv: $(INSTALLED)

# A new environment from $(PYTHON).
$(CREATED):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 9))' || { \
		echo '$(PYTHON) is not a Python 3.9 or newer: name one with' \
			'"make ... PYTHON=python3.X"' >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo '$(PYTHON) cannot make a virtual environment. On Debian' \
			'and Ubuntu, install its package python3-venv; or name' \
			'another interpreter with "make ... PYTHON=python3.X"' >&2; \
		exit 1; }
	rm -rf $(VENV)
	$(PYTHON) -m venv $(VENV)
	@touch $@

# Chainer's source distribution needs pkg_resources to build, which setuptools
# had until release 80 and which pip's isolated builds therefore lack: install
# what is needed to build first, then everything without isolation. A changed
# source builds the extension again.
$(INSTALLED): $(CREATED) pyproject.toml setup.py sdtw_cpu/_version.py $(NATIVE)
	@echo 'Installing in $(VENV) what is needed to build ...'
	@$(INSTALL) $(if $(LOCKED),--require-hashes -r requirements/build.txt, \
		'setuptools>=77,<81' wheel 'Cython>=3.0.11')
	@echo '... then Chainer, chainer-sdtw, whose C++ is compiled, and the' \
		'rest. This takes two to five minutes and prints nothing ...'
	@$(if $(LOCKED),$(INSTALL) --no-build-isolation --require-hashes \
		-r requirements/dev.txt)
	@$(INSTALL) --no-build-isolation $(if $(LOCKED),--no-deps) -e '.[dev]' \
		'$(NUMPY)'
	@echo '... done; it is kept for the next time.'
	@touch $@

clean:
	rm -rf $(VENV) .nox build docs/_build dist wheelhouse *.egg-info
	rm -rf .hypothesis .mypy_cache .pytest_cache .ruff_cache
	rm -f sdtw_cpu/_kernels.*.so sdtw_cpu/_kernels.cpp
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
