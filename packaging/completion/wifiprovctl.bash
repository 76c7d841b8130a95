# shellcheck shell=bash
# Completion of wifiprovctl for bash.

_wifiprovctl() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} words=
	local gateway='--adapter --timeout --address --passkey-file --no-pairing --forget --help'
	case $prev in
	--security) words='auto open wpa2 wpa2-sha256 wpa3 transition' ;;
	--adapter) words=$(cd /sys/class/bluetooth 2>/dev/null && printf '%s ' hci*) ;;
	--password-file | --passkey-file | --code-file | --config | --out | --serials) compopt -o default; return ;;
	--ssid | --address | --timeout | --for | --user | --name | --page | --count | --tpm2-pcrs) return ;;
	*)
		case ${COMP_WORDS[1]} in
		"$cur") words='scan provision watch erase status open close code seal doctor version help' ;;
		scan) words='--adapter --timeout --help' ;;
		provision) words="--ssid --country --security --password-file --code --code-file --user $gateway" ;;
		watch | erase) words=$gateway ;;
		status) words='--json --timeout --help' ;;
		open) words='--for --timeout --help' ;;
		close) words='--timeout --help' ;;
		code)
			case "code ${COMP_WORDS[2]}" in
			'code new') words='--user --print --config --timeout --help' ;;
			'code set') words='--user --code-file --config --timeout --help' ;;
			'code show-qr') words='--page --name --user --code-file --config --timeout --help' ;;
			'code label') words='--text --svg --png --pdf --page --out --name --user --code-file --config --timeout --help' ;;
			'code batch') words='--serials --count --page --out --name --user --config --timeout --help' ;;
			'code remove' | 'code status') words='--config --timeout --help' ;;
			*) words='new set label show-qr batch remove status' ;;
			esac
			;;
		seal) words='--undo --new-key --tpm2-pcrs --timeout --config --help' ;;
		doctor) words='--json --timeout --config --help' ;;
		esac
		;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
}
complete -F _wifiprovctl wifiprovctl
