# Where the bundle lies, whose it is, and machines that lack what others have: in every mode the same
# answer, or a line that names the mode and the remedy.
# shellcheck disable=SC2016,SC2154 # for the shell in the bundle
. "$SB_TESTS/cli/lib.sh"
. "$SB_TESTS/modes/mode.sh"
. "$SB_TESTS/cli/hand_bundle.sh"
need userns
unset XDG_CACHE_HOME

new_bundle "$PWD/b" "$SB_MODE"
entry sh "$box"
plan arg sh
entry_with_libs cat "$(command -v cat)"
command -v bwrap >/dev/null && entry_with_libs bwrap "$(command -v bwrap)"
end_bundle
export box
said='echo fine; exit 7'
fine() { # COMMAND...: prints what it is to, and ends so
	local out status=0
	out=$("$@") || status=$?
	[ "$status" -eq 7 ] && [ "$out" = fine ] && return 0
	printf 'status %s, printed: %s\nby: %s\n' "$status" "$out" "$*"
	return 1
}
# As root of a user namespace, in which this machine is made to look otherwise; $1 is the bundle.
elsewhere() { # SCRIPT
	unshare -rm sh -c "$1" - "$PWD/b"
}
refused() { # ERE SCRIPT: in one line, that names the mode
	local status=0
	elsewhere "$2" >out 2>err || status=$?
	[ "$status" -eq 125 ] && [ "$(wc -l <err)" -eq 1 ] && grep -qE "^sidebundle: $SB_MODE mode: .*$1" err && return 0
	echo "status $status"
	cat out err
	return 1
}

# --- where it lies
for at in /tmp /run /home /mnt /dev/shm; do
	[ -d $at ] || continue
	below() { elsewhere "mount --bind \"\$1\" /srv && mount -t tmpfs t $at && mkdir $at/x && mount -n --move /srv $at/x && exec $at/x/bin/sh -c '$said'"; }
	mode_check "in $at" fine below
done
frozen() { elsewhere "mount --bind \"\$1\" /mnt && mount -o remount,bind,ro /mnt && exec /mnt/bin/sh -c '$said'"; }
mode_check "on a file system that is read-only" fine frozen
unwritable() {
	chmod -R a-w b && fine b/bin/sh -c "$said"
	local status=$?
	chmod -R u+w b
	return $status
}
mode_check "without the right to write to it" unwritable
if [ -d "$SB_ROOTS/trixie/etc" ] && [ ! -O "$SB_ROOTS/trixie/etc" ]; then
	new_bundle "$PWD/others" "$SB_MODE"
	ln "$bundle/.launcher" others/bin/sh
	# All of it may be read by all, as in any bundle: which is not so for the top of a root.
	rmdir others/payload && ln -s "$SB_ROOTS/trixie/usr" others/payload
	plan entry sh exec /bin/sh interp /lib64/ld-linux-x86-64.so.2 lib /lib/x86_64-linux-gnu
	end_bundle
	chmod -R a-w others
	mode_check "another user's" fine others/bin/sh -c "$said"
	chmod -R u+w others 2>/dev/null
else
	skip_check "another user's" "the root of another machine: trixie (make roots), and root to own it"
fi

# --- what the machine lacks
mode_check "without any file in /etc" fine elsewhere "mount -t tmpfs t /etc && exec \"\$1/bin/sh\" -c '$said'"
no_hosts() {
	elsewhere "mount -t tmpfs t /etc && printf '%s\n' root:x:0:0::/:/bin/sh >/etc/passwd && ln -s nowhere /etc/resolv.conf &&
		exec \"\$1/bin/sh\" -c '$said'"
}
mode_check "with links in /etc that lead nowhere" fine no_hosts
zone='mount -t tmpfs t /etc && mount -t tmpfs t /srv && mkdir -p /srv/zoneinfo/Mars && echo fine >/srv/zoneinfo/Mars/Base &&
	ln -s ../srv/zoneinfo/Mars/Base /etc/localtime && exec "$1/bin/sh" -c'
mode_check "a time zone's name" expect_output ../srv/zoneinfo/Mars/Base elsewhere "$zone '\$box readlink /etc/localtime'"
mode_check "and the zone" fine elsewhere "$zone 'cat /etc/localtime; exit 7'"
if [ "$SB_MODE" != host ]; then
	# What is kept of the first run's zone is not in the second's way.
	moves() {
		local to
		for to in Base Crater; do
			elsewhere "mkdir -p kept && export SIDEBUNDLE_WRITABLE=$PWD/kept && ${zone//Base/$to} 'cat /etc/localtime; echo $to'" || return 1
		done
		rm -rf kept
	}
	mode_check "another zone in a layer that is kept" expect_output $'fine\nBase\nfine\nCrater' moves
fi
few_devices='mkdir d && mount -t tmpfs t d && for n in null zero; do touch d/$n && mount --bind /dev/$n d/$n || exit 1; done &&
	mount -n --move d /dev && rmdir d'
mode_check "without terminals and /dev/shm" fine elsewhere "$few_devices && exec \"\$1/bin/sh\" -c '$said'"
no_tmp='for d in /tmp /var/tmp; do mount -t tmpfs -o ro,mode=0755 t "$d"; done'
deep() { # The tests' own directory lies below /tmp.
	elsewhere "mount --bind \"\$1\" /mnt && cd / && $no_tmp && exec /mnt/bin/sh -c '$said'"
}
case $SB_MODE in
bwrap) # There, somebody else mounts: a layer needs room that is there already.
	no_room() {
		refused 'no room for what the program writes \(set TMPDIR\)' \
			"mount --bind \"\$1\" /mnt && cd / && mount -t tmpfs -o ro t /dev/shm && $no_tmp && exec /mnt/bin/sh -c :"
	}
	mode_check "without any place to write" no_room
	;;
