# Shared by the suites. Sourced by tests/run and tests/*/run with the repository's root as working directory.
#
# A suite calls `begin NAME`, then `check` for each test, then `finish`. When it ends, its servers are stopped and its
# temporary folder is removed.

root=$PWD
suite=
suite_failed=0
scratch=
volume=
started=()

# begin NAME: creates a temporary folder `$scratch` for the suite, and cleans up when the suite ends.
begin() {
  suite=$1
  scratch=$(mktemp -d)
  chmod 755 "$scratch"
  trap clean_up EXIT
}

clean_up() {
  local pid
  for pid in "${started[@]}"; do
    kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null
  done
  [ -z "$volume" ] || umount "$volume"
  rm -rf "$scratch"
}

# small_volume SIZE: mounts a volume in memory that tests can fill; sets `$volume`.
small_volume() {
  mkdir "$scratch/volume" && mount -t tmpfs -o "size=$1,mode=755" tmpfs "$scratch/volume" && volume=$scratch/volume
}

# check TEST COMMAND...: runs the command as one test. Prints its output if it fails.
check() {
  local test=$1 log
  shift
  log=$scratch/check.log
  if "$@" >"$log" 2>&1; then
    echo "ok   $suite: $test"
  else
    echo "FAIL $suite: $test"
    tail -n 80 "$log" | sed 's/^/     /'
    suite_failed=1
  fi
}

# with_canary COMMAND...: runs the integration tests with a search for secrets in everything that the service writes.
with_canary() {
  local -x TEST_CANARY=1 OTEL_BSP_MAX_QUEUE_SIZE=65536
  "$@"
}

# catches TEST COMMAND...: a self-test. Succeeds if the command fails, given an injected fault.
catches() {
  local test=$1
  shift
  check "$test" refused "$@"
}

refused() {
  if "$@"; then
    echo "the injected fault was not detected"
    return 1
  fi
}

# skip TEST REASON
skip() {
  echo "skip $suite: $1: $2"
}

finish() {
  return "$suite_failed"
}

# has COMMAND
has() {
  command -v "$1" >/dev/null 2>&1
}

# packages NAME...: checks that these Debian packages are installed. As root with INSTALL=1 it installs missing ones.
packages() {
  local missing=() name
  for name in "$@"; do
    dpkg -s "$name" >/dev/null 2>&1 || missing+=("$name")
  done
  [ ${#missing[@]} -eq 0 ] && return
  if [ "${INSTALL:-}" != 1 ] || [ "$(id -u)" != 0 ] || ! has apt-get; then
    echo "missing packages: ${missing[*]}" >&2
    return 1
  fi
  # Two suites may run at the same time, and apt-get does not wait. In run level 1, packages do not start their servers.
  RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive flock "${TMPDIR:-/tmp}" sh -c 'apt-get update -qq && apt-get install -y -qq --no-install-recommends "$@"' sh \
    "${missing[@]}"
}

# installed STAMP COMMAND...: runs the command unless it has succeeded for this stamp, which `$home` records.
installed() {
  local stamp=$1 file=$home/$2.installed
  shift
  [ "$(cat "$file" 2>/dev/null)" = "$stamp" ] && return
  rm -f "$file"
  "$@" >&2 && echo "$stamp" >"$file"
}

# published_binary: builds the published binary and sets `$vestibule` to its path.
published_binary() {
  .ci/release || return
  vestibule=$root/target/published/release/vestibule
}

# service_binary: builds the binary that the suites run and sets `$vestibule` to its path: the published one with --full.
service_binary() {
  if [ -n "${FULL:-}" ]; then
    published_binary
    return
  fi
  # Built together with the tests, because their dependencies enable features. Otherwise, Cargo would build half of the
  # crates twice.
  cargo test --profile ci --workspace --locked --no-run || return
  vestibule=$root/target/ci/vestibule
}

# start_server FOLDER [VARIABLE=VALUE...]: starts `$vestibule` in the folder. The system chooses the port unless
# VESTIBULE_SERVER__LISTEN is among the variables. Sets `$server_url` and `$server_pid`.
start_server() {
  local folder=$1 line=
  shift
  mkdir -p "$folder"
  rm -f "$folder/server.out"
  (cd "$folder" && exec env VESTIBULE_SERVER__LISTEN=127.0.0.1:0 "$@" \
    "$vestibule" >server.out 2>server.err) &
  server_pid=$!
  started+=("$server_pid")
  for _ in $(seq 100); do
    line=$(grep -s 'first user' "$folder/server.out") && break
    kill -0 "$server_pid" 2>/dev/null || break
    sleep 0.1
  done
  if [ -z "$line" ]; then
    echo "the server did not start:" >&2
    cat "$folder/server.err" >&2
    return 1
  fi
  server_url=http://$(sed -n 's/^ *listens on *\([^,]*\).*/\1/p' "$folder/server.out")
}

# Rate limits so high that no suite reaches them, for servers with many users from one client IP.
without_limits=()
for limit in LOGIN_BURST LOGINS_PER_MINUTE REGISTRATIONS_PER_HOUR REJECTED_REFRESHES_PER_MINUTE REFRESHES_PER_MINUTE \
  FREE_FAILURES LOCKOUT_THRESHOLD; do
  without_limits+=("VESTIBULE_LIMITS__$limit=1000000")
done

# stop_server PID: sends SIGTERM and waits until the server has exited.
stop_server() {
  kill "$1" && wait "$1"
}
