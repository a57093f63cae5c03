/* decomposition_tree.json: what it declares, and what is wrong with its form. */
#include "project_parts.h"

#include <limits.h>
#include <string.h>

static const char *const NODE_KEYS[] = {"id",           "name",         "level",         "path",
                                        "children",     "input_shapes", "output_shapes", "input_dtypes",
                                        "output_dtypes"};

static const struct {
    const char *key;
    Severity missing;
    bool is_text;
} METADATA_KEYS[] = {
    {"source_file", SEVERITY_VIOLATION, true}, {"source_level", SEVERITY_VIOLATION, true},
    {"model_name", SEVERITY_VIOLATION, true},  {"timestamp", SEVERITY_NOTE, true},
    {"by_level", SEVERITY_VIOLATION, false},   {"total_components", SEVERITY_VIOLATION, false},
    {"unique_kernels", SEVERITY_NOTE, false},  {"verification_status", SEVERITY_VIOLATION, false},
};

static const char *string_of(Reading *reading, const json_t *object, const char *key) {
    const char *text = json_string_value(json_object_get(object, key));
    return text == NULL ? NULL : arena_strdup(reading->arena, text);
}

static int node_line(Reading *reading, const char *id, const char *key) {
    return line_of(reading->lines, reading->arena, "nodes", id, key, NULL);
}

static void malformed(Reading *reading, int line, const char *format, const char *what) {
    project_finding(reading, &RULE_tree_form, SEVERITY_VIOLATION, TREE_FILE, line, "\"%s\" %s", what, format);
}

/* ---- Declared tensors ---- */

static void read_shape(Arena *arena, const json_t *list, Declared *tensor) {
    tensor->rank = json_array_size(list);
    tensor->shape = ARENA_ARRAY(arena, int64_t, tensor->rank + 1);
    for (size_t i = 0; i < tensor->rank; i++) {
        const json_t *size = json_array_get(list, i);
        tensor->shape[i] =
            json_is_integer(size) && json_integer_value(size) >= 0 ? json_integer_value(size) : -1;
    }
}

static const char *plain_dtype(Reading *reading, const json_t *value) {
    const char *text = json_string_value(value);
    if (text == NULL || text[0] == '\0')
        return NULL;
    return arena_strdup(reading->arena, text_starts(text, "torch.") ? text + strlen("torch.") : text);
}

/* By name, or one for all. */
static const json_t *dtype_of(const json_t *dtypes, const char *name) {
    return json_is_string(dtypes) ? dtypes : json_object_get(dtypes, name);
}

static size_t read_tensors(Reading *reading, const TreeNode *node, const json_t *object,
                           const char *shapes_key, const char *dtypes_key, Declared **tensors) {
    const json_t *shapes = json_object_get(object, shapes_key), *dtypes = json_object_get(object, dtypes_key);
    if (shapes != NULL && !json_is_object(shapes))
        malformed(reading, node_line(reading, node->key, shapes_key), "is an object: the shape of each name",
                  shapes_key);
    *tensors = ARENA_ARRAY(reading->arena, Declared, json_object_size(shapes) + 1);
    size_t count = 0;
    const char *name;
    json_t *shape;
    json_object_foreach((json_t *)shapes, name, shape) {
        if (!json_is_array(shape)) {
            project_finding(reading, &RULE_tree_form, SEVERITY_VIOLATION, TREE_FILE,
                            node_line(reading, node->key, shapes_key), "the shape of '%s' of '%s' is no list",
                            name, node->key);
            continue;
        }
        Declared *tensor = &(*tensors)[count++];
        tensor->name = arena_strdup(reading->arena, name);
        tensor->dtype = plain_dtype(reading, dtype_of(dtypes, name));
        read_shape(reading->arena, shape, tensor);
        if (tensor->dtype == NULL)
            project_finding(reading, &RULE_tree_dtype, SEVERITY_VIOLATION, TREE_FILE,
                            node_line(reading, node->key, dtypes_key),
                            "'%s' of '%s' has a shape and no dtype in %s", name, node->key, dtypes_key);
    }
    return count;
}

