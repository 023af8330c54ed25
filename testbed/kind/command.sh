# shellcheck shell=bash
# shellcheck disable=SC2034 # `status` is for those that use this

# attend COMMAND...: runs a command, hands on the signals that this shell gets, and puts its exit status into `status`.
# A shell that waits for a command in the foreground would see no signal before its end; one in the background has
# SIGINT ignored unless it is given back.
attend() {
  local command
  status=0
  env --default-signal=INT --default-signal=QUIT "$@" <&0 9>&- &
  command=$!
  # shellcheck disable=SC2064 # this command
  trap "kill -TERM $command 2>/dev/null || true" TERM HUP
  # From a terminal the command gets it too.
  trap : INT
  if [ -n "${stopping:-}" ]; then kill -TERM "$command"; fi
  while :; do
    wait "$command" && status=0 || status=$?
    kill -0 "$command" 2>/dev/null || break
  done
  # The end is not interrupted.
  trap '' TERM HUP INT
}
