#!/usr/bin/env bash
# lock-debian.sh LIST...: print name=version of all that the named package lists pull in on Debian 12, amd64.
# Resolved against Debian's archive and an empty machine: what is installed here, and from where, does not count.
set -euo pipefail
mirror=${DEBIAN_MIRROR:-http://deb.debian.org/debian}
security=${DEBIAN_SECURITY_MIRROR:-http://deb.debian.org/debian-security}
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
mapfile -t wanted < <(sed -e 's/#.*//' -e '/^[[:space:]]*$/d' "$@")

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir -p "$folder"/{lists,cache}/partial "$folder/cache/archives/partial"
: >"$folder/status"
for source in "$mirror bookworm" "$mirror bookworm-updates" "$security bookworm-security"; do
  printf 'deb [arch=amd64 signed-by=%s] %s main\n' "$keyring" "$source"
done >"$folder/sources.list"
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