/* ---- Nodes ---- */

static void read_level(Reading *reading, TreeNode *node, const json_t *object) {
    const char *name = json_string_value(json_object_get(object, "level"));
    if (name == NULL)
        return;
    node->has_level = level_of_name(name, &node->level);
    if (!node->has_level)
        project_finding(
            reading, &RULE_tree_form, SEVERITY_VIOLATION, TREE_FILE, node_line(reading, node->key, "level"),
            "'%s' has the level '%s'; there are kernel, fusion, layer and model", node->key, name);
}

static void read_children(Reading *reading, TreeNode *node, const json_t *object) {
    const json_t *children = json_object_get(object, "children");
    if (children != NULL && !json_is_array(children))
        malformed(reading, node_line(reading, node->key, "children"), "is a list of ids", "children");
    size_t count = json_array_size(children);
    node->child_ids = ARENA_ARRAY(reading->arena, const char *, count + 1);
    node->children = ARENA_ARRAY(reading->arena, size_t, count + 1);
    for (size_t i = 0; i < count; i++) {
        const char *id = json_string_value(json_array_get(children, i));
        if (id == NULL) {
            project_finding(reading, &RULE_tree_form, SEVERITY_VIOLATION, TREE_FILE,
                            node_line(reading, node->key, "children"), "a child of '%s' is no id", node->key);
            continue;
        }
        node->child_ids[node->child_count++] = arena_strdup(reading->arena, id);
    }
}

/* As a component's name is written: without "./", with "/". */
static const char *plain_path(Arena *arena, const char *path) {
    char *copy = arena_strdup(arena, path);
    for (char *at = copy; *at != '\0'; at++)
        if (*at == '\\')
            *at = '/';
    while (strncmp(copy, "./", 2) == 0)
        copy += 2;
    return copy;
}

static void read_path(Reading *reading, TreeNode *node, const json_t *object) {
    const char *path = json_string_value(json_object_get(object, "path"));
    Level level;
    if (path == NULL)
        return;
    node->path = plain_path(reading->arena, path);
    size_t found = (size_t)table_get(reading->by_name, node->path);
    int line = node_line(reading, node->key, "path");
    if (found == 0 &&
        (node->path[0] == '/' || strstr(node->path, "..") != NULL || !level_of_path(node->path, &level)))
        project_finding(reading, &RULE_tree_path, SEVERITY_VIOLATION, TREE_FILE, line,
                        "the path of '%s' is '%s', which is in no level folder", node->key, path);
    else if (found == 0)
        project_finding(reading, &RULE_tree_missing_file, SEVERITY_VIOLATION, TREE_FILE, line,
                        "there is no %s, the file of '%s'", path, node->key);
    if (found == 0)
        return;
    Component *component = &reading->project->components[found - 1];
    if (component->node != NO_INDEX) {
        project_finding(reading, &RULE_tree_two_nodes, SEVERITY_VIOLATION, TREE_FILE, line,
                        "'%s' and '%s' are both %s", reading->project->nodes[component->node].key, node->key,
                        path);
        return;
    }
    node->component = found - 1;
    component->node = (size_t)(node - reading->project->nodes);
}

static void read_instances(Reading *reading, TreeNode *node, const json_t *object) {
    const json_t *count = json_object_get(object, "instance_count");
    if (count == NULL)
        return;
    if (json_is_integer(count) && json_integer_value(count) >= 1)
        node->instance_count = json_integer_value(count);
    else
        malformed(reading, node_line(reading, node->key, "instance_count"), "is a whole number from 1",
                  "instance_count");
}

