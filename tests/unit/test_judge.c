/* The judge of a run: every rule, and what honest steps do. */
#include "judge_text.h"
#include "operator_rules.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* refactored.py, two children, a helper of refactored.py; 60 lines each. */
static const Program *program(Arena *arena) {
    static const struct {
        const char *name;
        FilePart part;
    } FILES[] = {{"refactored.py", PART_OWN},
                 {"children/fc.py", PART_CHILD},
                 {"children/act.py", PART_CHILD},
                 {"helper.py", PART_HELPER}};
    Program *made = ARENA_NEW(arena, Program);
    for (size_t i = 0; i < COUNT_OF(FILES); i++) {
        ProgramFile *file = ARENA_NEW(arena, ProgramFile);
        *file = (ProgramFile){.part = FILES[i].part, .index = i};
        file->source = (Source){.name = FILES[i].name, .path = FILES[i].name, .line_count = 60};
        file->source.lines = ARENA_ARRAY(arena, const char *, 60);
        for (size_t line = 0; line < 60; line++)
            file->source.lines[line] = "some code";
        *(ProgramFile **)ARENA_PUSH(arena, made) = file;
    }
    Binding *binding = ARENA_PUSH(arena, &made->items[0]->bindings);
    binding->file = made->items[3];
    return made;
}

static void read_trace(Arena *arena, const char *text, Trace *trace) {
    Error error = {0};
    json_t *json = trace_of_text(arena, text);
    if (trace_decode(arena, json, (Bytes){0}, trace, &error) != STATUS_OK)
        fail_msg("%s", error_line(arena, &error));
    json_decref(json);
}

static Findings *judged(Arena *arena, const char *candidate, const char *original, Findings *findings) {
    Trace here, there;
    read_trace(arena, candidate, &here);
    read_trace(arena, original, &there);
    policy_judge_trace(program(arena), &here, &there, findings);
    return findings;
}

/* "id line;" for every finding of that severity, in order. */
static const char *summary(Arena *arena, Findings *findings, Severity severity) {
    Text text = text_new(arena);
    findings_sort(findings);
    for (size_t i = 0; i < findings->count; i++)
        if (findings->items[i].severity == severity)
            text_printf(&text, "%s %d;", findings->items[i].rule->id, findings->items[i].place.line);
    return text.data;
}

static void expect(const char *what, const char *candidate, const char *original, const char *violations) {
    Arena *arena = arena_new();
    Findings *findings = judged(arena, candidate, original, findings_new(arena));
    const char *found = summary(arena, findings, SEVERITY_VIOLATION);
    if (strcmp(found, violations) != 0) {
        for (size_t i = 0; i < findings->count; i++)
            printf("  %s: %s; %s\n", findings->items[i].rule->id, findings->items[i].what,
                   findings->items[i].instead);
        fail_msg("%s: found \"%s\", not \"%s\"", what, found, violations);
    }
    arena_free(arena);
}

#define ORIGINAL_START                                                                                       \
    "module fc Linear -1\nmodule act ReLU -1\ninput x\ninput ids:int64\nparameter fc.weight\n"
#define ORIGINAL_COMPUTE                                                                                     \
    "enter fc 3 : x\nown 3 h = torch.nn.functional.linear x fc.weight\nleave : h\n"                          \
    "enter act 3 : h\nown 3 a = torch.nn.functional.relu h\nleave : a\n"
#define ORIGINAL ORIGINAL_START ORIGINAL_COMPUTE "own 3 z = torch.add a x\nreturns z\n"
#define START    "module fc Model 1\nmodule act Model 2\ninput x\ninput ids:int64\nparameter fc.weight\n"
#define FC       "enter fc 10 : x\nchild 5 h = torch.nn.functional.linear x fc.weight\nleave : h\n"
#define ACT      "enter act 50 : h\nchild 5 a = torch.nn.functional.relu h\nleave : a\n"
#define END      ACT "own 51 z = torch.add a x\nreturns z\n"

