#!/bin/sh
# change.sh KEY COMMAND URL...: COMMAND reads the value of KEY and writes the new one, which is stored only if nobody else
# changed it meanwhile; else COMMAND is run again with what is there now. So it should do nothing but compute. KEY is as in a URL.
key=$1 command=$2; shift 2; nodes=$*
. "$(dirname "$0")/wormhole.sh"
status=412
while [ "$status" = 412 ]; do  # somebody else was faster, or this is the first time
  ask GET "/kv/$key"
  condition='If-None-Match: *' etag=$(header ETag)
  if [ "$status" = 200 ]; then condition="If-Match: ${etag:?is missing in the answer}"; else : >"$work/body"; fi
  sh -c "$command" <"$work/body" >"$work/changed" || exit
  ask PUT "/kv/$key" -H "$condition" --data-binary "@$work/changed"
done
case $status in 201 | 204) ;; *) refused ;; esac
