#include "preload/page.h"

#include <linux/mman.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "preload/arch.h"
#include "preload/recorder.h"

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif

/* A whole page of text, with nothing else in it: it is gone from here afterwards. */
extern const char sb_page_text[] __attribute__((visibility("hidden")));
__asm__(".pushsection .text.sb_page, \"ax\"\n"
	".balign " SB_ARCH_PAGE_SIZE "\n"
	"sb_page_text:\n" SB_ARCH_PAGE_CODE ".balign " SB_ARCH_PAGE_SIZE "\n"
	".popsection\n");

bool sb_page_map(void)
{
	long place = (long)SB_PAGE, there;

	/* Claimed first: mremap would take it from whoever has it. Before 4.17 the kernel takes the
	 * address for a hint, and gives another where it is not free. */
	there = sb_raw(SYS_mmap, place, SB_PAGE_SIZE, PROT_NONE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	if (there != place) {
		if ((unsigned long)there <= -4096UL)
			(void)sb_raw(SYS_munmap, there, SB_PAGE_SIZE, 0, 0, 0, 0);
		return false;
	}
	there = sb_raw(SYS_mremap, (long)sb_page_text, SB_PAGE_SIZE, SB_PAGE_SIZE,
		       MREMAP_MAYMOVE | MREMAP_FIXED, place, 0);
	if (there == place)
		return true;
	(void)sb_raw(SYS_munmap, place, SB_PAGE_SIZE, 0, 0, 0, 0);
	return false;
}

/*
 * What .eh_frame would hold of the page: every byte of it is called, and has no frame. DWARF 5,
 * section 6.4; LSB Core, chapter "Exception Frames"; the register numbers are each ABI's.
 */
static const struct {
	struct {
		uint32_t length, id;
		uint8_t version, augmentation, code_align, data_align, return_register;
		uint8_t rules[SB_ARCH_CIE_RULES];
	} __attribute__((packed)) cie;
	struct {
		uint32_t length, cie;
		uint64_t begin, size;
		uint32_t nothing;
	} __attribute__((packed)) fde;
	uint32_t end;
} __attribute__((packed)) frames = {
	.cie = {.length = sizeof(frames.cie) - sizeof(uint32_t),
		.version = 1,
		.code_align = 1,
		.data_align = 0x78, /* -8 */
		.return_register = SB_ARCH_RETURN_REGISTER,
		.rules = SB_ARCH_CIE},
	.fde = {.length = sizeof(frames.fde) - sizeof(uint32_t),
		.cie = sizeof(frames.cie) + sizeof(uint32_t),
		.begin = SB_PAGE,
		.size = SB_PAGE_SIZE},
};

void sb_page_tell_unwinder(void)
{
	static uint32_t told;
	void (*tell)(const void *) = sb_next("__register_frame");
	uint32_t untold = 0;

	if (tell &&
	    __atomic_compare_exchange_n(&told, &untold, 1, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		tell(&frames);
}
