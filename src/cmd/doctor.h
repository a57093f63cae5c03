/* doctor: what works on this machine, and what to do about what doesn't. */
#ifndef PLUMBLINE_CMD_DOCTOR_H
#define PLUMBLINE_CMD_DOCTOR_H

#include "base.h"

typedef struct DoctorOptions {
    const char *python; /* --python, or NULL */
    bool json;          /* --format json */
} DoctorOptions;

/* Looks at interpreters, torch, devices, and tries each layer of the sandbox in a real cell. `*report` is
 * text or JSON, ends with a newline, and belongs to the arena. True if a step can run here. */
bool doctor_report(Arena *arena, const DoctorOptions *options, const char **report);

#endif
