/* Programs: which files a candidate consists of, and what each import means. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "parse.h"
#include "source.h"

#define MODEL "class Model:\n    pass\n"

/* A decomposition in a folder of its own; files are given by path and content. */
typedef struct Fixture {
    Arena *arena;
    const char *folder;
    Program program;
    Findings *findings;
    Error error;
    Status status;
} Fixture;

static Fixture fixture_new(void) {
    Fixture fixture = {.arena = arena_new()};
    char *folder = arena_strdup(fixture.arena, "/tmp/plumbline-program-XXXXXX");
    assert_non_null(mkdtemp(folder));
    fixture.folder = path_absolute(fixture.arena, folder);
    return fixture;
}

static const char *at(Fixture *fixture, const char *name) {
    return path_join(fixture->arena, fixture->folder, name);
}

static void put(Fixture *fixture, const char *name, const char *text) {
    char *path = arena_strdup(fixture->arena, at(fixture, name));
    for (char *slash = path + strlen(fixture->folder) + 1; (slash = strchr(slash, '/')) != NULL; slash++) {
        *slash = '\0';
        mkdir(path, 0777);
        *slash = '/';
    }
    Error error;
    assert_int_equal(file_write(path, (Bytes){(const uint8_t *)text, strlen(text)}, &error), STATUS_OK);
}

static void load_allowing(Fixture *fixture, const char *name, const char *allowed) {
    Parser parser = test_parser();
    fixture->findings = findings_new(fixture->arena);
    fixture->status = program_load(fixture->arena, &parser, at(fixture, name), PART_OWN, &allowed,
                                   allowed != NULL, &fixture->program, fixture->findings, &fixture->error);
    findings_sort(fixture->findings);
}

static void load(Fixture *fixture, const char *name) {
    load_allowing(fixture, name, NULL);
    if (fixture->status != STATUS_OK)
        fail_msg("%s", error_line(fixture->arena, &fixture->error));
}

static void fixture_free(Fixture *fixture) {
    char command[256];
    snprintf(command, sizeof command, "rm -rf '%s'", fixture->folder);
    assert_int_equal(system(command), 0);
    arena_free(fixture->arena);
}

static void expect_no_findings(const Fixture *fixture) {
    for (size_t i = 0; i < fixture->findings->count; i++)
        print_message("unexpected: %s:%d %s: %s\n", fixture->findings->items[i].place.file,
                      fixture->findings->items[i].place.line, fixture->findings->items[i].rule->id,
                      fixture->findings->items[i].what);
    assert_int_equal(fixture->findings->count, 0);
}

static void expect_finding(const Fixture *fixture, const char *rule, int line, const char *what) {
    for (size_t i = 0; i < fixture->findings->count; i++) {
        const Finding *finding = &fixture->findings->items[i];
        if (strcmp(finding->rule->id, rule) == 0 && finding->place.line == line &&
            strstr(finding->what, what) != NULL)
            return;
    }
    for (size_t i = 0; i < fixture->findings->count; i++)
        print_message("found: %s line %d: %s\n", fixture->findings->items[i].rule->id,
                      fixture->findings->items[i].place.line, fixture->findings->items[i].what);
    fail_msg("no finding %s in line %d with '%s'", rule, line, what);
}

/* The binding of `name` in the main file is this file's and attribute; `name` NULL: the call in `line`. */
static void expect_binding_in(const Fixture *fixture, size_t file, const char *name, int line,
                              const char *path, const char *attribute) {
    const Bindings *bindings = &fixture->program.items[file]->bindings;
    for (size_t i = 0; i < bindings->count; i++) {
        const Binding *binding = &bindings->items[i];
        if (!text_equal(binding->name, name) || (line > 0 && binding->node->line != line))
            continue;
        assert_non_null(binding->file);
        assert_string_equal(binding->file->source.path + strlen(fixture->folder) + 1, path);
        if (attribute == NULL)
            assert_null(binding->attribute);
        else
            assert_string_equal(binding->attribute, attribute);
        return;
    }
    fail_msg("no binding of %s in line %d", name == NULL ? "a call" : name, line);
}

static void expect_binding(const Fixture *fixture, const char *name, const char *path,
                           const char *attribute) {
    expect_binding_in(fixture, 0, name, 0, path, attribute);
}

