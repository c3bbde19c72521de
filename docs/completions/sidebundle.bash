# bash completion for sidebundle.
_sidebundle() {
	local cur prev command='' i
	cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		trace | show | diff | merge | deps | create | run | inspect | verify | doctor | help) command=${COMP_WORDS[i]}; break ;;
		esac
	done
	case $prev in
	--log-level) COMPREPLY=($(compgen -W 'error warn info debug trace' -- "$cur")); return ;;
	--color) COMPREPLY=($(compgen -W 'auto always never' -- "$cur")); return ;;
	-b | --backend) COMPREPLY=($(compgen -W 'auto hybrid audit notify ptrace fanotify combined' -- "$cur")); return ;;
	--trace-backend) COMPREPLY=($(compgen -W 'auto hybrid audit notify ptrace fanotify combined off' -- "$cur")); return ;;
	--io-uring) COMPREPLY=($(compgen -W 'refuse allow' -- "$cur")); return ;;
	--run-mode) COMPREPLY=($(compgen -W 'host namespace bwrap chroot auto' -- "$cur")); return ;;
	-f | --format)
		case $command in
		show) COMPREPLY=($(compgen -W 'table paths json' -- "$cur")) ;;
		diff | doctor | inspect) COMPREPLY=($(compgen -W 'table json' -- "$cur")) ;;
		deps) COMPREPLY=($(compgen -W 'tree paths json' -- "$cur")) ;;
		esac
		return
		;;
	-k | --kind)
		COMPREPLY=($(compgen -W 'exec open load search stat readlink list write connect' -- "$cur"))
		return
		;;
	--out-dir | --trace-root | --copy-dir | --bind) mapfile -t COMPREPLY < <(compgen -d -- "$cur"); return ;;
	esac
	if [[ $cur == -* ]]; then
		local common='--help --version --log-level --color' own=''
		case $command in
		trace) own='--backend --output --timeout --wait-all --io-uring --include --exclude' ;;
		show) own='--kind --format --null --failed --as-named --tree' ;;
		doctor | inspect) own=--format ;;
		diff) own='--kind --format' ;;
		merge) own=--output ;;
		deps) own='--format --trace-root' ;;
		create) own='--from-host --from-trace --copy-dir --set-env --include --exclude --name
			--out-dir --run-mode --bind --no-home --no-net --trace-backend --trace-root --allow-gpu-libs --allow-secrets
			--strict-validate --dry-run --force' ;;
		run) own=--run-mode ;;
		esac
		COMPREPLY=($(compgen -W "$common $own" -- "$cur"))
	elif [ -z "$command" ] || [ "$command" = help ]; then
		COMPREPLY=($(compgen -W 'trace show diff merge deps create run inspect verify doctor help' -- "$cur"))
	else
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
	fi
}
complete -o filenames -F _sidebundle sidebundle sidebundle-cli
