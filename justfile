# Short names for what developers do often; users need only ./aflow.

default:
    @just --list

# Every check that needs no running platform
lint:
    ./aflow test --only lint

# The quick tests
unit:
    ./aflow test --only python

test *SUITES:
    ./aflow test {{ if SUITES == "" { "" } else { "--only " + SUITES } }}

up *FLAGS:
    ./aflow up {{ FLAGS }}

# The documentation site
docs:
    ./aflow docs

# After a change of the dependencies in pyproject.toml
lock:
    uv pip compile --universal --python-version 3.11 --generate-hashes --extra server pyproject.toml -o requirements.lock
    uv pip compile --universal --python-version 3.11 --generate-hashes --extra server --extra dev --extra docs pyproject.toml -o requirements-dev.lock
    uv pip compile --universal --python-version 3.11 --generate-hashes --group node -o requirements-node.lock

# Types that the browser shares with the server
types:
    npm --prefix frontend run types

# The blocking client, made of the awaited one
client:
    python -m tests.sync_client
