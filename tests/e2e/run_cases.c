/* Runs the step cases of tests/e2e (*.cases) and the expectations in examples (expect.txt) on one real
 * interpreter: real torch, real cells, one zygote for all. Usage: run_cases PYTHON FILE.cases|FOLDER...
 *
 * A .cases file, line by line:
 *   case NAME              begins a case
 *   files NAME             begins a set of files that is no case, for others to be like
 *   like NAME              takes the files and options of an earlier case or set (several: each)
 *   expect VERDICT [RULE]  PASS, FAIL or ERROR; with a rule, a violation of it must be among the findings
 *   expect PASS by proof
 *   says TEXT              must stand in the reason, the error, a finding, an assumption or the first value
 *                          that departs (several: each)
 *   hides TEXT             must stand in none of these (several: each)
 *   option NAME [VALUE]    a StepOptions field: train, skip_anticheat, rtol, atol, timeout, memory, trials,
 *                          allow, rigor, device
 *   needs 1|2              only on torch of that major version
 *   needs cuda             only where torch finds a CUDA device
 *   needs MODULE           only where the interpreter has that module
 *   file PATH              its text follows, indented by four spaces
 * A FOLDER holds original.py, refactored.py and expect.txt with the lines expect, says, option, needs.
 *
 * CASE=TEXT in the environment: only those whose names have it; SHARE=K/N: the Kth of every N; DEVICE=cuda:
 * all of them there; VERBOSE=1: what was found, of cases that are as expected too. */
#include "report.h"
#include "verify.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct CaseFile {
    const char *path, *text;
} CaseFile;

typedef struct Case {
    const char *name;
    Table *files;       /* path -> text */
    const char *folder; /* of an example; NULL for a case made of texts */
    Verdict verdict;
    bool by_proof;
    const char *rule;
    struct {
        const char **items;
        size_t count, capacity;
    } says, hides;
    Text body, setup;
    StepOptions options;
    int needs; /* torch's major version; 0: any */
    bool needs_cuda;
    const char *module; /* that the interpreter must have; NULL: none */
    bool is_files;      /* for others to be like: never run */
} Case;

typedef struct Cases {
    Case *items;
    size_t count, capacity;
} Cases;

static void die(const char *what, const char *which) {
    fprintf(stderr, "run_cases: %s: %s\n", which, what);
    exit(2);
}

static Case *new_case(Arena *arena, Cases *cases, const char *name) {
    Case *one = ARENA_PUSH(arena, cases);
    one->name = name;
    one->files = table_new(arena);
    one->body = text_new(arena);
    one->setup = text_new(arena);
    one->options =
        (StepOptions){.rtol = NAN, .atol = NAN, .trial_count = 3, .seed = 42, .device = "cpu", .timeout = 60};
    return one;
}

static void copy_case(Arena *arena, const Cases *cases, const char *name, Case *target) {
    for (size_t i = 0; i < cases->count; i++) {
        const Case *one = &cases->items[i];
        if (strcmp(one->name, name) != 0 || one == target)
            continue;
        for (size_t j = 0; j < one->files->count; j++)
            table_put(target->files, one->files->items[j].key, one->files->items[j].value);
        if (one->is_files)
            return;
        target->options = one->options;
        target->needs = one->needs;
        target->needs_cuda = one->needs_cuda;
        target->module = one->module;
        return;
    }
    (void)arena;
    die("no earlier case of that name", name);
}

static void set_option(Arena *arena, StepOptions *options, const char *name, const char *value) {
    if (strcmp(name, "train") == 0)
        options->train = true;
    else if (strcmp(name, "skip_anticheat") == 0)
        options->skip_anticheat = true;
    else if (strcmp(name, "rtol") == 0)
        options->rtol = strtod(value, NULL);
    else if (strcmp(name, "atol") == 0)
        options->atol = strtod(value, NULL);
    else if (strcmp(name, "timeout") == 0)
        options->timeout = strtod(value, NULL);
    else if (strcmp(name, "memory") == 0)
        options->memory = strtoull(value, NULL, 10);
    else if (strcmp(name, "trials") == 0)
        options->trial_count = (unsigned)strtoul(value, NULL, 10);
    else if (strcmp(name, "rigor") == 0)
        options->rigor = strcmp(value, rigor_name(RIGOR_PARANOID)) == 0 ? RIGOR_PARANOID
                         : strcmp(value, rigor_name(RIGOR_FAST)) == 0   ? RIGOR_FAST
                                                                        : RIGOR_STANDARD;
    else if (strcmp(name, "device") == 0)
        options->device = value;
    else if (strcmp(name, "allow") == 0) {
        const char **list = ARENA_ARRAY(arena, const char *, 1);
        list[0] = value;
        options->allowed_imports = list;
        options->allowed_import_count = 1;
    } else
        die("unknown option", name);
}

