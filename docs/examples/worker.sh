#!/bin/sh
# worker.sh QUEUE COMMAND URL...: gives each event of QUEUE to COMMAND on its standard input.
queue=$1 command=$2 hold=${HOLD:-30}; shift 2; nodes=$*
. "$(dirname "$0")/wormhole.sh"
trap 'stop=1' TERM INT
while [ -z "${stop-}" ]; do
  ask POST "/queues/$queue/receive?wait=20s&visibility_timeout=${hold}s"
  case $status in 200) ;; 204) continue ;; *) refused ;; esac
  event=/queues/$queue/events/$(header Wormhole-Event-Id) receipt=receipt=$(header Wormhole-Receipt)
  while sleep $((hold / 3)); do for node in $nodes; do  # longer work keeps its event
    curl -sf --netrc-optional --max-time 2 -o /dev/null -X POST "$node$event/extend?$receipt&visibility_timeout=${hold}s" && break
  done; done & keeper=$!
  if sh -c "$command" <"$work/body"; then ask DELETE "$event?$receipt"; else ask POST "$event/release?$receipt"; fi
  kill "$keeper"
done
