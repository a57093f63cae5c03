/* conditions: what the files of policy_judge_conditions share. */
#ifndef PLUMBLINE_CONDITIONS_H
#define PLUMBLINE_CONDITIONS_H

#include "language.h"
#include "policy.h"

enum {
    READS_SIZE = 1,
    READS_TYPE = 2,
    READS_DEVICE = 4,
    READS_NONE = 8,          /* what kind of thing an argument is: None, a tuple */
    READS_SURROUNDINGS = 16, /* a mode, a machine, what is no part of the call */
    READS_OWN_TYPE =
        32, /* the dtype or device of the model's own, or the default: a test of it asks for a type */
    READS_COUNT = 128, /* how many there are of what is as long as a size: a test of it asks for a size */
    READS_VALUE = 64   /* an argument of forward that is no tensor: a number, a string, a list of them */
};

typedef struct Condition {
    const ProgramFile *file;
    const Node *node;
    unsigned reads;
    bool reached;          /* by forward */
    bool unsettled;        /* where what it asks for comes from, the source doesn't tell */
    bool number;           /* no test: what condition_number found */
    const char *signature; /* "1 30 equality": the same where two ask the same, whatever their names are */
} Condition;

typedef struct Conditions { /* of one program */
    Arena *arena;
    const Names *names;
    const Language *language;
    bool everywhere;         /* all functions are looked at, not only those that forward reaches */
    const ProgramFile *file; /* the one that is being walked */
    bool grew;
    bool passes_known; /* every call that is seen has been: then it is followed whether parameters are settled
                        */
    uint8_t **shown;   /* conditions_shown.c; by file, by id of a node: a Shown. NULL: nothing is */
    bool *matters;     /* what is shown says more than the source does; NULL: nothing is shown */
    Condition *items;
    size_t count, capacity;
} Conditions;

/* What is asked by an attribute or method of this name, of a tensor: READS_SIZE | .. or 0. */
unsigned condition_question(const char *name);
/* What the expression has of sizes, dtypes and devices that a call gives; not of those that construction has
 * settled. */
unsigned condition_reads(const Conditions *conditions, const Node *expression);
unsigned condition_reads_of_arguments(const Conditions *conditions, const Node *call);
bool condition_is_parameter(const Conditions *conditions, const Node *expression); /* a Name that is one */
/* What a Name means; NULL: nothing that is bound. */
Variable *condition_variable(const Conditions *conditions, const Node *name);
/* The scope of a function or class; NULL: the thing is none. */
Scope *condition_made_by(const Conditions *conditions, Thing thing);
/* self.flag: what is assigned to it on objects of the file's classes. NULL: no such. */
Variable *condition_own_attribute(const Conditions *conditions, const Node *attribute);
/* Asks of torch that are about what surrounds the call: torch.is_autocast_enabled; READS_SURROUNDINGS, .. or
 * 0. */
unsigned condition_question_of_torch(const char *path);
/* self.weight[0]: something of the model's own, which construction has settled. */
bool condition_of_self(const Conditions *conditions, const Node *expression);
/* [a, b], of which an index chooses one. */
bool condition_is_display(const Node *node);
/* Of a length of its own, from which an index chooses: what construction keeps, [a, b] + c, "abc", by itself
 * or behind a name. */
bool condition_is_table(const Conditions *conditions, const Node *node);
/* Evidently a tensor: a comparison of it is no test. */
bool condition_is_tensor(const Conditions *conditions, const Node *expression);
/* What stands in an exponent, in abs and in math's functions that leave most sizes alone: 0 ** abs(n - 30) is
 * a test. */
bool condition_bends(const Conditions *conditions, const Node *node);
/* x * torch.cuda.is_available(), x[:torch.cuda.device_count()]: READS_SURROUNDINGS or 0. */
unsigned condition_meets_surroundings(const Conditions *conditions, const Node *node);
/* operator.lt(a, b): what that is called where it is written as an operator, "order" or "equality"; or NULL.
 */
const char *condition_comparison(const Conditions *conditions, const Node *node);
/* What chooses among others: min(T, n), [a, b][T == n], {30: a}.get(T, b), match T; what that reads. Not
 * self.mask[:T, :T]. */
unsigned condition_chosen_by(const Conditions *conditions, const Node *node);
/* What is read, compared and held against it, in one order, each once: names and sides don't matter. */
const char *condition_signature(const Conditions *conditions, const Node *node, unsigned reads);
/* The statements end in an exception, whatever comes before. */
bool condition_only_raises(const Field *block);
/* The part of an arithmetic expression or a call of torch's that is a number made of sizes, where it meets
 * what may be data, or is rounded: n - 30 of x * (n - 30), n // k. Not products, quotients and roots of
 * sizes, as in scores / math.sqrt(q.size(-1)). NULL: none. */
const Node *condition_number(const Conditions *conditions, const Node *node);
/* arguments.c. The forward of the program's model; NULL: it does not stand in the file itself. */
const Node *arguments_forward(const Program *program, bool original);
/* The candidate's names of the arguments that the original calls so. */
Texts arguments_like(Arena *arena, const Program *candidate, const Program *original, const Texts *names);
/* What Python counts by sizes and by a number that doesn't stand there, to be tried as a size: range(n - k),
 * range(n)[k:], [0] * (n - k), and sizes as text or bits. NULL: nothing. */
const Node *condition_count(const Conditions *conditions, const Node *node);
typedef enum Shown { SHOWN_NOTHING, SHOWN_NUMBER, SHOWN_LOST, SHOWN_TEST } Shown;
/* What a run has shown to be done with sizes by this very node: they were compared, turned into what
 * doesn't remember them, or met data. */
Shown condition_shown(const Conditions *conditions, const Node *node);
/* Takes what the trace of the program shows. Tests that are at no node are left in `elsewhere`. */
typedef struct ShownPlaces {
    Place *items;
    size_t count, capacity;
} ShownPlaces;
void conditions_show(Conditions *conditions, const Program *program, const Trace *trace,
                     ShownPlaces *elsewhere);
bool condition_is_asked(const Node *node); /* a test by its place: the n of `if n:` */
/* READS_COUNT or 0: len(x.unbind()), sum(1 for row in x), rows[:n] of a list. */
unsigned condition_counts(const Conditions *conditions, const Node *node);
/* Does the node stand in a loop over what is as long as a size? Of a `for` itself, is it one? */
bool condition_in_loop(const Conditions *conditions, const Node *node);
/* enumerate(x.unbind()): whose first element counts. */
bool condition_numbers_rows(const Conditions *conditions, const Node *node);
/* All conditions of the program. `values`: names of forward's arguments whose values are followed. `trace`:
 * what its run has shown counts too; `elsewhere`: of that, what is at no node. Both may be NULL. */
Conditions conditions_of(Arena *arena, const Program *program, bool original, const Texts *values,
                         Language *language, const Trace *trace, ShownPlaces *elsewhere);
/* conditions_settled.c: the source tells where it comes from, and that is no call's arguments. */
bool condition_is_settled(const Conditions *conditions, const Node *node);
/* Fills what variables and functions read, over all files. */
void conditions_follow(Conditions *conditions, const Program *program);

#endif
