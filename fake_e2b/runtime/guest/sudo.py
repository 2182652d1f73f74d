"""The `sudo` and `su` of a sandbox: no password, no rules, the usual flags. Fact: sandbox.sudo"""

from __future__ import annotations

_SCRIPT = """\
#!/bin/sh
# sudo of a fake-e2b sandbox: whoever asks may.
user=root
shell=
login=
background=
folder=
preserve=
set_home=
kept=
list=
while [ $# -gt 0 ]; do
  case $1 in
    --) shift; break ;;
    --user=*) user=${1#*=}; shift ;;
    --chdir=*) folder=${1#*=}; shift ;;
    --preserve-env=*) kept="$kept $(echo "${1#*=}" | tr , ' ')"; shift ;;
    --user) user=$2; shift 2 ;;
    --chdir) folder=$2; shift 2 ;;
    --group|--host|--prompt|--close-from|--other-user|--role|--type|--command-timeout|--chroot)
      shift 2 ;;
    --login) login=1; shift ;;
    --shell) shell=1; shift ;;
    --background) background=1; shift ;;
    --preserve-env) preserve=1; shift ;;
    --set-home) set_home=1; shift ;;
    --list) list=1; shift ;;
    --validate|--remove-timestamp|--reset-timestamp) exit 0 ;;
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
          E) preserve=1 ;;
          H) set_home=1 ;;
          l) list=1 ;;
          k|K|v) [ $# -gt 0 ] || [ -n "$flags" ] || exit 0 ;;
          V) echo 'Sudo version 1.9.13p3'; exit 0 ;;
        esac
      done ;;
    *) break ;;
  esac
done
case $user in
  root|'#0') user=root user_id=0 group_id=0 home=@ROOT_HOME@ ;;
  user|'#1000') user=user user_id=1000 group_id=1000 home=@USER_HOME@ ;;
  *) @OTHER_USER@ ;;
esac
told=$(id)
caller_id=${told#uid=}; caller_id=${caller_id%%[!0-9]*}
caller_group=${told#*gid=}; caller_group=${caller_group%%[!0-9]*}
caller=${told%%)*}; caller=${caller#*(}
if [ -n "$list" ] && [ $# -eq 0 ]; then
  echo "Matching Defaults entries for $caller on $(uname -n):"
  echo '    env_reset, mail_badpass, secure_path=@SHOWN_PATH@, use_pty'
  echo
  echo "User $caller may run the following commands on $(uname -n):"
  echo '    (ALL : ALL) ALL'
  echo '    (ALL) NOPASSWD: ALL'
  exit 0
fi
while [ $# -gt 0 ]; do
  case ${1%%=*} in "$1"|''|[0-9]*|*[!A-Za-z0-9_]*) break ;; esac
  export "$1"
  kept="$kept ${1%%=*}"
  shift
done
[ -z "$folder" ] || cd "$folder" || exit 1
@SET_PATH@
if [ -n "$list" ]; then command -v -- "$1"; exit; fi
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
if [ -z "$preserve" ] || [ -n "$set_home$login" ]; then export HOME="$home"; fi
export USER="$user" LOGNAME="$user" SUDO_USER="$caller" SUDO_UID="$caller_id"
export SUDO_GID="$caller_group" SUDO_COMMAND="$*"
@RESET@
if [ -n "$background" ]; then
  @AS_USER@ "$@" &
  exit 0
fi
@AS_USER@ "$@"
"""

SECURE_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""Where sudo looks for programs, whatever the caller's PATH says."""

_OTHER_USER = """\
number=${user#\\#}
    home=
    while IFS=: read -r name _ user_id group_id _ home _; do
      if [ "$name" = "$user" ] || [ "$user_id" = "$number" ]; then break; fi
      home=
    done < /etc/passwd
    [ -n "$home" ] || { echo "sudo: unknown user $user" >&2; exit 1; }
    user=$name"""
_NO_OTHER_USER = 'echo "sudo: unknown user $user" >&2; exit 1'
# What of the caller's environment goes along, as sudo's built-in lists say.
_RESET = """\
if [ -z "$preserve" ]; then
  export MAIL="/var/mail/$user" SHELL=/bin/bash
  for name in PATH HOME USER LOGNAME SHELL MAIL SUDO_USER SUDO_UID SUDO_GID SUDO_COMMAND TERM \\
    COLORTERM COLORS LS_COLORS DISPLAY HOSTNAME XAUTHORITY XAUTHORIZATION KRB5CCNAME TZ \\
    LANG LANGUAGE LINGUAS LC_ALL LC_ADDRESS LC_COLLATE LC_CTYPE LC_IDENTIFICATION LC_MEASUREMENT \\
    LC_MESSAGES LC_MONETARY LC_NAME LC_NUMERIC LC_PAPER LC_TELEPHONE LC_TIME $kept
  do
    case $name in *[!A-Za-z0-9_]*|[0-9]*) continue ;; esac
    eval "[ -z \\"\\${$name+set}\\" ] || set -- \\"$name=\\${$name-}\\" \\"\\$@\\""
  done
  set -- env -i "$@"
fi"""


def sudo_script(*, become: str, root_home: str, user_home: str, whole_machine: bool = False) -> str:
    """The script's text.

    Args:
        become: Shell words that run the command after them as `$user`, whose numbers are
            `$user_id` and `$group_id`, in place of the script.
        whole_machine: Whether the machine's other users, programs and environment are the
            sandbox's own; then they are looked up, and reset, as sudo does.
    """
    set_path = f"export PATH={SECURE_PATH}" if whole_machine else ":"
    return (
        _SCRIPT.replace("@AS_USER@", become)
        .replace("@ROOT_HOME@", root_home)
        .replace("@USER_HOME@", user_home)
        .replace("@OTHER_USER@", _OTHER_USER if whole_machine else _NO_OTHER_USER)
        .replace("@SET_PATH@", set_path)
        .replace("@SHOWN_PATH@", SECURE_PATH.replace(":", "\\:"))
        .replace("@RESET@", _RESET if whole_machine else ":")
    )


_SU = """\
#!/bin/sh
# su of a fake-e2b sandbox whose users share one id: whoever asks may.
user=root
login=
shell=/bin/bash
command=
has_command=
while [ $# -gt 0 ]; do
  case $1 in
    -|-l|--login) login=1; shift ;;
    -c|--command|--session-command) has_command=1; command=$2; shift 2 ;;
    --command=*|--session-command=*) has_command=1; command=${1#*=}; shift ;;
    -s|--shell) shell=$2; shift 2 ;;
    --shell=*) shell=${1#*=}; shift ;;
    -g|--group|-G|--supp-group|-w|--whitelist-environment) shift 2 ;;
    --) shift ;;
    -*) shift ;;
    *) user=$1; shift; break ;;
  esac
done
case $user in
  root) home=/root user_id=0 ;;
  user) home=/home/user user_id=1000 ;;
  *) echo "su: user $user does not exist" >&2; exit 1 ;;
esac
export HOME="$home" USER="$user" LOGNAME="$user" SHELL="$shell"
group_id=$user_id
[ -z "$has_command" ] || set -- -c "$command" "$@"
if [ -n "$login" ]; then
  cd "$home" || exit 1
  set -- -l "$@"
fi
@BECOME@ "$shell" "$@"
"""


def su_script(*, become: str) -> str:
    """The text of `su`.

    Args:
        become: As for `sudo_script`.
    """
    return _SU.replace("@BECOME@", become)