static void check_keys(Reading *reading, const TreeNode *node, const json_t *object) {
    for (size_t i = 0; i < COUNT_OF(NODE_KEYS); i++) {
        const json_t *value = json_object_get(object, NODE_KEYS[i]);
        if (value == NULL)
            project_finding(reading, &RULE_tree_key, SEVERITY_VIOLATION, TREE_FILE, node->line,
                            "'%s' lacks \"%s\"", node->key, NODE_KEYS[i]);
        else if (i < 4 && !json_is_string(value))
            malformed(reading, node_line(reading, node->key, NODE_KEYS[i]), "is a text", NODE_KEYS[i]);
    }
}

static void read_node(Reading *reading, const char *key, const json_t *object, TreeNode *node) {
    *node = (TreeNode){.key = arena_strdup(reading->arena, key),
                       .component = NO_INDEX,
                       .instance_count = -1,
                       .line = node_line(reading, key, NULL)};
    node->id = string_of(reading, object, "id");
    node->name = string_of(reading, object, "name");
    if (!json_is_object(object)) {
        malformed(reading, node->line, "is no node: an object is expected", key);
        return;
    }
    check_keys(reading, node, object);
    if (node->id != NULL && strcmp(node->id, key) != 0)
        project_finding(reading, &RULE_tree_id, SEVERITY_VIOLATION, TREE_FILE, node_line(reading, key, "id"),
                        "the node '%s' has the id '%s'", key, node->id);
    read_level(reading, node, object);
    read_children(reading, node, object);
    read_path(reading, node, object);
    read_instances(reading, node, object);
    node->input_count = read_tensors(reading, node, object, "input_shapes", "input_dtypes", &node->inputs);
    node->output_count =
        read_tensors(reading, node, object, "output_shapes", "output_dtypes", &node->outputs);
}

static void join_children(Reading *reading, const Table *by_id) {
    for (size_t i = 0; i < reading->project->node_count; i++) {
        TreeNode *node = &reading->project->nodes[i];
        Table *seen = table_new(reading->arena);
        int line = node_line(reading, node->key, "children");
        for (size_t j = 0; j < node->child_count; j++) {
            const char *id = node->child_ids[j];
            node->children[j] = (size_t)table_get(by_id, id) - 1; /* NO_INDEX for none */
            if (node->children[j] == NO_INDEX)
                project_finding(reading, &RULE_tree_unknown_child, SEVERITY_VIOLATION, TREE_FILE, line,
                                "'%s' has the child '%s', which is no node", node->key, id);
            if (table_has(seen, id))
                project_finding(reading, &RULE_tree_repeated_child, SEVERITY_NOTE, TREE_FILE, line,
                                "'%s' lists its child '%s' twice", node->key, id);
            table_put(seen, id, TABLE_PRESENT);
        }
    }
}

static Table *read_nodes(Reading *reading, const json_t *nodes) {
    Project *project = reading->project;
    Table *by_id = table_new(reading->arena);
    project->nodes = ARENA_ARRAY(reading->arena, TreeNode, json_object_size(nodes) + 1);
    const char *key;
    json_t *object;
    json_object_foreach((json_t *)nodes, key, object) {
        read_node(reading, key, object, &project->nodes[project->node_count]);
        project->node_count++;
        table_put(by_id, key, (void *)project->node_count);
    }
    join_children(reading, by_id);
    return by_id;
}

/* ---- Edges ---- */

static size_t end_of_edge(const Table *by_id, const char *id) {
    return id == NULL ? NO_INDEX : (size_t)table_get(by_id, id) - 1;
}

