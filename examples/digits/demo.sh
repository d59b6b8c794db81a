#!/usr/bin/env bash
# The whole way of a change, on this machine: a Git repository becomes a model
# that serves; what is killed comes back; a pipeline trains a version, tests it and
# proposes it; merged, it is promoted under load because the evidence is good; one
# that came around the pipeline is bad, is found out, rolled back and held until Git
# takes it back. `make demo` runs it; `make clean` takes everything away again.
set -euo pipefail
cd "$(dirname "$0")/../.."

work=$PWD/.demo
repo=$work/config
port=${DEMO_PORT:-18080}
url=http://127.0.0.1:$port/v2/models/digits
fairlead=$PWD/bin/fairlead
rate=200 # requests per second during the rollouts
journal=fairlead/journal/default
export FAIRLEAD_OWNER=fairlead-demo FAIRLEAD_DATA=$work/data FAIRLEAD_SECRETS_DIR=$work/run FAIRLEAD_GATEWAY=127.0.0.1:$port

if [[ -t 1 && -z ${NO_COLOR:-} ]]; then bold=$'\e[1m' dim=$'\e[2m' off=$'\e[0m'; else bold='' dim='' off=''; fi
say() { printf '\n%s%s%s\n' "$bold" "$*" "$off"; }
show() { printf '%s$ %s%s\n' "$dim" "$*" "$off"; }
run() {
  local words=("${@/#"$fairlead"/fairlead}")
  show "${words[@]/#"$PWD/"/}"
  "$@"
}
die() { printf 'demo: %s\n' "$*" >&2; exit 1; }

# --- processes, and what is left of them --------------------------------------

# alive tells whether a process runs; one that has ended may stay as a zombie for as
# long as a trap is worked on.
alive() { case $(ps -o stat= -p "$1" 2>/dev/null) in '' | Z*) return 1 ;; esac }

# stop NAME [SIGNAL] ends the process of $work/NAME.pid. After a crash its number
# may belong to something else by now, which does not mention this directory.
stop() {
  local file=$work/$1.pid pid
  [[ -f $file ]] || return 0
  pid=$(<"$file")
  if [[ $(ps -o args= -p "$pid" 2>/dev/null) == *"$PWD/"* ]]; then
    kill "-${2:-TERM}" "$pid" 2>/dev/null || true
    for ((i = 0; i < 150; i++)); do
      alive "$pid" || break
      sleep 0.1
    done
    kill -KILL "$pid" 2>/dev/null || true # 15 seconds are enough for anybody
  fi
  rm -f "$file"
}

clean() {
  [[ -d $work ]] || return 0
  stop watch
  stop load
  stop daemon
  if docker version >/dev/null 2>&1; then
    [[ -x $fairlead ]] && "$fairlead" destroy --yes
    # Images that something else still uses stay.
    docker image ls -q --filter reference='digits:1.*' --filter reference='digits-steps:1' --filter reference='fairlead:demo' \
      --filter reference='fairlead:self-*' | sort -u | xargs -r docker image rm >/dev/null 2>&1 || true
  fi
  rm -rf "$work"
}

# A demo that is interrupted leaves nothing. One that fails leaves what there is to
# look at, except the processes that belong to it.
ended() {
  local code=$?
  trap - EXIT INT TERM # a second interrupt gives up
  trap '' HUP
  if [[ -n $interrupted ]]; then
    echo "demo: interrupted; everything is taken away" >&2
    clean >/dev/null 2>&1 || true
  elif ((code != 0)); then
    for process in watch load daemon; do stop "$process" || true; done
    echo "demo: the daemon's log is .demo/daemon.log; \`make clean\` takes everything away" >&2
  fi
  exit "$code"
}

# --- what is to be seen -------------------------------------------------------

# did prints what the daemon has done and decided since it was last asked, unless a
# watch shows it already.
told=0
did() {
  local lines
  lines=$(wc -l <"$work/daemon.log")
  ((lines > told)) || return 0
  [[ -f $work/watch.pid ]] || sed -nE "$((told + 1)),${lines}"'{
    s/(took=[0-9]*\.[0-9])[0-9]*/\1/
    s/action="([^"]*)"/action=\1/
    s/.*msg="([^"]*)" event=action_done .*container=fairlead-demo\.default\.([^ ]*) action=(.*) commit=.* took=([^ ]*)$/  fairlead: \3 \2 (\4): \1/p
    s/.*msg="(following [^"]*)" event=commit_accepted.*/  fairlead: \1/p
    s/.*msg="([^"]*)" event=decided .* decision="?([^"]*)"? actor=.*/  fairlead: '"$bold"'\2'"$off"': \1/p
  }' "$work/daemon.log"
  told=$lines
}

