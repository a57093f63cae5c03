/* interrupt: Ctrl-C and SIGTERM. The first asks to begin nothing more, the second ends the program. */
#ifndef PLUMBLINE_INTERRUPT_H
#define PLUMBLINE_INTERRUPT_H

#include <signal.h>

/* Watches from now on. What it gives becomes 1 at the first signal, which says so on stderr. Cells aren't
 * interrupted: they are in sessions of their own. */
const volatile sig_atomic_t *interrupt_watch(void);

#endif
