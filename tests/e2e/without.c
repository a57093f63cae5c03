/* Runs a command on a kernel without some system call, as far as the command can tell. Usage: without NUMBER
 * COMMAND... */
#include <errno.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int main(int argc, char **argv) {
    if (argc < 3) {
        fprintf(stderr, "usage: without NUMBER COMMAND...\n");
        return 2;
    }
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    if (filter == NULL || seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), atoi(argv[1]), 0) != 0 ||
        seccomp_load(filter) != 0) {
        fprintf(stderr, "without: the filter can't be loaded\n");
        return 2;
    }
    seccomp_release(filter);
    execvp(argv[2], argv + 2);
    perror(argv[2]);
    return 2;
}
