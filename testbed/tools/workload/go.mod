// The programs of the test bed's own images. They need no module but Go itself.
module laconic.invalid/testbed/tools/workload

go 1.26.0
