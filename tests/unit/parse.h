/* Syntax trees for unit tests: a Parser that runs python3 on probe/syntax.py. */
#ifndef PLUMBLINE_TEST_PARSE_H
#define PLUMBLINE_TEST_PARSE_H

#include "source.h"

/* A Parser for program_load. It needs the environment variable PLUMBLINE_SOURCE_ROOT. */
Parser test_parser(void);

/* The tree of `text`, as if it were the content of a file called `name`. The test fails if it has an error.
 */
Tree test_parse_text(Arena *arena, const char *name, const char *text);

#endif
