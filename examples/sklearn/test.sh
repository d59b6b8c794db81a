#!/usr/bin/env bash
# Runs the example on the engine of this machine: the pipeline makes a version and
# proposes it; merged, it serves. `make test-python` runs it. Everything is taken
# away at the end, but the images.
set -euo pipefail
cd "$(dirname "$0")"

fairlead=$PWD/../../bin/fairlead
work=$(mktemp -d)
repo=$work/config
port=${TEST_PORT:-18081}
proposal=fairlead/publish/iris
export FAIRLEAD_OWNER=fairlead-sklearn FAIRLEAD_DATA=$work/data FAIRLEAD_SECRETS_DIR=$work/run FAIRLEAD_GATEWAY=127.0.0.1:$port NO_COLOR=1

die() {
  printf 'test-python: %s\n' "$*" >&2
  exit 1
}
step() { printf '%3ds  %s\n' "$SECONDS" "$*"; }

daemon=''
ended() {
  local code=$?
  trap - EXIT INT TERM
  if ((code != 0)); then tail -n 30 "$work"/*.log >&2 || true; fi
  if [[ -n $daemon ]]; then
    kill "$daemon" && wait "$daemon" || true
  fi
  "$fairlead" destroy --yes >/dev/null || true
  rm -rf "$work"
  exit "$code"
}
trap ended EXIT
trap 'exit 130' INT TERM

await() {
  local deadline=$((SECONDS + $1)) what=$2
  shift 2
  until "$@"; do
    ((SECONDS < deadline)) || die "$what did not come in time"
    sleep 0.2
  done
}
in_sync() {
  "$fairlead" status --json >"$work/status.json" 2>/dev/null && grep -q '"converged": true' "$work/status.json" &&
    grep -q "\"id\": \"$(git -C "$repo" rev-parse HEAD)\"" "$work/status.json"
}
commit() { git -C "$repo" -c user.name=test -c user.email=test@example.com "$@"; }

./base fairlead-sklearn-base:bookworm
docker build --quiet --network none --tag fairlead-sklearn:1 app >/dev/null 2>"$work/build.log"
step "the image is there, $(($(docker image inspect --format '{{.Size}}' fairlead-sklearn:1) / 1000000)) MB"

cp -R config "$repo"
git -C "$repo" init -q -b main
git -C "$repo" add .
commit commit -q -m "iris, and how it is made"
"$fairlead" serve --repo "$repo" --log-format text >"$work/daemon.log" 2>&1 &
daemon=$!
await 60 "a daemon that follows" in_sync

"$fairlead" pipeline run train_iris >"$work/run.log"
sed -n 's/^  [✓·✗] \(split\|train\|evaluate\) .*/&/p' "$work/run.log"
grep -q 'proposed on branch' "$work/run.log" || die "the run proposed nothing"
step "the pipeline ran and proposes a version"

changed=$(git -C "$repo" diff --name-only "main...$proposal" | sort | tr '\n' ' ')
[[ $changed == 'iris.hcl versions/iris/0.1.0.hcl versions/iris/0.1.0.json ' ]] || die "the proposal changes $changed"
git -C "$repo" diff "main...$proposal" -- iris.hcl | grep '^[-+] '
git -C "$repo" show "$proposal:iris.hcl" | grep -q '# until there is a first version' || die "the proposal lost a comment"

commit merge -q --no-ff -m "iris 0.1.0" "$proposal"
sed -i.bak 's/replicas    = 0.*/replicas    = 1/' "$repo/iris.hcl" && rm "$repo/iris.hcl.bak"
commit commit -q -a -m "iris serves"
await 90 "a model that serves" in_sync
"$fairlead" oip check "http://127.0.0.1:$port" --model iris >"$work/oip.log" || die "the server does not speak the protocol"
step "merged, it serves, and speaks the Open Inference Protocol"

"$fairlead" pipeline run train_iris >"$work/again.log"
grep -q 'nothing has to run' "$work/again.log" || die "the second run is not from the cache"
"$fairlead" reproduce iris@0.1.0 >"$work/reproduced.log" || die "the version could not be made again"
tail -n 1 "$work/reproduced.log"
step "a second run takes all from the cache, and the version can be made again"