static void an_honest_step_has_no_finding(void **state) {
    (void)state;
    expect("honest", START FC END, ORIGINAL, "");
}

/* A line of refactored.py between two children, and what is found. */
static void operators_are_judged_by_class(void **state) {
    (void)state;
    static const struct {
        const char *own, *violations;
    } CASES[] = {
        {"own 20 v = torch.Tensor.permute h 0 1", ""},
        {"own 20 v&h = torch.Tensor.view h 3 2", ""},
        {"own 20 v = torch.Tensor.view h {\"y\":\"torch.int32\"}", "op.compute 20;"},
        {"own 20 v = torch.cat (h,x)", ""},
        {"own 20 v = torch.Tensor.to h {\"y\":\"torch.float16\"}", ""},
        {"own 20 v = torch.Tensor.mul h 2.0", ""},
        {"own 20 v = torch.Tensor.pow h 2", ""},
        {"own 20 v = torch.Tensor.pow h 2.0", ""},
        {"own 20 v = torch.Tensor.__pow__ h 0.5", "op.compute 20;"},
        {"own 20 v = torch.Tensor.pow h -1", "op.compute 20;"},
        {"own 20 v = torch.Tensor.pow h 5", "op.compute 20;"},
        {"own 20 v = torch.Tensor.__rpow__ h 2", "op.compute 20;"},
        {"own 20 v = torch.Tensor.square h", ""},
        {"own 20 v:bool = torch.Tensor.gt h 0", "op.compute 20;"},
        {"own 20 v:bool = torch.Tensor.__gt__ x 0", ""},
        {"own 20 v:bool = torch.Tensor.eq ids 0", ""},
        {"own 20 v:bool = torch.Tensor.eq ids 0\nown 21 w = torch.Tensor.masked_fill h v 0", ""},
        {"own 20 v:bool = torch.Tensor.eq ids 0\nown 21 w:int64 = torch.cumsum v 1", ""},
        {"own 20 w = torch.cumsum x 1", "op.compute 20;"},
        {"own 20 w = torch.sum h", "op.compute 20;"},
        {"own 20 v = torch.matmul h x", "op.forbidden 20;"},
        {"own 20 v = torch.Tensor.__matmul__ h x", "op.forbidden 20;"},
        {"own 20 v = torch.nn.functional.softmax h 1", "op.forbidden 20;"},
        {"own 20 v = torch.Tensor.softmax h 1", "op.compute 20;"},
        {"own 20 v = torch.Tensor.relu_ h ! h", "op.compute 20;"},
        {"own 20 v = torch.where v2 h x", "?"},
        {"own 19 m:bool = torch.Tensor.gt x 0\nown 20 v = torch.where m h x", "op.forbidden 20;"},
        {"own 20 v = torch.something_new h", "op.compute 20;"},
        {"own 20 v = torch.nn.functional.pad h (1,1)", ""},
        {"own 20 v = torch.nn.functional.pad h (1,1) 'reflect'", "op.compute 20;"},
        {"own 20 v = torch.zeros_like h", ""},
        {"own 20 v = torch.Tensor.new_zeros h 3", ""},
        {"own 20 v = torch.randn 3", "op.random 20;"},
        {"own 20 v = torch.nn.functional.dropout h 0.1 False", "op.random 20;"},
        {"own 20 = torch.Tensor.item h > 3.5", "op.read 20;"},
        {"own 20 = torch.Tensor.tolist x > (1,2)", "op.read 20;"},
        {"own 20 = torch.Tensor.is_contiguous h > True", "op.read 20;"},
        {"own 20 = torch.Tensor._secret h > True", "op.read 20;"},
        {"own 20 = torch.Tensor.shape h > {\"s\":[2,3]}", ""},
        {"own 20 = torch.Tensor.dtype h > {\"y\":\"torch.float32\"}", ""},
        {"own 20 v = torch.arange h", "op.read 20;"},
        {"own 20 v = torch.tensor h", ""},
        {"own 20 v = torch.full (2,2) h", "op.read 20;"},
        {"own 20 = torch.Tensor.__bool__ h > True", "op.test 20;"},
        {"own 20 v:bool = torch.Tensor.any x\nown 21 w = torch.mul h v", "op.compute 21;"},
        /* known values */
        {"own 20 p:int64 = torch.arange 3\nown 21 v = torch.Tensor.index_select h 0 p", ""},
        {"own 20 m = torch.ones 3 3\nown 21 n = torch.tril m\nown 22 v = torch.add h n", ""},
        {"own 20 p = torch.arange 3\nown 21 s = torch.sin p\nown 22 v = torch.mul h s", "op.known-float 21;"},
        {"own 20 p = torch.arange 3\nown 21 s = torch.sin p\nown 22 i:int64 = torch.Tensor.long s\n"
         "own 23 v = torch.Tensor.index_select h 0 i",
         ""},
        {"own 20 m:bool = torch.ones 3 3\nown 21 b = torch.where m 0.0 -1.0\nown 22 v = torch.add h b", ""},
        {"own 20 p@0 = torch.tensor 64.0\nown 21 s@0 = torch.sqrt p\nown 22 v = torch.div h s", ""},
        {"own 20 p = torch.arange 3\nown 21 = torch.Tensor.tolist p > (1,2)", ""},
        {"own 20 p:int64 = torch.arange 3\nown 21 v = torch.nn.functional.embedding p x", "op.forbidden 21;"},
        {"own 20 p = torch.arange 3\nown 21 v = torch.nn.functional.softmax p 0", "op.forbidden 21;"},
        /* a child's parameter */
        {"own 20 v = torch.mul h fc.weight", "op.child-parameter 20;"},
        {"own 20 v = torch.Tensor.__getitem__ fc.weight ids", "op.embedding 20;"},
        {"own 20 v = torch.index_select fc.weight 0 ids", "op.embedding 20;"},
        {"own 20 = torch.Tensor.dtype fc.weight > {\"y\":\"torch.float32\"}", ""},
        {"own 20 v = torch.Tensor.to h fc.weight", ""},
        /* shapes that depend on data */
        {"own 19 m:bool = torch.Tensor.gt x 0\nown 20 v = torch.Tensor.__getitem__ h m\n"
         "own 21 = torch.Tensor.shape v > {\"s\":[2]}",
         "op.data-shape 21;"},
        {"own 19 m:bool = torch.Tensor.gt x 0\nown 20 v = torch.Tensor.__getitem__ h m\n"
         "own 21 = torch.Tensor.dim v > 1",
         ""},
        {"own 19 m:bool = torch.ones 3\nown 20 v = torch.Tensor.__getitem__ h m\n"
         "own 21 = torch.Tensor.shape v > {\"s\":[2]}",
         ""},
        {"own 19 = torch.Tensor.__setitem__ h 0 1.0 ! h\nown 20 = torch.Tensor.size h > 3", ""},
        /* helpers are refactored.py's own; functions out of a child's file too */
        {"ownfile:3 20 v = torch.relu h", "op.compute 20;"},
        {"ownfile:1 20 v = torch.relu h", "child.function 20;"},
        {"method:fc:1 20 v = torch.relu h", "child.function 20;"},
        {"method:fc:1 20 v = torch.matmul h fc.weight\nmethod:fc:1 21 w = torch.relu v", ""},
        {"method:fc:1 20 v = torch.matmul h fc.weight\nmethod:fc:2 21 w = torch.relu v",
         "child.function 21;"},
        {"method:fc:1 20 v = torch.zeros_like fc.weight\nmethod:fc:1 21 w = torch.relu h",
         "child.function 21;"},
        {"own 20 e = torch.empty 3\nown 21 q = torch.add_ x e ! x", "trace.unknown-origin 21;"},
        {"own 20 e = torch.empty 3\nown 20 = torch.Tensor.__setitem__ e 0 h ! e\nown 21 q = torch.add_ x e ! "
         "x",
         ""},
        {"unknown u\nown 20 v = torch.add h u", "trace.unknown-origin 20;"},
    };
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        if (strcmp(CASES[i].violations, "?") == 0)
            continue;
        Arena *arena = arena_new();
        const char *text = arena_printf(arena, START FC "%s\n" END, CASES[i].own);
        expect(CASES[i].own, text, ORIGINAL, CASES[i].violations);
        arena_free(arena);
    }
}

