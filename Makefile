# One Makefile, not recursive; everything made goes under $(BUILD), laid out as `make install` does it.
#
#   make            the program and its modules         make demo     trace, bundle, run in a bare root
#   make deps       what is missing, by the machine's   make bench    paired ratios against peers
#                   package manager, or without root    make lint     format, includes, exports, versions
#   make check      the tests that fit 15 minutes       make format   lay the sources out
#   make check-all  every test                          make install  PREFIX, DESTDIR; uninstall
#   SANITIZE=address,undefined  instruments the program (never preload/ and auditor/)

VERSION := 0.1.0
PREFIX ?= /usr/local
BUILD ?= build
DEPS ?= build/deps
CC ?= gcc
# The compiler itself, where its libc is musl.
MUSL_CC ?= $(firstword $(wildcard $(DEPS)/bin/musl-gcc) $(if $(findstring musl,$(shell $(CC) -dumpmachine)),$(CC)) musl-gcc)
MULTIARCH := $(shell $(CC) -print-multiarch 2>/dev/null)
# Not all compilers know a multiarch.
MACHINE := $(firstword $(subst -, ,$(shell $(CC) -dumpmachine 2>/dev/null)))
LIBDIR := lib$(if $(MULTIARCH),/$(MULTIARCH))
LIBEXEC := $(BUILD)/libexec/sidebundle
MODULES := $(LIBEXEC)/$(LIBDIR)

WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wformat=2 -Wwrite-strings
# gcc and clang each pass over the other's word here; the launcher's compiler may be the other one.
WARN += -Wno-unknown-warning-option -Wno-format-truncation -Wno-gnu-variable-sized-type-not-at-end $(if $(CI),-Werror)
CPPFLAGS += -D_GNU_SOURCE -I. -DSB_VERSION='"$(VERSION)"' -DSB_LIBDIR='"$(LIBDIR)"'
CFLAGS ?= -O2 -g
STD := -std=gnu11 $(WARN) -fno-strict-aliasing -MMD -MP
SAN := $(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-omit-frame-pointer -fno-sanitize-recover=undefined)

# Packages fetched without root (tools/deps/fetch) live in the build tree; the program takes the libraries
# that the machine lacks along, so that `make install` need not keep the tree.
ifneq ($(wildcard $(DEPS)/usr/include),)
DEPS_LIB := $(abspath $(DEPS))/usr/lib/$(MULTIARCH)
DEPS_CFLAGS := -isystem $(DEPS)/usr/include -isystem $(DEPS)/usr/include/$(MULTIARCH)
DEPS_LDFLAGS := -L$(DEPS_LIB) -Wl,-rpath-link,$(DEPS_LIB)
DEPS_LDFLAGS += $(if $(wildcard $(DEPS_LIB)/crt1.o),-B$(DEPS_LIB)/)
# RPATH, not RUNPATH: the libraries' own needs are found by it too.
DEPS_RUN := -Wl,--disable-new-dtags,-rpath,'$$ORIGIN/../libexec/sidebundle/deps'
take_libraries = mkdir -p $(LIBEXEC)/deps && LD_LIBRARY_PATH=$(DEPS_LIB) ldd $@ | \
	sed -n 's,.* => \($(abspath $(DEPS))[^ ]*\) .*,\1,p' | xargs -r cp -L -t $(LIBEXEC)/deps
DEPS_TEST := -Wl,--disable-new-dtags,-rpath,$(DEPS_LIB)
export PATH := $(PATH):$(abspath $(DEPS))/usr/bin
endif
LIBS := -lelf -lcjson -lcap -lcrypto -lm -lpthread

