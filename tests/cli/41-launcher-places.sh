# The launcher wherever it is put: moved, copied, read-only, on other machines, in other namespaces.
# shellcheck disable=SC2016,SC2154 # much of it is for the shell in the bundle
. "$SB_TESTS/cli/lib.sh"
. "$SB_TESTS/cli/hand_bundle.sh"
need userns
unset XDG_CACHE_HOME

small() {
	local size
	size=$(stat -c %s "$launcher") && [ "$size" -lt 100000 ] && ! readelf -l "$launcher" | grep -q INTERP
}
check "the launcher is static and small" small

new_bundle "$PWD/b" namespace
entry sh "$box"
plan arg sh
ln "$bundle/.launcher" b/bin/replay
plan entry replay exec "$box" arg sh arg -c arg 'cat in; echo more >>in && mkdir out && rm -r sub && cat in' \
	cwd /proj writable /proj writable /proj/sub
ln "$bundle/.launcher" b/bin/moved
plan entry moved exec "$box" arg sh arg -c \
	arg 'mv sub/dir sub/other && ls sub; mkdir sub/dir && rm sub/other/f && rmdir sub/other && ls sub' \
	cwd /proj writable /proj/sub
entry_with_libs ls "$(command -v ls)"
entry_with_libs cat "$(command -v cat)"
mkdir -p b/payload/proj/sub/dir
echo input >b/payload/proj/in
echo f >b/payload/proj/sub/dir/f
end_bundle
works() { [ "$("$@" -c 'echo fine; cat /proc/sys/kernel/ostype')" = $'fine\nLinux' ]; }
replays() { [ "$("$@")" = $'input\ninput\nmore' ]; }

# --- found by what was executed
elsewhere() { (cd / && works "$SB_WORK/b/bin/sh"); }
check "from any directory" elsewhere
named() { (exec -a "$1" b/bin/sh -c 'echo fine') | grep -qx fine; }
for name in x /bin/true '' --help; do check "as '$name'" named "$name"; done
by_link() {
	mkdir -p links && ln -sf "$PWD/b/bin/sh" links/tool && ln -sfn ../b/bin links/dir &&
		(PATH=$PWD/links:$PATH && works tool) && works links/dir/sh
}
check "through symlinks" by_link
no_locale() { env -i b/bin/sh -c 'echo fine; cat /proc/sys/kernel/ostype'; }
check "without any environment" expect_output $'fine\nLinux' no_locale
odd_name() {
	local name=$'odd: ,\\;\n\xff name'
	mkdir -p "$name" && cp -a b "$name/" && works "$name/b/bin/sh" && replays "$name/b/bin/replay"
}
check "in a directory with an odd name" odd_name
copied() {
	mkdir -p copies && cp -a b copies/cp && works copies/cp/bin/sh &&
		tar -cf - b | tar -C copies -xf - && works copies/b/bin/sh && mv copies/b copies/moved &&
		works copies/moved/bin/sh
}
check "after cp -a, tar and mv" copied
gone() { (mkdir gone && cd gone && rmdir ../gone && works "$SB_WORK/b/bin/sh"); }
check "from a directory that is gone" gone
lonely() { cp b/bin/sh lonely && ./lonely; }
check "outside its bundle it says so" expect_match "not in the bin/ of a bundle" lonely
renamed() { cp -a b renamed && mv renamed/bin/sh renamed/bin/bash && renamed/bin/bash; }
check "renamed it says so" expect_match "has no entry 'bash'" renamed
hostile() {
	cp -a b hostile && rm hostile/libexec/plan && printf "$1" >hostile/libexec/plan
	hostile/bin/sh -c :
	local status=$?
	rm -r hostile
	return $status
}
check "a plan that is cut short is 125" expect_status 125 hostile 'sidebundle-plan\0001\0mode\0auto'
check "a plan that leads out is 125" expect_match "^sidebundle: .*'/../x' is no value for 'exec'" \
	hostile 'sidebundle-plan\0001\0mode\0auto\0entry\0sh\0exec\0/../x\0end\0\0'
needs() { # KEY VALUE
	new_bundle "$PWD/needs" namespace
	plan "$@"
	entry sh "$box"
	end_bundle
	needs/bin/sh -c 'echo fine'
	local status=$?
	rm -r needs
	return $status
}
check "an older kernel will do" expect_output fine needs kernel 2.6.32
check "a kernel that is too old is told before the start" \
	expect_match "^sidebundle: namespace mode: this machine's kernel is Linux $(uname -r), .* need 99.1.0: run" needs kernel 99.1.0
check "with 125" expect_status 125 needs kernel 99.1.0
if [ "$(uname -m)" = x86_64 ]; then
	check "the processor will do" expect_output fine needs cpu x86-64
	check "a processor that is too old is told before the start" \
		expect_match "^sidebundle: namespace mode: .*processor has only .* need x86-64-v9: run" needs cpu x86-64-v9
fi
read_only() {
	cp -a b ro && chmod -R a-w ro && works ro/bin/sh && replays ro/bin/replay
	local status=$?
	chmod -R u+w ro
	return $status
}
check "read-only" read_only

