# The local platform with DockerCoins on it. Everything but the words is in sandbox/.
PYTHON ?= python3
SANDBOX = $(PYTHON) -m sandbox

.PHONY: up down status logs env check test bench

up: ## bring up the platform and DockerCoins on it
	@$(SANDBOX) up

down: ## remove containers, networks, processes and state; keep the cache
	@$(SANDBOX) down

status: ## show each part, and where it came from
	@$(SANDBOX) status || true # its table says what is down

logs: ## follow the pods' logs; of one service with SERVICE=worker
	@$(SANDBOX) logs $(SERVICE)

env: ## print shell commands for: eval "$$(make -s env)"
	@$(SANDBOX) env

check: ## lint, types, unit tests, and what linters say of the manifests: what to run before each commit
	@$(PYTHON) -m tests lint manifests unit

test: ## test everything; of some kinds only with STAGES="lint unit"
	@$(PYTHON) -m tests $(STAGES)

bench: ## measure deploying and mining; some of it only with BENCH="mining"
	@$(PYTHON) -m benchmarks $(BENCH)