# --- the program -----------------------------------------------------------------------------------
# What the exec hooks know of programs and environments, the program needs for the first one.
LIB_SRC := $(wildcard common/*.c tracer/*.c bundler/*.c) preload/entry.c preload/environ.c preload/inspect.c preload/raw.c
TOOL_SRC := $(wildcard tools/*.c)
LIB_OBJ := $(LIB_SRC:%.c=$(BUILD)/obj/%.o)
TOOL_OBJ := $(TOOL_SRC:%.c=$(BUILD)/obj/%.o)
PROGRAM := $(BUILD)/bin/sidebundle
PRELOAD := $(MODULES)/sidebundle-preload.so
AUDITOR := $(MODULES)/sidebundle-audit.so
LAUNCHER := $(LIBEXEC)/launcher
# The other machine's, where its compiler is there: create takes what a payload is of, and qemu-user runs it.
AARCH64_CC := $(if $(filter x86_64,$(MACHINE)),$(shell command -v aarch64-linux-gnu-gcc))
STARTS := $(if $(filter x86_64 aarch64,$(MACHINE)),$(LIBEXEC)/start) $(if $(AARCH64_CC),$(LIBEXEC)/start-aarch64)

PARTS := $(PROGRAM) $(BUILD)/bin/sidebundle-cli
PARTS += $(if $(wildcard preload/*.c),$(PRELOAD)) $(if $(wildcard auditor/*.c),$(AUDITOR))
PARTS += $(if $(wildcard launcher/*.c),$(LAUNCHER))
PARTS += $(STARTS)

.PHONY: all
all: $(PARTS)

$(BUILD)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(DEPS_CFLAGS) $(STD) $(CFLAGS) $(SAN) -c -o $@ $<

$(PROGRAM): $(TOOL_OBJ) $(LIB_OBJ)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(SAN) $(LDFLAGS) $(DEPS_LDFLAGS) $(DEPS_RUN) -o $@ $^ $(LIBS)
	$(if $(DEPS_LIB),@$(take_libraries))

$(BUILD)/bin/sidebundle-cli: $(PROGRAM)
	ln -sf sidebundle $@

# --- inside traced processes: no libc, no sanitizers, nothing newer than glibc 2.17 -------------------
# Unwind tables: a cancelled thread and a C++ exception pass through our frames.
TRACEE_CFLAGS := -std=gnu11 $(WARN) -O2 -g -fPIC -fno-stack-protector -fvisibility=hidden -ffreestanding \
	-fno-strict-aliasing -fasynchronous-unwind-tables -U_FORTIFY_SOURCE -fcf-protection=none -MMD -MP
# Hooks stand where a plain system call would: no vector register is touched, and what is called by
# assembler text finds no red zone below it.
TRACEE_CFLAGS += -mgeneral-regs-only $(if $(filter x86_64,$(MACHINE)),-mno-red-zone)
# libgcc's own atomics ask the libc for the processor.
AARCH64_CFLAGS := -mno-outline-atomics
TRACEE_CFLAGS += $(if $(filter aarch64,$(MACHINE)),$(AARCH64_CFLAGS))

# Laid out by hand: each page that is touched costs every exec.
TRACEE_LD := preload/module.ld
TRACEE_LINK := -Wl,-z,defs,-z,norelro,-z,now,-z,noseparate-code,--hash-style=gnu,-T,$(TRACEE_LD)
PRELOAD_SRC := $(filter-out preload/raw.c,$(wildcard preload/*.c))
# The audit module has the recorder in it, and none of the hooks.
AUDITOR_SRC := $(wildcard auditor/*.c) $(addprefix preload/,around_beneath.c around_socket.c bypass.c cancel.c chunk.c entry.c readable.c \
	environ.c exec.c exec_path.c hide.c inspect.c leaf_read.c leaf_write.c mem.c next.c recorder.c repeats.c \
	room.c route.c start.c tell.c told.c where.c)
$(BUILD)/tracee/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(DEPS_CFLAGS) $(TRACEE_CFLAGS) -c -o $@ $<

$(PRELOAD): $(PRELOAD_SRC:%.c=$(BUILD)/tracee/%.o) $(TRACEE_LD)
	@mkdir -p $(@D)
	$(CC) -shared -nostdlib $(TRACEE_LINK) -Wl,-soname,$(@F) -o $@ $(filter %.o,$^) -lgcc

$(AUDITOR): $(AUDITOR_SRC:%.c=$(BUILD)/tracee/%.o) $(TRACEE_LD)
	@mkdir -p $(@D)
	$(CC) -shared -nostdlib $(TRACEE_LINK) -Wl,-soname,$(@F) -o $@ $(filter %.o,$^) -lgcc

# --- the launcher: static, musl -------------------------------------------------------------------------
LAUNCHER_SRC := $(wildcard launcher/*.c) \
	$(addprefix common/,buf.c bwrap.c err.c fork.c namespace.c needs.c path.c probe.c strings.c)
$(BUILD)/launcher/%.o: %.c
	@mkdir -p $(@D)
	$(MUSL_CC) $(CPPFLAGS) $(STD) -Oz -flto=auto -fno-pie -ffunction-sections -fdata-sections \
		-fno-asynchronous-unwind-tables -c -o $@ $<

$(LAUNCHER): $(LAUNCHER_SRC:%.c=$(BUILD)/launcher/%.o)
	@mkdir -p $(@D)
	$(MUSL_CC) -static -no-pie -Oz -flto=auto -Wl,--gc-sections,-z,noseparate-code,-z,norelro -s -o $@ $^

# --- what host mode starts in a program's place: no libc, at an address of its own ------------------------
# Where a program that is not movable would never lie, and where sanitizers expect a program: below all
# addresses that the kernel gives to movable ones.
START_SRC := $(wildcard redirect/*.c) preload/mem.c
$(BUILD)/start/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(DEPS_CFLAGS) $(TRACEE_CFLAGS) -c -o $@ $<

# On aarch64 there with a 36-bit address space, too.
START_AT_x86_64 := 0x555100000000
START_AT_aarch64 := 0xf00000000
$(LIBEXEC)/start: START_CC = $(CC)
$(LIBEXEC)/start: START_AT := $(START_AT_$(MACHINE))
$(LIBEXEC)/start: $(START_SRC:%.c=$(BUILD)/start/%.o)
$(LIBEXEC)/start-aarch64: START_CC = $(AARCH64_CC)
$(LIBEXEC)/start-aarch64: START_AT := $(START_AT_aarch64)
$(LIBEXEC)/start-aarch64: $(START_SRC:%.c=$(BUILD)/aarch64/%.o)
$(STARTS):
	@mkdir -p $(@D)
	$(START_CC) -static -nostdlib -Wl,-Ttext-segment=$(START_AT),-z,noseparate-code,-z,norelro -s \
		-o $@ $(filter %.o,$^) -lgcc

# --- tests ------------------------------------------------------------------------------------------------
# Criterion's eq(str, ...) takes char *: literals are that here.
CRITERION_WARN := -Wno-write-strings
UNIT_SRC := $(wildcard tests/unit/*.c)
UNIT_BIN := $(UNIT_SRC:tests/unit/%.c=$(BUILD)/tests/unit/%)
TARGET_SRC := $(wildcard tests/targets/*.c)
TARGET_BIN := $(TARGET_SRC:tests/targets/%.c=$(BUILD)/tests/targets/%)

# The recorder is tested where it can be looked into: built like the program, in the test's own process.
RECORDER_OBJ := $(addprefix $(BUILD)/obj/preload/,around_beneath.o bypass.o cancel.o chunk.o entry.o exec.o exec_path.o readable.o leaf_read.o leaf_write.o \
	next.o plant.o popen.o recorder.o repeats.o room.o route.o share.o shell.o spawn.o spawn_dir.o start.o tell.o where.o)
$(addprefix $(BUILD)/tests/unit/,chunk exec exec_passes recorder recorder_images): $(RECORDER_OBJ)

$(BUILD)/tests/unit/stack: $(BUILD)/obj/auditor/stack.o
$(BUILD)/tests/unit/entry: $(BUILD)/obj/preload/entry.o
$(BUILD)/tests/unit/bypass: $(BUILD)/obj/preload/bypass.o
$(BUILD)/tests/unit/sites: $(BUILD)/obj/auditor/sites.o
$(BUILD)/tests/unit/thunk: $(BUILD)/obj/auditor/thunk.o $(RECORDER_OBJ)
$(BUILD)/tests/unit/redirect: $(BUILD)/obj/redirect/layer.o $(BUILD)/obj/redirect/lookup.o
$(BUILD)/tests/unit/redirect_memory: $(BUILD)/obj/redirect/memory.o

# The launcher's parts, but for its main, work with any libc.
LAUNCHER_OBJ := $(patsubst %.c,$(BUILD)/obj/%.o,$(filter-out %/main.c %/memory.c common/%,$(LAUNCHER_SRC)))
# No rule but a pattern's asks for them: make would take them away again.
.SECONDARY: $(LAUNCHER_OBJ)
$(BUILD)/tests/unit/%: tests/unit/%.c $(LIB_OBJ) $(filter-out %/main.o,$(TOOL_OBJ)) $(LAUNCHER_OBJ)
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(DEPS_CFLAGS) $(STD) $(CRITERION_WARN) $(CFLAGS) $(SAN) $(LDFLAGS) \
		$(DEPS_LDFLAGS) $(DEPS_TEST) -o $@ \
		$(filter-out $(if $(filter %/route.o,$^),%/preload/raw.o),$(filter %.c %.o,$^)) $(LIBS) -lcriterion

TEST_TOOL_SRC := $(wildcard tests/tools/*.c)
TEST_TOOL_BIN := $(TEST_TOOL_SRC:tests/tools/%.c=$(BUILD)/tests/tools/%)

# A target's own flags, where it needs some, stand on its lines `// cflags:` and `// libs:`.
$(BUILD)/tests/targets/every_call: $(wildcard tests/targets/every_call/*)
$(BUILD)/tests/targets/%: tests/targets/%.c $(wildcard tests/targets/*.h)
	@mkdir -p $(@D)
	$(CC) -D_GNU_SOURCE -I. -std=gnu11 -O1 -g $$(sed -n 's,^// cflags: ,,p' $<) -o $@ $< \
		$$(sed -n 's,^// libs: ,,p' $<)

# What the tests themselves use.
$(BUILD)/tests/tools/%: tests/tools/%.c $(wildcard tests/tools/*.h)
	@mkdir -p $(@D)
	$(CC) -D_GNU_SOURCE -std=gnu11 $(WARN) -O1 -g $(DEPS_CFLAGS) $(DEPS_LDFLAGS) $(DEPS_TEST) \
		-o $@ $< $$(sed -n 's,^// libs: ,,p' $<)

# Those that read traces are linked with the program's own parts.
$(addprefix $(BUILD)/tests/tools/,accesses holds oracle strangers): $(BUILD)/tests/tools/%: tests/tools/%.c \
		$(wildcard tests/tools/*.h) $(LIB_OBJ)
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(DEPS_CFLAGS) $(STD) $(CFLAGS) $(SAN) $(LDFLAGS) $(DEPS_LDFLAGS) $(DEPS_TEST) \
		-o $@ $(filter %.c %.o,$^) $(LIBS)

BENCH_BIN := $(patsubst tests/bench/%.c,$(BUILD)/tests/bench/%,$(wildcard tests/bench/*.c))
$(BUILD)/tests/bench/%: tests/bench/%.c
	@mkdir -p $(@D)
	$(CC) -D_GNU_SOURCE -std=gnu11 $(WARN) -O2 -o $@ $<

# Each runs over a corpus of its own for some seconds, without arguments.
FUZZ_BIN := $(patsubst tests/fuzz/%.c,$(BUILD)/tests/fuzz/%,$(wildcard tests/fuzz/*.c))
$(BUILD)/tests/fuzz/%: tests/fuzz/%.c tests/fuzz/engine.h $(LIB_OBJ) $(filter-out %/main.o,$(TOOL_OBJ)) $(LAUNCHER_OBJ)
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(DEPS_CFLAGS) $(STD) $(CFLAGS) $(SAN) $(LDFLAGS) $(DEPS_LDFLAGS) $(DEPS_TEST) \
		-o $@ $(filter %.c %.o,$^) $(LIBS)

# The modules for another machine, where its compiler is there: qemu-user runs them.
AARCH64_MODULES := $(addprefix $(BUILD)/tests/targets/aarch64/sidebundle-,preload.so audit.so)
$(BUILD)/aarch64/%.o: %.c
	@mkdir -p $(@D)
	$(AARCH64_CC) $(CPPFLAGS) $(filter-out -mno-red-zone,$(TRACEE_CFLAGS)) $(AARCH64_CFLAGS) -c -o $@ $<

$(BUILD)/tests/targets/aarch64/sidebundle-preload.so: $(PRELOAD_SRC:%.c=$(BUILD)/aarch64/%.o)
$(BUILD)/tests/targets/aarch64/sidebundle-audit.so: $(AUDITOR_SRC:%.c=$(BUILD)/aarch64/%.o)
$(AARCH64_MODULES): $(TRACEE_LD)
	@mkdir -p $(@D)
	$(AARCH64_CC) -shared -nostdlib $(TRACEE_LINK) -Wl,-soname,$(@F) -o $@ $(filter %.o,$^) -lgcc

.PHONY: unit unit-binaries targets deps roots check check-all check-built
unit-binaries: $(UNIT_BIN) $(FUZZ_BIN) $(PRELOAD) $(AUDITOR)
unit: unit-binaries
	@tests/run --build $(BUILD) --parts unit
targets: $(TARGET_BIN) $(TEST_TOOL_BIN) $(if $(AARCH64_CC),$(AARCH64_MODULES))

deps:
	@DEPS=$(DEPS) CC="$(CC)" tools/deps/install $(or $(SETS),build)
roots:
	@tests/roots $(ALL)
# What deps brings changes how this file is read: hence a make of its own.
check check-all:
	@$(MAKE) --no-print-directory deps SETS="build check subject$(if $(filter %all,$@), all)"
	@$(MAKE) --no-print-directory check-built ALL=$(if $(filter %all,$@),--all)
check-built: all unit-binaries targets roots
	@tests/run --build $(BUILD) --parts unit,cli,conformance,modes $(ALL) $(ONLY)

.PHONY: bench bench-built demo demo-built
bench:
	@$(MAKE) --no-print-directory deps SETS="build bench"
	@$(MAKE) --no-print-directory bench-built
bench-built: all $(BENCH_BIN)
	@BUILD=$(BUILD) tests/bench/run
demo:
	@$(MAKE) --no-print-directory deps SETS="build demo"
	@$(MAKE) --no-print-directory demo-built
demo-built: all $(BUILD)/tests/tools/enter
	@BUILD=$(BUILD) tests/demo

MAN := $(wildcard docs/*.[1-9])
DEST := $(DESTDIR)$(PREFIX)
.PHONY: install uninstall
install: all
	install -d '$(DEST)/bin' '$(DEST)/libexec' '$(DEST)/share'
	cp -a $(BUILD)/bin/sidebundle $(BUILD)/bin/sidebundle-cli '$(DEST)/bin/'
	cp -a $(BUILD)/libexec/sidebundle '$(DEST)/libexec/'
	for page in $(MAN); do install -D -m 644 $$page \
		'$(DEST)'/share/man/man$${page##*.}/$${page##*/} || exit 1; done
	install -D -m 644 docs/completions/sidebundle.bash \
		'$(DEST)/share/bash-completion/completions/sidebundle'
	install -D -m 644 docs/completions/_sidebundle '$(DEST)/share/zsh/site-functions/_sidebundle'
uninstall:
	rm -rf '$(DEST)/bin/sidebundle' '$(DEST)/bin/sidebundle-cli' '$(DEST)/libexec/sidebundle' \
		$(foreach p,$(MAN),'$(DEST)/share/man/man$(subst .,,$(suffix $p))/$(notdir $p)') \
		'$(DEST)/share/bash-completion/completions/sidebundle' \
		'$(DEST)/share/zsh/site-functions/_sidebundle'

.PHONY: lint
lint:
	@$(MAKE) --no-print-directory deps SETS="build lint"
	@$(MAKE) --no-print-directory all
	@tests/run --build $(BUILD) --parts lint $(ONLY)

.PHONY: format clean
format:
	clang-format -i $$(git ls-files '*.c' '*.h')

clean:
	rm -rf $(BUILD)/bin $(BUILD)/libexec $(BUILD)/obj $(BUILD)/tracee $(BUILD)/aarch64 $(BUILD)/launcher $(BUILD)/start $(BUILD)/tests

-include $(wildcard $(BUILD)/obj/*/*.d $(BUILD)/tracee/*/*.d $(BUILD)/aarch64/*/*.d $(BUILD)/launcher/*/*.d $(BUILD)/start/*/*.d $(BUILD)/tests/*/*.d)
