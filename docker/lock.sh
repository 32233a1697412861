#!/usr/bin/env bash
# Renew every Python lock: `make lock`. Each lock is constrained by the larger one, so they never disagree.
set -euo pipefail
cd "$(dirname "$0")/.."
uv=$(command -v uv || echo .venv/bin/uv)
compile() {
  "$uv" pip compile --quiet --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --python-version 3.11 "$@"
}
compile pyproject.toml --extra train --group dev "$@" -o docker/requirements-dev.txt
compile pyproject.toml --extra train -c docker/requirements-dev.txt -o docker/requirements-train.txt
compile pyproject.toml -c docker/requirements-dev.txt -o docker/requirements-rig.txt
