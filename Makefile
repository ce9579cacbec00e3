# Every target that needs packages calls scripts/setup first; it does nothing when all is there.

.DEFAULT_GOAL := help
.PHONY: help demo vm-demo build test bench vm-bench clients fuzz aarch64 docs format lint clean

SWIFT ?= swift
SOURCES := Package.swift Sources Tests Fuzz
demo: ## Run a real program in a container of this package, show what isolates it, remove it
	scripts/setup build demo
	$(MAKE) --no-print-directory build
	scripts/demo

vm-demo: ## Boot Debian's kernel in a virtual machine of this package, save it, and let ten clones go on
	scripts/setup build demo testvm
	$(MAKE) --no-print-directory build
	scripts/vm-demo

build: ## Build the runtimes, static and stripped, into bin/
	scripts/setup build
	scripts/build

test: ## Run the tests on this machine, then in the test machine, where a skipped test is a failed one
	scripts/setup build test testvm
	scripts/test

bench: build ## Time container starts against crun, runc and the floor
	scripts/setup bench
	Benchmarks/run

vm-bench: build ## Time virtual machines against QEMU's microvm machine, in the test machine
	scripts/setup bench testvm
	Benchmarks/vm/run

clients: build ## Run docker, podman and containerd's ctr on bulkhead-oci, in the test machine
	scripts/setup testvm
	scripts/clients bin/bulkhead-oci

fuzz: ## Fuzz each parser of hostile input for a minute; FUZZ_SECONDS=N for another time
	scripts/setup build
	scripts/fuzz

aarch64: ## Compile for aarch64 what can be compiled for it here
	scripts/setup build aarch64
	scripts/aarch64

docs: ## Build the documentation of every module into .build/docs
	scripts/setup build docs
	scripts/docs

format: ## Format the sources
	$(SWIFT) format --in-place --recursive $(SOURCES)

lint: ## Check the sources' format, and the scripts where shellcheck is installed
	$(SWIFT) format lint --strict --recursive $(SOURCES)
	@if command -v shellcheck >/dev/null; then \
		shellcheck --severity=warning .ci/run $$(grep -lE '^#!.*\<bash\>' scripts/* Benchmarks/run Benchmarks/vm/run 2>/dev/null); \
	fi

clean: ## Remove what was built; the test machine's kernel stays in .build/testvm
	find .build -mindepth 1 -maxdepth 1 ! -name testvm -exec rm -rf {} + 2>/dev/null || true
	rm -rf bin