static const char *after(const char *line, const char *word) {
    size_t length = strlen(word);
    return strncmp(line, word, length) == 0 && (line[length] == ' ' || line[length] == '\0')
               ? line + length + (line[length] == ' ')
               : NULL;
}

static bool read_expectation(Arena *arena, Case *one, const char *line) {
    const char *rest;
    if ((rest = after(line, "expect")) != NULL) {
        one->verdict = text_starts(rest, "PASS")   ? VERDICT_PASS
                       : text_starts(rest, "FAIL") ? VERDICT_FAIL
                                                   : VERDICT_ERROR;
        one->by_proof = strcmp(rest, "PASS by proof") == 0;
        const char *space = one->by_proof ? NULL : strchr(rest, ' ');
        one->rule = space == NULL ? NULL : space + 1;
    } else if ((rest = after(line, "says")) != NULL) {
        *(const char **)ARENA_PUSH(arena, &one->says) = rest;
    } else if ((rest = after(line, "hides")) != NULL) {
        *(const char **)ARENA_PUSH(arena, &one->hides) = rest;
    } else if ((rest = after(line, "needs")) != NULL) {
        if (atoi(rest) != 0)
            one->needs = atoi(rest);
        else if (strcmp(rest, "cuda") == 0)
            one->needs_cuda = true;
        else
            one->module = rest;
    } else if ((rest = after(line, "body")) != NULL) {
        text_printf(&one->body, "%s\n", rest);
    } else if ((rest = after(line, "setup")) != NULL) {
        text_printf(&one->setup, "%s\n", rest);
    } else if ((rest = after(line, "option")) != NULL) {
        char *name = arena_strdup(arena, rest), *space = strchr(name, ' ');
        if (space != NULL)
            *space = '\0';
        set_option(arena, &one->options, name, space == NULL ? "" : space + 1);
    } else {
        return false;
    }
    return true;
}

static char *next_line(Arena *arena, const char **at) {
    size_t length = strcspn(*at, "\n");
    char *line = arena_strndup(arena, *at, length);
    *at += length + ((*at)[length] == '\n');
    return line;
}

static void read_cases(Arena *arena, const char *path, Cases *cases) {
    Bytes bytes;
    Error error;
    if (file_read(arena, path, 1 << 24, &bytes, &error) != STATUS_OK)
        die(error_line(arena, &error), path);
    Case *one = NULL;
    const char *file = NULL, *rest;
    Text text = text_new(arena);
    for (const char *at = (const char *)bytes.data; *at != '\0';) {
        char *line = next_line(arena, &at);
        if (file != NULL && (line[0] == '\0' || text_starts(line, "    "))) {
            text_printf(&text, "%s\n", line[0] == '\0' ? "" : line + 4);
            table_put(one->files, file, text.data);
            continue;
        }
        file = NULL;
        if (line[0] == '\0' || line[0] == '#')
            continue;
        if ((rest = after(line, "case")) != NULL) {
            one = new_case(arena, cases, rest);
        } else if ((rest = after(line, "files")) != NULL) {
            one = new_case(arena, cases, rest);
            one->is_files = true;
        } else if (one == NULL) {
            die("a line before the first case", line);
        } else if ((rest = after(line, "like")) != NULL) {
            copy_case(arena, cases, rest, one);
        } else if ((rest = after(line, "file")) != NULL) {
            file = rest;
            text = text_new(arena);
            table_put(one->files, file, text.data);
        } else if (!read_expectation(arena, one, line)) {
            die("what is this line?", line);
        }
    }
}

static void read_folder(Arena *arena, const char *folder, Cases *cases) {
    Bytes bytes;
    Error error;
    if (file_read(arena, path_join(arena, folder, "expect.txt"), 1 << 16, &bytes, &error) != STATUS_OK)
        die(error_line(arena, &error), folder);
    Case *one = new_case(arena, cases, folder);
    one->folder = folder;
    for (const char *at = (const char *)bytes.data; *at != '\0';) {
        char *line = next_line(arena, &at);
        if (line[0] != '\0' && line[0] != '#' && !read_expectation(arena, one, line))
            die("what is this line?", line);
    }
}

