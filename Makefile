# Two commands: `make fv` drives a real agent, `make test` runs all tests. Everything they need they fetch and build.
# Variables of `make fv`: FOCUS LABELS TARGET DATAPLANE TYPHA=1 SEED KEEP OUT ARGS (further flags of bin/fv run),
# RUNTIME (docker, local or auto), and FV_FELIXIMAGE FV_TYPHAIMAGE FV_ETCDIMAGE FV_K8SIMAGE.

SHELL := /bin/bash
export CGO_ENABLED ?= 0

# As they were given, whatever quotes and dollars they hold: recipes read them from the environment.
$(foreach v,FOCUS LABELS TARGET DATAPLANE RUNTIME SEED KEEP OUT REPEAT ROUNDS,$(eval override export $v := $$(value $v)))

FV = bin/fv
flag = $(if $($2),--$1 "$$$2")
ENVIRONMENT = $(call flag,target,TARGET) $(call flag,dataplane,DATAPLANE) $(call flag,runtime,RUNTIME) $(call flag,out,OUT)

.DEFAULT_GOAL := help
.PHONY: help fv fv-faults mutants bench test build lint unit browser prometheus root docker example kill-test clean

help: ## what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

fv: build ## run the scenarios on the real SUT
	@$(FV) run $(call flag,focus,FOCUS) $(call flag,labels,LABELS) $(ENVIRONMENT) $(if $(TYPHA),--typha) $(call flag,seed,SEED) \
		$(call flag,keep,KEEP) $(ARGS) || \
		{ code=$$?; echo "make: exit code $$code of fv becomes 2 here; scripts/fv run keeps it" >&2; exit $$code; }

fv-faults: build ## break things on purpose: each must be found, for the right cause (variables FOCUS, DATAPLANE, REPEAT)
	@$(FV) faults $(call flag,focus,FOCUS) $(ENVIRONMENT) $(call flag,repeat,REPEAT) $(ARGS)

mutants: build ## put small bugs into Felix: which are found, how soon (variables FOCUS, DATAPLANE, RUNTIME, SEED, OUT); more than an hour
	@$(FV) mutants $(call flag,focus,FOCUS) $(ENVIRONMENT) $(call flag,seed,SEED) $(ARGS)

bench: build ## how fast we are beside the bare things, on every runtime (variables ROUNDS, RUNTIME); slow on purpose
	@$(FV) bench $(call flag,rounds,ROUNDS) $(call flag,runtime,RUNTIME) $(ARGS)
	@go test -run '^$$' -bench . -benchtime 3x ./workloads/traffic/
	@go test -run '^$$' -bench . ./workloads/snapshot/ ./scenarios/effects/ ./scenarios/routed/
	@go test -run '^$$' -bench . -benchtime 3x -timeout 30m ./workloads/impair/ ./workloads/traffic/continuous/
	@go test -run '^$$' -bench . -benchtime 1x -timeout 30m ./workloads/traffic/web/

test: ## all tests: lint, unit, root, docker, a short run on the real SUT, and the example of the Go API
	@scripts/test

build: ## bin/fv (the harness) and bin/fv.test (the driver)
	@scripts/need go
	@[ -x bin/fv ] || echo "compiling harness and driver; the first time takes a minute or two" >&2
	@go build -trimpath -o bin/fv ./fv/cmd/fv
	@go test -c -trimpath -tags grpcnotrace -o bin/fv.test ./fv # the tag halves it: gRPC's page of traces keeps what nobody calls

lint: ## formatting, vet, static checks
	@scripts/test lint

unit: ## unit tests with the race detector
	@scripts/test unit

browser: ## the page of a run and that of fv ui, tested in Chromium
	@scripts/test browser

prometheus: ## the dashboard's queries on a run that was imported, tested in Prometheus
	@scripts/test prometheus

root: ## tests that need root and netlink
	@scripts/test root

docker: build ## tests that need a Docker engine
	@scripts/test docker

example: ## the example of the Go API: a test of another project, on the real SUT
	@scripts/test example

kill-test: build ## kill -9 and Ctrl-C at random moments of real runs: nothing may be left (about five minutes; variable RUNTIME)
	@scripts/kill-test && scripts/kill-traffic

clean: ## what was built here; caches and records stay
	rm -rf bin
