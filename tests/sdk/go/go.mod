// The client of openapi-generator for Go; the generated package is a folder of this module.
module sdk

go 1.23