/* Lines before forward, and a line in it. */
static void construction_is_judged_where_it_is_used(void **state) {
    (void)state;
    static const struct {
        const char *lines, *violations;
    } CASES[] = {
        {"init 4 m = torch.ones 3 3\ninit 5 n = torch.tril m\nbuffer mask = n\n" FC
         "own 20 v = torch.where mask 1.0 0.0",
         ""},
        {"init 4 m = torch.ones 3 3\nbuffer scale = m\n" FC "own 20 v = torch.where scale 1.0 0.0",
         "op.forbidden 20;"},
        {"init 4 p = torch.arange 3\ninit 5 s = torch.cos p\n" FC "own 20 v = torch.mul h s",
         "op.known-float 5;"},
        {"init 4 w = torch.mul fc.weight 2\n" FC "own 20 v = torch.add h w\nown 21 q = torch.add_ x v ! x",
         "trace.initial-value 4;"},
        {"init 4 r = torch.randn 3\n" FC "own 20 v = torch.add h r\nown 21 q = torch.add_ x v ! x",
         "trace.initial-value 4;"},
        {"init 4 = torch.nn.init.normal_ fc.weight ! fc.weight\n" FC, ""},
        {"init 4 p = torch.arange 3\ninit 5 s = torch.nn.functional.softmax p 0\n" FC, "op.forbidden 5;"},
        {"parameter scale\n" FC, "init.parameter 0;"},
        {"parameter fc.weight2 tied\n" FC, "init.parameter 0;"},
        {"module pool AvgPool2d -1\n" FC, "init.module 0;"},
        {"module flat Flatten -1\nmodule fc.inner Linear -1\n" FC, ""},
        {"buffer fc.table\n" FC "own 20 v = torch.add h fc.table", "op.child-parameter 20;"},
        {"buffer count\n" FC "own 20 = torch.Tensor.add_ count 1 ! count", "state.written 20;"},
        {"init 4 m = torch.zeros 3\n" FC "own 20 = torch.Tensor.copy_ m h ! m", "state.written 20;"},
    };
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        Arena *arena = arena_new();
        const char *text = arena_printf(arena, START "%s\n" END, CASES[i].lines);
        expect(CASES[i].lines, text, ORIGINAL, CASES[i].violations);
        arena_free(arena);
    }
}

