#!/usr/bin/env bash
# sbom.sh ROOT VERSION: print the CycloneDX bill of materials of a root filesystem. Needs syft on PATH; no network.
# The same packages give the same bytes. Only what is really installed counts: no lock files, no guesses from binaries.
set -euo pipefail
root=$(realpath "$1") version=$2
here=$(cd "$(dirname "$0")" && pwd)
export SYFT_CHECK_FOR_APP_UPDATE=false
# A Go binary names its modules but not their licences; go-licences.sh has put those beside it, as a module cache has them.
export SYFT_GOLANG_SEARCH_LOCAL_MOD_CACHE_LICENSES=true
export SYFT_GOLANG_LOCAL_MOD_CACHE_DIR=$root/usr/share/doc/arduino-cli/modules
syft scan "dir:$root" --quiet --output cyclonedx-json --source-name sinehil --source-version "$version" \
  --override-default-catalogers dpkg-db-cataloger,go-module-binary-cataloger,python-installed-package-cataloger |
  PYTHONPATH=$here python3 -m supply.sbom
