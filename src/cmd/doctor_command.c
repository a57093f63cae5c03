/* plumbline doctor: the options. */
#include "cmd.h"
#include "doctor.h"

#include <string.h>

static const Synopsis SYNOPSIS = {.usage = "plumbline doctor [--python PATH] [--format text|json]",
                                  .about = "Says what works here and what to do about what doesn't.",
                                  .status = "0 if a step can run, else 2"};

int doctor_main(int count, char **values) {
    Arena *arena = arena_new();
    CommonOptions common = {0};
    const Option options[] = {ROW_PYTHON(&common), ROW_FORMAT(&common, "text|json")};
    Words words = {0};
    int status = options_read(arena, &SYNOPSIS, options, COUNT_OF(options), count, values, &words);
    if (status < 0 && words.count > 0)
        status = options_wrong(&SYNOPSIS, "'%s' is not an option", words.items[0]);
    if (status < 0) {
        const DoctorOptions doctor = {.python = common.python, .json = command_json(&common)};
        const char *report;
        const bool ready = doctor_report(arena, &doctor, &report);
        status = command_print((Bytes){(const uint8_t *)report, strlen(report)}, ready ? 0 : VERDICT_ERROR);
    }
    arena_free(arena);
    return status;
}