/* The lines whose statements are skipped, topmost only: "1 2 5". */
static const char *skipped_lines(Fixture *fixture, const char *key) {
    json_t *json = program_to_json(&fixture->program), *pair;
    assert_non_null(json);
    Text out = text_new(fixture->arena);
    size_t index;
    json_array_foreach(json_object_get(json_array_get(json, 0), key), index, pair) {
        text_printf(&out, "%s%d", index > 0 ? " " : "", (int)json_integer_value(json_array_get(pair, 0)));
    }
    json_decref(json);
    return out.data;
}

/* ---- Import forms ---- */

static void test_every_form_of_import_statement(void **state) {
    (void)state;
    Fixture fixture = fixture_new();
    put(&fixture, "d/level_0_kernel/linear_768x3072_fp32.py", MODEL);
    put(&fixture, "d/steps/step_1_x/children/linear.py", MODEL);
    put(&fixture, "d/steps/step_1_x/children/norm.py", "import torch\n" MODEL);
    put(&fixture, "d/steps/step_1_x/beside.py", MODEL);
    put(&fixture, "d/steps/step_1_x/pack/__init__.py", "from .inner import Model as Inner\n");
    put(&fixture, "d/steps/step_1_x/pack/inner.py", MODEL);
    put(&fixture, "d/steps/step_1_x/refactored.py",
        "import torch, math\n"
        "import linear\n"
        "from linear import Model as Linear\n"
        "import children.norm as n\n"
        "from children.norm import Model as Norm, torch as t\n"
        "from children import norm\n"
        "import children.linear\n"
        "from .children.linear import Model as R\n"
        "from . import beside\n"
        "from level_0_kernel.linear_768x3072_fp32 import Model as Up\n"
        "from linear_768x3072_fp32 import Model as Up2\n"
        "from pack import Inner\n"
        "from pack import inner\n"
        "import pack.inner\n"
        "from beside import Model\n"
        "class RefactoredModel(torch.nn.Module): pass\n");
    load(&fixture, "d/steps/step_1_x/refactored.py");
    expect_no_findings(&fixture);
#define STEP "d/steps/step_1_x/"
    expect_binding(&fixture, "linear", STEP "children/linear.py", NULL);
    expect_binding(&fixture, "Linear", STEP "children/linear.py", "Model");
    expect_binding(&fixture, "n", STEP "children/norm.py", NULL);
    expect_binding(&fixture, "Norm", STEP "children/norm.py", "Model");
    expect_binding(&fixture, "t", STEP "children/norm.py", "torch");
    expect_binding(&fixture, "norm", STEP "children/norm.py", NULL);
    expect_binding(&fixture, "children.linear", STEP "children/linear.py", NULL);
    expect_binding(&fixture, "R", STEP "children/linear.py", "Model");
    expect_binding(&fixture, "beside", STEP "beside.py", NULL);
    expect_binding(&fixture, "Up", "d/level_0_kernel/linear_768x3072_fp32.py", "Model");
    expect_binding(&fixture, "Up2", "d/level_0_kernel/linear_768x3072_fp32.py", "Model");
    expect_binding(&fixture, "Inner", STEP "pack/__init__.py", "Inner");
    expect_binding(&fixture, "inner", STEP "pack/inner.py", NULL);
    expect_binding(&fixture, "pack", STEP "pack/__init__.py", NULL);
    expect_binding(&fixture, "pack.inner", STEP "pack/inner.py", NULL);
    assert_int_equal(fixture.program.count, 7);
    assert_string_equal(fixture.program.items[1]->source.name, "children/linear.py");
    assert_int_equal(fixture.program.items[1]->part, PART_CHILD);
    assert_int_equal(fixture.program.items[0]->part, PART_OWN);
    const Field *body = node_field(fixture.program.items[0]->tree.module, FIELD_body);
    assert_non_null(program_binding(fixture.program.items[0], body->items[1], "linear"));
    assert_null(program_binding(fixture.program.items[0], body->items[0], "torch"));
    fixture_free(&fixture);
}

