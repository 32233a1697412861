#!/usr/bin/env bash
# install-debian-packages.sh LIST...: install what is missing of the named package lists (root, or through sudo).
# Says which packages are missing and exits 5 when it may not install them. Does nothing when nothing is missing.
set -euo pipefail

command -v dpkg-query >/dev/null || exit 0 # not Debian: `sinehil doctor` tells what is missing

mapfile -t wanted < <(sed -e 's/#.*//' -e '/^[[:space:]]*$/d' "$@")
mapfile -t present < <(dpkg-query --show --showformat '${db:Status-Status} ${Package}\n' "${wanted[@]}" 2>/dev/null |
  sed -n 's/^installed //p')
missing=()
for package in "${wanted[@]}"; do
  [[ " ${present[*]} " == *" $package "* ]] || missing+=("$package")
done
[[ ${#missing[@]} -gt 0 ]] || exit 0

as_root=()
if [[ $(id -u) != 0 ]]; then
  if ! command -v sudo >/dev/null || ! { sudo -n true 2>/dev/null || [[ -t 0 ]]; }; then
    printf 'sinehil: Debian packages are missing: %s\n' "${missing[*]}" >&2
    printf '  next: as root, run: apt-get install --no-install-recommends %s\n' "${missing[*]}" >&2
    exit 5
  fi
  as_root=(sudo)
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT
apt_get() {
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300 "$@" >>"$log" 2>&1
}
printf 'installing %d Debian packages: %s\n' "${#missing[@]}" "${missing[*]}" >&2
if ! { apt_get update && apt_get install --no-install-recommends "${missing[@]}"; }; then
  tail -n 15 "$log" >&2
  printf 'sinehil: apt-get could not install: %s\n  next: check the network and the package sources, then run make again\n' \
    "${missing[*]}" >&2
  exit 5
fi
