# A private PostgreSQL server for the tests, run by an unprivileged user. Sourced after tests/support.sh.

# shellcheck source=tests/databases/servers.sh
. tests/databases/servers.sh

# has_postgres: installs the server's programs if they are missing and may be installed. Sets `$postgres_bin` to their
# folder.
has_postgres() {
  find_postgres && return
  packages postgresql >&2 && find_postgres
}

# Debian keeps the programs of each version outside PATH.
find_postgres() {
  local folder
  for folder in $(printf '%s\n' /usr/lib/postgresql/*/bin | sort -rV) "$(dirname "$(command -v initdb)")"; do
    postgres_bin=$folder
    [ -x "$folder/initdb" ] && [ -x "$folder/postgres" ] && [ -x "$folder/pg_isready" ] && return
  done
  return 1
}

# start_postgres FOLDER: starts a server with an empty database on a free port of 127.0.0.1. Sets `$postgres_url` and
# `$postgres_folder`.
start_postgres() {
  local folder=$1 port password
  mkdir -p "$folder"
  password=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
  echo "$password" >"$folder/password"
  chmod 600 "$folder/password"
  [ "$(id -u)" != 0 ] || chown -R nobody:nogroup "$folder"
  (cd "$folder" && as_ordinary_user "$postgres_bin/initdb" --pgdata data --username vestibule --pwfile password \
    --auth scram-sha-256 --encoding UTF8 --no-locale --no-sync) >"$folder/initdb.log" 2>&1 || {
    cat "$folder/initdb.log" >&2
    return 1
  }
  # On SIGTERM the server waits for its clients, so it needs SIGINT and is not in `$started`.
  trap 'stop_postgres; clean_up' EXIT
  postgres_folder=$folder
  on_free_port "$folder" run_postgres postgres_answers || return
  postgres_url=postgres://vestibule:$password@127.0.0.1:$port/postgres
}

run_postgres() {
  cd "$folder" && as_ordinary_user "$postgres_bin/postgres" -D data -p "$1" -c listen_addresses=127.0.0.1 \
    -c unix_socket_directories= -c fsync=off
}

postgres_answers() {
  "$postgres_bin/pg_isready" --quiet --host 127.0.0.1 --port "$1"
}

stop_postgres() {
  stop_server_in "${postgres_folder:-}" INT
}
