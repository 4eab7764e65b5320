# SPDX-License-Identifier: Apache-2.0
# Developers' tasks. Each target is self-contained: it first installs what it needs, once.
# Output is quiet: what the tools print goes to build/logs/ and is shown only if something fails.
.DEFAULT_GOAL := help
.PHONY: help build bench-module test test-gpu demo bench fuzz sanitize tsan lint format wheel clean

PYTHON_ENV := .venv/bin/python
export JAX_SKIP_CUDA_CONSTRAINTS_CHECK := 1# the CUDA plug-in is used to compile, not to run
FUZZ_SECONDS ?= 60
ARGS ?=
# Code that parses untrusted bytes, computes buffer bounds, or shares memory between threads. Nearly all of the cost is
# compiling, so the tests of single decisions (xla_pass's other folders) are left out: run_pass_test runs that code. So
# is ffi_kernels/cuda, a third of the targets: its tests use a fake GPU or check generated text.
SANITIZED := //xla_pass:all //xla_pass/wire/... //xla_pass/hlo_view/... //xla_pass/rewrite/... //ffi_kernels:all \
	//base/... //ffi_kernels/comm/... //ffi_kernels/cpu/... //row_program/...

help:  ## this list
	@echo 'make TARGET; variables: PYTHON=... (a CPython >= 3.12), ARGS=... (for demo, bench and fuzz), FUZZ_SECONDS=60'
	@sed -nE 's/^([a-z-]+):.*## (.*)/  \1\t\2/p' $(MAKEFILE_LIST) | expand -t 12

build:  ## .venv and the native module
	@tools/setup packages venv bazel
	@tools/step 'Building the native module' tools/bazel build //python/native:_native.abi3.so
	@tools/setup install

bench-module: build
	@tools/step 'Building the kernel benchmark' tools/bazel build //python/native:_bench.abi3.so
	@tools/setup bench

test: bench-module  ## all tests, C++ (through bazel test) and Python, on both supported versions of jax
	@tools/setup dev demo third_party
	@tools/setup browser || echo 'Without a browser the tests of the report in one are left out.'
	@tools/step 'Building the C++ tests' tools/bazel build --keep_going --build_tests_only //... || true
	@$(PYTHON_ENV) -m pytest $(ARGS)

test-gpu: build  ## the tests that need a GPU; ARGS=sanitize: small cases under compute-sanitizer too
	@tools/setup dev demo
	@tools/gpu pack build/gpu && tools/gpu run build/gpu $(ARGS)

demo: build  ## runs a tensor-parallel decoder with the pass off and on; compares and times them
	@tools/setup dev
	@tools/setup demo || echo 'Without the CUDA plug-in the demo leaves out its part for GPUs.'
	@rm -rf build/demo
	@$(PYTHON_ENV) -m jax_oneshot demo --dump build/demo $(ARGS)

bench: bench-module  ## the benchmarks; tables on the screen, figures in benchmarks/results/
	@tools/setup dev demo plot
	@$(PYTHON_ENV) -m jax_oneshot bench $(ARGS)

fuzz: build  ## bytes, texts and whole programs, each for FUZZ_SECONDS; ARGS=programs or bytes: only these
	@tools/setup dev $(if $(filter programs,$(ARGS)),,fuzz)
	@tools/setup demo || echo 'Without the CUDA plug-in programs are not compiled for GPUs.'
	@tools/fuzz $(FUZZ_SECONDS) $(ARGS)

sanitize: build  ## tests of parsers, buffers and threads, under ASan and UBSan
	@tools/step 'Testing under ASan and UBSan' tools/bazel test --config=asan_ubsan --build_tests_only $(SANITIZED)

tsan: build  ## the C++ tests of the kernels under ThreadSanitizer
	@tools/step 'Testing under ThreadSanitizer' tools/bazel test --config=tsan //base/... //row_program/... //ffi_kernels/...

lint: build  ## ruff, mypy, shellcheck, buildifier, clang-format, clang-tidy, SPDX lines
	@tools/setup dev lint demo third_party
	@tools/lint

format:  ## formats the sources
	@tools/setup venv dev lint
	@tools/lint fix

wheel: build  ## dist/*.whl for every Linux that jaxlib's wheels run on; built by zig, checked by auditwheel and in a bare .venv
	@tools/setup wheel
	@tools/wheel

clean:  ## removes what was built; keeps .venv
	@if [ -s build/tools/bazel.choice ]; then tools/bazel clean; fi
	@rm -rf build/bazel-* build/logs build/tidy dist python/*.egg-info python/jax_oneshot/_*.abi3.so
