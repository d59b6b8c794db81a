# Fairlead. Go and git are all that is needed; `make engine` brings the rest.

GO        ?= go
BIN       := bin/fairlead
# -race needs cgo, and so a C compiler. Without one the tests run without it.
RACE      := $(shell command -v cc >/dev/null 2>&1 && echo -race)
LDFLAGS   := -s -w $(if $(VERSION),-X github.com/fairlead/fairlead/cmd/fairlead/internal/cli.buildVersion=$(VERSION))
LINT      := $(GO) tool -modfile=$(CURDIR)/.ci/tools.mod golangci-lint

.PHONY: engine build demo test test-python test-gitea lint bench bench-gateway bench-judge fuzz generate clean

# A Docker Engine that answers: the one that runs, or on Debian, as root, a new one.
engine:
	@.ci/engine

# The one static binary.
build:
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $(BIN) ./cmd/fairlead

# A repository becomes a model that serves and heals; a pipeline trains a version and
# proposes it; a good one is promoted, a bad one rolled back.
demo: engine build
	@examples/digits/demo.sh

# All tests. Those that need an engine are skipped where there can be none.
test:
	@.ci/engine || echo 'make test: no Docker Engine, so the tests that need one are skipped.' >&2
	$(if $(RACE),,@echo 'make test: no C compiler, so the tests run without the race detector.' >&2)
	$(GO) test $(RACE) -timeout 14m ./...
	cd examples/digits && $(GO) test $(RACE) ./...

# The pipeline of a Python team, with Debian's scikit-learn. The first time its base
# image is made, which needs root, a network and some minutes.
test-python: engine build
	@examples/sklearn/test.sh

# The contract of a forge against a real Gitea, which is built the first time.
test-gitea:
	@.ci/gitea

lint:
	$(LINT) run ./...
	cd examples/digits && $(LINT) run --config ../../.golangci.yml ./...

# Figures as ratios to a baseline of the same run.
bench: build
	@.ci/engine
	@.ci/bench

# The gateway's CPU time per request beside Caddy, nginx and HAProxy, where they are
# installed, and what a shadow that hangs does to stable. One minute.
bench-gateway:
	@.ci/bench Gateway

# How often the judge of rollouts errs, and what it finds. Three minutes.
bench-judge:
	$(GO) test ./reconcile/judge -run '^(TestFalseAlarms|TestPower)$$' -rollouts 10000 -count 1 -timeout 9m -v

# Each fuzz target for a minute, or FUZZTIME.
fuzz:
	@for package in $$($(GO) list ./...); do \
	  for target in $$($(GO) test -list '^Fuzz' $$package | grep '^Fuzz'); do \
	    $(GO) test -run '^$$' -fuzz "^$$target$$" -fuzztime $(or $(FUZZTIME),60s) $$package || exit 1; \
	  done; \
	done

# Pages that are made from tables.
generate:
	$(GO) test ./spec/schema -run Reference -update

clean:
	@examples/digits/demo.sh clean
	rm -rf bin examples/digits/build
