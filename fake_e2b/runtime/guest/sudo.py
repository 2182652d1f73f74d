"""The `sudo` of a sandbox: no password, no rules, the usual flags."""

from __future__ import annotations

_SCRIPT = """\
#!/bin/sh
# sudo of a fake-e2b sandbox: whoever asks may.
user=root
shell=
login=
background=
folder=
while [ $# -gt 0 ]; do
  case $1 in
    --) shift; break ;;
    --user=*) user=${1#*=}; shift ;;
    --chdir=*) folder=${1#*=}; shift ;;
    --user) user=$2; shift 2 ;;
    --chdir) folder=$2; shift 2 ;;
    --group|--host|--prompt|--close-from|--other-user|--role|--type|--command-timeout|--chroot)
      shift 2 ;;
    --login) login=1; shift ;;
    --shell) shell=1; shift ;;
    --background) background=1; shift ;;
    --validate|--remove-timestamp|--reset-timestamp|--list) exit 0 ;;
    --version) echo 'Sudo version 1.9.13p3'; exit 0 ;;
    --*) shift ;;
    -?*)
      flags=${1#-}; shift
      while [ -n "$flags" ]; do
        rest=${flags#?}; flag=${flags%"$rest"}; flags=$rest
        case $flag in
          u|g|h|p|C|D|R|r|t|T|U)
            if [ -n "$flags" ]; then value=$flags; flags=; else value=$1; shift; fi
            case $flag in u) user=$value ;; D) folder=$value ;; esac ;;
          i) login=1 ;;
          s) shell=1 ;;
          b) background=1 ;;
          k|K|v|l) [ $# -gt 0 ] || [ -n "$flags" ] || exit 0 ;;
          V) echo 'Sudo version 1.9.13p3'; exit 0 ;;
        esac
      done ;;
    *) break ;;
  esac
done
user=${user#\\#}
case $user in 0) user=root ;; 1000) user=user ;; esac
case $user in
  root) home=@ROOT_HOME@ ;;
  user) home=@USER_HOME@ ;;
  *) echo "sudo: unknown user $user" >&2; exit 1 ;;
esac
command_user=${SUDO_USER:-$(id -un)}
while [ $# -gt 0 ]; do
  case $1 in
    -*|*/*) break ;;
    [A-Za-z_]*=*) export "$1"; shift ;;
    *) break ;;
  esac
done
[ -z "$folder" ] || cd "$folder" || exit 1
if [ -n "$login" ]; then
  cd "$home" || exit 1
  if [ $# -gt 0 ]; then set -- /bin/bash -l -c "$*"; else set -- /bin/bash -l; fi
elif [ -n "$shell" ]; then
  if [ $# -gt 0 ]; then set -- "${SHELL:-/bin/bash}" -c "$*"; else set -- "${SHELL:-/bin/bash}"; fi
elif [ $# -eq 0 ]; then
  echo 'usage: sudo [-AbEHknPS] [-D directory] [-u user] [VAR=value] [-i | -s] [command]' >&2
  exit 1
fi
if [ "${1#*/}" = "$1" ] && ! command -v -- "$1" >/dev/null 2>&1; then
  echo "sudo: $1: command not found" >&2
  exit 1
fi
export HOME="$home" USER="$user" LOGNAME="$user" SUDO_USER="$command_user"
if [ -n "$background" ]; then
  @AS_USER@ "$@" &
  exit 0
fi
@AS_USER@ "$@"
"""


def sudo_script(*, become: str, root_home: str, user_home: str) -> str:
    """The script's text.

    Args:
        become: Shell words that run the command after them as `$user`, in place of the script.
    """
    return (
        _SCRIPT.replace("@AS_USER@", become)
        .replace("@ROOT_HOME@", root_home)
        .replace("@USER_HOME@", user_home)
    )
