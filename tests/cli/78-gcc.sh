# gcc: a driver that runs cc1, as and ld from places that only it knows, and then the program made.
# timeout: 300
. "$SB_TESTS/cli/lib.sh"
. "$SB_TESTS/cli/subject.sh"
need gcc
prepare() {
	cat >hello.c <<-'END'
		#include <math.h>
		#include <stdio.h>
		int main(int argc, char **argv)
		{
			printf("hello %d %s %.3f\n", argc, argv[1], sqrt(2.0 * argc));
			return 42;
		}
	END
}
subject sh -c 'gcc -O1 -Wall -Wextra -o hello hello.c -lm && ./hello world'
