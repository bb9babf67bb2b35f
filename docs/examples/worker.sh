#!/bin/sh
# worker.sh QUEUE COMMAND URL...: gives each event of QUEUE to COMMAND on its standard input.
# HOLD (30): seconds for which an event is held, again and again while COMMAND runs. A node that hangs is given up
# after a part of them.
queue=$1 command=$2 hold=${HOLD:-30}; shift 2; nodes=$*
third=$(((hold + 2) / 3)) sixth=$(((hold + 5) / 6))
. "$(dirname "$0")/wormhole.sh"

keep() {  # longer work keeps its event, while this worker lives
  trap 'kill $! 2>/dev/null; exit' TERM
  while sleep "$third" & wait $! && kill -0 $$ 2>/dev/null; do for node in $nodes; do
    curl -sf --netrc-optional --max-time "$sixth" -o /dev/null -X POST \
      "$node$event/extend?$receipt&visibility_timeout=${hold}s" && break
  done; done
}

trap 'stop=1' TERM INT
while [ -z "$stop" ]; do
  ask POST "/queues/$queue/receive?wait=$((hold * 1000 / 6))ms&visibility_timeout=${hold}s" --max-time "$third"
  case $status in 200) ;; 204) continue ;; *) refused ;; esac
  event=/queues/$queue/events/$(header Wormhole-Event-Id) receipt=receipt=$(header Wormhole-Receipt)
  keep & keeper=$!
  if sh -c "$command" <"$work/body"; then ask DELETE "$event?$receipt" --max-time "$sixth"
  else ask POST "$event/release?$receipt" --max-time "$sixth"; fi  # `backoff` says when it comes again
  case $status in 2*) ;; *) cat "$work/body" >&2 ;; esac  # too late: it comes again, or came already
  event=''
  kill "$keeper"
done