static void test_children_import_each_other_and_helpers(void **state) {
    (void)state;
    Fixture fixture = fixture_new();
    put(&fixture, "step/children/attention.py",
        "from linear import Model as Linear\nfrom shapes import split\nfrom .mask import make\n" MODEL);
    put(&fixture, "step/children/linear.py", MODEL);
    put(&fixture, "step/children/shapes.py", "def split(x):\n    return x\n");
    put(&fixture, "step/children/mask.py", "def make(x):\n    return x\n");
    put(&fixture, "step/linear.py", MODEL "x = 1\n");
    put(&fixture, "step/refactored.py", "from children.attention import Model as A\nimport linear\n");
    load(&fixture, "step/refactored.py");
    expect_no_findings(&fixture);
    /* children/ comes before the file's own folder; both importers mean the same file here */
    expect_binding(&fixture, "linear", "step/children/linear.py", NULL);
    assert_string_equal(fixture.program.items[1]->source.name, "children/attention.py");
    expect_binding_in(&fixture, 1, "Linear", 0, "step/children/linear.py", "Model");
    expect_binding_in(&fixture, 1, "split", 0, "step/children/shapes.py", "split");
    expect_binding_in(&fixture, 1, "make", 0, "step/children/mask.py", "make");
    for (size_t i = 0; i < fixture.program.count; i++)
        if (strcmp(fixture.program.items[i]->source.name, "children/shapes.py") == 0)
            assert_int_equal(fixture.program.items[i]->part, PART_HELPER);
    fixture_free(&fixture);
}

static void test_one_name_in_two_folders_means_two_files(void **state) {
    (void)state;
    Fixture fixture = fixture_new();
    put(&fixture, "a/linear.py", MODEL);
    put(&fixture, "a/norm.py", "from .linear import Model\n");
    put(&fixture, "b/linear.py", MODEL "x = 1\n");
    put(&fixture, "b/norm.py", "from linear import Model\n");
    put(&fixture, "refactored.py", "from a.norm import Model as A\nfrom b.norm import Model as B\n");
    load(&fixture, "refactored.py");
    expect_no_findings(&fixture);
    expect_binding_in(&fixture, 1, "Model", 0, "a/linear.py", "Model");
    expect_binding_in(&fixture, 2, "Model", 0, "b/linear.py", "Model");
    assert_int_equal(fixture.program.count, 5);
    fixture_free(&fixture);
}

/* ---- Findings ---- */

static void test_ambiguity_names_both_files(void **state) {
    (void)state;
    Fixture fixture = fixture_new();
    put(&fixture, "level_0_kernel/linear.py", MODEL);
    put(&fixture, "level_1_fusion/linear.py", MODEL "x = 1\n");
    put(&fixture, "level_0_kernel/same.py", MODEL);
    put(&fixture, "level_1_fusion/same.py", MODEL);
    put(&fixture, "steps/step_1/children/norm.py", MODEL);
    put(&fixture, "steps/step_1/children/norm/__init__.py", MODEL "x = 1\n");
    put(&fixture, "steps/step_1/refactored.py", "import linear\nimport same\nimport norm\n");
    load(&fixture, "steps/step_1/refactored.py");
    assert_int_equal(fixture.findings->count, 2);
    expect_finding(&fixture, "py.import-ambiguous", 1,
                   "'linear' could be ../../level_0_kernel/linear.py or ../../level_1_fusion/linear.py");
    expect_finding(&fixture, "py.import-ambiguous", 3,
                   "'norm' could be children/norm.py or children/norm/__init__.py");
    assert_non_null(strstr(fixture.findings->items[0].frame, "1 | import linear"));
    fixture_free(&fixture);
}

static void test_a_missing_component_says_where_it_was_looked_for(void **state) {
    (void)state;
    Fixture fixture = fixture_new();
    put(&fixture, "level_0_kernel/x.py", MODEL);
    put(&fixture, "steps/step_1/refactored.py",
        "from linear import Model\nfrom .norm import Model as N\nimport numpy as np\n");
    load(&fixture, "steps/step_1/refactored.py");
    expect_finding(&fixture, "py.import-missing", 1,
                   "cannot find module 'linear'; looked in children/, ./, ../../level_0_kernel/, ../../");
    expect_finding(&fixture, "py.import-missing", 2, "cannot find module '.norm'; looked in ./");
    expect_finding(&fixture, "py.import-missing", 3, "cannot find module 'numpy'");
    fixture_free(&fixture);
}

