/* options: a subcommand's command line as a table: what it takes, where that goes, what --help says of it. */
#ifndef PLUMBLINE_OPTIONS_H
#define PLUMBLINE_OPTIONS_H

#include "verify.h"

typedef struct Words {
    const char **items;
    size_t count, capacity;
} Words;

typedef struct MaybeText {
    bool given;
    const char *text; /* NULL: given without one */
} MaybeText;

typedef enum OptionKind {                /* what `place` points to */
                          OPTION_FLAG,   /* bool */
                          OPTION_TEXT,   /* const char * */
                          OPTION_CHOICE, /* const char *: one of the words of `value`, which stand between
                                            bars */
                          OPTION_WORDS,  /* Words: one each time that it is given */
                          OPTION_ALL_THAT_FOLLOW, /* Words: up to the next option */
                          OPTION_MAYBE_TEXT, /* MaybeText: the word that follows, if files were named before
                                              */
                          OPTION_RIGOR,      /* Rigor */
                          OPTION_NUMBER,     /* double, from `low` to `high` */
                          OPTION_INTEGER,    /* uint64_t, likewise */
                          OPTION_COUNT,      /* unsigned, likewise */
                          OPTION_BYTES       /* uint64_t: 500000000, 8G */
} OptionKind;

typedef struct Option {
    const char *name;  /* without its dashes */
    const char *value; /* as --help shows it; NULL for a flag */
    OptionKind kind;
    void *place;
    double low, high;
    const char *help; /* broken into lines where it is shown */
} Option;

typedef struct Synopsis {
    const char *usage;  /* "plumbline step --original PARENT.py ..." */
    const char *about;  /* paragraphs without line ends; NULL */
    const char *status; /* "0 PASS, 1 FAIL, 2 could not judge" */
} Synopsis;

/* Fills the places of the options and `words`, what is no option. A value is the next word or follows "=";
 * a name may be cut short while it is clear. Returns -1 to go on; otherwise the exit status: help was shown,
 * or something is wrong and was said. */
int options_read(Arena *arena, const Synopsis *synopsis, const Option *options, size_t option_count,
                 int count, char **arguments, Words *words);

/* "plumbline: ..." and the usage to stderr; returns 2. */
int options_wrong(const Synopsis *synopsis, const char *format, ...) PRINTF_LIKE(2, 3);

#endif
