# Shared by the database servers of the tests. Sourced by postgres.sh and mariadb.sh.

# as_ordinary_user COMMAND...: runs the command as an unprivileged user, because the servers refuse to run as root.
# Replaces the shell, so call it in a subshell.
as_ordinary_user() {
  if [ "$(id -u)" = 0 ]; then
    exec setpriv --reuid=nobody --regid=nogroup --clear-groups "$@"
  fi
  exec "$@"
}

# on_free_port FOLDER RUN ANSWERS: runs `RUN PORT` in the background, on a free port, until `ANSWERS PORT` succeeds.
# Sets `$port`. The folder's server.pid holds the process ID. Tests that stop the server restart it with server.start
# and write its new process ID.
on_free_port() {
  local folder=$1 run=$2 answers=$3 log=$1/server.log
  for _ in $(seq 20); do
    port=$((20000 + RANDOM % 10000))
    "$run" "$port" >"$log" 2>&1 &
    database_pid=$!
    if answers_in_time "$answers" "$port"; then
      echo "$database_pid" >"$folder/server.pid"
      restart_script "$run" >"$folder/server.start"
      chmod 700 "$folder/server.start"
      return
    fi
    grep -q 'Address already in use' "$log" || break
  done
  kill "$database_pid" 2>/dev/null && wait "$database_pid"
  cat "$log" >&2
  return 1
}

# restart_script RUN: prints a script that becomes the server which is running now.
restart_script() {
  printf '#!/usr/bin/env bash\ncd %q && . tests/databases/engines.sh\n' "$root"
  printf 'folder=%q postgres_bin=%q mariadb_flush=%q\n' "$folder" "${postgres_bin:-}" "${mariadb_flush:-}"
  printf '%q %q >>%q 2>&1\n' "$1" "$port" "$folder/server.log"
}

# stop_server_in FOLDER SIGNAL: stops the server of the folder, even if a test has restarted it, and waits until it has
# exited.
stop_server_in() {
  local pid
  pid=$(cat "$1/server.pid" 2>/dev/null) || return 0
  rm "$1/server.pid"
  kill "-$2" "$pid" || return
  for _ in $(seq 300); do
    # A child of this shell stays a zombie until it is waited for.
    wait "$pid" 2>/dev/null
    kill -0 "$pid" 2>/dev/null || return 0
    sleep 0.1
  done
  return 1
}

# answers_in_time ANSWERS PORT: retries for half a minute. Fails immediately if the server has exited.
answers_in_time() {
  for _ in $(seq 300); do
    kill -0 "$database_pid" 2>/dev/null || return
    "$1" "$2" >/dev/null 2>&1 && kill -0 "$database_pid" 2>/dev/null && return
    sleep 0.1
  done
  return 1
}
