# perl with modules, written in Perl and in C.
. "$SB_TESTS/cli/lib.sh"
. "$SB_TESTS/cli/subject.sh"
need perl
subject perl -MJSON::PP -MDigest::SHA=sha256_hex -MPOSIX=floor -MData::Dumper -MFile::Temp=tempfile -e '
	my ($handle, $name) = tempfile();
	print $handle "kept";
	close $handle;
	print JSON::PP->new->canonical->encode({ floor => floor(2.5), size => -s $name }), "\n";
	print sha256_hex("sidebundle"), "\n";
	$Data::Dumper::Sortkeys = 1;
	print Dumper({ a => [1, 2] });
	print STDERR "to stderr\n";
	exit 3;
'