# await SECONDS WHAT COMMAND... waits until the command succeeds, and shows what
# happens meanwhile.
await() {
  local deadline=$((SECONDS + $1)) what=$2
  shift 2
  until "$@"; do
    if ((SECONDS >= deadline)); then
      "$fairlead" status || true
      tail -n 20 "$work/daemon.log" >&2
      die "$what did not come in time; the end of the daemon's log is above"
    fi
    did
    sleep 0.1
  done
  did
}

# watch shows the status from now on, a line for each change, until stop watch.
watch() {
  show "fairlead status --watch"
  "$fairlead" status --watch > >(cat) &
  echo $! >"$work/watch.pid"
  disown
}

# The conditions. Each looks at the newest status of the daemon.
status_says() {
  "$fairlead" status --json >"$work/status.json" 2>/dev/null && grep -q "$1" "$work/status.json"
}
follows_head() { grep -q "\"id\": \"$(git -C "$repo" rev-parse HEAD)\"" "$work/status.json"; }
in_sync() { status_says '"converged": true' && follows_head; }
held() { status_says '"phase": "held"' && follows_head; }
half_way() { status_says '"step": 2' && grep -q '"weight": 50' "$work/status.json" && ! grep -q '"outcome": "insufficient"' "$work/status.json"; }
journal_is_in_git() { status_says '"pending": 0'; }
replicas() { docker ps -q --filter label=io.fairlead.owner=fairlead-demo --filter label=io.fairlead.kind=model "$@"; }
three_replicas() { (($(replicas | wc -l) == 3)); }
serving() { replicas --filter "label=io.fairlead.revision=$(sed -n 's/^ *"serving": "\(.*\)",/\1/p' "$work/status.json")" | sort; }
bad_is_gone() { [[ -z $(replicas --all --filter ancestor=digits:1.2.0) ]]; }

# --- what people do -----------------------------------------------------------

commit() { git -C "$repo" -c user.name=demo -c user.email=demo@example.com commit -qam "$1"; }

# edit SCRIPT changes the spec, as a person would.
edit() { sed -i.bak -E "$1" "$repo/digits.hcl" && rm "$repo/digits.hcl.bak"; }

ask() { "$work/ask" --url "$url" "$@"; }

serve() {
  show "fairlead serve --repo .demo/config"
  "$fairlead" serve --repo "$repo" --log-format text >>"$work/daemon.log" 2>&1 &
  echo $! >"$work/daemon.pid"
  disown # its end is no news to this shell
}

# answered VERSION is how many requests of the load a version answered.
answered() { sed -nE "s/^answered   digits $1  ([0-9]+) times\$/\1/p" "$work/load.txt"; }

[[ ${1:-} == clean ]] && { clean; exit 0; }

clean
interrupted=''
trap ended EXIT
trap 'interrupted=yes; exit 130' INT TERM HUP
mkdir -p "$work"
say "0. A model server, the steps of a pipeline, and Fairlead itself, packed without any registry"
(cd examples/digits && go run ./train --kind linear --version 1.0.0 && go run ./image --load weights/digits-1.0.0.json &&
  go run ./image --load --steps && go run ./image --load --program "$fairlead" --name fairlead --version demo && go build -o "$work/ask" ./ask)
SECONDS=0

say "1. A config repository: the model, its pipeline and its data, and a commit"
mkdir -p "$repo"
cp -R examples/digits/config/. "$repo"
git -C "$repo" init -q -b main
git -C "$repo" add .
commit "digits 1.0.0, two replicas"
grep -nE '^model|^  (version|image|replicas) ' "$repo/digits.hcl"

say "2. The daemon follows it"
: >"$work/daemon.log"
serve
await 60 "a model that serves" in_sync
run "$fairlead" status
say "   ... and the model reads real digits, through the gateway"
ask --n 20

say "3. A commit scales it, and somebody kills a replica: Git wins"
edit 's/^(  replicas +=) 2/\1 3/'
commit "digits: three replicas"
await 60 "the third replica" in_sync
docker kill "$(replicas | head -n 1)" >/dev/null
await 60 "three replicas that run" three_replicas
await 60 "what Git wants" in_sync

say "4. The pipeline makes a better version: six networks, of which the best is tested, and proposed if it passes the gates"
grep -nE '^  (step|select|gate|publish) |^    (matrix|maximize|require|artifact|version) ' "$repo/training.hcl"
run "$fairlead" pipeline run train_digits
proposal=fairlead/publish/digits
run git -C "$repo" --no-pager diff "main...$proposal" -- digits.hcl
run git -C "$repo" --no-pager diff --stat "main...$proposal"

