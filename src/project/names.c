/* Names of kernel files, and names that tell of copies. */
#include "project_parts.h"

#include <stdlib.h>
#include <string.h>

static const struct {
    const char *code, *dtype;
} CODES[] = {
    {"fp64", "float64"},
    {"fp32", "float32"},
    {"fp16", "float16"},
    {"bf16", "bfloat16"},
    {"i64", "int64"},
    {"i32", "int32"},
    {"i16", "int16"},
    {"i8", "int8"},
    {"u8", "uint8"},
    {"bool", "bool"},
    {"fp8e4m3", "float8_e4m3fn"},
    {"fp8e5m2", "float8_e5m2"},
    {"c64", "complex64"},
    {"c128", "complex128"},
};

const char *dtype_code(const char *dtype) {
    if (dtype != NULL && text_starts(dtype, "torch."))
        dtype += strlen("torch.");
    for (size_t i = 0; i < COUNT_OF(CODES); i++)
        if (text_equal(CODES[i].dtype, dtype))
            return CODES[i].code;
    return NULL;
}

static bool is_code(const char *word) {
    for (size_t i = 0; i < COUNT_OF(CODES); i++)
        if (strcmp(CODES[i].code, word) == 0)
            return true;
    return false;
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

/* At least one digit; no more than fit. */
static bool read_number(const char **at, int64_t *number) {
    enum { MOST_DIGITS = 18 };
    size_t digits = 0;
    *number = 0;
    for (; is_digit((*at)[digits]) && digits < MOST_DIGITS; digits++)
        *number = *number * 10 + ((*at)[digits] - '0');
    *at += digits;
    return digits > 0 && !is_digit(**at);
}

/* "768x3072" */
static bool read_dims(const char *word, KernelName *name) {
    enum { MOST_DIMS = 8 };
    int64_t dims[MOST_DIMS];
    size_t rank = 0;
    do {
        word += rank > 0;
        if (rank == MOST_DIMS || !read_number(&word, &dims[rank]))
            return false;
        rank++;
    } while (*word == 'x');
    if (*word != '\0')
        return false;
    memcpy(name->dims[name->group_count], dims, rank * sizeof *dims);
    name->ranks[name->group_count++] = rank;
    return true;
}

/* "k3s2p1", "k3x5": a letter and a number, or several */
static bool read_extras(const char *word, KernelName *name) {
    size_t count = name->extra_count;
    char letter = '\0';
    if (*word == '\0')
        return false;
    while (*word != '\0') {
        if (strchr("kspdg", *word) != NULL)
            letter = *word++;
        else if (*word == 'x' && letter != '\0')
            word++;
        else
            return false;
        if (count == COUNT_OF(name->extras) || !read_number(&word, &name->extras[count].value))
            return false;
        name->extras[count++].letter = letter;
    }
    name->extra_count = count;
    return true;
}

typedef struct Words {
    const char **items;
    size_t count, capacity;
} Words;

static Words split(Arena *arena, const char *stem) {
    Words words = {0};
    for (const char *at = stem;; at++) {
        size_t length = strcspn(at, "_");
        *(const char **)ARENA_PUSH(arena, &words) = arena_strndup(arena, at, length);
        at += length;
        if (*at == '\0')
            return words;
    }
}

static bool is_number(const char *word) {
    return *word != '\0' && word[strspn(word, "0123456789")] == '\0';
}

static bool has_shape(const char *word) {
    return is_digit(word[0]);
}

static bool is_operation_word(const char *word) {
    return word[0] >= 'a' && word[0] <= 'z' &&
           word[strspn(word, "abcdefghijklmnopqrstuvwxyz0123456789")] == '\0';
}

/* "slope02", "dim1", "eps1e5": the value of a constant behind its name. */
static bool is_constant(const char *word) {
    const size_t letters = strspn(word, "abcdefghijklmnopqrstuvwxyz");
    return letters > 0 && is_digit(word[letters]) &&
           word[letters + strspn(word + letters, "0123456789ep")] == '\0' && is_digit(word[strlen(word) - 1]);
}

static bool fail(const char **problem, const char *text) {
    *problem = text;
    return false;
}

static bool read_signature(Arena *arena, const Words *words, size_t first, size_t end, KernelName *name,
                           const char **problem) {
    name->dims = arena_alloc(arena, (end - first + 1) * sizeof *name->dims);
    name->ranks = ARENA_ARRAY(arena, size_t, end - first + 1);
    for (size_t i = first; i < end; i++) {
        const char *word = words->items[i];
        if (read_dims(word, name) || read_extras(word, name))
            continue;
        if (word[0] == '\0' || name->token_count == COUNT_OF(name->tokens))
            return fail(problem, "it has an empty part, or too many");
        name->tokens[name->token_count++] = word;
    }
    return true;
}

bool kernel_name_parse(Arena *arena, const char *stem, KernelName *name, const char **problem) {
    *name = (KernelName){0};
    *problem = NULL;
    Words words = split(arena, stem);
    size_t end = words.count, first = 0;
    while (end > 0 && is_code(words.items[end - 1]))
        end--;
    if (end == words.count)
        return fail(problem, is_number(words.items[end - 1]) ? "it ends in a number instead of its dtype"
                                                             : "it does not end in its dtype, such as fp32");
    if (words.count - end > COUNT_OF(name->dtypes))
        return fail(problem, "it has too many dtypes");
    for (size_t i = end; i < words.count; i++)
        name->dtypes[name->dtype_count++] = words.items[i];
    KernelName probe = *name;
    Text operation = text_new(arena);
    size_t named = 0; /* what looks like an operation ends there; constants behind it are tokens */
    while (named < end && !has_shape(words.items[named]))
        named++;
    while (named > 1 && is_constant(words.items[named - 1]))
        named--;
    for (; first < named; first++) {
        if (first > 0 && read_extras(words.items[first], &probe))
            break;
        if (!is_operation_word(words.items[first]))
            return fail(problem, "its operation is not in small letters, digits and single underscores");
        text_printf(&operation, "%s%s", first == 0 ? "" : "_", words.items[first]);
    }
    if (first == 0)
        return fail(problem, "it does not begin with an operation");
    name->operation = operation.data;
    return read_signature(arena, &words, first, end, name, problem);
}

/* Without "_2", "_copy", "_copy2", " (1)"; NULL if it has no such suffix. */
static const char *without_copy(Arena *arena, const char *stem) {
    size_t length = strlen(stem);
    if (length > 3 && stem[length - 1] == ')') {
        const char *open = strrchr(stem, '(');
        return open == NULL || open - stem < 2 ? NULL : arena_strndup(arena, stem, (size_t)(open - stem) - 1);
    }
    while (length > 0 && is_digit(stem[length - 1]))
        length--;
    const bool numbered = stem[length] != '\0';
    static const char copy[] = "_copy";
    if (length > strlen(copy) && strncmp(stem + length - strlen(copy), copy, strlen(copy)) == 0)
        return arena_strndup(arena, stem, length - strlen(copy));
    return numbered && length > 1 && stem[length - 1] == '_' ? arena_strndup(arena, stem, length - 1) : NULL;
}

bool kernel_name_wrong(Arena *arena, const char *stem, const char **rule, const char **problem) {
    KernelName name;
    const char *why, *ignored, *before = without_copy(arena, stem);
    if (kernel_name_parse(arena, stem, &name, &why))
        return false;
    const bool copy = before != NULL && kernel_name_parse(arena, before, &name, &ignored);
    *rule = copy ? "name.copy" : "name.form";
    *problem =
        copy ? arena_printf(arena, "its name ends in '%s', which tells copies apart", stem + strlen(before))
             : arena_printf(arena, "its name is not {operation}_{shape_signature}_{dtype}: %s", why);
    return true;
}

static void check_form(Reading *reading, const Component *component) {
    const char *rule, *problem;
    if (kernel_name_wrong(reading->arena, component->stem, &rule, &problem))
        project_finding(reading, project_rule(rule), SEVERITY_VIOLATION, component->source.name, 0, "%s",
                        problem);
}

static bool stands_at(const Reading *reading, const char *stem, Level level, const Component **found) {
    const Indices *others = table_get(reading->by_stem, stem);
    for (size_t i = 0; others != NULL && i < others->count; i++) {
        *found = &reading->project->components[others->items[i]];
        if ((*found)->level == level)
            return true;
    }
    return false;
}

/* Copies count up from 1 or 2; a width, as in basic_block_128 or block_8_16, stands alone. */
static bool is_number_of_copy(const Reading *reading, const char *before, const char *suffix, Level level) {
    enum { LONGEST = 3 };
    const Component *previous;
    if (!is_number(suffix + 1))
        return true; /* "_copy2" */
    if (strlen(suffix + 1) > LONGEST)
        return false;
    const long number = strtol(suffix + 1, NULL, 10);
    return number <= 2 ||
           stands_at(reading, arena_printf(reading->arena, "%s_%ld", before, number - 1), level, &previous);
}

static void check_numbered(Reading *reading, const Component *component) {
    const Component *other;
    const char *before = without_copy(reading->arena, component->stem);
    const char *suffix = before == NULL ? NULL : component->stem + strlen(before);
    if (before == NULL || !stands_at(reading, before, component->level, &other) ||
        !is_number_of_copy(reading, before, suffix, component->level))
        return;
    project_finding(reading, &RULE_name_copy, SEVERITY_VIOLATION, component->source.name, 0,
                    "its name is that of %s with '%s'", other->source.name, suffix);
}

/* What a token says that a run can tell is held against that. */
static bool tells_of_a_constant(const char *token) {
    static const char *const words[] = {"bias", "nobias", "causal"};
    for (size_t i = 0; i < COUNT_OF(words); i++)
        if (text_equal(token, words[i]))
            return true;
    return token[strcspn(token, "0123456789")] != '\0';
}

/* Without the words that a run can't tell the truth of, of which `*word` is the first; NULL: it has none. */
static const char *without_words(Arena *arena, const char *stem, const char **word) {
    KernelName name;
    const char *problem;
    *word = NULL;
    if (!kernel_name_parse(arena, stem, &name, &problem))
        return NULL;
    for (size_t i = name.token_count; i-- > 0;)
        if (!tells_of_a_constant(name.tokens[i]))
            *word = name.tokens[i];
    if (*word == NULL)
        return NULL;
    Text text = text_new(arena);
    const Words words = split(arena, stem);
    for (size_t i = 0; i < words.count; i++) {
        bool left_out = false;
        for (size_t k = 0; k < name.token_count; k++)
            left_out |= text_equal(words.items[i], name.tokens[k]) && !tells_of_a_constant(name.tokens[k]);
        if (!left_out)
            text_printf(&text, "%s%s", text.length > 0 ? "_" : "", words.items[i]);
    }
    return text.data;
}

/* linear_8x4_head_fp32 where no other kernel is a linear_8x4_fp32. */
static void check_words(Reading *reading, const Table *kernels) {
    const Project *project = reading->project;
    for (size_t i = 0; i < project->component_count; i++) {
        const Component *component = &project->components[i];
        const char *word, *shorter;
        if (component->level != LEVEL_KERNEL ||
            (shorter = without_words(reading->arena, component->stem, &word)) == NULL ||
            (size_t)table_get(kernels, shorter) > 1)
            continue;
        project_finding(reading, &RULE_name_form, SEVERITY_VIOLATION, component->source.name, 0,
                        "its name says '%s', which tells it from no other kernel: without that it is %s",
                        word, shorter);
    }
}

/* The first kernel with the same syntax tree, docstrings aside. */
static void check_equal(Reading *reading, size_t index, Table *first_of) {
    const Component *component = &reading->project->components[index];
    if (component->tree.module == NULL)
        return;
    const char *hash = content_hash(reading->arena, &component->tree);
    size_t first = (size_t)table_get(first_of, hash);
    if (first == 0) {
        table_put(first_of, hash, (void *)(index + 1));
        return;
    }
    const Component *other = &reading->project->components[first - 1];
    if (trees_equal(&other->tree, &component->tree))
        project_finding(reading, &RULE_name_copy, SEVERITY_VIOLATION, component->source.name, 0,
                        "it is a copy of %s", other->source.name);
}

void names_check(Reading *reading) {
    const Project *project = reading->project;
    Table *first_of = table_new(reading->arena), *kernels = table_new(reading->arena);
    for (size_t i = 0; i < project->component_count; i++) {
        const Component *component = &project->components[i];
        if (component->level != LEVEL_KERNEL) {
            check_numbered(reading, component);
            continue;
        }
        check_form(reading, component);
        check_equal(reading, i, first_of);
        const char *word, *shorter = without_words(reading->arena, component->stem, &word);
        const char *plain = shorter == NULL ? component->stem : shorter;
        table_put(kernels, plain, (void *)((size_t)table_get(kernels, plain) + 1));
    }
    check_words(reading, kernels);
}
