# tar, which starts gzip.
. "$SB_TESTS/cli/lib.sh"
. "$SB_TESTS/cli/subject.sh"
need tar gzip
prepare() {
	mkdir data
	echo one >data/one
	echo two >data/two
	tar --sort=name --mtime=@0 -czf data.tar.gz data
}
subject tar -tzf data.tar.gz
subject sh -c 'mkdir to && tar -C to -xzf data.tar.gz && cat to/data/one to/data/two'