static void children_are_judged(void **state) {
    (void)state;
    /* what is handed over and given back */
    expect("a function handed",
           START "enter fc 10 : x {\"fn\":\"relu\"}\nchild 5 h = torch.nn.functional.linear x fc.weight\n"
                 "leave : h\n" END,
           ORIGINAL, "child.handed 10;");
    expect("a module handed",
           START "enter fc 10 : x ({\"M\":\"act\"},1)\nchild 5 h = torch.nn.functional.linear x fc.weight\n"
                 "leave : h\n" END,
           ORIGINAL, "child.handed 10;");
    expect("an object back",
           START "enter fc 10 : x\nchild 5 h = torch.nn.functional.linear x fc.weight\n"
                 "leave : h {\"o\":\"Clever\"}\n" END,
           ORIGINAL, "child.returns 10;");
    expect("a parameter handed",
           START FC "enter act 50 : h fc.weight\nchild 5 a = torch.nn.functional.linear h fc.weight\n"
                    "leave : a\nown 51 z = torch.add a x\nreturns z\n",
           ORIGINAL, "op.child-parameter 50;");
    expect("a computed table handed",
           START "own 9 p = torch.arange 3\nown 10 t = torch.cos p\n" FC
                 "enter act 50 : h t\nchild 5 a = torch.nn.functional.relu h\nleave : a\nown 51 z = "
                 "torch.add a x\nreturns z\n",
           ORIGINAL, "op.known-float 10;");
    /* side channels */
    expect("a tensor kept by another child",
           START FC "enter act 50 : x\nchild 5 a = torch.nn.functional.relu h\nleave : a\n"
                    "own 51 z = torch.add a h\nreturns z\n",
           ORIGINAL, "child.side-channel 5;");
    expect("a tensor not returned",
           START "enter fc 10 : x\nchild 5 h = torch.nn.functional.linear x fc.weight\n"
                 "child 6 h2 = torch.Tensor.mul h 2\nleave : h2\nown 20 v = torch.add h x\n"
                 "enter act 50 : v\nchild 5 a = torch.nn.functional.relu v\nleave : a\nreturns a\n",
           ORIGINAL, "child.side-channel 20;");
    expect("another child's parameter",
           START FC "enter act 50 : h\nchild 5 a = torch.nn.functional.linear h fc.weight\n"
                    "leave : a\nown 51 z = torch.add a x\nreturns z\n",
           ORIGINAL, "child.side-channel 5;");
    expect("a tied parameter",
           "module fc Model 1\nmodule act Model 2\ninput x\nparameter fc.weight act.weight\n" FC
           "enter act 50 : h\nchild 5 a = torch.nn.functional.linear h fc.weight\nleave : a\nown 51 z = "
           "torch.add a x\nreturns z\n",
           ORIGINAL, "");
    expect("a view of an argument",
           START FC
           "enter act 50 : h\nchild 4 v&h = torch.Tensor.view h 6\n"
           "child 5 a = torch.nn.functional.relu v\nleave : a\nown 51 z = torch.add a x\nreturns z\n",
           ORIGINAL, "");
    /* structure */
    expect("no child", START "own 9 z = torch.add x x\nreturns z\n", ORIGINAL,
           "step.no-child 0;step.unused-child 0;step.unused-child 0;");
    expect("one child",
           START "enter fc 10 : x\nchild 5 h = torch.nn.functional.linear x fc.weight\n"
                 "child 6 a = torch.nn.functional.relu h\nleave : a\nenter act 11 : a\nchild 5 b = "
                 "torch.Tensor.add a x\n"
                 "leave : b\nreturns b\n",
           ORIGINAL, "child.side-channel 5;step.one-child 10;");
    expect("one kernel of one operation",
           START "enter fc 10 : x\nchild 5 h = torch.nn.functional.linear x fc.weight\n"
                 "leave : h\nenter act 11 : h\nchild 5 a = torch.Tensor.add h 1\nleave : a\nreturns a\n",
           ORIGINAL_START
           "own 3 h = torch.nn.functional.linear x fc.weight\nown 4 a = torch.add h 1\nreturns a\n",
           "");
    expect("a dead call",
           START FC "enter act 50 : h\nchild 5 a = torch.nn.functional.relu h\nleave : a\n"
                    "own 51 z = torch.add h x\nreturns z\n",
           ORIGINAL, "step.one-child 10;step.dead-child 50;");
    expect("an unused child", START "module spare Model 2\n" FC END, ORIGINAL, "step.unused-child 0;");
    expect("an unused part in both", START "module spare Model 2\n" FC END,
           "module spare ReLU -1\nmodule fc Linear -1\nmodule act ReLU -1\ninput x\nparameter "
           "fc.weight\nenter fc 3 : x\n"
           "own 3 h = torch.nn.functional.linear x fc.weight\nleave : h\nenter act 3 : h\n"
           "own 3 a = torch.nn.functional.relu h\nleave : a\nown 3 z = torch.add a x\nreturns z\n",
           "");
}

