/* base: memory, strings, tables, errors, files, findings. Knows nothing of the other rooms. */
#ifndef PLUMBLINE_BASE_H
#define PLUMBLINE_BASE_H

#include <jansson.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MUST_USE                    __attribute__((warn_unused_result))
#define PRINTF_LIKE(position, rest) __attribute__((format(printf, position, rest)))
#define COUNT_OF(array)             (sizeof(array) / sizeof((array)[0]))

/* ---- Memory -------------------------------------------------------------------------------
 * An arena owns everything that was allocated from it until it is freed whole. There is no free
 * of one block. Running out of memory ends the program with one line and exit status 2: no
 * caller could go on. Memory comes zeroed and aligned for any type. */
typedef struct Arena Arena;

Arena *arena_new(void);
/* One that is freed with `owner`, for a thread of its own: an arena is used by one thread at a time. */
Arena *arena_new_within(Arena *owner);
void arena_free(Arena *arena); /* and those within it; not one that is within another */
void *arena_alloc(Arena *arena, size_t size);
void *arena_copy(Arena *arena, const void *data, size_t size);
char *arena_strdup(Arena *arena, const char *text);
char *arena_strndup(Arena *arena, const char *text, size_t length);
char *arena_printf(Arena *arena, const char *format, ...) PRINTF_LIKE(2, 3);
char *arena_vprintf(Arena *arena, const char *format, va_list rest);

#define ARENA_NEW(arena, type)          ((type *)arena_alloc((arena), sizeof(type)))
#define ARENA_ARRAY(arena, type, count) ((type *)arena_alloc((arena), sizeof(type) * (count)))

/* Makes room for one more element in a growable array and counts it: returns the new, zeroed element. `items`
 * is the address of the array's pointer. The old block stays with the arena. */
void *arena_push(Arena *arena, void *items, size_t *count, size_t *capacity, size_t element_size);
/* For any struct with `items`, `count` and `capacity`. */
#define ARENA_PUSH(arena, list)                                                                              \
    arena_push((arena), (void *)&(list)->items, &(list)->count, &(list)->capacity, sizeof *(list)->items)

/* ---- Errors -------------------------------------------------------------------------------
 * A function that can fail returns a Status that can't be dropped, and fills the Error that it was given. An
 * Error reads as one line: "place: cause; advice". Any part but the cause may be empty. */
typedef enum Status { STATUS_OK = 0, STATUS_ERROR = 1 } Status;

typedef struct Error {
    char place[1024];
    char cause[2048];
    char advice[1024];
} Error;

/* Fills `error` and returns STATUS_ERROR, so that a caller writes `return error_set(...)`. */
MUST_USE Status error_set(Error *error, const char *place, const char *advice, const char *format, ...)
    PRINTF_LIKE(4, 5);
/* The whole line, without newline; control characters are made visible. Owned by the arena. */
char *error_line(Arena *arena, const Error *error);

/* ---- Strings ------------------------------------------------------------------------------ */
typedef struct Bytes {
    const uint8_t *data;
    size_t size;
} Bytes;

typedef struct Text { /* a string that is being written; data is always NUL-terminated after text_new */
    Arena *arena;
    char *data;
    size_t length, capacity;
} Text;

Text text_new(Arena *arena);
void text_add(Text *text, const char *string);
void text_add_bytes(Text *text, const char *data, size_t length);
void text_printf(Text *text, const char *format, ...) PRINTF_LIKE(2, 3);

bool text_equal(const char *a, const char *b);                             /* NULL equals only NULL */
bool text_among(const char *text, const char *const *texts, size_t count); /* equal to one of them? */
bool text_starts(const char *text, const char *prefix);
bool text_ends(const char *text, const char *suffix);
bool text_is_utf8(const char *text);
/* `text` with control characters and invalid UTF-8 as \xNN, so that a hostile string can't drive a terminal,
 * and line ends as \n, so that none of it looks like a line of ours. */
char *text_printable(Arena *arena, const char *text, size_t length);
/* The same, with its lines as they are. */
char *text_printable_lines(Arena *arena, const char *text, size_t length);
/* The same, line ends and tabs as \xNN too: of names, which must not look like lines of ours. */
char *text_one_line(Arena *arena, const char *text);
/* The edit distance of two short strings (Levenshtein), for "did you mean". */
size_t text_distance(const char *a, const char *b);
/* Now: ISO 8601, in UTC. */
const char *timestamp_now(Arena *arena);

/* ---- Tables: string keys to pointers, in insertion order ---------------------------------- */
typedef struct TableEntry {
    const char *key;
    void *value;
} TableEntry;
typedef struct Table {
    Arena *arena;
    TableEntry *items; /* in insertion order */
    size_t count, capacity;
    size_t *slots; /* open addressing: index + 1, or 0 */
    size_t slot_count;
} Table;

Table *table_new(Arena *arena);
/* The key is copied. An equal key's value is replaced, and its place in the order stays. */
void table_put(Table *table, const char *key, void *value);
void *table_get(const Table *table, const char *key); /* NULL if absent */
bool table_has(const Table *table, const char *key);
#define TABLE_PRESENT ((void *)1) /* the value of a table that is used as a set */

