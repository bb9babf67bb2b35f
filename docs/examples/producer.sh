#!/bin/sh
# producer.sh QUEUE URL...: each line of standard input becomes one event, however often it has to be sent.
# Empty lines are skipped.
queue=$1; shift; nodes=$*
. "$(dirname "$0")/wormhole.sh"
while IFS= read -r line || [ -n "$line" ]; do  # the last one may lack its newline
  [ -n "$line" ] || continue
  printf %s "$line" >"$work/line"
  ask POST "/queues/$queue/events" --data-binary "@$work/line"
  [ "$status" = 201 ] || refused
done
