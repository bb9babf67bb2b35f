# A client in some twenty lines, to be read with `.`: ask() asks one node after the other until one answers, and has nothing done
# twice. $nodes are URLs, between blanks; it is turned until its first one answers. A password is in ~/.netrc.
work=$(mktemp -d) && trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT; trap 'exit 143' TERM
stop='' event=''  # a worker is to end; it has an event in hand

# METHOD PATH [CURL'S WORDS...]: sets $status; the body is in $work/body, the headers are in $work/head. A node that has
# not answered after 30 seconds is given up; --max-time is for fewer.
ask() {
  method=$1 path=$2; shift 2
  once=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')  # the same for each try: done once, answered as the first time
  while :; do
    : >"$work/body"
    status=$(curl -s --netrc-optional --max-time 30 -X "$method" -H "Idempotency-Key: $once" -H 'Content-Type: text/plain' \
      -o "$work/body" -D "$work/head" -w '%{http_code}' "$@" "${nodes%% *}$path") || status=000
    case $status in 000 | 429 | 502 | 503 | 504) ;; *) return ;; esac
    [ -z "$stop" ] || [ -n "$event" ] || exit 0  # a worker that is to end, and has no event in hand
    nodes="${nodes#* } ${nodes%% *}"  # the next node, with the same key
    sleep 1
  done
}

header() { tr -d '\r' <"$work/head" | grep -i "^$1:" | sed 's/^[^:]*: *//'; }  # over HTTP/2 names are in lower case
refused() { cat "$work/body" >&2; exit 1; }  # the sentence says why