static void test_standard_modules_are_refused_but_for_those_allowed(void **state) {
    (void)state;
    Fixture fixture = fixture_new();
    put(&fixture, "refactored.py",
        "from __future__ import annotations\nimport math, cmath, typing, functools, itertools\n"
        "import collections.abc, contextlib, dataclasses, enum, abc, operator, numbers, copy\n"
        "from types import SimpleNamespace\nimport warnings, logging, torch.nn.functional as F, einops\n"
        "import time\nfrom ctypes import CDLL\nimport numpy\nimport json\nprint(time, CDLL, numpy)\n");
    load_allowing(&fixture, "refactored.py", "time");
    assert_int_equal(fixture.status, STATUS_OK);
    expect_finding(&fixture, "py.import-standard", 7, "'ctypes' is a standard module");
    expect_finding(&fixture, "py.import-missing", 8, "numpy");
    assert_int_equal(fixture.findings->count, 2); /* json is never used: it is only taken out */
    assert_string_equal(skipped_lines(&fixture, "binds"), "9");
    fixture_free(&fixture);
}

static void test_files_that_bear_a_modules_name(void **state) {
    (void)state;
    Fixture fixture = fixture_new();
    put(&fixture, "children/select.py", MODEL);
    put(&fixture, "children/math.py", "pi = 3\n");
    put(&fixture, "children/linear.py", MODEL);
    put(&fixture, "refactored.py",
        "from children.select import Model\nimport math\nimport linear\nmath.pi\n");
    load(&fixture, "refactored.py");
    expect_finding(&fixture, "py.import-shadow", 0, "bears the name of the module 'select'");
    expect_finding(&fixture, "py.import-shadow", 2, "children/math.py bears the name of the module 'math'");
    load_allowing(&fixture, "refactored.py", "linear");
    expect_finding(&fixture, "py.import-shadow", 3,
                   "children/linear.py bears the name of the module 'linear'");
    put(&fixture, "torch.py", MODEL);
    load(&fixture, "torch.py");
    expect_finding(&fixture, "py.import-shadow", 0, "'torch'");
    fixture_free(&fixture);
}

static void test_stars_are_refused(void **state) {
    (void)state;
    Fixture fixture = fixture_new();
    put(&fixture, "linear.py", MODEL);
    put(&fixture, "refactored.py", "from linear import *\nfrom torch.nn import *\n");
    load(&fixture, "refactored.py");
    expect_finding(&fixture, "py.import-star", 1, "'from linear import *'");
    expect_finding(&fixture, "py.import-star", 2, "'from torch.nn import *'");
    fixture_free(&fixture);
}

static void test_links_that_lead_out_are_refused(void **state) {
    (void)state;
    Fixture fixture = fixture_new();
    put(&fixture, "elsewhere/secret.py", MODEL);
    put(&fixture, "d/level_0_kernel/linear.py", MODEL);
    put(&fixture, "d/steps/s/refactored.py", "import secret\nimport linear_link\n");
    mkdir(at(&fixture, "d/steps/s/children"), 0777);
    assert_int_equal(symlink("../../../../elsewhere/secret.py", at(&fixture, "d/steps/s/children/secret.py")),
                     0);
    assert_int_equal(
        symlink("../../../level_0_kernel/linear.py", at(&fixture, "d/steps/s/children/linear_link.py")), 0);
    load(&fixture, "d/steps/s/refactored.py");
    expect_finding(&fixture, "py.import-outside", 1, "elsewhere/secret.py, outside of");
    assert_int_equal(fixture.findings->count, 1);
    expect_binding(&fixture, "linear_link", "d/level_0_kernel/linear.py", NULL);
    fixture_free(&fixture);
}

static void test_broken_files_are_errors_with_a_place(void **state) {
    (void)state;
    Fixture fixture = fixture_new();
    put(&fixture, "children/linear.py", "x = 1\nclass Model(:\n");
    put(&fixture, "refactored.py", "import linear\n");
    load_allowing(&fixture, "refactored.py", NULL);
    assert_int_equal(fixture.status, STATUS_ERROR);
    assert_non_null(
        strstr(error_line(fixture.arena, &fixture.error), "children/linear.py:2:13: not valid Python"));
    load_allowing(&fixture, "none.py", NULL);
    assert_int_equal(fixture.status, STATUS_ERROR);
    fixture_free(&fixture);
}

/* ---- Path code as it is written in real life ---- */

typedef struct Idiom {
    const char *text;
    const char *skipped; /* lines */
    const char *name;    /* what is bound, or NULL for a call */
    int line;
    const char *path, *attribute;
} Idiom;