say "5. A person merges the proposal, while $rate requests a second keep coming"
grep -nE '^  rollout|^    (step|check)|^      (weight|hold|metric|max|max_vs_stable) ' "$repo/digits.hcl"
"$work/ask" --url "$url" --n 1000000 --rate "$rate" --quiet >"$work/load.txt" 2>&1 & # not the function: its process is to be stopped
load=$!
echo "$load" >"$work/load.pid"
watch
git -C "$repo" -c user.name=demo -c user.email=demo@example.com merge -q --no-ff -m "digits 1.0.1, as the pipeline proposes" "$proposal"
await 90 "half of the requests to the candidate, and evidence of it" half_way
await 90 "the promotion" in_sync
sleep 0.7 # the watch looks twice a second
stop watch

say "6. The same pipeline again: nothing changed, so nothing runs"
before=${EPOCHREALTIME/[.,]/}
run "$fairlead" pipeline run train_digits | sed -n '1,/steps.*cache/p; /is published/p'
took=$(((${EPOCHREALTIME/[.,]/} - before) / 1000))
((took < 2000)) || die "a run of which all is in the cache took $took ms; 2000 are allowed"
say "   ... in $took ms. Git knows where the version comes from, and the same inputs make it again"
run "$fairlead" model lineage digits
run "$fairlead" reproduce digits@1.0.1 >"$work/reproduced.txt" || { cat "$work/reproduced.txt"; die "the version could not be made again"; }
sed -n '/made again by/,/again  /p; $p' "$work/reproduced.txt"

say "7. Somebody packs version 1.2.0 by hand, around the pipeline. Its trainer measured well; it is served with pixels on another scale"
(cd examples/digits && go run ./train --kind mlp --version 1.2.0 --served-scale 0.0039 --out ../../.demo/weights &&
  go run ./image --load --out ../../.demo/build ../../.demo/weights/digits-1.2.0.json)
watch
edit '/^  artifact /d; s/^(  version +=).*/\1 "1.2.0"/; s/(digits:)1\.0\.0/\11.2.0/'
commit "digits 1.2.0"
await 90 "the rejection of the bad version" held
await 30 "the end of its replicas" bad_is_gone
sleep 0.7
stop watch
say "   ... found out, rolled back, and held: neither drift nor in sync"
code=0
run "$fairlead" status --detailed-exitcode || code=$?
((code == 4)) || die "the status must end with 4, for a model that is held, and not with $code"
run "$fairlead" history digits --limit 4
say "   ... and it is in Git, as one commit per decision"
await 30 "the journal in the config repo" journal_is_in_git
run git -C "$repo" --no-pager log -1 --format='%h %an: %s%n%n%b' "$journal"

say "8. The daemon is killed and its memory deleted: what was decided is in Git, so the bad version stays out"
stop daemon KILL
# All but the artifacts, which are on this disk alone: publish has no registry here.
find "$FAIRLEAD_DATA" -mindepth 1 -maxdepth 1 ! -name artifacts -exec rm -rf {} +
serve
await 60 "the ledger of a daemon without memory" held
bad_is_gone || die "a rejected version was started again"
run "$fairlead" rollout show digits
run "$fairlead" model versions digits

say "9. Git takes the commit back: in sync again, without a container being touched"
before=$(serving)
git -C "$repo" -c user.name=demo -c user.email=demo@example.com revert --no-edit HEAD >/dev/null
run git -C "$repo" --no-pager log --oneline
await 60 "what Git wants" in_sync
[[ $(serving) == "$before" ]] || die "replicas of 1.0.1 were replaced"
run "$fairlead" status
kill "$load" && wait "$load" || { cat "$work/load.txt"; die "a request failed while versions came and went"; }
rm "$work/load.pid"
cat "$work/load.txt"
exposed=$(answered '1\.2\.0') promoted=$(answered '1\.0\.1')
((${promoted:-0} > 0 && ${exposed:-0} > 0)) || die "a version never answered; that is no rollout"
total=$(($(answered '1\.0\.0') + promoted + exposed))
say "   $total requests, none failed; $exposed of them reached the bad version"

say "10. The daemon stops; the model goes on"
stop daemon
ask --n 200 --quiet

say "Done in ${SECONDS}s. The model still answers on $url; the daemon's log is .demo/daemon.log."
echo "    make clean        takes everything away again"
