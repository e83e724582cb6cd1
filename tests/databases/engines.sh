# Runs the integration tests on every database. Sourced with the repository's root as working directory.

# shellcheck source=tests/support.sh
. tests/support.sh
# shellcheck source=tests/databases/postgres.sh
. tests/databases/postgres.sh
# shellcheck source=tests/databases/mariadb.sh
. tests/databases/mariadb.sh

# on ENGINE URL FOLDER [FILTER...]: runs the integration tests, each with its own database. Without a URL they run on
# SQLite. Tests that stop the server find in its folder how to restart it. With `$without_canary`, the output is not
# searched for secrets.
on() {
  local engine=$1 url=$2 folder=$3
  shift 3
  echo "-- $engine"
  env ${without_canary:+-u TEST_CANARY} ${url:+"TEST_DATABASE=$url" "TEST_DATABASE_FOLDER=$folder"} cargo test --profile ci --workspace --locked --test it -- "$@" || suite_failed=1
}

# starts ENGINE COMMAND...: starts a server as one test. Succeeds if it runs.
starts() {
  local before=$suite_failed failed
  suite_failed=0
  check "$1 starts" "${@:2}"
  failed=$suite_failed
  [ "$before" = 0 ] || suite_failed=$before
  return "$failed"
}

# on_each_server COMMAND [ARGUMENT...]: runs `COMMAND ENGINE URL FOLDER ARGUMENT...` with PostgreSQL and with MariaDB.
on_each_server() {
  local command=$1
  shift
  if has_postgres; then
    if starts PostgreSQL start_postgres "${volume:-$scratch}/postgres"; then
      "$command" PostgreSQL "$postgres_url" "$postgres_folder" "$@"
      check "PostgreSQL stops" stop_postgres
      # Free the volume for the next server.
      rm -rf "$postgres_folder"
    fi
  else
    skip "PostgreSQL" "needs Debian's package postgresql"
  fi
  if has_mariadb; then
    trap 'stop_mariadb; clean_up' EXIT
    if starts MariaDB start_mariadb "${volume:-$scratch}/mariadb"; then
      "$command" MariaDB "$mariadb_url" "$mariadb_folder" "$@"
      check "MariaDB stops" stop_mariadb
    fi
  else
    skip "MariaDB" "needs Debian's package mariadb-server"
  fi
}

# on_each_engine COMMAND [ARGUMENT...]: does the same, and also with SQLite, which has neither URL nor folder.
on_each_engine() {
  "$1" SQLite "" "" "${@:2}"
  on_each_server "$@"
}