static void randomness_must_be_on_both_sides(void **state) {
    (void)state;
    expect("on one side",
           START FC
           "enter act 50 : h\nchild 4 d = torch.nn.functional.dropout h 0.1 True\n"
           "child 5 a = torch.nn.functional.relu d\nleave : a\nown 51 z = torch.add a x\nreturns z\n",
           ORIGINAL, "step.random 4;");
    expect("switched off",
           START FC
           "enter act 50 : h\nchild 4 d = torch.nn.functional.dropout h 0.1 False\n"
           "child 5 a = torch.nn.functional.relu d\nleave : a\nown 51 z = torch.add a x\nreturns z\n",
           ORIGINAL, "");
}

static void tests_on_data_must_be_the_originals(void **state) {
    (void)state;
    static const char TESTING[] = ORIGINAL_START
        "own 2 e:bool = torch.Tensor.eq ids 0\nown 2 y:bool@0 = torch.Tensor.any e\n"
        "own 2 = torch.Tensor.__bool__ y > True\n"
        "own 3 h = torch.nn.functional.linear x fc.weight\nown 3 a = torch.nn.functional.relu h\n"
        "own 3 z = torch.add a x\nreturns z\n";
    static const char SAME[] =
        START "own 9 e:bool = torch.Tensor.__eq__ ids 0\nown 9 y:bool@0 = torch.any e\n"
              "own 9 = torch.Tensor.__bool__ y > True\n" FC END;
    expect("the same test", SAME, TESTING, "");
    Arena *arena = arena_new();
    Findings *findings = judged(arena, SAME, TESTING, findings_new(arena));
    assert_string_equal(summary(arena, findings, SEVERITY_NOTE), "op.test-went 9;");
    arena_free(arena);
    expect("none in the original", SAME, ORIGINAL, "op.test 9;");
    expect("the other way",
           START "own 9 e:bool = torch.Tensor.__eq__ ids 0\nown 9 y:bool@0 = torch.any e\n"
                 "own 9 = torch.Tensor.__bool__ y > False\n" FC END,
           TESTING, "op.test 9;");
}

