# A private MariaDB server for the tests, run by an unprivileged user. Sourced after tests/support.sh.

# shellcheck source=tests/databases/servers.sh
. tests/databases/servers.sh

# has_mariadb: installs the server's programs if they are missing and may be installed.
has_mariadb() {
  find_mariadb && return
  packages mariadb-server >&2 && find_mariadb
}

find_mariadb() {
  has mariadbd && has mariadb-install-db && has mariadb
}

# start_mariadb FOLDER: starts a server on a free port of 127.0.0.1. Sets `$mariadb_url`, without a database name, and
# `$mariadb_folder`.
start_mariadb() {
  local folder=$1 port password user
  mkdir -p "$folder"
  password=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
  # The server reads one statement per line.
  for user in vestibule operator; do
    printf '%s\n' "CREATE USER $user@'127.0.0.1' IDENTIFIED BY '$password';" "GRANT ALL ON *.* TO $user@'127.0.0.1';"
  done >"$folder/users.sql"
  # Like an application user on a managed server, this user cannot write while the server is read-only.
  echo "REVOKE READ_ONLY ADMIN ON *.* FROM vestibule@'127.0.0.1';" >>"$folder/users.sql"
  chmod 600 "$folder/users.sql"
  [ "$(id -u)" != 0 ] || chown -R nobody:nogroup "$folder"
  (cd "$folder" && as_ordinary_user mariadb-install-db --no-defaults --datadir="$folder/data" \
    --auth-root-authentication-method=normal --skip-test-db) >"$folder/install.log" 2>&1 || {
    cat "$folder/install.log" >&2
    return 1
  }
  mariadb_folder=$folder
  on_free_port "$folder" run_mariadb mariadb_answers || return
  mariadb_url=mysql://vestibule:$password@127.0.0.1:$port
}

run_mariadb() {
  cd "$folder" && as_ordinary_user mariadbd --no-defaults --datadir="$folder/data" --port="$1" \
    --bind-address=127.0.0.1 --skip-name-resolve --socket="$folder/socket" --pid-file="$folder/pid" --skip-log-bin \
    --innodb-flush-log-at-trx-commit="${mariadb_flush:-0}" --max-connections=500 --init-file="$folder/users.sql"
}

# The server is up when it accepts its user.
mariadb_answers() {
  MYSQL_PWD=$password mariadb --no-defaults --host=127.0.0.1 --port="$1" --user=vestibule --execute='DO 1'
}

stop_mariadb() {
  stop_server_in "${mariadb_folder:-}" TERM
}
