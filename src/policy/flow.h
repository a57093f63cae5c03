/* flow: what the names of refactored.py may mean, found by walking its syntax tree as Python would run it.
 * Every branch is walked, loops a few times; nothing is run. This header is for the flow files only. */
#ifndef PLUMBLINE_FLOW_H
#define PLUMBLINE_FLOW_H

#include "operator_rules.h"

typedef enum SenseKind {
    SENSE_UNKNOWN,     /* can't be followed */
    SENSE_PLAIN,       /* number, string, None, dtype, configuration: known, and no tensor */
    SENSE_DATA,        /* a tensor, or a child's result that holds tensors, whose elements are data */
    SENSE_KNOWN,       /* a tensor made from shapes and constants */
    SENSE_PARAMETER,   /* a parameter or buffer of a child */
    SENSE_CHILD,       /* a module whose class (`node`) comes from a child file (`file`) */
    SENSE_INNER,       /* a module inside a child */
    SENSE_RAW,         /* a module of torch that refactored.py built: reported where it was built */
    SENSE_PLUMBING,    /* Identity, Flatten, Unflatten, ZeroPad2d */
    SENSE_MODULES,     /* ModuleList, ModuleDict, Sequential; text: which */
    SENSE_INSTANCE,    /* of a class of our own */
    SENSE_LIST,        /* list, tuple, set, dict */
    SENSE_FUNCTION,    /* of our own: FunctionDef or Lambda, with the frame that it closes over */
    SENSE_BOUND,       /* method `text` of `receiver` */
    SENSE_TORCH,       /* "torch.nn.functional", "torch.matmul" */
    SENSE_PYTHON,      /* "math.sqrt", "builtins.len" */
    SENSE_CLASS,       /* a class statement of our own */
    SENSE_CHILD_CLASS, /* a class statement of a child file */
    SENSE_FILE,        /* one of the program's files as a Python module */
    SENSE_PACKAGE,     /* "children", of which files were imported by dotted names */
    SENSE_PARTIAL,     /* functools.partial, operator.methodcaller: object->items[0] is called first */
    SENSE_SUPER        /* super() of `object` after class `node` */
} SenseKind;

typedef enum NumberKind { NUMBER_ANY, NUMBER_BOOL, NUMBER_INT, NUMBER_FLOAT } NumberKind;

typedef enum Origin {                  /* of data; a greater one wins */
                      ORIGIN_OF_INPUT, /* forward's input, viewed, cast or assembled at most */
                      ORIGIN_DERIVED,  /* arithmetic on such */
                      ORIGIN_OF_CHILD, /* a child's result has part in it */
                      ORIGIN_STALE,    /* read from a parameter at construction */
                      ORIGIN_RANDOM
} Origin;

typedef struct Frame Frame;
typedef struct Object Object;
typedef struct Meaning Meaning;

typedef struct Taint { /* a floating result of compute on known values: it may not meet data */
    Place place;
    const char *operator; /* as spelled there */
    const ProgramFile *file;
    bool certain; /* that it is floating */
} Taint;

typedef struct Sense {
    SenseKind kind;
    NumberKind number; /* PLAIN (a dtype's own kind, for dtypes), DATA, KNOWN */
    Origin origin;     /* DATA */
    bool ragged;       /* DATA: its shape depends on elements */
    bool argument;     /* DATA: an argument of forward that may be no tensor */
    bool dtype;        /* PLAIN: a dtype */
    bool string;       /* PLAIN: a string constant */
    const Taint *taint;
    const char *text; /* PLAIN: a constant's text; BOUND, TORCH, PYTHON, PACKAGE: a name */
    const Node *node;
    const ProgramFile *file;
    Frame *frame;
    Object *object; /* KNOWN: its storage, which views share */
    const Meaning *receiver;
} Sense;

/* What an expression may mean: at least one sense. Never changed once made. */
struct Meaning {
    Sense *items;
    size_t count, capacity;
};

struct Object {
    const Meaning **items; /* LIST, MODULES: in order, while `exact` */
    size_t count, capacity;
    bool exact;
    const Meaning *rest; /* what else may be in it, or NULL */
    Table *named;        /* attributes, or values by constant keys */
    bool module;         /* INSTANCE of an nn.Module */
    bool fresh;          /* INSTANCE built by forward */
    bool written;        /* KNOWN storage: data was written into it */
    Origin origin;       /* KNOWN storage: of what was written */
};

