# A private PgBouncer in front of a private PostgreSQL server. Sourced after tests/databases/postgres.sh.

# has_pgbouncer: installs the program if it is missing and may be installed.
has_pgbouncer() {
  # Debian installs it in /usr/sbin, which is not in every PATH.
  PATH=$PATH:/usr/sbin
  has pgbouncer || { packages pgbouncer >&2 && has pgbouncer; }
}

# start_pgbouncer FOLDER: starts PgBouncer on a free port of 127.0.0.1, in front of the server at `$postgres_url`. It
# pools sessions, except in the databases `by_transaction` and `by_statement`. Sets `$pgbouncer_url`, without a database
# name, and `$pgbouncer_folder`.
start_pgbouncer() {
  local folder=$1 port user password server
  mkdir -p "$folder"
  user=${postgres_url#*//} password=${user#*:}
  user=${user%%:*} password=${password%%@*}
  server=${postgres_url##*@} server=${server%/*}
  server="host=${server%:*} port=${server#*:}"
  echo "\"$user\" \"$password\"" >"$folder/users"
  chmod 600 "$folder/users"
  # Unused connections to the server are closed soon, because it accepts 100 of them and each test has a database.
  cat >"$folder/pgbouncer.ini" <<INI
[databases]
by_transaction = $server dbname=postgres pool_mode=transaction
by_statement = $server dbname=postgres pool_mode=statement
* = $server
[pgbouncer]
listen_addr = 127.0.0.1
unix_socket_dir =
auth_type = scram-sha-256
auth_file = $folder/users
pool_mode = session
max_client_conn = 500
default_pool_size = 50
server_idle_timeout = 2
INI
  [ "$(id -u)" != 0 ] || chown -R nobody:nogroup "$folder"
  pgbouncer_folder=$folder
  on_free_port "$folder" run_pgbouncer pgbouncer_answers || return
  pgbouncer_url=postgres://$user:$password@127.0.0.1:$port
}

run_pgbouncer() {
  # The port is set on the command line of this shell, because PgBouncer reads it only from its configuration.
  printf '%%include %s/pgbouncer.ini\nlisten_port = %s\n' "$folder" "$1" >"$folder/on_port.ini"
  chmod 644 "$folder/on_port.ini"
  cd "$folder" && as_ordinary_user pgbouncer "$folder/on_port.ini"
}

pgbouncer_answers() {
  "$postgres_bin/pg_isready" --quiet --host 127.0.0.1 --port "$1"
}

stop_pgbouncer() {
  stop_server_in "${pgbouncer_folder:-}" INT
}
