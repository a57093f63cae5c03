# Sourced by the end-to-end tests in bash: expectations, and their count.
# SHARE=K/N in the environment: only the Kth of every N cases; the others are counted as skipped.
passed=0 failed=0 skipped=0 case_number=0 last_report=${EPOCHREALTIME/./}

# Whether the next case is ours.
mine() {
    case_number=$((case_number + 1))
    [ -z "${SHARE:-}" ] || [ $(((case_number - 1) % ${SHARE#*/} + 1)) = "${SHARE%/*}" ] && return 0
    skipped=$((skipped + 1))
    return 1
}

# report NAME STATUS [OUTPUT]: a case is good if STATUS is 0
report() {
    local now=${EPOCHREALTIME/./}
    if [ "$2" = 0 ]; then
        passed=$((passed + 1))
        printf 'ok      %s, %d.%d s\n' "$1" $(((now - last_report) / 1000000)) $(((now - last_report) / 100000 % 10))
    else
        failed=$((failed + 1))
        printf 'FAILED  %s\n%s\n' "$1" "${3:-}"
    fi
    last_report=$now
}

# expect NAME STATUS TEXT COMMAND...: the exit status, and TEXT in what it prints. Later cases must not need what COMMAND does.
expect() {
    mine || return 0
    local title=$1 wanted=$2 words=$3 printed got # COMMAND may be a function with variables of its own
    shift 3
    printed=$("$@" 2>&1 </dev/null)
    got=$?
    [ "$got" = "$wanted" ] && [[ $printed == *"$words"* ]]
    report "$title" $? "exit $got, expected $wanted with \"$words\"
$printed"
}

# The last thing that a test does.
totals() {
    [ -z "${SHARE:-}" ] || echo "skipped $skipped cases: SHARE is $SHARE"
    echo "$passed passed, $failed failed, $skipped skipped"
    [ "$failed" = 0 ]
}
