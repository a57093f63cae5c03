/* plumbline doctor: the options. */
#include "cmd.h"
#include "doctor.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

static const char USAGE[] = "plumbline doctor [--python PATH] [--format text|json]";

static const struct option OPTIONS[] = {{"python", required_argument, NULL, 'p'},
                                        {"format", required_argument, NULL, 'f'},
                                        {"help", no_argument, NULL, 'h'},
                                        {NULL, 0, NULL, 0}};

int doctor_main(int count, char **values) {
    DoctorOptions options = {0};
    int option;
    opterr = 0;
    while ((option = getopt_long(count, values, ":", OPTIONS, NULL)) != -1) {
        if (option == 'p') {
            options.python = optarg;
        } else if (option == 'f') {
            options.json = strcmp(optarg, "json") == 0;
            if (!options.json && strcmp(optarg, "text") != 0)
                return command_usage(USAGE, "there is no format '%s'; use text or json", optarg);
        } else if (option == 'h') {
            printf("usage: %s\n\nSays what works here and what to do about what doesn't. Exit status: 0 if a "
                   "step can run, "
                   "else 2.\n",
                   USAGE);
            return 0;
        } else {
            return command_usage(USAGE, "%s %s", values[optind - 1],
                                 option == ':' ? "needs a value" : "is no option");
        }
    }
    if (optind < count)
        return command_usage(USAGE, "'%s' is not an option", values[optind]);
    Arena *arena = arena_new();
    const char *report;
    bool ready = doctor_report(arena, &options, &report);
    fputs(report, stdout);
    arena_free(arena);
    return fflush(stdout) == 0 && ready ? 0 : VERDICT_ERROR;
}