*) mode_check "without any place to write" fine deep ;;
esac
no_proc="mount -t tmpfs t /proc && cd / && exec \"\$1/bin/sh\""
case $SB_MODE in
bwrap) mode_check "without /proc" refused "'/proc/self/exe' \\(is /proc mounted\\?\\)" "$no_proc -c :" ;;
*) mode_check "without /proc" fine elsewhere "$no_proc -c '$said'" ;;
esac
case $SB_MODE in
namespace) # Who is not root needs /proc to make one.
	no_map() { "$SB_TOOLS/enter" --root "$SB_ROOTS/bare" --ro-bind "$PWD/b" /b -- /b/bin/sh -c "$said"; }
	if has_root bare; then mode_check "on a bare machine" fine no_map; else skip_check "on a bare machine" "the right to enter one"; fi
	;;
esac

# --- what the bundle needs
needs() { # KEY VALUE
	new_bundle "$PWD/needs" "$SB_MODE"
	plan "$@"
	entry sh "$box"
	end_bundle
	needs/bin/sh -c "$said" 2>err
	local status=$?
	rm -r needs
	return $status
}
too_new() { # ERE KEY VALUE
	local status=0
	needs "$2" "$3" || status=$?
	[ "$status" -eq 125 ] && [ "$(wc -l <err)" -eq 1 ] && grep -qE "^sidebundle: $SB_MODE mode: $1" err && return 0
	echo "status $status: $(cat err)"
	return 1
}
mode_check "an older kernel" fine needs kernel 3.2.0
mode_check "a newer kernel, told before the start" too_new "this machine's kernel is Linux .* need 99.1.0: run" kernel 99.1.0
if [ "$(uname -m)" = x86_64 ]; then
	mode_check "a newer processor, told before the start" too_new '.*processor has only .* need x86-64-v9: run' cpu x86-64-v9
fi

# --- rights
if [ "$SB_MODE" = host ] || [ "$SB_MODE" = chroot ]; then
	mode_check "without user namespaces" fine "$SB_TOOLS/lockdown" no-userns -- b/bin/sh -c "$said"
fi
mode_check "without seccomp" fine "$SB_TOOLS/lockdown" no-seccomp -- b/bin/sh -c "$said"
mode_check "without ptrace and the memory of others" fine "$SB_TOOLS/lockdown" no-ptrace no-memory -- b/bin/sh -c "$said"

# --- in itself: what it starts is its own bundle again, by the same mode
path=$PWD/b/bin/sh
inside() { # Chroot mode leaves root its rights, and nobody else.
	if [ "$SB_MODE" = chroot ]; then unshare -rm "$@"; else "$@"; fi
}
mode_check "in itself" fine inside b/bin/sh -c "$path -c '$said'"
mode_check "in itself, in itself" fine inside b/bin/sh -c "$path -c '$path -c \"$said\"'"
crowd() {
	local i pids=() bad=0
	for i in {1..8}; do
		inside b/bin/sh -c "[ \"\$($path -c 'echo $i')\" = $i ]" &
		pids+=($!)
	done
	for i in "${pids[@]}"; do wait "$i" || bad=1; done
	return $bad
}
mode_check "by no mode that there is not" expect_match "there is no run mode 'none'" \
	inside b/bin/sh -c "SIDEBUNDLE_RUN_MODE=none $path -c '$said'"
mode_check "many of them at once" crowd
# Where none of the user's folders is, in its own view; it finds there what was written by the first.
again="mount --bind \"\$1\" /mnt && cd / && SIDEBUNDLE_VERBOSE= exec /mnt/bin/sh -c"
mode_check "by its own name, wherever it lies" fine elsewhere "$again '/mnt/bin/sh -c \"$said\"'"
if [ "$SB_MODE" != host ]; then
	mode_check "with what it wrote" fine elsewhere "$again 'echo fine >/made; /mnt/bin/sh -c \"cat /made; exit 7\"'"
	mode_check "as verbose says" expect_match "$SB_MODE mode.*
sidebundle: inside mode" elsewhere "SIDEBUNDLE_VERBOSE=1; export SIDEBUNDLE_VERBOSE; ${again/SIDEBUNDLE_VERBOSE=/} '/mnt/bin/sh -c : 2>&1' 2>&1"
	mode_check "by what it was asked for, too" fine elsewhere \
		"export SIDEBUNDLE_BIND=tmp:/mnt SIDEBUNDLE_NET=1; $again 'echo fine >/made; /mnt/bin/sh -c \"cat /made; exit 7\"'"
	mode_check "which is read-only there" fine elsewhere \
		"$again '/mnt/bin/sh -c \"(: >/mnt/new) 2>/dev/null || echo fine; exit 7\"'"
	mode_check "and not shown to who says what is bound" fine elsewhere \
		"export SIDEBUNDLE_BIND=none; $again 'test -e /mnt/bin || echo fine; exit 7'"
	mode_check "a view of its own, for who asks for one" fine elsewhere \
		"$again 'echo x >/made; SIDEBUNDLE_BIND=cwd SIDEBUNDLE_RUN_MODE=namespace /mnt/bin/sh -c \"test -e /made || echo fine; exit 7\"'"
	replaced="echo x >/made; \$box mv b old && \$box cp -a old b && SIDEBUNDLE_RUN_MODE=namespace $path -c 'test -e /made || echo fine; exit 7'"
	mode_check "and where another bundle has taken its name" fine inside b/bin/sh -c "$replaced"
	rm -rf old
fi
mode_check "nothing stays behind" nothing_left