static const Idiom IDIOMS[] = {
    {"import sys\nfrom pathlib import Path\nsys.path.insert(0, str(Path(__file__).parent / 'parts'))\n"
     "from linear import Model as Linear\n",
     "1 2 3", "Linear", 4, "d/steps/s/parts/linear.py", "Model"},
    {"import os\nimport sys\nHERE = os.path.dirname(os.path.abspath(__file__))\n"
     "sys.path.append(os.path.join(HERE, 'parts'))\nimport linear as m\n",
     "1 2 3 4", "m", 5, "d/steps/s/parts/linear.py", NULL},
    {"import sys, os\nsys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', '..', 'extra'))\n"
     "from linear import Model\n",
     "1 2", "Model", 3, "d/extra/linear.py", "Model"},
    {"import sys\nfrom pathlib import Path\nROOT = Path(__file__).resolve().parents[2]\n"
     "for sub in ('extra', 'none'):\n    p = str(ROOT / sub)\n    if p not in sys.path:\n"
     "        sys.path.insert(0, p)\nfrom linear import Model\n",
     "1 2 3 4", "Model", 8, "d/extra/linear.py", "Model"},
    {"import sys\nfrom pathlib import Path\ndef _setup():\n    here = Path(__file__).parent\n"
     "    children = here / 'parts'\n    if children.exists() and str(children) not in sys.path:\n"
     "        sys.path.insert(0, str(children))\n_setup()\nfrom linear import Model\n",
     "1 2 3 8", "Model", 9, "d/steps/s/parts/linear.py", "Model"},
    {"import os, sys\ntry:\n    sys.path.insert(0, os.path.realpath(os.path.dirname(__file__)) + '/parts')\n"
     "except Exception:\n    pass\nimport linear\n",
     "1 2", "linear", 6, "d/steps/s/parts/linear.py", NULL},
    {"from pathlib import Path\nimport sys\nroot = Path(__file__).resolve().parent\n"
     "while not (root / 'level_0_kernel').is_dir():\n    root = root.parent\n"
     "sys.path[:0] = [str(root / 'extra')]\nfrom linear import Model\n",
     "1 2 3 4 6", "Model", 7, "d/extra/linear.py", "Model"},
    {"import sys\nfrom pathlib import Path\n_d = next(p for p in Path(__file__).parents if (p / "
     "'extra').exists())\n"
     "sys.path = [str(_d / 'extra')] + sys.path\nfrom linear import Model\n",
     "1 2 3 4", "Model", 5, "d/extra/linear.py", "Model"},
    {"import importlib\nlinear = importlib.import_module('children.linear')\nLinear = linear.Model\n", "1",
     NULL, 2, "d/steps/s/children/linear.py", NULL},
    {"from importlib import import_module\nLinear = import_module('linear').Model\n", "1", NULL, 2,
     "d/steps/s/children/linear.py", NULL},
    {"import importlib\nLinear = getattr(importlib.import_module('linear'), 'Model')\n", "1", NULL, 2,
     "d/steps/s/children/linear.py", NULL},
    {"import importlib.util\nimport os\nHERE = os.path.dirname(os.path.abspath(__file__))\n"
     "spec = importlib.util.spec_from_file_location('linear', os.path.join(HERE, 'parts', 'linear.py'))\n"
     "linear = importlib.util.module_from_spec(spec)\nspec.loader.exec_module(linear)\nLinear = "
     "linear.Model\n",
     "1 2 3 4 6", NULL, 5, "d/steps/s/parts/linear.py", NULL},
    {"import importlib.util, sys\nfrom pathlib import Path\nHERE = Path(__file__).parent\n"
     "def load(name):\n    path = HERE / 'parts' / f'{name}.py'\n"
     "    spec = importlib.util.spec_from_file_location(name, path)\n"
     "    if spec is None or spec.loader is None:\n        raise ImportError(name)\n"
     "    mod = importlib.util.module_from_spec(spec)\n    sys.modules[name] = mod\n"
     "    spec.loader.exec_module(mod)\n    return mod.Model\nLinear = load('linear')\n",
     "1 2 3 4", NULL, 13, "d/steps/s/parts/linear.py", "Model"},
    {"import importlib.util as iu\nimport os\n"
     "def _load(path, cls='Model', *, name=None):\n    spec = iu.spec_from_file_location(name or 'm', path)\n"
     "    mod = iu.module_from_spec(spec)\n    spec.loader.exec_module(mod)\n    return getattr(mod, cls)\n"
     "Linear = _load(os.path.join(os.path.dirname(__file__), 'parts', '%s.py' % 'linear'), name='linear')\n",
     "1 2 3", NULL, 8, "d/steps/s/parts/linear.py", "Model"},
    {"import importlib.util\nfrom pathlib import Path\ndef load(name):\n"
     "    for folder in (Path(__file__).parent / 'none', Path(__file__).parent / 'parts'):\n"
     "        path = folder / '{}.py'.format(name)\n        if path.exists():\n"
     "            spec = importlib.util.spec_from_file_location(name, str(path))\n"
     "            mod = importlib.util.module_from_spec(spec)\n            spec.loader.exec_module(mod)\n"
     "            return mod\n    raise FileNotFoundError(name)\n"
     "class R:\n    def __init__(self):\n        self.linear = load('linear').Model()\n",
     "1 2 3", NULL, 14, "d/steps/s/parts/linear.py", NULL},
    {"from importlib.machinery import SourceFileLoader\nfrom pathlib import Path\n"
     "loader = SourceFileLoader('linear', str(Path(__file__).with_name('parts') / 'linear.py'))\n"
     "linear = loader.load_module()\n",
     "1 2 3", NULL, 4, "d/steps/s/parts/linear.py", NULL},
    {"try:\n    from children.linear import Model\nexcept ImportError:\n    import os, sys\n"
     "    sys.path.insert(0, os.path.dirname(__file__))\n    from nowhere import Model\n",
     "4 5", "Model", 2, "d/steps/s/children/linear.py", "Model"},
    {"try:\n    from package.linear import Model\nexcept (ImportError, ValueError):\n    from linear import "
     "Model\n",
     "", "Model", 4, "d/steps/s/children/linear.py", "Model"},
    {"import sys, os\nd = os.path.join(os.path.dirname(__file__), 'parts')\nsys.path.insert(0, d)\n"
     "try:\n    from linear import Model\nfinally:\n    sys.path.remove(d)\ndel sys.modules['linear']\n",
     "1 2 3 7 8", "Model", 5, "d/steps/s/parts/linear.py", "Model"},
};

