# What one types to work on KMRL Gateway. Everything needed but Rust's toolchain and make is
# installed when it is missing; when nothing is missing, nothing is asked of the network.

export KMRL_ENGINES_DIR ?= $(CURDIR)/.engines

CARGO ?= cargo
# How the program is built and run; CI has one already.
BUILD ?= $(CARGO) build
GATEWAY ?= $(CARGO) run --quiet --

.DEFAULT_GOAL := help
.PHONY: help run test engines lint docs generated schemathesis dependencies

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## Build and run the gateway with its own PostgreSQL and NATS
	@scripts/engines.sh run
	$(CARGO) run --release -- up

test: engines ## Run every test
	$(CARGO) test --workspace

engines: ## Install what running and testing need
	@scripts/engines.sh test

lint: ## Check the format and run clippy, warnings denied
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings

docs: ## Build the API documentation of the crates, warnings denied
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --document-private-items

schemathesis: engines ## Try every path of the OpenAPI document with right and wrong requests
	$(BUILD)
	@scripts/schemathesis.sh

dependencies: engines ## Check licences and sources of the dependencies
	@scripts/dependencies.sh

# Written beside and moved, so that a failing build leaves the old file whole.
generated: ## Write the files that come from the code again
	@mkdir -p docs
	$(GATEWAY) openapi >docs/openapi.json.new
	mv docs/openapi.json.new docs/openapi.json
	$(GATEWAY) asyncapi >docs/asyncapi.json.new
	mv docs/asyncapi.json.new docs/asyncapi.json
	$(GATEWAY) config table >docs/settings.md.new
	mv docs/settings.md.new docs/settings.md
