/* Interrupt: the one variable that a signal's handler can set. */
#include "interrupt.h"

#include <errno.h>
#include <stddef.h>
#include <unistd.h>

/* The only variable of the program that changes and is nobody's: a handler gets no context. */
static volatile sig_atomic_t interrupted;

static void note(int number) {
    static const char said[] =
        "\nplumbline: finishing what runs, and beginning nothing more; again to end now\n";
    int before = errno;
    (void)number;
    interrupted = 1;
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    ssize_t ignored = write(STDERR_FILENO, said, sizeof said - 1);
    (void)ignored;
    errno = before;
}

const volatile sig_atomic_t *interrupt_watch(void) {
    static const int numbers[] = {SIGINT, SIGTERM};
    struct sigaction action = {.sa_handler = note, .sa_flags = SA_RESTART}, before;
    sigemptyset(&action.sa_mask);
    sigaddset(&action.sa_mask, SIGINT);
    sigaddset(&action.sa_mask, SIGTERM);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        if (sigaction(numbers[i], NULL, &before) == 0 &&
            before.sa_handler != SIG_IGN) /* as after nohup, or & */
            sigaction(numbers[i], &action, NULL);
    return &interrupted;
}
