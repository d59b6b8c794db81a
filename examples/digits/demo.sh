#!/usr/bin/env bash
# The whole way of a change, on this machine: a Git repository becomes a model
# that serves, a commit changes it under load, and what is killed comes back.
# `make demo` runs it; `make clean` takes everything away again.
set -euo pipefail
cd "$(dirname "$0")/../.."

work=$PWD/.demo
repo=$work/config
port=${DEMO_PORT:-18080}
url=http://127.0.0.1:$port/v2/models/digits
fairlead=$PWD/bin/fairlead
export FAIRLEAD_OWNER=fairlead-demo FAIRLEAD_DATA=$work/data FAIRLEAD_SECRETS_DIR=$work/run FAIRLEAD_GATEWAY=127.0.0.1:$port

if [[ -t 1 && -z ${NO_COLOR:-} ]]; then bold=$'\e[1m' dim=$'\e[2m' off=$'\e[0m'; else bold='' dim='' off=''; fi
say() { printf '\n%s%s%s\n' "$bold" "$*" "$off"; }
run() { printf '%s$ %s%s\n' "$dim" "$*" "$off" && "$@"; }
die() { printf 'demo: %s\n' "$*" >&2; exit 1; }

stop_daemon() {
  [[ -f $work/pid ]] || return 0
  local pid
  pid=$(<"$work/pid")
  kill "$pid" 2>/dev/null || true
  while kill -0 "$pid" 2>/dev/null; do read -rt 0.1 <> <(:) || true; done
  rm -f "$work/pid"
}

clean() {
  [[ -d $work ]] || return 0
  stop_daemon
  if docker version >/dev/null 2>&1; then
    [[ -x $fairlead ]] && "$fairlead" destroy --yes
    # Images that something else still uses stay.
    docker image ls -q --filter reference='digits:1.*' --filter reference='fairlead:self-*' | sort -u | xargs -r docker image rm >/dev/null 2>&1 || true
  fi
  rm -rf "$work"
}

commit() { git -C "$repo" -c user.name=demo -c user.email=demo@example.com commit -qam "$1"; }

# What the daemon has done since it was last asked.
told=0
did() {
  local lines
  lines=$(wc -l <"$work/serve.log")
  tail -n "+$((told + 1))" "$work/serve.log" |
    sed -nE 's/.*msg="([^"]*)" event=action_done .*container=([^ ]*) action=([^ ]*) .*took=([^ ]*)$/  fairlead: \3 \2 (\4): \1/p; s/.*msg="(following [^"]*)" event=commit_accepted.*/  fairlead: \1/p'
  told=$lines
}

# Waits until the daemon says that what runs is what the newest commit wants.
converged() {
  local head
  head=$(git -C "$repo" rev-parse HEAD)
  for ((i = 0; i < 600; i++)); do
    "$fairlead" status --json >"$work/status.json" 2>/dev/null || true
    if grep -q '"converged": true' "$work/status.json" && grep -q "\"id\": \"$head\"" "$work/status.json"; then return 0; fi
    read -rt 0.1 <> <(:) || true
  done
  "$fairlead" status || true
  tail -n 20 "$work/serve.log" >&2
  die "not converged within a minute; the end of the daemon's log is above"
}

ask() { "$work/ask" --url "$url" "$@"; }

[[ ${1:-} == clean ]] && { clean; exit 0; }

clean
mkdir -p "$work"
say "0. Two versions of a model, trained here on real digits, packed without any registry"
(cd examples/digits && go run ./train && go run ./image --load && go build -o "$work/ask" ./ask)
SECONDS=0

say "1. A config repository: one file of HCL, and a commit"
mkdir -p "$repo"
cp -R examples/digits/config/. "$repo"
git -C "$repo" init -q -b main
git -C "$repo" add .
commit "digits 1.0.0, two replicas"
grep -nE '^model|version|image|replicas' "$repo/digits.hcl"

say "2. The daemon follows it"
printf '%s$ fairlead serve --repo %s%s\n' "$dim" .demo/config "$off"
"$fairlead" serve --repo "$repo" --log-format text >"$work/serve.log" 2>&1 &
echo $! >"$work/pid"
converged
did
run "$fairlead" status
say "   ... and the model reads real digits, through the gateway"
ask --n 50

say "3. A commit scales it: containers are added, none is replaced"
sed -i.bak 's/replicas    = 2/replicas    = 3/' "$repo/digits.hcl" && rm "$repo/digits.hcl.bak"
commit "digits: three replicas"
converged
did
run "$fairlead" status

say "4. A commit brings version 1.1.0, while requests keep coming"
"$work/ask" --url "$url" --n 1000000 --quiet >"$work/load.txt" & # not the function: its process is to be stopped
load=$!
sed -i.bak 's/1\.0\.0/1.1.0/g' "$repo/digits.hcl" && rm "$repo/digits.hcl.bak"
commit "digits 1.1.0"
converged
kill "$load" && wait "$load" || { cat "$work/load.txt"; die "a request failed during the replacement"; }
did
cat "$work/load.txt"
run "$fairlead" status

say "5. Somebody kills a replica and removes another: both come back"
victims=$(docker ps -q --filter label=io.fairlead.owner=fairlead-demo --filter label=io.fairlead.kind=model | head -n 2)
# shellcheck disable=SC2086
set -- $victims
docker kill "$1" >/dev/null && docker rm -f "$2" >/dev/null
for ((i = 0; i < 600; i++)); do
  alive=$(docker ps -q --filter label=io.fairlead.owner=fairlead-demo --filter label=io.fairlead.kind=model | wc -l)
  ((alive == 3)) && break
  read -rt 0.1 <> <(:) || true
done
converged
did
ask --n 200 --quiet

say "6. The daemon stops; the model goes on"
stop_daemon
ask --n 200 --quiet

say "Done in ${SECONDS}s. The model still answers on $url; the daemon's log is .demo/serve.log."
echo "    make clean        takes everything away again"
