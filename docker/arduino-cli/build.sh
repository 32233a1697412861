#!/bin/sh
# build.sh GO OUTPUT: build the arduino-cli that go.mod pins, by whichever Go program is given. Same module, same Go:
# the same bytes, wherever and by whomever it is built. `sinehil` and the Dockerfile both call it.
set -eu
cd "$(dirname "$0")"
module=github.com/arduino/arduino-cli
version=$(sed -n "s|.*$module v\([0-9.]*\).*|\1|p" go.mod)

unset GOOS GOARCH                   # a user who cross-compiles other things wants this one for this machine
export CGO_ENABLED=0                # no C compiler needed, and the machine's libc does not get into the program
export GO111MODULE=on GOWORK=off GOTOOLCHAIN=local
export GOFLAGS="-mod=readonly ${SINEHIL_GO_FLAGS:-}"
exec "$1" build -v -trimpath -buildvcs=false \
  -ldflags "-s -w -X $module/internal/version.versionString=$version" -o "$2" "$module"
