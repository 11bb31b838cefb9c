# Plain `make` builds the release and leaves the command at build/bin/cirein. The work is done by
# CMake (see CMakePresets.json); this file gives the usual steps a name. `make help` lists them.

JOBS ?= $(shell nproc)
CMAKE_FLAGS ?=
PREFIX ?= /usr/local
BENCH_FLAGS ?=
FUZZ_SECONDS ?= 60
CTEST_FLAGS ?=

export FUZZ_SECONDS JOBS
SHELL := /bin/bash
.DEFAULT_GOAL := release
.SUFFIXES:

configure = cmake --preset $(1) $(CMAKE_FLAGS) >/dev/null
build = cmake --build --preset $(1) --parallel $(JOBS)
ctest = ctest --preset $(1) $(CTEST_FLAGS)

.PHONY: release
release: ## build the release (the default); the command is build/bin/cirein
	@scripts/setup --check build
	@$(call configure,release)
	@$(call build,release) --target cirein_product

.PHONY: setup
setup: ## install the packages that building and testing need, if they are missing
	@scripts/setup build

.PHONY: demo
demo: ## set up, build, and show objects being exchanged; cleans up after itself
	@scripts/demo

.PHONY: test
test: setup ## set up, build, and run every fast test and the quick checks
	@$(call configure,release)
	@$(call build,release)
	@$(call ctest,release)

.PHONY: test-all
test-all: setup ## the same with the slow tests
	@$(call configure,release)
	@$(call build,release)
	@ctest --test-dir build/release --output-on-failure -j2 $(CTEST_FLAGS)

.PHONY: bench
bench: setup ## measure, and put the figures into docs/benchmarks.md (minutes)
	@$(call configure,bench)
	@$(call build,bench)
	@scripts/bench $(BENCH_FLAGS)

.PHONY: bench-resp
bench-resp: setup ## the same of the server beside Redis and memcached (BENCH_FLAGS=--quick: a minute)
	@$(call configure,bench)
	@$(call build,bench) --target resp_load cirein_command
	@scripts/bench resp -- $(BENCH_FLAGS)

.PHONY: dev
dev: setup ## build and test with debug checks; a warning is an error
	@$(call configure,dev)
	@$(call build,dev)
	@$(call ctest,dev)

.PHONY: asan tsan
asan: develop-setup ## build everything with clang, run the tests under address and undefined
tsan: setup ## run the tests under the thread sanitizer
asan tsan:
	@$(call configure,$@)
	@$(call build,$@)
	@$(call ctest,$@)

.PHONY: fuzz
fuzz: develop-setup ## run each fuzz target for FUZZ_SECONDS (60)
	@$(call configure,fuzz)
	@$(call build,fuzz) --target cirein_fuzzers
	@scripts/fuzz

.PHONY: check
check: ## layers, seams, headers, words, form and docs
	@scripts/check
	@$(call configure,release)
	@$(call build,release) --target check_headers

SEEDS ?= 2000
.PHONY: simulate
simulate: release ## run SEEDS (2000) seeds of each scenario, each twice
	@for scenario in echo store redis; do \
	  build/bin/cirein simulate --scenario $$scenario --seeds $(SEEDS) --jobs $(JOBS) --twice --shrink || exit; \
	done

clients_python := /usr/bin/python3 -B tests/clients
clients_server = CIREIN_CLIENTS_SERVER=$(abspath build/bin/cirein)
.PHONY: differential
differential: SEEDS = 100
differential: setup release ## compare the replies to SEEDS (100) random sequences with redis-server's
	@$(clients_server) $(clients_python)/differential.py --seeds $(SEEDS)

CLIENTS_SECONDS ?= 300
.PHONY: clients-soak
clients-soak: setup release ## kill the server every second under clients, CLIENTS_SECONDS (300) long
	@$(clients_server) $(clients_python)/kill_minutes.py --seconds $(CLIENTS_SECONDS)

.PHONY: docs
docs: ## bring the generated parts of docs/ up to date
	@$(call configure,release)
	@$(call build,release) --target update_docs

.PHONY: format check-format
format: develop-setup ## let clang-format lay out the sources
	@scripts/format
check-format: develop-setup ## fail where clang-format would change something
	@scripts/format --check

.PHONY: tidy tidy-changed
tidy: develop-setup ## run clang-tidy over src and simulation (half an hour)
	@$(call configure,tidy)
	@scripts/tidy
tidy-changed: develop-setup ## run it over what changed since it found nothing (.ci/linted)
	@$(call configure,tidy)
	@scripts/tidy --changed

.PHONY: install
install: release ## install below PREFIX (/usr/local); DESTDIR is honoured
	@cmake --install build/release --prefix $(PREFIX)

.PHONY: clean
clean: ## remove everything that was built
	@rm -rf build

.PHONY: help
help: ## show this list
	@sed -n 's/^\([a-z][a-z -]*\):[^#]*## \(.*\)/\1|\2/p' Makefile | \
	  while IFS='|' read -r name text; do printf '  make %-14s %s\n' "$$name" "$$text"; done

.PHONY: develop-setup
develop-setup:
	@scripts/setup develop
