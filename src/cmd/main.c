/* plumbline: which subcommand. */
#include "cmd.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

typedef struct Command {
    const char *name;
    int (*run)(int count, char **arguments);
    const char *summary;
} Command;

static const Command COMMANDS[] = {
    {"check", check_main,
     "a whole decomposition: every component, step, the recomposed model, the checklist"},
    {"step", step_main, "verify one step: a refactored file against its parent"},
    {"component", component_main, "components by themselves: their own tests, and what their level claims"},
    {"batch", batch_main, "check every decomposition below a folder, and remember results"},
    {"trace", trace_main, "what one component does: its torch calls, or its graph of operators"},
    {"diff", diff_main, "two components: proved equal, or where they first part"},
    {"weights", weights_main, "the weight map of a step, by proof"},
    {"flow", flow_main, "the shapes of values from the inputs to the outputs"},
    {"coverage", coverage_main, "are all operators of the original in kernels, as often as there?"},
    {"lint", lint_main, "the anti-cheat rules on source alone; needs no torch"},
    {"init", init_main, "begin a decomposition of a model"},
    {"tree", tree_main, "a decomposition's structure: levels, steps, and what is wrong; needs no torch"},
    {"compose", compose_main, "a decomposition's steps put together again, against the root model"},
    {"doctor", doctor_main, "interpreter, torch, devices, sandbox: what works here and what to do"},
};

static void print_help(FILE *stream) {
    fputs("plumbline: does a decomposed PyTorch model still compute what the original computes?\n\n", stream);
    for (size_t i = 0; i < COUNT_OF(COMMANDS); i++)
        fprintf(stream, "  plumbline %-9s %s\n", COMMANDS[i].name, COMMANDS[i].summary);
    fputs("\n'plumbline COMMAND --help' says more. Exit status: 0 PASS, 1 FAIL, 2 could not judge.\n",
          stream);
}

int main(int count, char **arguments) {
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* then writing fails, and is reported */
    if (count < 2) {
        print_help(stderr);
        return VERDICT_ERROR;
    }
    const char *name = arguments[1];
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
        print_help(stdout);
        return command_printed(VERDICT_PASS);
    }
    if (strcmp(name, "--version") == 0) {
        puts("plumbline " PLUMBLINE_VERSION);
        return command_printed(VERDICT_PASS);
    }
    const Command *nearest = &COMMANDS[0];
    for (size_t i = 0; i < COUNT_OF(COMMANDS); i++) {
        if (strcmp(COMMANDS[i].name, name) == 0)
            return COMMANDS[i].run(count - 1, arguments + 1);
        if (text_distance(COMMANDS[i].name, name) < text_distance(nearest->name, name))
            nearest = &COMMANDS[i];
    }
    fprintf(stderr, "plumbline: there is no command '%s'; did you mean '%s'?\n", name, nearest->name);
    return VERDICT_ERROR;
}
