# Every target that needs packages calls scripts/setup first; it does nothing when all is there.

.DEFAULT_GOAL := help
.PHONY: help demo build test bench clients docs format lint clean

SWIFT ?= swift
SOURCES := Package.swift Sources Tests
RUNTIMES := bulkhead-oci bulkhead
# Apart from the debug build: switching link modes in one folder would rebuild everything each time.
STATIC := .build/static

help: ## List the targets
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | column -t -s '|'

demo: ## Run a real program in a container of this package, show what isolates it, remove it
	scripts/setup build demo
	$(MAKE) --no-print-directory build
	scripts/demo

build: ## Build the runtimes, static and stripped, into bin/
	scripts/setup build
	@mkdir -p bin
	set -e; for runtime in $(RUNTIMES); do \
		$(SWIFT) build -c release --scratch-path $(STATIC) --static-swift-stdlib -Xswiftc -static-executable \
			--product $$runtime; \
		strip -o bin/$$runtime $(STATIC)/release/$$runtime; \
	done

test: ## Run the tests on this machine, then in the test machine, where a skipped test is a failed one
	scripts/setup build test testvm
	scripts/test

bench: build ## Time container starts against crun, runc and the floor
	scripts/setup bench
	Benchmarks/run

clients: build ## Run docker, podman and containerd's ctr on bulkhead-oci, in the test machine
	scripts/setup testvm
	scripts/clients bin/bulkhead-oci

docs: ## Build the documentation of every module into .build/docs
	scripts/setup build docs
	scripts/docs

format: ## Format the sources
	$(SWIFT) format --in-place --recursive $(SOURCES)

lint: ## Check the sources' format, and the scripts where shellcheck is installed
	$(SWIFT) format lint --strict --recursive $(SOURCES)
	@if command -v shellcheck >/dev/null; then \
		shellcheck .ci/run $$(grep -lE '^#!.*\<bash\>' scripts/* Benchmarks/run 2>/dev/null); \
	fi

clean: ## Remove what was built; the test machine's kernel stays in .build/testvm
	find .build -mindepth 1 -maxdepth 1 ! -name testvm -exec rm -rf {} + 2>/dev/null || true
	rm -rf bin
