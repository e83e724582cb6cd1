# The tools that check the dependency tree, at exact versions, installed in target/supply-chain. Sourced after
# tests/support.sh.

home=$root/target/supply-chain

deny_version=0.20.2
cyclonedx_version=0.5.9

has_deny() {
  mkdir -p "$home" && installed "$deny_version" install_deny
}

install_deny() {
  install_crate "cargo-deny@$deny_version"
}

has_cyclonedx() {
  mkdir -p "$home" && installed "$cyclonedx_version" install_cyclonedx
}

install_cyclonedx() {
  install_crate "cargo-cyclonedx@$cyclonedx_version"
}

# install_crate NAME@VERSION: builds without optimization, because that takes longer than the tools run.
install_crate() {
  CARGO_PROFILE_DEV_DEBUG=0 CARGO_TARGET_DIR=$home/build cargo install --quiet --locked --debug --root "$home" "$1"
}

# deny FOLDER CHECK...: runs cargo-deny on the tree in the folder, with the .deny.toml there.
deny() (
  cd "$1" && shift && "$home/bin/cargo-deny" --workspace --locked --color never check --hide-inclusion-graph \
    --deny unmatched-skip --deny unnecessary-skip "$@"
)

# copy_sources FOLDER
copy_sources() {
  mkdir -p "$1" && tar --create --exclude=./target --exclude=./.git . | tar --extract --directory "$1"
}
