#!/bin/sh
# producer.sh QUEUE URL...: each line of standard input becomes one event, however often it has to be sent.
queue=$1; shift; nodes=$*
. "$(dirname "$0")/wormhole.sh"
while IFS= read -r line; do
  ask POST "/queues/$queue/events" --data-raw "$line"
  [ "$status" = 201 ] || refused
done