# --- somebody else's bundle
if [ -d "$SB_ROOTS/trixie/etc" ] && [ ! -O "$SB_ROOTS/trixie/etc" ]; then
	new_bundle "$PWD/others" namespace
	ln "$bundle/.launcher" others/bin/edit
	rmdir others/payload && ln -s "$SB_ROOTS/trixie" others/payload
	plan entry edit exec /bin/sh arg sh arg -c \
		arg 'echo x >>.profile && rm .bashrc && mkdir a && mv a b && tail -n 1 .profile && ls -A' \
		cwd /etc/skel writable /etc/skel
	end_bundle
	check "another user's" expect_output $'x\n.bash_logout\n.profile\nb' others/bin/edit
else
	skip_check "another user's" "root, to have files of another user"
fi

# --- where the kernel refuses overlay: over two others it is one too many
stacked() { # SCRIPT
	unshare -rm sh -c '
		mount -t tmpfs t /mnt && mkdir -p /mnt/u1 /mnt/w1 /mnt/m1 /mnt/u2 /mnt/w2 /mnt/m2 &&
		mount -t overlay o -o "lowerdir='"$PWD/b"',upperdir=/mnt/u1,workdir=/mnt/w1,userxattr" /mnt/m1 &&
		mount -t overlay o -o lowerdir=/mnt/m1,upperdir=/mnt/u2,workdir=/mnt/w2,userxattr /mnt/m2 || exit 77
		'"$1"
}
if stacked : 2>/dev/null; then
	check "without overlay: the view" expect_output $'fine\nLinux' \
		stacked '/mnt/m2/bin/sh -c "echo fine; cat /proc/sys/kernel/ostype; ! touch /proj/x 2>/dev/null"'
	check "without overlay: its directory is not taken away while it runs" expect_output Linux \
		stacked '/mnt/m2/bin/sh -c "sleep 1; cat /proc/sys/kernel/ostype"'
	check "without overlay: inside itself" expect_output fine \
		stacked '/mnt/m2/bin/sh -c "/mnt/m2/bin/sh -c \"echo fine\""'
	check "without overlay: a replay writes" expect_output $'input\ninput\nmore' stacked /mnt/m2/bin/replay
	check "without overlay: nothing is changed" expect_output input stacked \
		'/mnt/m2/bin/replay >/dev/null; cat /mnt/m2/payload/proj/in'
	check "without overlay: nothing stays behind" nothing_left
else
	skip_check "without overlay" "overlay in a user namespace, twice"
fi
no_room() { env -u TMPDIR HOME=/nonexistent unshare -rm sh -c '
	mount --bind "$0" /mnt && mount -t tmpfs -o ro t /tmp && mount -t tmpfs -o ro t /var/tmp && cd / &&
	/mnt/bin/sh -c "echo x >/made && cat /made; mount | grep -c libexec; :" && /mnt/bin/replay' "$PWD/b"; }
check "without room on disk" expect_output $'x\n0\ninput\ninput\nmore' no_room

# --- other namespaces and machines
fake_root() { unshare -rm b/bin/sh -c 'id -u; touch /x && ls /x'; }
check "as root of a user namespace" expect_output $'0\n/x' fake_root
no_proc() { unshare -rm sh -c 'mount -t tmpfs t /proc && cd / && exec "$0" -c "echo fine"' "$PWD/b/bin/sh"; }
check "where /proc is missing" expect_output fine no_proc
by_relative_name() { unshare -rm sh -c 'mount -t tmpfs t /proc && exec b/bin/sh -c "echo fine"'; }
check "and by a relative name" expect_output fine by_relative_name
nested() { b/bin/sh -c "$PWD/b/bin/sh -c 'echo fine; cat /proc/sys/kernel/ostype'"; }
check "inside itself" expect_output $'fine\nLinux' nested
# Its directories are its own, whatever those of the program that starts it are.
replay_inside() { b/bin/sh -c "echo other >/proj/in; $PWD/b/bin/replay; cat /proj/in"; }
check "a replay inside" expect_output $'input\ninput\nmore\nother' replay_inside
if command -v bwrap >/dev/null && bwrap --dev-bind / / true 2>/dev/null; then
	check "inside bwrap" works bwrap --dev-bind / / b/bin/sh
else
	skip_check "inside bwrap" "bwrap is missing"
fi
for root in bare bullseye trixie; do
	if has_root $root; then
		there() { as_other_machine $root "$PWD/b" /bundle "$@"; }
		check "$root: a static program" works there /bundle/bin/sh
		check "$root: a program with libraries" expect_output dir there /bundle/bin/ls /proj/sub
		check "$root: a replay" replays there /bundle/bin/replay
		check "$root: the caller has a name" expect_output "$(id -u)" there /bundle/bin/sh -c 'id -u "$(id -un)"'
		below() { as_other_machine $root "$PWD/b" "$1" "$1/bin/sh" -c 'echo fine; cat /proc/sys/kernel/ostype'; }
		for at in /tmp/b /run/b /home/tester/b /opened/b; do
			check "$root: in $at" expect_output $'fine\nLinux' below $at
		done
		check "$root: nothing stays behind" expect_output '' there /bundle/bin/sh -c \
			'/bundle/bin/sh -c : 2>/dev/null; sleep 1; cd /tmp && ls -d sidebundle.??????/upper/nothing 2>/dev/null; :'
	else
		skip_check "$root" "the root of another machine: $root (make roots), or the right to enter it"
	fi
done
check "renames in recorded directories" expect_output $'other\ndir' b/bin/moved
