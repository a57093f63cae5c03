/* patterns: what the parser of a pattern file makes and the matcher uses. */
#ifndef PLUMBLINE_GRAPH_PATTERNS_PARTS_H
#define PLUMBLINE_GRAPH_PATTERNS_PARTS_H

#include "graph.h"

typedef enum NodeKind {
    NODE_VARIABLE,
    NODE_NUMBER,
    NODE_NUMBER_VARIABLE,
    NODE_OPERATOR,
    NODE_PRODUCT,     /* items in any order and grouping, times the coefficient */
    NODE_SUM,         /* of two, in either order */
    NODE_DIFFERENCE,  /* of two */
    NODE_INVERSE,     /* a factor of a product that divides */
    NODE_SELECTION,   /* a selection of the item's elements */
    NODE_INTERLEAVED, /* two, written in turn into one */
    NODE_CHOICE
} NodeKind;

typedef enum Guard { GUARD_NONE, GUARD_FULL, GUARD_VECTOR, GUARD_SCALAR, GUARD_STATE, GUARD_KNOWN } Guard;
typedef enum Selection {
    SELECT_FIRST_HALF, /* of the last dimension, as the next three */
    SELECT_SECOND_HALF,
    SELECT_EVEN,
    SELECT_ODD,
    SELECT_TRANSPOSED /* the last two dimensions changed places */
} Selection;

typedef struct Keyword {
    const char *name;
    enum { KEYWORD_NUMBER, KEYWORD_BOOL, KEYWORD_TEXT, KEYWORD_NONE, KEYWORD_VARIABLE } kind;
    double number;
    const char *text;
    size_t variable;
} Keyword;

typedef struct Node Node;
struct Node {
    NodeKind kind;
    Guard guard;
    Selection selection;
    const char *name; /* OPERATOR: "aten::exp" */
    size_t result;    /* OPERATOR: which of several */
    size_t variable;  /* VARIABLE, NUMBER_VARIABLE; PRODUCT: of the coefficient, or SIZE_MAX */
    double number;    /* NUMBER; PRODUCT: the coefficient */
    bool near;        /* within a tolerance that forgives rounded spellings */
    Node **items;
    size_t count, capacity;
    Keyword *keywords;
    size_t keyword_count, keyword_capacity;
};

/* The name of a TERM_WRITE in the index of roots. */
#define WRITE_NAME "plumbline::write"

enum { MOST_FACTORS = 8, MOST_VARIABLES = 64 };

typedef struct Pattern {
    const char *name;
    enum { PATTERN_PART, PATTERN_KERNEL, PATTERN_FUSION } kind;
    size_t parameter_count, variable_count; /* the parameters are the first variables */
    Node *root;
} Pattern;

typedef struct Root { /* a way to begin: an alternative of a pattern, by the operator of its root */
    const Pattern *pattern;
    const Node *node;
} Root;
typedef struct RootList {
    Root *items;
    size_t count, capacity;
} RootList;

struct Patterns {
    Arena *arena;
    Table *named; /* name -> Pattern *, the last with all alternatives */
    Table *roots; /* operator -> RootList * */
};

/* Are two numbers one, as the pattern asks? */
bool pattern_number_matches(double asked, double found, bool near);

#endif