static const char *chain(Arena *arena, int length) {
    Text text = text_new(arena);
    text_add(&text, START FC "own 20 c0 = torch.Tensor.mul h 2\n");
    for (int i = 1; i < length; i++)
        text_printf(&text, "own %d c%d = torch.Tensor.mul c%d 2\n", 20 + i, i, i - 1);
    text_printf(&text,
                "enter act 50 : c%d\nchild 5 a = torch.nn.functional.relu c%d\nleave : a\n"
                "own 51 z = torch.add a x\nreturns z\n",
                length - 1, length - 1);
    return text.data;
}

static void arithmetic_must_not_add_up(void **state) {
    (void)state;
    Arena *arena = arena_new();
    expect("a handful", chain(arena, 5), ORIGINAL, "");
    expect("more than a handful", chain(arena, 7), ORIGINAL, "op.arithmetic-as-compute 25;");
    Findings *findings = judged(arena, chain(arena, 2), ORIGINAL, findings_new(arena));
    assert_string_equal(summary(arena, findings, SEVERITY_NOTE), "step.more-arithmetic 20;");
    Text loop = text_new(arena), like = text_new(arena);
    text_add(&loop, START FC);
    text_add(&like, ORIGINAL_START "own 3 h = torch.nn.functional.linear x fc.weight\n");
    for (int i = 0; i < 8; i++) {
        text_printf(&loop,
                    "own 20 s%d = torch.Tensor.__getitem__ h %d\nown 20 m%d = torch.Tensor.mul s%d 2\n", i, i,
                    i, i);
        text_printf(&like, "own 3 m%d = torch.Tensor.mul h %d\n", i, i);
    }
    text_add(&loop, END);
    text_add(&like, "own 3 a = torch.nn.functional.relu h\nown 3 z = torch.add a x\nreturns z\n");
    expect("a loop", loop.data, ORIGINAL, "op.arithmetic-as-compute 20;");
    expect("a loop that the original has", loop.data, like.data, "");
    arena_free(arena);
    expect("relu by arithmetic",
           START FC "own 20 m:bool = torch.Tensor.gt x 0\nown 21 r = torch.Tensor.mul h m\n"
                    "enter act 50 : r\nchild 5 a = torch.Tensor.add r 1\nleave : a\nown 51 z = torch.add a "
                    "x\nreturns z\n",
           ORIGINAL, "step.missing-compute 0;step.one-child 10;");
    expect("nan_to_num",
           START FC
           "enter act 50 : h\nchild 4 n = torch.nan_to_num h\nchild 5 a = torch.nn.functional.relu n\n"
           "leave : a\nown 51 z = torch.add a x\nreturns z\n",
           ORIGINAL, "step.extra-compute 4;");
}

