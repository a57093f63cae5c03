/* Recordings: asking cells for them, and what comes back. */
#include "recording.h"

#include <string.h>

static const char *const SECTION_NAMES[] = {
    [SECTION_SAMPLE] = "sample", [SECTION_AGAIN] = "second call", [SECTION_OTHER_MODE] = "other mode"};

RecordInputs record_inputs(const StepState *step, const json_t *sample, MemoryFile *file, bool other_calls) {
    RecordInputs inputs = {.file = file};
    for (size_t i = 0; i < COUNT_OF(SECTION_NAMES); i++) {
        inputs.names[i] = SECTION_NAMES[i];
        if (i == SECTION_SAMPLE || other_calls)
            inputs.trials[i] = json_incref((json_t *)sample);
    }
    if (!other_calls)
        return inputs;
    inputs.plan = size_plan(step, sample);
    for (size_t i = 0; i < inputs.plan.count; i++) {
        inputs.names[SECTION_SIZES + i] = inputs.plan.items[i].name;
        inputs.trials[SECTION_SIZES + i] = json_incref(inputs.plan.items[i].sample);
    }
    return inputs;
}

RecordInputs record_inputs_of(const RecordInputs *inputs, const bool *sections) {
    RecordInputs some = {.file = inputs->file};
    for (size_t i = 0; i < SECTION_COUNT; i++) {
        some.names[i] = inputs->names[i];
        if (i == SECTION_SAMPLE || sections[i])
            some.trials[i] = json_incref(inputs->trials[i]);
    }
    return some;
}

void record_inputs_close(RecordInputs *inputs) {
    for (size_t i = 0; i < SECTION_COUNT; i++)
        json_decref(inputs->trials[i]);
    size_plan_close(&inputs->plan);
}

const SizeCall *record_size(const RecordInputs *inputs, SectionKind kind) {
    const size_t place = (size_t)kind - SECTION_SIZES;
    return kind >= SECTION_SIZES && place < inputs->plan.count ? &inputs->plan.items[place] : NULL;
}

json_t *record_trials(const StepState *step, const RecordInputs *inputs) {
    json_t *list = json_array();
    for (size_t i = 0; i < SECTION_COUNT; i++) {
        if (inputs->trials[i] == NULL)
            continue;
        bool train = step->options->train != (i == SECTION_OTHER_MODE);
        json_t *trial = json_copy(inputs->trials[i]);
        json_object_set_new(trial, "name", json_string(inputs->names[i]));
        json_object_set_new(trial, "mode", json_string(train ? "train" : "eval"));
        const SizeCall *size = record_size(inputs, (SectionKind)i);
        if (size != NULL && size->unless != NULL)
            json_object_set(trial, "unless", size->unless);
        if (size != NULL && size->only_if != NULL)
            json_object_set_new(trial, "only_if", json_string(size->only_if));
        json_array_append_new(list, trial);
    }
    return list;
}

Status record_start(StepState *step, const Side *side, const RecordRequest *request, Work *work,
                    Error *error) {
    const RecordWork record = {.seed = step->options->seed,
                               .init = request->init,
                               .weights = request->weights,
                               .weights_file = request->weights_file,
                               .inputs_file = request->inputs->file,
                               .trials = record_trials(step, request->inputs),
                               .compare_inputs = request->compare_inputs,
                               .describe = request->describe};
    Status status = work_record(step->arena, &step->settings, side, &record, work, error);
    json_decref(record.trials);
    return status;
}

static Status take_changed(Arena *arena, const json_t *json, Section *section, const char *where,
                           Error *error) {
    json_t *names = json_object_get(json, "changed");
    section->changed_count = json_array_size(names);
    section->changed = ARENA_ARRAY(arena, const char *, section->changed_count + 1);
    for (size_t i = 0; i < section->changed_count; i++) {
        const char *name = json_string_value(json_array_get(names, i));
        if (name == NULL)
            return error_set(error, where, "", "\"changed\" must hold names");
        section->changed[i] = text_printable(arena, name, strlen(name));
    }
    return STATUS_OK;
}

