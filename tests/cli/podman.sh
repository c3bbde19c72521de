# podman without root and without a network, for the cases about containers; source it after lib.sh.
# In a user namespace of one id, with a cgroup file system and a /run of its own.
#
#	pod [PREFIX...] -- PODMAN-ARGUMENTS...   runs podman, under PREFIX
#	import_box COMMAND...      makes ./image the image localhost/box, and skips the script where
#	                           podman cannot run COMMAND in it
#	"${run[@]}"                podman's arguments for a run
cat >containers.conf <<-'X'
	[containers]
	default_ulimits=["nofile=1024:1024"]
	cgroups="disabled"
	netns="none"
	[engine]
	cgroup_manager="cgroupfs"
	events_logger="file"
X
export CONTAINERS_CONF=$PWD/containers.conf
# Root of its namespace is not root here, which podman has to be told.
cat >within <<-'X'
	#!/bin/sh
	mount -t cgroup2 none /sys/fs/cgroup && mount -t tmpfs none /run || exit 125
	exec podman --root "$PWD/store" --runroot /run/containers --storage-driver vfs "$@"
X
chmod +x within
pod() { # [PREFIX...] -- PODMAN-ARGUMENTS...
	local -a prefix=()
	while [ "$1" != -- ]; do
		prefix+=("$1")
		shift
	done
	shift
	# Rights that are inherited would be more than the namespace gives.
	${prefix[@]+"${prefix[@]}"} setpriv --inh-caps=-all --ambient-caps=-all unshare -UrmC \
		env _CONTAINERS_USERNS_CONFIGURED=done _CONTAINERS_ROOTLESS_UID=0 _CONTAINERS_ROOTLESS_GID=0 \
		"$PWD/within" "$@"
}
run=(run --rm --pull=never --network none)
import_box() { # COMMAND...
	tar -C image --owner=0 --group=0 -cf image.tar .
	{ pod -- import image.tar localhost/box && pod -- "${run[@]}" localhost/box "$@"; } >first.log 2>&1 ||
		{ cat first.log; skip "podman, without root: $(tail -n 1 first.log)"; }
}
