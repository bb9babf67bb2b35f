#!/bin/sh
# producer.sh QUEUE URL...: each line of standard input becomes one event, however often it has to be sent.
queue=$1; shift; nodes=$*
while IFS= read -r line; do
  key=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
  while :; do
    status=$(curl -s --max-time 10 -o /dev/null -w '%{http_code}' -H "Idempotency-Key: $key" -H 'Content-Type: text/plain' \
      --data-raw "$line" "${nodes%% *}/queues/$queue/events") || status=000
    case $status in
      201) break ;;
      000 | 429 | 503 | 504) nodes="${nodes#* } ${nodes%% *}"; sleep 1 ;;  # the next node, with the same key
      *) echo "$line: refused with $status" >&2; exit 1 ;;
    esac
  done
done
