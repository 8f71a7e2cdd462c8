# Everything a person or a machine does with this repository. `make help` lists it.

GO      ?= go
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -s -w
# The longest first, so that no core idles at the end.
TESTS   ?= ./internal/e2e ./runner/docker ./...

# What the tests run in. The slow ones need the image that builds Runner, too.
TEST_IMAGES = busybox debian python node golang dind $(if $(RUNNER_SLOW),runner-build)

.PHONY: help build agent images engine demo chaos test test-all lint bench fuzz screenshots release clean
.DEFAULT_GOAL := help

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: agent ## write bin/runner: static, the agent embedded for linux/amd64 and linux/arm64
	@CGO_ENABLED=0 $(GO) build -trimpath -tags embedagent -ldflags "$(LDFLAGS) -X main.version=$(VERSION)" -o bin/runner ./cmd/runner
	@echo "build: bin/runner $(VERSION)"

# The agent is what runs in every sandbox, so it is a binary of its own, for Linux whatever this machine is.
agent:
	@for arch in amd64 arm64; do \
	  GOOS=linux GOARCH=$$arch CGO_ENABLED=0 $(GO) build -trimpath -ldflags "$(LDFLAGS) -X github.com/runner-ci/runner/runner/agent.Version=$(VERSION)" \
	    -o runner/agentbin/agent-linux-$$arch ./cmd/agent || exit 1; \
	done

engine: ## make sure that a Docker engine answers; as root on Debian, install and start one
	@scripts/engine

images: engine ## make the images that tests, demo and examples run in
	@scripts/images

demo: build engine ## see one build end to end: webhook, shards, artifacts; KEEP=1 leaves the pages to look at
	@scripts/images golang:1.26
	@$(GO) run ./internal/demo $(if $(KEEP),-keep)

chaos: agent engine ## kill everything at random, N=20 times with SEED=1, and see that nothing is lost, doubled or leaked
	@scripts/images busybox
	@$(GO) run ./internal/chaos -n $(or $(N),20) -seed $(or $(SEED),1)

# A process with the race detector sleeps for a second before it exits, and the tests start thousands. `make lint` has
# all of go vet; here it would do a part again. Many tests wait for an engine or a disk, so one package more is tested at once than
# there are cores.
test: export GORACE := atexit_sleep_ms=10 $(GORACE)
test: build engine ## run every test, with the race detector, on a real engine
	@scripts/need gcc=gcc,libc6-dev git docker-registry chromium npm
	@scripts/images $(TEST_IMAGES)
	@echo "test: go test -race $(TESTS)"
	@CGO_ENABLED=1 $(GO) test -race -vet=off -timeout 20m -p $$(($$(getconf _NPROCESSORS_ONLN) + 1)) $(TESTS)

test-all: export RUNNER_SLOW = 1
test-all: ## as test, with the slow ones: kills by the hundred, gigabytes, our own build
	@$(MAKE) --no-print-directory test

lint: ## formatting, go vet, staticcheck, the rules of the house, shellcheck where it is installed
	@scripts/lint

bench: ## print the figures (FIGURE=regexp some alone, JSON=file writes them, too), then run the other benchmarks
	@$(GO) run ./internal/bench
	@[ -z "$(FIGURE)" ] || exit 0; \
	  packages=$$(git grep -l --untracked '^func Benchmark' -- '*_test.go' ':!examples' | xargs -r -n1 dirname | sort -u | sed 's,^,./,'); \
	  $(GO) test -run '^$$' -bench . -skip '^BenchmarkFigure' -benchmem $$packages

fuzz: ## run each fuzz target for FUZZTIME (60s), FUZZ=regexp some alone; an input that breaks one is kept
	@scripts/fuzz

screenshots: build engine ## take pictures of the pages, in both colour schemes and at a phone's width, into docs/img
	@scripts/need git chromium npm
	@scripts/images busybox
	@GO=$(GO) RUNNER_BIN=$(CURDIR)/bin/runner scripts/screenshots

release: ## write an archive for every system, with checksums and SBOMs, into dist/
	@scripts/release

clean: ## remove what the build wrote; images and caches stay (docs/development.md says where they are)
	@rm -rf bin dist runner/agentbin/agent-linux-*