/* ---- Files -------------------------------------------------------------------------------- */
/* Reads a regular file of at most `limit` bytes. The bytes are followed by a NUL that is not counted. */
MUST_USE Status file_read(Arena *arena, const char *path, size_t limit, Bytes *bytes, Error *error);
/* Writes aside, then renames: readers see the old file or the whole new one. */
MUST_USE Status file_write(const char *path, Bytes bytes, Error *error);
/* The same where the user names the file: what it links to is replaced, and not the link; what is no regular
 * file (a device, a fifo, /dev/stdout) is written to. */
MUST_USE Status file_write_named(const char *path, Bytes bytes, Error *error);
/* What to do about it, by errno. */
const char *write_advice(int cause);
bool file_exists(const char *path);      /* a regular file, links followed */
bool directory_exists(const char *path); /* likewise */
/* Makes it where it is missing, but not the folders above it. */
MUST_USE Status directory_make(const char *path, Error *error);
char *path_join(Arena *arena, const char *directory, const char *name);
char *path_directory(Arena *arena, const char *path);      /* "." where there is none */
const char *path_name(const char *path);                   /* the last component */
char *path_stem(Arena *arena, const char *path);           /* the last component without .py and the like */
char *path_absolute(Arena *arena, const char *path);       /* realpath; the path itself if it doesn't exist */
bool path_is_inside(const char *folder, const char *path); /* both absolute and resolved */

typedef struct EmbeddedFile { /* a row of a table that scripts/embed.py makes at build time */
    const char *name;         /* NULL in the last row */
    Bytes bytes;              /* followed by a NUL that is not counted */
} EmbeddedFile;

/* ---- Hashes -------------------------------------------------------------------------------
 * BLAKE2b of 256 bits: an author who wants the verdict of other files can't make files with their hash. */
typedef struct Hasher Hasher;
Hasher *hasher_new(Arena *arena);
void hasher_add(Hasher *hasher, const void *data, size_t size);
void hasher_add_text(Hasher *hasher,
                     const char *text);               /* with its length, so that "a", "bc" isn't "ab", "c" */
const char *hasher_end(Arena *arena, Hasher *hasher); /* 64 hexadecimal digits; nothing may be added then */

/* ---- JSON ---------------------------------------------------------------------------------
 * Values are jansson's. `where` names the object in messages ("weight_map.json", "cell report"). */
MUST_USE Status json_parse(
    Bytes bytes, const char *where, json_t **value,
    Error *error); /* new reference; one line, with line number, on error; duplicate keys are refused */
MUST_USE Status json_read_int(const json_t *object, const char *key, int64_t low, int64_t high,
                              int64_t *value, const char *where, Error *error);
MUST_USE Status json_read_bool(const json_t *object, const char *key, bool *value, const char *where,
                               Error *error);
MUST_USE Status json_read_string(Arena *arena, const json_t *object, const char *key, const char **value,
                                 const char *where, Error *error);
/* `type` JSON_OBJECT or JSON_ARRAY; borrowed reference */
MUST_USE Status json_read_container(const json_t *object, const char *key, json_type type, json_t **value,
                                    const char *where, Error *error);
/* A number that JSON can't hold (NaN, Infinity) becomes a string. New reference. */
json_t *json_number(double value);

/* ---- Findings ----------------------------------------------------------------------------- */
typedef struct Place {
    const char *file; /* as shown to the user; NULL if there is none */
    int line;         /* from 1; 0: the whole file */
    int column;       /* from 1, in characters; 0: the whole line */
    int end_column;   /* one past the last character, on the same line; 0 if unknown */
} Place;

/* A rule of the product: one row of a table that a room keeps. `id` is stable and appears in results. */
typedef struct Rule {
    const char *id;      /* "op.compute", "py.import", "weights.unmapped" */
    const char *title;   /* what the rule demands, one sentence */
    const char *instead; /* what to do, one sentence; a finding may say something more exact */
    const char *source;  /* where it comes from: "guide: Anti-Cheat Rules", "policy: Classes of operator",
                            "soundness 20" */
} Rule;

typedef enum Severity {
    SEVERITY_VIOLATION, /* the verdict can't be PASS */
    SEVERITY_UNDECIDED, /* lint could not follow it: the trace decides; never fails a file */
    SEVERITY_NOTE       /* said, and changes no verdict */
} Severity;

typedef struct Finding {
    const Rule *rule;
    Severity severity;
    Place place;
    const char *of;      /* what was judged, where it is one of many: "step_3_mlp_to_kernels"; NULL */
    const char *where;   /* "forward", "__init__", a module path, a state-dict key; NULL if none */
    const char *what;    /* what is wrong, one sentence, no full stop */
    const char *instead; /* what to do, one sentence, no full stop */
    const char *frame;   /* a code frame of several lines, or NULL */
} Finding;

typedef struct Findings {
    Arena *arena;
    Finding *items;
    size_t count, capacity;
    Table *known; /* of the first `known_count` items: rule, place and what -> index + 1 */
    size_t known_count;
} Findings;

Findings *findings_new(Arena *arena);
/* Adds a finding with the rule's own advice; the caller may replace `instead` and set `where` and `frame`. An
 * equal finding (rule, place, what) is not added twice: the first is returned. */
Finding *findings_add(Findings *findings, const Rule *rule, Severity severity, Place place,
                      const char *format, ...) PRINTF_LIKE(5, 6);
size_t findings_count(const Findings *findings, Severity severity);
/* Orders by severity, file, line, column, rule: the same findings always print the same. */
void findings_sort(Findings *findings);
/* "step_3_mlp_to_kernels: refactored.py:12: what is wrong; what to do", printable. */
const char *finding_text(Arena *arena, const Finding *finding);

#endif
