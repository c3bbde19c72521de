/* maps: prints what is mapped into it. */
#include <err.h>
#include <stdio.h>

int main(void)
{
	FILE *f = fopen("/proc/self/maps", "r");
	char line[1024];

	if (!f)
		err(1, "/proc/self/maps");
	while (fgets(line, sizeof line, f))
		fputs(line, stdout);
	fclose(f);
	return 0;
}
