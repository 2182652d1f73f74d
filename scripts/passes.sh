# Sourced by scripts/test: passes of the tests, and in CI a second chance for few failures.

failed=()       # passes
unsteady=()     # tests that failed once and then passed
most_excused=3  # tests of a pass
lists=               # a folder for each run's

# A pass: its name, the command that starts pytest, `--`, the command's further arguments.
run_pass() {
  local name=$1 status=0 command=()
  shift
  while [ "$1" != -- ]; do command+=("$1"); shift; done
  shift
  say "tests as $name"
  if [ -z "${CI:-}" ]; then
    "${command[@]}" "$@" || status=$?
  else
    outcomes_of "${command[@]}" "$@" || status=$?
    if [ "$status" = 1 ] && passes_alone "$name" "${command[@]}"; then status=0; fi
  fi
  if [ "$status" != 0 ] && [ "$status" != 77 ]; then failed+=("tests as $name"); fi
}

# Run pytest by the command in $@; which tests failed and passed is in the folder $outcomes.
outcomes_of() {
  local status=0
  if [ -z "$lists" ]; then
    lists=$(mktemp -d)
    trap 'rm -rf "$lists"' EXIT
    chmod 711 "$lists"
  fi
  outcomes=$(mktemp -d "$lists/XXXXXX")
  chmod 777 "$outcomes"  # for whoever the tests run as
  "$@" -p tests.helpers.outcomes "--outcomes=$outcomes" || status=$?
  return "$status"
}

# Whether the few tests that have just failed pass twice, one after the other and nothing beside
# them. What crashed, could not be collected or is skipped now does not count as passed.
passes_alone() {
  local name=$1 first=$outcomes tests=() test turn
  shift
  [ -s "$first/failed" ] || return 1
  mapfile -t tests < "$first/failed"
  [ "${#tests[@]}" -le "$most_excused" ] || return 1
  for turn in first second; do
    say "the $turn time alone: ${tests[*]}"
    outcomes_of "$@" "${tests[@]}" && cmp -s "$first/failed" "$outcomes/passed" || return 1
  done
  for test in "${tests[@]}"; do unsteady+=("$test (as $name)"); done
}

# The last word: each unsteady test, and failure when a pass failed.
tell_passes() {
  local test
  for test in ${unsteady[@]+"${unsteady[@]}"}; do
    printf 'unsteady: %s failed once and passed twice alone; its failure is above\n' "$test" >&2
  done
  if [ "${#failed[@]}" -gt 0 ]; then die "failed: $(printf '%s; ' "${failed[@]}")"; fi
}
