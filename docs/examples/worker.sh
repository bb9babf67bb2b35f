#!/bin/sh
# worker.sh QUEUE COMMAND URL...: gives each event of QUEUE to COMMAND on its standard input.
queue=$1 command=$2 hold=${HOLD:-30}; shift 2; nodes=$*
work=$(mktemp -d) && trap 'rm -rf "$work"' EXIT && trap 'stop=1' TERM INT
ask() {  # METHOD PATH: asks one node after the other until one answers
  while :; do
    status=$(curl -s --max-time 30 -X "$1" -o "$work/body" -D "$work/head" -w '%{http_code}' "${nodes%% *}/queues/$queue/$2")
    case $status in 000 | 429 | 503 | 504) nodes="${nodes#* } ${nodes%% *}"; sleep 1 ;; *) return ;; esac
  done
}
header() { tr -d '\r' <"$work/head" | sed -n "s/^$1: //p"; }
while [ -z "${stop-}" ]; do
  ask POST "receive?wait=20s&visibility_timeout=${hold}s"
  case $status in 200) ;; 204) continue ;; *) cat "$work/body" >&2; exit 1 ;; esac  # refused: the sentence says why
  event=events/$(header Wormhole-Event-Id) receipt=receipt=$(header Wormhole-Receipt)
  while sleep $((hold / 3)); do for node in $nodes; do  # longer work keeps its event
    curl -sf --max-time 2 -o /dev/null -X POST "$node/queues/$queue/$event/extend?$receipt&visibility_timeout=${hold}s" && break
  done; done & keeper=$!
  if sh -c "$command" <"$work/body"; then ask DELETE "$event?$receipt"; else ask POST "$event/release?$receipt"; fi
  kill "$keeper"
done
