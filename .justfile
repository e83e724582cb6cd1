# Shorthands; whatever has logic is in tests/run or a subcommand of the binary.

# Run the server
serve:
    cargo run --release

# What to run before each commit
quick:
    tests/run it lint

# Everything
all:
    tests/run all

# Record the document's examples and write openapi.yaml
examples:
    tests/run examples

# Build the binary that is published
release:
    .ci/release

# Write what it is made of
sbom:
    .ci/sbom