struct Frame {
    Table *names; /* name -> Meaning */
    Frame *parent;
    const ProgramFile *file;
    const Node *function; /* FunctionDef, Lambda, or NULL for a file */
    const char *label;    /* "forward", for findings */
    const Node *class;    /* of a class statement's own frame */
    const Meaning *bases; /* of such, or NULL */
    const Meaning *self;  /* of a method */
    Frame *caller;
    const Meaning *returned, *yielded;
    Table *outer; /* names declared global or nonlocal */
    bool live;    /* false after return, raise, break, continue */
    Table *broken, *continued;
};

typedef enum Phase { PHASE_LOAD, PHASE_INIT, PHASE_FORWARD } Phase;

typedef struct Flow {
    Arena *arena;
    const Program *program;
    Findings *findings;
    Frame *frame;
    Frame **file_frames; /* by file index */
    Phase phase;
    size_t steps, depth;
    int quiet; /* findings are not reported while it is above 0 */
    const Meaning *plain, *unknown;
} Flow;

typedef struct Arguments {
    const Meaning **items;
    size_t count, capacity;
    const char **names; /* of the last `named` arguments of `values` */
    const Meaning **values;
    size_t named;
    const Meaning *starred; /* what *args and **kwargs may hold, or NULL */
} Arguments;

/* flow.c */
void flow_report(Flow *flow, const Rule *rule, Severity severity, const Node *at, const char *instead,
                 const char *format, ...) PRINTF_LIKE(6, 7);
/* The same, somewhere else. */
void flow_report_at(Flow *flow, const Rule *rule, Severity severity, const ProgramFile *file, Place place,
                    const char *instead, const char *what);
/* Counts a step; false when there is no more time: the caller gives flow->unknown. */
bool flow_step(Flow *flow, const Node *at);

/* flow_value.c */
const Meaning *meaning_of(Flow *flow, Sense sense);
const Meaning *meaning_join(Flow *flow, const Meaning *a,
                            const Meaning *b); /* either may be NULL, not both */
bool meaning_same(const Meaning *a, const Meaning *b);
const Meaning *meaning_data(Flow *flow, Origin origin, NumberKind number);
const Meaning *meaning_known(Flow *flow, NumberKind number);
const Meaning *meaning_constant(Flow *flow, NumberKind number, const char *text);
const Meaning *meaning_name(Flow *flow, SenseKind kind, const char *text);
bool meaning_is(const Meaning *meaning, SenseKind kind);  /* every sense is */
bool meaning_has(const Meaning *meaning, SenseKind kind); /* some sense is */
const Sense *meaning_first(const Meaning *meaning, SenseKind kind);
Object *object_new(Flow *flow);
const Meaning *list_of(Flow *flow, const Meaning *const *items, size_t count);
const Meaning *list_of_any(Flow *flow, const Meaning *rest); /* rest may be NULL */
void list_add(Flow *flow, Object *list, const Meaning *item);
void list_forget_order(Flow *flow, Object *list);
const Meaning *object_everything(Flow *flow, const Object *object); /* NULL if empty */
Table *names_copy(Flow *flow, const Table *names);
/* Either may be NULL: a place that is never reached. */
Table *names_join(Flow *flow, const Table *a, const Table *b);
bool names_same(const Table *a, const Table *b);

typedef struct Summary { /* what stands in some operands, however deep in containers */
    const Sense *data, *known, *parameter, *unknown, *plain;
    Sense data_sense; /* all data joined */
    NumberKind known_number;
    bool any_known_number;
    const Taint *taint;
    const Sense *function; /* something that can be called, or a module */
} Summary;
void summarise(Flow *flow, const Meaning *meaning, Summary *summary);

/* flow_operator.c: the table of classes, on data and on known values */
/* `name` for operator_class; `spelled` for messages; the receiver of a method is the first argument. */
const Meaning *flow_operate(Flow *flow, const Node *at, const char *name, const char *spelled,
                            const Arguments *arguments);
const Meaning *flow_binary(Flow *flow, const Node *at, const char *dunder, const char *sign,
                           const Meaning *left, const Meaning *right);
