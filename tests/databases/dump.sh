# The backup of PostgreSQL and MariaDB that docs/operations.md describes. Sourced after tests/databases/servers.sh.

# documented PROGRAM: prints the block of commands of the page in which a command begins with this program.
documented() {
  awk -v program="$1" '
    /^```/ { if (wanted) print block; block = ""; wanted = 0; fenced = !fenced; next }
    fenced { block = block $0 "\n"; if ($1 == program) wanted = 1 }' docs/operations.md
}

# survives_dump PROGRAM URL: runs the documented commands of a program on the database `vestibule` of the server that the
# environment names, with a change between dump and restoration. `$injected_restore` replaces the restoration.
survives_dump() {
  local commands dump restore folder=$scratch/$1
  mkdir -p "$folder"
  commands=$(documented "$1")
  dump=$(head -n 1 <<<"$commands") restore=${injected_restore:-$(tail -n +2 <<<"$commands")}
  [ -n "$dump" ] && [ -n "$restore" ] || return
  (
    cd "$folder" || exit
    umask 077
    export VESTIBULE_DATABASE__URL=$2 VESTIBULE_KEYS__MASTER_KEY_FILE=$folder/master.key
    rm -f ./*
    "$vestibule" keys generate >master.key || exit
    echo my_password | "$vestibule" user add john --password-stdin || exit
    bash -e -u -c "$dump" || exit
    echo my_password | "$vestibule" user add jane --password-stdin || exit
    # It must not survive the restoration.
    "$vestibule" user list | grep -q jane || exit
    bash -e -u -c "$restore" || exit
    "$vestibule" audit verify || exit
    "$vestibule" user list | grep -q john && ! "$vestibule" user list | grep -q jane
  )
}

# dumps_postgres URL: runs survives_dump on the PostgreSQL server at a URL.
dumps_postgres() {
  local user=${1#*//} password host
  password=${user#*:} user=${user%%:*} password=${password%%@*}
  host=${1##*@} host=${host%/*}
  local -x PGUSER=$user PGPASSWORD=$password PGHOST=${host%:*} PGPORT=${host#*:} PATH=$postgres_bin:$PATH
  dropdb --if-exists vestibule && createdb vestibule && survives_dump pg_dump "${1%/*}/vestibule"
}

# dumps_mariadb URL: runs survives_dump on the MariaDB server at a URL.
dumps_mariadb() {
  local user=${1#*//} password host
  password=${user#*:} user=${user%%:*} password=${password%%@*}
  host=${1##*@}
  local -x HOME=$scratch/home
  mkdir -p "$HOME"
  printf '[client]\nuser=%s\npassword=%s\nhost=%s\nport=%s\n' "$user" "$password" "${host%:*}" "${host#*:}" >"$HOME/.my.cnf"
  chmod 600 "$HOME/.my.cnf"
  mariadb --execute 'CREATE OR REPLACE DATABASE vestibule CHARACTER SET utf8mb4' && survives_dump mariadb-dump "$1/vestibule"
}
