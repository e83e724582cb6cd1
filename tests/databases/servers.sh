# What the database servers of the tests share. Sourced by postgres.sh and mariadb.sh.

# as_ordinary_user COMMAND...: the servers refuse to run as root. Replaces the shell, so call it in one of its own.
as_ordinary_user() {
  if [ "$(id -u)" = 0 ]; then
    exec setpriv --reuid=nobody --regid=nogroup --clear-groups "$@"
  fi
  exec "$@"
}

# on_free_port LOG START ANSWERS: runs `START PORT` in the background, with a port that nobody has, until `ANSWERS PORT`
# succeeds; sets `$port` and `$database_pid`.
on_free_port() {
  local log=$1 start=$2 answers=$3
  for _ in $(seq 20); do
    port=$((20000 + RANDOM % 10000))
    "$start" "$port" >"$log" 2>&1 &
    database_pid=$!
    answers_in_time "$answers" "$port" && return
    grep -q 'Address already in use' "$log" || break
  done
  kill "$database_pid" 2>/dev/null && wait "$database_pid"
  cat "$log" >&2
  return 1
}

# answers_in_time ANSWERS PORT: tries again for half a minute; fails at once when the server has ended.
answers_in_time() {
  for _ in $(seq 300); do
    kill -0 "$database_pid" 2>/dev/null || return
    "$1" "$2" >/dev/null 2>&1 && kill -0 "$database_pid" 2>/dev/null && return
    sleep 0.1
  done
  return 1
}