static Status take_section(Arena *arena, const RecordInputs *inputs, const json_t *json, size_t before,
                           size_t event_count, int64_t *bytes, Recording *recording, const char *where,
                           Error *error) {
    const char *name = json_string_value(json_object_get(json, "name"));
    const char *raised = json_string_value(json_object_get(json, "raised"));
    const int64_t bytes_before = *bytes;
    int64_t end;
    if (json_read_int(json, "end", (int64_t)before, (int64_t)event_count, &end, where, error) != STATUS_OK ||
        json_read_int(json, "bytes", bytes_before, INT64_MAX, bytes, where, error) != STATUS_OK)
        return STATUS_ERROR;
    for (int kind = 0; kind < SECTION_COUNT; kind++) {
        Section *taken = &recording->sections[kind];
        if (!text_equal(name, inputs->names[kind]) || taken->present)
            continue;
        *taken = (Section){.present = true,
                           .raised = raised == NULL ? NULL : text_printable(arena, raised, strlen(raised)),
                           .too_long = json_is_true(json_object_get(json, "too_long")),
                           .no_memory = raised != NULL && says_out_of_memory(raised),
                           .bytes = (double)(*bytes - bytes_before),
                           .events = (double)((size_t)end - before),
                           .call = recording->call_count};
        recording->calls[recording->call_count++] =
            (GraphCall){.end = (size_t)end,
                        .number = (unsigned)kind,
                        .outputs = raised == NULL ? json_object_get(json, "outputs") : NULL,
                        .kept = json_object_get(json, "kept")};
        return take_changed(arena, json, taken, where, error);
    }
    return error_set(error, where, "", "the cell sent a call of forward that was not asked for");
}

static Status take_sections(Arena *arena, const RecordInputs *inputs, const json_t *done,
                            Recording *recording, const char *where, Error *error) {
    json_t *sections, *whole;
    size_t event_count;
    int64_t bytes = 0;
    if (json_read_container(done, "sections", JSON_ARRAY, &sections, where, error) != STATUS_OK ||
        json_read_container(done, "recording", JSON_OBJECT, &whole, where, error) != STATUS_OK ||
        recording_event_count(whole, recording->pieces, &event_count, error) != STATUS_OK)
        return STATUS_ERROR;
    for (size_t i = 0; i < json_array_size(sections); i++) {
        size_t before = recording->call_count == 0 ? 0 : recording->calls[recording->call_count - 1].end;
        if (take_section(arena, inputs, json_array_get(sections, i), before, event_count, &bytes, recording,
                         where, error) != STATUS_OK)
            return STATUS_ERROR;
    }
    const Section *sample = &recording->sections[SECTION_SAMPLE];
    if (!sample->present || sample->call != 0 || recording->calls[0].outputs == NULL)
        return error_set(error, where, "", "the cell sent no recording of the sample");
    return STATUS_OK;
}

Status recording_graphs(Arena *arena, GraphLabels *labels, const Recording *recording, Graph *graphs,
                        Error *error) {
    return graph_build_calls(arena, labels, json_object_get(recording->done, "recording"), recording->pieces,
                             recording->calls, recording->call_count, &recording->trace, graphs, error);
}

Status record_finish(Arena *arena, Work *work, const RecordInputs *inputs, Recording *recording,
                     Description *description, Error *error) {
    *recording = (Recording){0};
    double start = seconds_now();
    Status status = work_wait(arena, work, &recording->done, &recording->failure, error);
    recording->seconds = seconds_now() - start;
    const char *where = work->side->role;
    if (status == STATUS_OK && recording->done != NULL) {
        status = work_pieces(work, &recording->pieces, error);
        recording->file = work->recording;
        work->recording = NULL;
        if (status == STATUS_OK)
            status = trace_decode(arena, json_object_get(recording->done, "trace"), recording->pieces,
                                  &recording->trace, error);
        if (status == STATUS_OK)
            status = take_sections(arena, inputs, recording->done, recording, where, error);
        if (status == STATUS_OK && description != NULL) {
            status = description_decode(arena, work, json_incref(recording->done), description, error);
            description->inputs = NULL; /* lent by the caller */
        }
    }
    work_close(work);
    return status;
}

void recording_close(Recording *recording) {
    json_decref(recording->done);
    recording->done = NULL;
    memory_file_close(recording->file);
    recording->file = NULL;
    recording->pieces = (Bytes){0};
}

Status record_own_inputs(StepState *step, const Side *side, Description *description, CellFailure *failure,
                         Error *error) {
    Work work;
    json_t *done;
    *description = (Description){0};
    if (work_inputs(step->arena, &step->settings, side, step->options->seed, &work, error) != STATUS_OK)
        return STATUS_ERROR;
    Status status = work_wait(step->arena, &work, &done, failure, error);
    if (status == STATUS_OK && done != NULL)
        status = inputs_decode(&work, done, description, error);
    work_close(&work);
    return status;
}