static void read_edge(Reading *reading, const json_t *object, size_t index, const Table *by_id,
                      FlowEdge *edge) {
    static const char *const keys[] = {"from", "to", "tensor_name", "dtype"};
    int line = line_of(reading->lines, reading->arena, "data_flow",
                       arena_printf(reading->arena, "%zu", index), NULL);
    edge->from = string_of(reading, object, "from");
    edge->to = string_of(reading, object, "to");
    edge->from_node = end_of_edge(by_id, edge->from);
    edge->to_node = end_of_edge(by_id, edge->to);
    edge->tensor.name = string_of(reading, object, "tensor_name");
    edge->tensor.dtype = plain_dtype(reading, json_object_get(object, "dtype"));
    read_shape(reading->arena, json_object_get(object, "shape"), &edge->tensor);
    for (size_t i = 0; i < COUNT_OF(keys); i++)
        if (!json_is_string(json_object_get(object, keys[i])))
            project_finding(reading, &RULE_tree_flow, SEVERITY_VIOLATION, TREE_FILE, line,
                            "edge %zu lacks the text \"%s\"", index + 1, keys[i]);
    if (!json_is_array(json_object_get(object, "shape")))
        project_finding(reading, &RULE_tree_flow, SEVERITY_VIOLATION, TREE_FILE, line,
                        "edge %zu lacks the list \"shape\"", index + 1);
    if (edge->from != NULL && edge->from_node == NO_INDEX && strcmp(edge->from, "input") != 0)
        project_finding(reading, &RULE_tree_flow, SEVERITY_VIOLATION, TREE_FILE, line,
                        "edge %zu comes from '%s', which is no node", index + 1, edge->from);
    if (edge->to != NULL && edge->to_node == NO_INDEX && strcmp(edge->to, "output") != 0)
        project_finding(reading, &RULE_tree_flow, SEVERITY_VIOLATION, TREE_FILE, line,
                        "edge %zu goes to '%s', which is no node", index + 1, edge->to);
}

static void read_edges(Reading *reading, const json_t *edges, const Table *by_id) {
    Project *project = reading->project;
    if (!json_is_array(edges)) {
        project_finding(reading, &RULE_tree_key, SEVERITY_VIOLATION, TREE_FILE,
                        line_of(reading->lines, reading->arena, "data_flow", NULL),
                        "\"data_flow\", the list of edges, is missing");
        return;
    }
    project->edges = ARENA_ARRAY(reading->arena, FlowEdge, json_array_size(edges) + 1);
    for (; project->edge_count < json_array_size(edges); project->edge_count++)
        read_edge(reading, json_array_get(edges, project->edge_count), project->edge_count, by_id,
                  &project->edges[project->edge_count]);
}

static void read_metadata(Reading *reading, json_t *metadata) {
    int line = line_of(reading->lines, reading->arena, "metadata", NULL);
    if (!json_is_object(metadata)) {
        project_finding(reading, &RULE_tree_key, SEVERITY_VIOLATION, TREE_FILE, line,
                        "\"metadata\" is missing");
        return;
    }
    reading->metadata = json_incref(metadata);
    for (size_t i = 0; i < COUNT_OF(METADATA_KEYS); i++) {
        const char *key = METADATA_KEYS[i].key;
        const json_t *value = json_object_get(metadata, key);
        if (METADATA_KEYS[i].is_text && value != NULL && !json_is_string(value))
            malformed(reading, line_of(reading->lines, reading->arena, "metadata", key, NULL), "is a text",
                      key);
        if (value == NULL)
            project_finding(reading, &RULE_tree_key, METADATA_KEYS[i].missing, TREE_FILE, line,
                            "metadata lacks \"%s\"", key);
    }
}

void tree_read(Reading *reading) {
    bool there;
    json_t *tree = project_json(reading, TREE_FILE, &reading->lines, &there);
    if (!there)
        project_finding(reading, &RULE_tree_missing, SEVERITY_VIOLATION, TREE_FILE, 0,
                        "there is no " TREE_FILE);
    if (tree == NULL)
        return;
    const json_t *nodes = json_object_get(tree, "nodes");
    read_metadata(reading, json_object_get(tree, "metadata"));
    reading->tree_read = json_is_object(nodes);
    if (!reading->tree_read)
        project_finding(reading, &RULE_tree_form, SEVERITY_VIOLATION, TREE_FILE,
                        line_of(reading->lines, reading->arena, "nodes", NULL),
                        "\"nodes\" is an object: a node for each id");
    Table *by_id = read_nodes(reading, nodes);
    read_edges(reading, json_object_get(tree, "data_flow"), by_id);
    json_decref(tree);
}
