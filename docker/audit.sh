#!/usr/bin/env bash
# Ask the advisory databases about everything that is pinned: `make audit`. Needs the network.
# Exit codes: 0 nothing known, 1 something found, 5 a database could not be asked (which is not the same as "nothing").
set -euo pipefail
cd "$(dirname "$0")/.."
folder=build/audit
mkdir -p "$folder"
status=0
worse() { # 1 beats 5 beats 0: what is found must not be hidden by what could not be asked
  if [[ $status != 1 ]]; then status=$1; fi
}

# pip-audit brings 28 packages that nothing else here needs, so it gets an environment of its own, hash-locked too.
if [[ ! $folder/pip-audit/.ready -nt docker/requirements-audit.txt ]]; then
  echo "installing pip-audit into $folder" >&2
  python3 -m venv --clear "$folder/pip-audit"
  "$folder/pip-audit/bin/pip" install --quiet --require-hashes -r docker/requirements-audit.txt
  touch "$folder/pip-audit/.ready"
fi
# --disable-pip: what the locks say, nothing resolved. --strict: a package that the service does not know must not pass.
# One lock at a time, because pip-audit refuses a package that stands in two; dev has all that train, rig and build have.
for lock in dev notebook go sbom audit; do
  report=$folder/$lock.txt
  rm -f "$report"
  if "$folder/pip-audit/bin/pip-audit" --strict --disable-pip --require-hashes --progress-spinner off \
    -r "docker/requirements-$lock.txt" --output "$report" "$@" 2>"$folder/$lock.log"; then
    echo "Python packages of requirements-$lock.txt: nothing known"
  elif [[ -s $report ]]; then
    echo "Python packages of requirements-$lock.txt:"
    cat "$report"
    worse 1
  else
    printf 'sinehil: the advisories for requirements-%s.txt could not be asked for: %s\n' \
      "$lock" "$(tail -n 1 "$folder/$lock.log")" >&2
    worse 5
  fi
done

code=0
PYTHONPATH=docker .venv/bin/python -m supply.audit_go "$folder/go" || code=$?
worse "$code"
if [[ $status == 5 ]]; then
  echo "  next: try again where PyPI's JSON API answers, or ask OSV: docker/audit.sh -s osv" >&2
fi
exit "$status"
