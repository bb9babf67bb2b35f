#!/bin/bash
# redis_cli.sh PORT: redis-cli's modes against the debug port. Prints a line per case, then the totals.
set -uo pipefail
port=${1:?usage: redis_cli.sh PORT}
passed=0 failed=0

# check NAME PATTERN COMMAND...: what the command prints within five seconds has a line that fits the pattern. A command
# that runs until it is ended is ended then, or earlier by a `timeout` of its own.
check() {
  local name=$1 pattern=$2 output
  shift 2
  output=$(timeout 5 "$@" 2>&1 </dev/null)
  if grep -qE -- "$pattern" <<<"$output"; then
    passed=$((passed + 1))
    echo "passed: redis-cli: $name"
  else
    failed=$((failed + 1))
    echo "FAILED: redis-cli: $name: no line fits $pattern in:"
    echo "$output"
  fi
}
cli=(redis-cli -p "$port")

check "sets a key with RESP3" '^OK$' "${cli[@]}" -3 SET cli:a 1
check "reads it" '^1$' "${cli[@]}" -3 GET cli:a
check "shows RESP3's null" '^\(nil\)$' "${cli[@]}" -3 --no-raw GET cli:none
check "shows RESP2's null" '^\(nil\)$' "${cli[@]}" --no-raw GET cli:none
check "shows RESP3's maps" '^1# "maxclients" => "10000"$' "${cli[@]}" -3 --no-raw CONFIG GET maxclients
check "says HELLO" '^ *3# "proto" => \(integer\) 3$' "${cli[@]}" -3 --no-raw HELLO
check "lists the clients" '^id=.* resp=3 ' "${cli[@]}" -3 CLIENT LIST
check "selects the database 0" '^1$' "${cli[@]}" -n 0 GET cli:a
check "says that there is no other" 'DB index is out of range' "${cli[@]}" -n 1 PING
check "ends with an error of the server" '^ERR unknown command' "${cli[@]}" -e NOSUCH
check "repeats" '^PONG$' "${cli[@]}" -r 3 -i 0.01 PING
check "--stat" '^[0-9]+ +[0-9.]+[BKMG] +[0-9]+ +[0-9]+ +[0-9]+ \(\+' timeout 2 stdbuf -oL "${cli[@]}" -i 0.1 --stat
check "--latency" '^[0-9]+ [0-9]+ [0-9.]+ [0-9]+$' "${cli[@]}" --latency
check "--latency with RESP3" '^[0-9]+ [0-9]+ [0-9.]+ [0-9]+$' "${cli[@]}" -3 --latency
check "--latency-history" '^[0-9]+ [0-9]+ [0-9.]+ [0-9]+$' timeout 2 stdbuf -oL "${cli[@]}" --latency-history -i 1
# shellcheck disable=SC2016  # the inner shell's
check "--pipe" '^errors: 0, replies: 1000$' \
  bash -c 'for i in {1..1000}; do printf "*3\r\n\$3\r\nSET\r\n\$5\r\ncli:p\r\n\$1\r\nx\r\n"; done | "$@" --pipe' - "${cli[@]}"
check "--tls" '^PONG$' redis-cli --tls -p "$TLS_PORT" --cacert "$TLS_CA" PING
check "--tls with an authority that it does not know" 'certificate verify failed' redis-cli --tls -p "$TLS_PORT" PING
check "without --tls where it is needed" 'this port speaks TLS' redis-cli -p "$TLS_PORT" PING
check "a transaction" '^2$' bash -c 'printf "MULTI\nSET cli:t 1\nINCR cli:t\nEXEC\n" | "$@"' - "${cli[@]}"
check "a transaction with RESP3" '^2\) \(integer\) 2$' \
  bash -c 'printf "MULTI\nSET cli:t 1\nINCR cli:t\nEXEC\n" | "$@" -3 --no-raw' - "${cli[@]}"
check "--scan" '^cli:a$' "${cli[@]}" --scan --pattern 'cli:*'
check "--bigkeys" 'Biggest string found so far .*cli:big' \
  bash -c 'head -c 100000 /dev/zero | tr "\0" x | "$@" -x SET cli:big >/dev/null; "$@" --bigkeys' - "${cli[@]}"
# The commands to be shown are sent until redis-cli has asked for them, for two and a half seconds at most.
check "MONITOR" '^[0-9]+\.[0-9]{6} \[0 127\.0\.0\.1:[0-9]+\] "SET" "cli:m" "a\\"b"$' \
  bash -c '(for _ in {1..50}; do "$@" SET cli:m a\"b >/dev/null; sleep 0.05; done) & timeout 2 stdbuf -oL "$@" MONITOR; kill %1' - "${cli[@]}"
if [[ -n ${REDIS_PORT-} ]]; then
  # shellcheck disable=SC2016  # the inner shell's
  for version in -2 -3; do
    check "each form of each command is answered as by redis-server, with RESP ${version#-}" '^the same$' \
      bash -c 'diff <(grep -v "^#" commands.txt | redis-cli $1 --no-raw -p "$2") \
        <(grep -v "^#" commands.txt | redis-cli $1 --no-raw -p "$3") && echo the same' - "$version" "$port" "$REDIS_PORT"
  done
fi
check "-x takes the last word from its input" '^OK$' bash -c 'printf a\\0b | "$@" -x SET cli:x' - "${cli[@]}"

echo "$passed passed, $failed failed"
((failed == 0))
