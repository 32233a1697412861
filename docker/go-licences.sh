#!/usr/bin/env bash
# go-licences.sh TARGET: copy the licences and notices of every Go module inside arduino-cli to TARGET/<module>@<version>/.
# Most of these licences ask for it, and a module cache's layout is where scanners look. Run where go.mod is.
set -euo pipefail
target=$1
cache=$(go env GOMODCACHE)
modules=$(CGO_ENABLED=0 GOFLAGS=-mod=readonly go list -deps -f '{{with .Module}}{{.Dir}}{{end}}' github.com/arduino/arduino-cli | sort -u)
while read -r folder; do
  [[ -n $folder ]] || continue
  mapfile -t texts < <(find "$folder" -maxdepth 1 -type f -regextype egrep -iregex '.*/(licen[cs]e|copying|notice|patents)[^/]*')
  if [[ ${#texts[@]} -eq 0 ]]; then
    printf 'sinehil: %s has no licence file\n' "${folder#"$cache"/}" >&2
    exit 1
  fi
  mkdir -p "$target/${folder#"$cache"/}"
  install -m 644 -t "$target/${folder#"$cache"/}" "${texts[@]}"
done <<<"$modules"
# The standard library's text is word for word that of the same authors' golang.org/x/sys; not every Go carries it.
cp -r "$target"/golang.org/x/sys@* "$target/std@$(go env GOVERSION)"
