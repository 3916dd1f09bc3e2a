# Every target makes the virtual environment .venv when it is missing or stale, and installs the Debian packages that
# it needs (through sudo where you are not root).

SHELL := /bin/bash
BIN := .venv/bin

# What the tests call with: SIPp, two phones, a proxy, a NAT, programs to make and measure sound and to read captures.
TEST_PACKAGES := sip-tester baresip-core linphone-cli kamailio iproute2 nftables espeak-ng sox tshark openssl
# What the benchmarks compare with, beside sippy, which compiles parts of itself.
BENCH_PACKAGES := sip-tester kamailio rtpengine-daemon gcc python3-dev

.DEFAULT_GOAL := help
.PHONY: help venv demo test load talk check format bench lock build clean

help: ## show this
	@echo "offhook: make TARGET"
	@sed -n 's/^\([a-z]*\):.*## /  \1|/p' $(MAKEFILE_LIST) | awk -F'|' '{ printf "%-10s %s\n", $$1, $$2 }'

venv: ## make .venv, or bring it up to date
	@tools/environment

demo: venv ## make calls without a phone: server, web application and two scripted phones on this machine
	@$(BIN)/offhook demo $(ARGS)

test: venv ## run all tests (ARGS="tests/sip -k digest" for some)
	@tools/packages $(TEST_PACKAGES)
	@$(BIN)/python -m pytest $(ARGS)

load: venv ## thousands of calls by SIPp, counted (ARGS="--kind dial --transport UDP" for some; 25 minutes)
	@tools/packages $(TEST_PACKAGES)
	@$(BIN)/python -m tests.peers.campaign $(ARGS)

talk: venv ## 200 bridged calls that are talked over for a minute, every packet counted
	@tools/packages $(TEST_PACKAGES)
	@$(BIN)/python -m tests.peers.conversations $(ARGS)

check: venv ## ruff, mypy --strict, pyright, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports

format: venv ## lay out the code and mend what ruff can mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: venv ## measure, beside sippy's B2BUA, Kamailio and rtpengine; writes benchmarks/results (half an hour)
	@tools/packages $(BENCH_PACKAGES)
	@tools/peer-environment
	@$(BIN)/python -m benchmarks $(ARGS)

lock: ## write requirements.lock anew with the newest versions that pyproject.toml allows
	@tools/lock

build: venv ## source distribution and wheel into dist/
	$(BIN)/python -m build

clean: ## remove what was made
	rm -rf .venv .venv.lock .venv-bench build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
