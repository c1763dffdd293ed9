# What can be run. `just ci` is what must pass before a change is merged.

# List the recipes
default:
    @just --list --unsorted

# Everything that must pass
ci: fmt clippy test doc deny score e2e-where-possible e2e-page-where-possible bench-smoke instructions

# Formatting
fmt:
    cargo fmt --all -- --check

# Lints; a warning is an error
clippy:
    cargo clippy --workspace --all-targets -- -D warnings

# Every test, in the profile that README names
test:
    cargo test --workspace

# Documentation; a warning is an error
doc:
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps

# Licences, sources and versions of dependencies; known vulnerabilities where the database can be reached
deny:
    #!/usr/bin/env bash
    set -euo pipefail
    if timeout 120 cargo deny fetch db; then
        cargo deny check
    else
        echo "deny: the advisory database cannot be reached: advisories are NOT checked" >&2
        cargo deny check bans licenses sources
    fi

# Evasion and detection cases, where they lie beside the checkout
score:
    #!/usr/bin/env bash
    set -euo pipefail
    if [ -d ../shared/detection ]; then tests/score.sh; else echo "score: no cases beside the checkout"; fi

# The SDKs of OpenAI and Anthropic, for Python and Node, against the sidecar; installs them into tests/e2e/.tools
e2e *ARGUMENTS:
    tests/e2e/run {{ARGUMENTS}}

# The same; says so where Python 3.11 or the package registries cannot be had
e2e-where-possible:
    #!/usr/bin/env bash
    set -euo pipefail
    status=75
    if python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
        status=0
        tests/e2e/run || status=$?
    fi
    if [ "$status" -eq 75 ]; then
        echo "e2e: the SDKs cannot be had here: they are NOT tested" >&2
        exit 0
    fi
    exit "$status"

# Servers of tools and clients of others against `obelus mcp` and the sidecar; installs them into the target directory
e2e-mcp *TESTS:
    tests/e2e/mcp {{TESTS}}

# The page of approvals in headless Chromium
e2e-page:
    tests/e2e/page

# The same; says so where there is no Chromium
e2e-page-where-possible:
    #!/usr/bin/env bash
    set -euo pipefail
    status=0
    tests/e2e/page || status=$?
    if [ "$status" -eq 75 ]; then
        echo "e2e page: the page is NOT tested" >&2
        exit 0
    fi
    exit "$status"

# Benchmarks still build, as `test` builds everything else; what they measure is verified by `test`
bench-smoke:
    cargo build --workspace --benches

# Instructions a byte of each corpus, against what is allowed; says so where there is no valgrind
instructions:
    cargo run --release --quiet -p obelus-benches --bin instructions

# What rivals promise, looked for in their output; builds some four hundred packages
rivals:
    cargo test --manifest-path benches/rivals/Cargo.toml --target-dir target/rivals

# All benchmarks: minutes, on a quiet machine
bench:
    cargo bench --workspace

# Beside rivals
compare:
    cargo bench -p obelus-benches -- compare

# One fuzz target for some seconds; needs cargo-fuzz and a nightly toolchain
fuzz TARGET SECONDS="60":
    cargo +nightly fuzz run --fuzz-dir tests/fuzz {{TARGET}} -- -max_total_time={{SECONDS}}

# Two hundred processes that are killed while they write records
crash:
    cargo test -p obelus-audit --test audit -- --ignored two_hundred

# The unsafe code under Miri; needs a nightly toolchain
miri:
    cargo +nightly miri test -p obelus-json

# The oldest toolchain that Cargo.toml promises
msrv:
    cargo +1.89 check --workspace
