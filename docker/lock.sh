#!/usr/bin/env bash
# Renew every lock: `make lock`. Without --upgrade, only what no longer fits its source changes.
# Each Python lock is constrained by the larger one, so they never disagree. Where things come from is never written down.
set -euo pipefail
cd "$(dirname "$0")/.."
uv=$(command -v uv || echo .venv/bin/uv)
compile() {
  "$uv" pip compile --quiet --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --python-version 3.11 "$@"
}
build_requirements() {
  python3 -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"], sep="\n")'
}

compile pyproject.toml --extra train --extra tflm --extra bench --group dev "$@" -o docker/requirements-dev.txt
compile pyproject.toml --extra train --extra tflm -c docker/requirements-dev.txt -o docker/requirements-train.txt
compile pyproject.toml --extra notebook --group notebook "$@" -c docker/requirements-dev.txt \
  -o docker/requirements-notebook.txt
compile pyproject.toml --extra tflm -c docker/requirements-dev.txt -o docker/requirements-rig.txt
build_requirements | compile - --no-annotate -c docker/requirements-dev.txt -o docker/requirements-build.txt
for group in audit go sbom; do
  compile --group "$group" "$@" -o "docker/requirements-$group.txt"
done

status=0 # a Go module that cannot be renewed must not keep the rest from it
PYTHONPATH=docker .venv/bin/python -m supply.lock_go "$@" || status=$?

lists=(docker/debian-packages.txt docker/debian-packages-image.txt)
if [[ $* == *--upgrade* ]] || ! PYTHONPATH=docker python3 -m supply.debian_lock "${lists[@]}"; then
  resolved=$(docker/lock-debian.sh "${lists[@]}")
  printf '%s\n' "$resolved" >docker/debian-packages.lock
fi
exit "$status"