/* more than one line of path code in a try, a handler that names the folder, names that are bound later */
static void test_path_code_in_handlers_and_functions(void **state) {
    (void)state;
    Fixture fixture = fixture_new();
    put(&fixture, "parts/linear.py", MODEL);
    put(&fixture, "refactored.py",
        "import sys\nfrom pathlib import Path\ntry:\n    HERE = Path(__file__).parent\nexcept NameError:\n"
        "    HERE = Path.cwd()\ntry:\n    from linear import Model\nexcept ImportError:\n"
        "    sys.path.insert(0, str(HERE / 'parts'))\n    from linear import Model\n");
    load(&fixture, "refactored.py");
    expect_no_findings(&fixture);
    assert_string_equal(skipped_lines(&fixture, "skip"), "1 2 3 10");
    expect_binding_in(&fixture, 0, "Model", 8, "parts/linear.py", "Model");
    put(&fixture, "refactored.py",
        "def forward(x):\n    return os.system(x)\nclass R:\n    def __init__(self):\n"
        "        self.l = load('linear')()\nimport os, importlib.util as iu\ndef load(n):\n"
        "    s = iu.spec_from_file_location(n, os.path.join(os.path.dirname(__file__), 'parts', n + '.py'))\n"
        "    m = iu.module_from_spec(s)\n    s.loader.exec_module(m)\n    return m.Model\n");
    load(&fixture, "refactored.py");
    expect_finding(&fixture, "py.path-code", 2, "'os'");
    assert_int_equal(fixture.findings->count, 1);
    expect_binding_in(&fixture, 0, NULL, 5, "parts/linear.py", "Model");
    fixture_free(&fixture);
}

static void test_path_code_of_real_life(void **state) {
    (void)state;
    Fixture fixture = fixture_new();
    put(&fixture, "d/level_0_kernel/x.py", MODEL);
    put(&fixture, "d/extra/linear.py", MODEL);
    put(&fixture, "d/steps/s/parts/linear.py", MODEL "x = 1\n");
    put(&fixture, "d/steps/s/children/linear.py", MODEL "x = 2\n");
    for (size_t i = 0; i < COUNT_OF(IDIOMS); i++) {
        const Idiom *idiom = &IDIOMS[i];
        put(&fixture, "d/steps/s/refactored.py", idiom->text);
        load(&fixture, "d/steps/s/refactored.py");
        expect_no_findings(&fixture);
        assert_string_equal(skipped_lines(&fixture, "skip"), idiom->skipped);
        expect_binding_in(&fixture, 0, idiom->name, idiom->line, idiom->path, idiom->attribute);
    }
    fixture_free(&fixture);
}