static void make_folders(Arena *arena, const char *path) {
    for (const char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/'))
        if (mkdir(arena_strndup(arena, path, (size_t)(slash - path)), 0777) != 0 && errno != EEXIST)
            die(strerror(errno), path);
}

/* `text` with every line that is `mark` replaced by the lines of `code`, indented as it. */
static const char *substitute(Arena *arena, const char *text, const char *mark, const char *code) {
    Text out = text_new(arena);
    while (*text != '\0') {
        char *line = next_line(arena, &text);
        size_t indent = strspn(line, " ");
        if (strcmp(line + indent, mark) != 0) {
            text_printf(&out, "%s\n", line);
            continue;
        }
        for (const char *at = code[0] == '\0' ? "pass" : code; *at != '\0';)
            text_printf(&out, "%*s%s\n", (int)indent, "", next_line(arena, &at));
    }
    return out.data;
}

static const char *write_case(Arena *arena, const char *root, const Case *one) {
    const char *folder = path_join(arena, root, one->name);
    Error error;
    for (size_t i = 0; i < one->files->count; i++) {
        const char *path = path_join(arena, folder, one->files->items[i].key);
        const char *text = substitute(arena, one->files->items[i].value, "@BODY@", one->body.data);
        text = substitute(arena, text, "@SETUP@", one->setup.data);
        make_folders(arena, path);
        if (file_write(path, (Bytes){(const uint8_t *)text, strlen(text)}, &error) != STATUS_OK)
            die(error_line(arena, &error), one->name);
    }
    return folder;
}

static bool contains(const char *text, const char *part) {
    return text != NULL && strstr(text, part) != NULL;
}

static bool result_says(const StepResult *result, const char *part) {
    if (contains(result->fail_reason, part) || contains(result->error, part) ||
        (result->departure != NULL && contains(result->departure->says, part)))
        return true;
    for (size_t i = 0; i < result->findings->count; i++) {
        const Finding *finding = &result->findings->items[i];
        if (contains(finding->what, part) || contains(finding->instead, part))
            return true;
    }
    for (size_t i = 0; i < result->assumption_count; i++)
        if (contains(result->assumptions[i], part))
            return true;
    for (size_t i = 0; i < result->proof.narrowed_count; i++)
        if (contains(result->proof.narrowed[i], part))
            return true;
    return false;
}

static bool result_breaks(const StepResult *result, const char *rule) {
    for (size_t i = 0; i < result->findings->count; i++)
        if (result->findings->items[i].severity == SEVERITY_VIOLATION &&
            strcmp(result->findings->items[i].rule->id, rule) == 0)
            return true;
    return false;
}

static void print_result(const StepResult *result) {
    printf("    got %s: %s\n", verdict_name(result->verdict),
           result->error != NULL         ? result->error
           : result->fail_reason != NULL ? result->fail_reason
                                         : "");
    if (result->proof.why_not != NULL)
        printf("    not proved: %s\n", result->proof.why_not);
    if (result->departure != NULL)
        printf("    %s\n", result->departure->says);
    for (size_t i = 0; i < result->assumption_count; i++)
        printf("    claim: %s\n", result->assumptions[i]);
    for (size_t i = 0; i < result->findings->count; i++) {
        const Finding *finding = &result->findings->items[i];
        printf("    %s %s %s:%d: %s\n", finding->severity == SEVERITY_VIOLATION ? "violation" : "note",
               finding->rule->id, finding->place.file == NULL ? "" : finding->place.file, finding->place.line,
               finding->what);
    }
}

static bool judge(const Case *one, const StepResult *result) {
    bool good = result->verdict == one->verdict;
    if (!good)
        printf("    expected %s\n", verdict_name(one->verdict));
    if (one->by_proof && !result->proof.proved) {
        printf("    expected a proof\n");
        good = false;
    }
    if (one->rule != NULL && !result_breaks(result, one->rule)) {
        printf("    expected a violation of %s\n", one->rule);
        good = false;
    }
    for (size_t i = 0; i < one->says.count; i++)
        if (!result_says(result, one->says.items[i])) {
            printf("    expected it to say: %s\n", one->says.items[i]);
            good = false;
        }
    for (size_t i = 0; i < one->hides.count; i++)
        if (result_says(result, one->hides.items[i])) {
            printf("    expected it not to say: %s\n", one->hides.items[i]);
            good = false;
        }
    if (!good || getenv("VERBOSE") != NULL)
        print_result(result);
    return good;
}

static bool run_case(Probe *probe, const char *root, Case *one) {
    Arena *arena = arena_new();
    if (getenv("DEVICE") != NULL)
        one->options.device = getenv("DEVICE");
    const char *folder = one->folder != NULL ? one->folder : write_case(arena, root, one);
    one->options.original = path_join(arena, folder, "original.py");
    one->options.refactored = path_join(arena, folder, "refactored.py");
    Progress progress = {0};
    StepResult result;
    step_verify(arena, probe, &one->options, &progress, &result);
    bool good = judge(one, &result);
    const char *method = report_method(&result);
    printf("%-7s %s: %s, %.1f s\n", good ? "ok" : "FAILED", one->name,
           method != NULL ? method : verdict_name(result.verdict), result.seconds.total);
    arena_free(arena);
    return good;
}

/* Whether `python` can import `module`; asked once for each. */
static bool has_module(Arena *arena, Table *known, const char *python, const char *module) {
    char *answer = table_get(known, module);
    if (answer == NULL) {
        const char *command =
            arena_printf(arena, "exec '%s' -c 'import %s' >/dev/null 2>/dev/null </dev/null", python, module);
        answer = arena_strdup(arena, system(command) == 0 ? "yes" : "no");
        table_put(known, module, answer);
    }
    return answer[0] == 'y';
}

int main(int count, char **arguments) {
    if (count < 3)
        die("usage: run_cases PYTHON FILE.cases|FOLDER...", "arguments");
    setvbuf(stdout, NULL, _IOLBF, 0);
    Arena *arena = arena_new();
    Cases cases = {0};
    for (int i = 2; i < count; i++)
        if (text_ends(arguments[i], ".cases"))
            read_cases(arena, arguments[i], &cases);
        else
            read_folder(arena, arguments[i], &cases);
    char root[] = "/tmp/plumbline-cases-XXXXXX";
    if (mkdtemp(root) == NULL)
        die(strerror(errno), root);
    Probe *probe;
    Error error;
    ProbeOptions options = {.interpreter = arguments[1], .needs_torch = true};
    if (probe_start(arena, &options, &probe, &error) != STATUS_OK)
        die(error_line(arena, &error), arguments[1]);
    const char *torch = probe_facts(probe)->torch, *only = getenv("CASE"), *share = getenv("SHARE");
    unsigned which = 1, of = 1, number = 0, left_out = 0;
    if (share != NULL && (sscanf(share, "%u/%u", &which, &of) != 2 || of == 0))
        die("is not K/N", share);
    Table *modules = table_new(arena);
    unsigned passed = 0, failed = 0, skipped = 0;
    for (size_t i = 0; i < cases.count; i++) {
        Case *one = &cases.items[i];
        if (one->is_files || (only != NULL && strstr(one->name, only) == NULL))
            continue;
        if (number++ % of != which - 1) {
            left_out++;
            continue;
        }
        if (one->needs != 0 && one->needs != atoi(torch)) {
            printf("skipped %s: needs torch %d, this is %s\n", one->name, one->needs, torch);
            skipped++;
        } else if (one->needs_cuda && !probe_facts(probe)->cuda_available) {
            printf("skipped %s: this torch finds no CUDA device\n", one->name);
            skipped++;
        } else if (one->module != NULL && !has_module(arena, modules, arguments[1], one->module)) {
            printf("skipped %s: %s is not installed\n", one->name, one->module);
            skipped++;
        } else {
            const bool good = run_case(probe, root, one);
            passed += good;
            failed += !good;
        }
    }
    probe_stop(probe);
    char *command = arena_printf(arena, "rm -rf %s", root);
    if (system(command) != 0)
        fprintf(stderr, "run_cases: could not remove %s\n", root);
    if (left_out > 0)
        printf("skipped %u cases: SHARE is %s\n", left_out, share);
    printf("%u passed, %u failed, %u skipped\n", passed, failed, skipped + left_out);
    arena_free(arena);
    return failed > 0;
}
