# Shortcuts. The logic is in tests/run and in the commands of the binary.

# Run the server
serve:
    cargo run --release

# Run the tests that belong before each commit
quick:
    tests/run it lint

# Run every suite except timing and advisories
all:
    tests/run all

# Record the examples of the OpenAPI document and write openapi.yaml
examples:
    tests/run examples

# Build the published binary
release:
    .ci/release

# Write the SBOM of the published binary
sbom:
    .ci/sbom