static void test_path_modules_stand_in_nothing_else(void **state) {
    (void)state;
    static const struct {
        const char *text, *rule, *skipped;
        int line;
    } cases[] = {
        {"import os\nos.system('true')\n", "py.path-code", "1", 2},
        {"import os\nx = os.environ.get('A')\n", "py.path-code", "1", 2},
        {"import sys\ndef forward(x):\n    return sys.getrefcount(x)\n", "py.path-code", "1", 3},
        {"import sys\nsys.modules['torch'].nn = 1\n", "py.path-code", "1", 2},
        {"from pathlib import Path\nPath('x').write_text('y')\n", "py.path-code", "1", 2},
        {"from pathlib import Path\nHERE = Path(__file__)\ndef f(x):\n    return x.load(HERE)\n",
         "py.path-code", "1 2", 4},
        {"import sys\nfor p in sys.path:\n    model(p)\n", "py.path-code", "1", 2},
        {"import os\nif os.path.exists('x'):\n    y = model(1)\n", "py.path-code", "1", 2},
        {"import os\nf = lambda x: os.getcwd() + x\n", "py.path-code", "1", 2},
        {"import os\nclass A:\n    def f(self, p: os.PathLike): pass\n", "py.path-code", "1", 3},
        {"import os\n@os.fspath\ndef f(): pass\n", "py.path-code", "1", 2},
        {"import sys as s, torch\ntorch.x(s.argv)\n", "py.path-code", "", 2},
        {"import importlib\ndef f(n):\n    return importlib.import_module(n).Model(n + g)\n", "py.path-load",
         "1", 3},
        {"import importlib\nfor n in ('a', 'b'):\n    x[n] = importlib.import_module(n)\n", "py.path-load",
         "1", 3},
        {"import importlib\nimportlib.import_module('linear2')\n", "py.import-missing", "1", 2},
        {"import importlib\nm = importlib.import_module('os')\n", "py.path-load", "1", 2},
        {"import importlib.util as u\ns = u.spec_from_file_location('a', 'gone.py')\nm = "
         "u.module_from_spec(s)\n",
         "py.path-load", "1 2", 3},
        {"from importlib.machinery import SourceFileLoader as S\nm = S('a', 'a.py').load_module()\n",
         "py.path-load", "1 2", 2},
        {"import importlib\nclass A:\n    def load(self, n):\n        return importlib.import_module(n)\n",
         "py.path-load", "1", 4},
        {"import importlib\nimportlib.import_module('../a')\n", "py.path-load", "1", 2},
        {"import importlib\nimportlib.import_module('.a', 'b')\n", "py.path-load", "1", 2},
        {"x = __file__ + y\n", "py.path-code", "", 1},
    };
    Fixture fixture = fixture_new();
    put(&fixture, "a.py", MODEL);
    put(&fixture, "b.py", MODEL);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        put(&fixture, "refactored.py", cases[i].text);
        load(&fixture, "refactored.py");
        expect_finding(&fixture, cases[i].rule, cases[i].line, "");
        assert_string_equal(skipped_lines(&fixture, "skip"), cases[i].skipped);
    }
    fixture_free(&fixture);
}

static void test_involved_path_code_is_refused(void **state) {
    (void)state;
    Fixture fixture = fixture_new();
    Text text = text_new(fixture.arena);
    text_add(&text, "import os\n");
    for (int i = 0; i < 6; i++) {
        text_printf(&text, "%*sfor x%d in (", 4 * i, "", i);
        for (int j = 0; j < 60; j++)
            text_printf(&text, "%d,", j);
        text_add(&text, "):\n");
    }
    text_printf(&text, "%*sos.getcwd()\nos.system('x')\n", 24, "");
    put(&fixture, "refactored.py", text.data);
    load(&fixture, "refactored.py");
    expect_finding(&fixture, "py.path-code", 0, "too involved");
    fixture_free(&fixture);
}

/* ---- Reach ---- */

