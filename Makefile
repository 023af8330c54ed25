# Two commands matter: `make demo` shows what laconic does, `make test` shows that it does it.
# `make demo` needs a Rust toolchain and a C compiler, nothing else.

.PHONY: help demo build test testbed testbed-kind testbed-kind-check testbed-up bench bench-live lint fmt deny docs ci transcript

help:
	@echo 'make demo        build laconic and walk through it on a simulated host'
	@echo 'make test        everything: format, lints, dependencies, tests, docs, the demo'
	@echo 'make build       the binary, at target/ci/laconic'
	@echo 'make testbed     the servers that some tests need, built once per machine'
	@echo 'make testbed-kind  what kind clusters need for tests, built once per machine; needs root'
	@echo 'make testbed-up  a Kubernetes API server by hand, until Ctrl-C'
	@echo 'make bench       the benchmark'
	@echo 'make bench-live  the benchmark against kubectl, on a real API server'
	@echo 'make lint        format and clippy only'
	@echo 'make deny        licences, bans, sources and advisories of the dependencies'
	@echo 'make docs        the book, at target/book/index.html'
	@echo 'make transcript  put the demo'"'"'s present output into README.md'
	@echo 'make ci          what continuous integration runs'

build:
	cargo build --profile ci -p laconic --locked

demo:
	@scripts/phase.sh 'build' cargo build --profile ci -p laconic --locked
	@scripts/demo.sh

test:
	@scripts/test.sh

testbed:
	@scripts/testbed.sh

testbed-kind:
	@scripts/testbed-kind.sh

testbed-kind-check: testbed-kind
	@scripts/testbed-kind-check.sh

testbed-up: testbed
	@cargo run --quiet -p laconic-testbed --locked -- --controller-manager --kubelet

bench: build
	cargo run --profile ci -p laconic-tests --bin bench --locked

bench-live: build testbed
	cargo run --profile ci -p laconic-tests --bin bench_live --locked

lint:
	@scripts/phase.sh 'format' cargo fmt --all --check
	@scripts/phase.sh 'clippy' cargo clippy --workspace --all-targets --locked -- -D warnings

fmt:
	cargo fmt --all

deny:
	@scripts/deny.sh

docs:
	@scripts/book.sh

transcript:
	@scripts/check-demo.sh --update

ci:
	@.ci/run