/* Data is asked for its truth. */
void flow_test(Flow *flow, const Node *at, const Meaning *meaning);
/* `meaning` is turned into Python's own values by `spelled`. */
const Meaning *flow_read(Flow *flow, const Node *at, const char *spelled, const Meaning *meaning);
/* A known value that was computed meets data, or what stands in for data. */
void flow_meet(Flow *flow, const Node *at, const Meaning *meaning);
bool flow_in_test(const Node *node);

/* flow_name.c */
void flow_import(Flow *flow, const Node *statement);
const Meaning *flow_name(Flow *flow, const char *name);
const Meaning *flow_torch_name(Flow *flow, const char *dotted);
const Meaning *flow_file_member(Flow *flow, const ProgramFile *file, const char *name);
Frame *flow_file_frame(Flow *flow, const ProgramFile *file);
/* What a call that loads a file by its path gives; NULL for any other call. */
const Meaning *flow_loaded_file(Flow *flow, const Node *call);
const Meaning *flow_package_member(Flow *flow, const char *dotted);

/* flow_statement.c */
void flow_body(Flow *flow, const Node *node, FieldName field);
void flow_bind(Flow *flow, const Node *target, const Meaning *meaning);

/* flow_expression.c */
/* A binary operator as Python has it: on tensors, numbers, strings and lists. */
const Meaning *flow_python_binary(Flow *flow, const Node *at, const char *dunder, const char *sign,
                                  const Meaning *left, const Meaning *right);
const Meaning *flow_evaluate(Flow *flow, const Node *node);
const Meaning *flow_elements(Flow *flow, const Node *at, const Meaning *meaning); /* by iterating over it */
const Meaning *flow_item(Flow *flow, const Node *at, const Meaning *container, const Meaning *index);

/* flow_object.c */
const Meaning *flow_attribute(Flow *flow, const Node *at, const Meaning *meaning, const char *name);
void flow_set_attribute(Flow *flow, const Node *at, const Meaning *object, const char *name,
                        const Meaning *value);
const Meaning *flow_construct(Flow *flow, const Node *at, const Sense *class, const Arguments *arguments);
/* The method bound to `self`, or NULL. */
const Meaning *flow_method(Flow *flow, const Meaning *self, const Sense *class, const char *name);
const Meaning *flow_class_member(Flow *flow, const Sense *class, const char *name, bool own); /* or NULL */
bool flow_class_is_module(Flow *flow, const Sense *class);

/* flow_call.c */
const Meaning *flow_call(Flow *flow, const Node *at, const Meaning *callee, const Arguments *arguments);
const Meaning *flow_call_function(Flow *flow, const Node *at, const Sense *function,
                                  const Arguments *arguments);
const Meaning *flow_call_bound(Flow *flow, const Node *at, const Sense *bound, const Arguments *arguments);
Arguments arguments_one(Flow *flow, const Meaning *item);
void arguments_push(Flow *flow, Arguments *arguments, const Meaning *item);
const Meaning *arguments_keyword(const Arguments *arguments, const char *name); /* NULL if absent */
const Meaning *arguments_all(Flow *flow, const Arguments *arguments);           /* as one list */

/* flow_torch.c: calls of torch's names that are no operators */
const Meaning *flow_call_torch(Flow *flow, const Node *at, const char *name, const Arguments *arguments);
/* flow_python.c: builtins and the standard modules */
const Meaning *flow_call_python(Flow *flow, const Node *at, const char *name, const Arguments *arguments);
bool flow_is_builtin(const char *name);

/* flow_module.c: torch's modules, and those of children */
bool flow_is_nn_class(const char *torch_name); /* "torch.nn.Linear" */
const Meaning *flow_build_module(Flow *flow, const Node *at, const char *torch_name,
                                 const Arguments *arguments);
bool flow_is_module_method(const char *name); /* of torch.nn.Module */
/* A method of torch.nn.Module; NULL if there is none of that name. */
const Meaning *flow_module_method(Flow *flow, const Node *at, const Sense *module, const char *name,
                                  const Arguments *arguments);
const Meaning *flow_child_attribute(Flow *flow, const Node *at, const Sense *child, const char *name);

#endif