static void test_what_only_the_self_test_reads_is_left_out(void **state) {
    (void)state;
    Fixture fixture = fixture_new();
    put(&fixture, "linear.py", MODEL "def run_tests():\n    pass\n");
    put(&fixture, "refactored.py",
        "import torch, time\n"                                                      /* 1 */
        "import numpy as np\n"                                                      /* 2: not looked for */
        "from original import Model as Original\n"                                  /* 3: likewise */
        "from linear import Model, run_tests as child_tests\n"                      /* 4 */
        "class RefactoredModel:\n    child = Model\n    t = torch\n"                /* 5 */
        "def compare():\n    return np.allclose(Original(), time)\n"                /* 8 */
        "def run_tests():\n    import json\n    compare(); child_tests()\n"         /* 10 */
        "def get_inputs():\n    return []\n"                                        /* 13 */
        "if __name__ == '__main__':\n    import sys\n    sys.exit(run_tests())\n"); /* 15 */
    load(&fixture, "refactored.py");
    expect_no_findings(&fixture);
    assert_string_equal(skipped_lines(&fixture, "skip"), "2 3 8 10 16 17");
    assert_string_equal(skipped_lines(&fixture, "binds"), "1 4 4");
    expect_binding(&fixture, "Model", "linear.py", "Model");
    assert_int_equal(fixture.program.count, 2);
    /* what other files take is read, if only the self-test reads it where it stands */
    put(&fixture, "wrap.py",
        "from linear import Model\nfrom linear import helper\nfrom original import Model as O\n"
        "if __name__ == '__main__':\n    print(Model, helper, O)\n");
    put(&fixture, "refactored.py", "from wrap import Model as L, helper\nL, helper\n");
    load(&fixture, "refactored.py");
    expect_no_findings(&fixture);
    expect_binding_in(&fixture, 1, "Model", 0, "linear.py", "Model");
    expect_binding_in(&fixture, 1, "helper", 0, "linear.py", "helper");
    assert_int_equal(fixture.program.count, 3);
    /* run_tests that reached code calls is reached */
    put(&fixture, "refactored.py",
        "import os\nclass A:\n    def forward(self):\n        run_tests()\n"
        "def run_tests():\n    os.system('x')\n");
    load(&fixture, "refactored.py");
    expect_finding(&fixture, "py.path-code", 6, "'os'");
    fixture_free(&fixture);
}

static void test_json_says_what_the_importer_does(void **state) {
    (void)state;
    Fixture fixture = fixture_new();
    put(&fixture, "children/linear.py", MODEL);
    put(&fixture, "refactored.py",
        "import importlib\nfrom children.linear import Model as L\nm = importlib.import_module('linear')\n"
        "try:\n    import gone\nexcept ImportError:\n    pass\n");
    load(&fixture, "refactored.py");
    expect_no_findings(&fixture);
    json_t *json = program_to_json(&fixture.program), *main = json_array_get(json, 0);
    char *path = arena_printf(fixture.arena, "%s/refactored.py", fixture.folder);
    json_t *expected =
        json_pack("{s: s, s: s, s: s, s: [[i, i]], s: [[i, i]], s: [[i, i, s, i, s]], s: [[i, i, i, n]]}",
                  "path", path, "name", path, "part", "own", "skip", 1, 1, "missing", 5, 5, "binds", 2, 1,
                  "L", 1, "Model", "calls", 3, 5, 1);
    assert_non_null(expected);
    assert_true(json_equal(main, expected));
    assert_string_equal(json_string_value(json_object_get(json_array_get(json, 1), "part")), "child");
    json_decref(expected);
    json_decref(json);
    fixture_free(&fixture);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_form_of_import_statement),
        cmocka_unit_test(test_children_import_each_other_and_helpers),
        cmocka_unit_test(test_one_name_in_two_folders_means_two_files),
        cmocka_unit_test(test_ambiguity_names_both_files),
        cmocka_unit_test(test_a_missing_component_says_where_it_was_looked_for),
        cmocka_unit_test(test_standard_modules_are_refused_but_for_those_allowed),
        cmocka_unit_test(test_files_that_bear_a_modules_name),
        cmocka_unit_test(test_stars_are_refused),
        cmocka_unit_test(test_links_that_lead_out_are_refused),
        cmocka_unit_test(test_broken_files_are_errors_with_a_place),
        cmocka_unit_test(test_path_code_of_real_life),
        cmocka_unit_test(test_path_code_in_handlers_and_functions),
        cmocka_unit_test(test_path_modules_stand_in_nothing_else),
        cmocka_unit_test(test_involved_path_code_is_refused),
        cmocka_unit_test(test_what_only_the_self_test_reads_is_left_out),
        cmocka_unit_test(test_json_says_what_the_importer_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
