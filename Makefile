# `make` lists the targets. Everything here is a thin line over go and the scripts in scripts/.

.DEFAULT_GOAL := help
SHELL := /bin/sh

PKG   ?= ./...
BENCH ?= .
# More for go test, such as TESTFLAGS='-run TestRush -v'; quote what the shell would take.
TESTFLAGS ?=
TAG   ?= boxoffice

# The tools have modules of their own, so that their hundreds of dependencies stay out of ours.
BUF  := go tool -modfile=scripts/tools/proto/go.mod buf
LINT := go tool -modfile=scripts/tools/lint/go.mod golangci-lint

# protoactor sets gRPC's logger, a variable without a lock, each time that remoting starts. Tests start several nodes in one
# process, the server never does.
RACE := -gcflags=google.golang.org/grpc/grpclog/...=-race=false

# Nothing of ours needs cgo; saying so keeps a machine without a C compiler from failing in a dependency.
# The race detector is the one exception.
export CGO_ENABLED ?= 0

.PHONY: help run build image test race ahead lint operate bench generate fresh

help: ## list the targets
	@sed -nE 's/^([a-z]+):.*## (.*)/  \1|\2/p' $(MAKEFILE_LIST) | awk -F"|" '{ printf "%-12s %s\n", $$1, $$2 }'

# Built and then exec'd, never `go run`: that one stays between us and the server and orphans it when killed.
run: ## build, start private Postgres and Redis, the server and the demonstration event E1
	@[ -n "$$DATABASE_URL" ] || scripts/need postgres
	@[ -n "$$REDIS_URL" ] || scripts/need 'redis?'
	@go build -o bin/ ./cmd/boxoffice ./cmd/dev
	@exec bin/dev

build: ## build the binaries into bin/
	go build -o bin/ ./cmd/...

image: ## build the container image by buildah, podman or docker (TAG=boxoffice)
	scripts/image $(TAG)

test: ## run all tests, on private Postgres and Redis servers and in Chromium (PKG=./actors/... for some)
	@scripts/need postgres redis chromium axe 'netns?'
	go test $(TESTFLAGS) $(PKG)

race: ## run all tests under the race detector; needs a C compiler
	@scripts/need cc postgres redis chromium axe 'netns?'
	CGO_ENABLED=1 go test -race $(RACE) $(TESTFLAGS) $(PKG)

ahead: ## compile what race, lint and operate need
	-CGO_ENABLED=1 go build -race $(RACE) ./...
	-$(LINT) --version
	cd scripts/tools/packaging && go test -exec true .

lint: ## run the linters and check that generated code is up to date with buf's rules
	$(LINT) run $(PKG)
	$(BUF) lint

operate: ## check the image and all that docs/operate has for operators
	scripts/packaging

bench: ## run the benchmarks (BENCH=Decide PKG=./actors/seatmap for some)
	@scripts/need postgres redis
	go test -run=NONE -bench='$(BENCH)' -benchmem $(PKG)

generate: ## generate messages/*.pb.go from messages/*.proto
	$(BUF) generate

fresh: ## prove `make run` and `make test` on a fresh Debian (root; takes minutes)
	scripts/fresh
