#!/usr/bin/env bash
# lock-debian.sh LIST...: print name=version of all that the named package lists pull in on Debian 12, amd64.
# Resolved against the Debian suites that this machine's apt knows (others do not count) and an empty machine.
set -euo pipefail
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
mapfile -t wanted < <(sed -e 's/#.*//' -e '/^[[:space:]]*$/d' "$@")

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir -p "$folder"/{lists,cache}/partial "$folder/cache/archives/partial"
: >"$folder/status"
apt-get indextargets --format "deb [arch=amd64 signed-by=$keyring] \$(REPO_URI) \$(CODENAME) main" \
  'Created-By: Packages' 'Origin: Debian' 'Component: main' | grep ' bookworm\(-updates\|-security\)\? main$' |
  sort -u >"$folder/sources.list" || true
if ! grep -q ' bookworm main$' "$folder/sources.list"; then
  printf "sinehil: this machine's apt has no lists of Debian 12\n  next: run apt-get update, on Debian 12\n" >&2
  exit 5
fi
cat >"$folder/apt.conf" <<EOF
APT::Architecture "amd64";
APT::Architectures { "amd64"; };
APT::Install-Recommends "false";
APT::Sandbox::User "";
APT::Update::Error-Mode "any";
Dir::State "$folder";
Dir::State::lists "$folder/lists";
Dir::State::status "$folder/status";
Dir::Cache "$folder/cache";
Dir::Etc::sourcelist "$folder/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
EOF
export APT_CONFIG=$folder/apt.conf LC_ALL=C
apt-get -qq update >&2
apt-get --simulate -qq install "${wanted[@]}" | sed -n 's/^Inst \([^ ]*\) (\([^ ]*\) .*/\1=\2/p' | sort
