#!/usr/bin/env bash
# sinehil.sh TARGET [ARGUMENT...]: run `sinehil ARGUMENT...` in the image TARGET (train or rig), built first if stale.
# The artefacts, builds and reports of the current folder are the container's own, and whoever calls owns what it writes.
# Options for `docker build`, such as --network host, go into $DOCKER_BUILD_FLAGS; $BASE_IMAGE replaces the base image.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
readonly TOOL=5 ARTEFACT=6 INTERRUPTED=130 # sinehil's exit codes

fail() { # EXIT_CODE MESSAGE NEXT_STEP
  printf 'sinehil: %s\n  next: %s\n' "$2" "$3" >&2
  exit "$1"
}

require_engine() {
  local words
  command -v docker >/dev/null || fail "$TOOL" "there is no container engine: no docker on PATH" \
    "install one (Debian: apt-get install docker.io), or do without: make demo"
  words=$(docker version --format '{{.Server.Version}}' 2>&1) && return
  [[ $words == *"permission denied"* ]] && fail "$TOOL" "no permission to use the container engine's socket" \
    "join its group: sudo usermod -aG docker $(id -un), then log in again"
  fail "$TOOL" "the container engine does not answer: ${words##*$'\n'}" "start it: sudo systemctl start docker"
}

# The classic builder, which some clients fall back to silently, refuses --mount even where nothing runs it.
require_buildkit() {
  printf 'FROM scratch AS unused\nRUN --mount=type=cache,target=/x true\nFROM scratch\nLABEL probe=1\n' |
    DOCKER_BUILDKIT=1 docker build --quiet - >/dev/null 2>&1 ||
    fail "$TOOL" "this docker builds without BuildKit, and docker/Dockerfile needs it" \
      "install it (Debian's docker.io has it built in; Docker's own packages call it docker-buildx-plugin)"
}

# BuildKit asks the registry for a base that is not among the engine's own images, at every build.
require_base() { # IMAGE
  docker image inspect "$1" >/dev/null 2>&1 || docker pull --quiet "$1" >/dev/null ||
    fail "$TOOL" "the base image $1 cannot be had" "check the network, or name an image that is here: BASE_IMAGE=..."
}

build() { # TARGET
  local base flags options=()
  base=${BASE_IMAGE:-$(sed -n 's/^ARG BASE_IMAGE=//p' "$root/docker/Dockerfile")}
  require_base "$base"
  options+=(--build-arg "BASE_IMAGE=$base")
  options+=(--build-arg "VERSION=$(sed -n 's/^__version__ = "\(.*\)"/\1/p' "$root/hil/sinehil/__init__.py")")
  options+=(--build-arg "REVISION=$(git -C "$root" describe --always --dirty 2>/dev/null || echo unknown)")
  # Secrets, so that a site's own CA or package index reaches pip and Go, and nothing of it stays in the image.
  local ca=${PIP_CERT:-${SSL_CERT_FILE:-}} pip_conf=${PIP_CONFIG_FILE:-}
  [[ -s $ca ]] && options+=(--secret "id=ca_bundle,src=$ca")
  [[ -s $pip_conf ]] && options+=(--secret "id=pip_conf,src=$pip_conf")
  read -ra flags <<<"${DOCKER_BUILD_FLAGS:-}"

  if [[ -z $(docker images --quiet "sinehil:$1") ]]; then
    require_buildkit
    echo "building the image sinehil:$1, once: a few minutes" >&2
  fi
  log=$(mktemp) # not local: the traps need it
  trap 'rm -f "$log"' EXIT
  trap interrupted INT TERM
  if DOCKER_BUILDKIT=1 docker build --progress plain "${flags[@]}" "${options[@]}" --target "$1" --tag "sinehil:$1" \
    --file "$root/docker/Dockerfile" "$root" 2>&1 | tee "$log" | show_steps "$1"; then
    rm -f "$log"
    trap - EXIT INT TERM
    return
  fi
  require_buildkit
  tail -n 20 "$log" >&2
  fail "$TOOL" "the image sinehil:$1 could not be built" "read the engine's words above; the first build needs the network"
}

interrupted() {
  [[ -t 2 ]] && printf '\r\033[K' >&2
  printf 'sinehil: interrupted; the next build goes on behind the last step that was done\n' >&2
  exit "$INTERRUPTED"
}

# On a terminal: one line that changes with each step of the build. Elsewhere: nothing.
show_steps() { # TARGET
  local line
  while IFS= read -r line; do
    [[ -t 2 && $line =~ ^'#'[0-9]+\ (\[.*) ]] && printf '\r\033[Kbuilding sinehil:%s %.*s' "$1" 70 "${BASH_REMATCH[1]}" >&2
  done
  [[ -t 2 ]] && printf '\r\033[K' >&2
  return 0
}

# The value behind --port, -p or --port=: the container must be given that board.
port_of() {
  while [[ $# -gt 0 ]]; do
    case $1 in
      --port | -p) printf '%s' "${2:-}" && return ;;
      --port=*) printf '%s' "${1#--port=}" && return ;;
    esac
    shift
  done
}

# Options that let the container open PORT. A port that does not exist gets none: sinehil itself says so.
port_options() { # PORT
  local device
  [[ $1 == *://* ]] && printf '%s\n' --network host && return
  printf '%s\n' --network none
  [[ -c $1 ]] || return 0
  device=$(readlink -f "$1")
  if [[ $device == /dev/pts/* ]]; then # a virtual board: --device of a PTY fails, a mount works
    printf '%s\n' --volume "$device:$1"
  else # the whole kind (ttyACM, ttyUSB), since a board may come back under another number after its reset
    printf '%s\n' --volume /dev:/dev --device-cgroup-rule "c $((16#$(stat -c %t "$device"))):* rw" \
      --group-add "$(stat -c %g "$device")"
  fi
}

run() { # TARGET ARGUMENT...
  local target=$1 folder options=()
  shift
  mapfile -t options < <(port_options "$(port_of "$@")")
  for folder in artifacts build reports; do
    mkdir -p "$folder" 2>/dev/null || # by us: the engine would make it as root
      fail "$ARTEFACT" "cannot make $PWD/$folder" "work in a folder of your own: artefacts and reports go below it"
    options+=(--volume "$PWD/$folder:/bench/$folder")
  done
  [[ -t 1 && -t 2 ]] && options+=(--tty) # only then: a terminal makes one stream of stdout and stderr
  exec docker run --rm --read-only --tmpfs /tmp:exec --user "$(id -u):$(id -g)" --cap-drop ALL \
    --security-opt no-new-privileges "${options[@]}" "sinehil:$target" "$@"
}

[[ $# -ge 1 ]] || { sed -n '2,4s/^# //p' "${BASH_SOURCE[0]}" >&2 && exit 2; }
require_engine
build "$1"
run "$@"