static void what_ran_settles_what_lint_supposed(void **state) {
    (void)state;
    Arena *arena = arena_new();
    Findings *findings = findings_new(arena);
    const Place known = {"refactored.py", 20, 5, 0}, data = {"refactored.py", 21, 5, 0},
                undecided = {"refactored.py", 20, 9, 0}, never_ran = {"refactored.py", 40, 1, 0};
    static const Rule language = {"py.import", "", "", ""};
    findings_add(findings, &RULE_OP_COMPUTE, SEVERITY_VIOLATION, known, "torch.sin is compute");
    findings_add(findings, &RULE_OP_COMPUTE, SEVERITY_VIOLATION, data, "torch.softmax is compute");
    findings_add(findings, &RULE_FLOW_UNKNOWN, SEVERITY_UNDECIDED, undecided, "what torch.sin is given");
    findings_add(findings, &RULE_FLOW_UNKNOWN, SEVERITY_UNDECIDED, never_ran, "what torch.cos is given");
    findings_add(findings, &language, SEVERITY_VIOLATION, known, "import os");
    judged(arena,
           START FC "own 20 p = torch.arange 3\nown 20 s = torch.sin p\nown 21 v = torch.softmax h 1\n" END,
           ORIGINAL, findings);
    assert_string_equal(summary(arena, findings, SEVERITY_VIOLATION), "py.import 20;op.compute 21;");
    assert_string_equal(summary(arena, findings, SEVERITY_UNDECIDED), "flow.undecided 40;");
    arena_free(arena);
}

static void findings_say_where_and_what(void **state) {
    (void)state;
    Arena *arena = arena_new();
    Findings *findings =
        judged(arena, START FC "own 20 v = torch.matmul h x\n" END, ORIGINAL, findings_new(arena));
    assert_int_equal(findings->count >= 1, 1);
    const Finding *finding = &findings->items[0];
    assert_string_equal(finding->place.file, "refactored.py");
    assert_string_equal(finding->what, "torch.matmul is compute");
    assert_string_equal(finding->instead, "move it into a child component");
    assert_string_equal(finding->where, "forward");
    assert_non_null(finding->frame);
    arena_free(arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_honest_step_has_no_finding),
        cmocka_unit_test(operators_are_judged_by_class),
        cmocka_unit_test(construction_is_judged_where_it_is_used),
        cmocka_unit_test(children_are_judged),
        cmocka_unit_test(randomness_must_be_on_both_sides),
        cmocka_unit_test(tests_on_data_must_be_the_originals),
        cmocka_unit_test(arithmetic_must_not_add_up),
        cmocka_unit_test(what_ran_settles_what_lint_supposed),
        cmocka_unit_test(findings_say_where_and_what),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
