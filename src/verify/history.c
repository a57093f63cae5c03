/* History: what was found out of each decomposition, in SQLite. A row is whole as soon as it is put, and
 * survives whatever ends the process: the journal is written ahead, and synced with each row. */
#include "batch.h"

#include <sqlite3.h>
#include <string.h>

enum { FORM = 1, BUSY_MILLISECONDS = 10000 }; /* FORM: of the table, in the database's user_version */

struct History {
    sqlite3 *database;
    const char *path;
};

static const char TABLE[] =
    "CREATE TABLE IF NOT EXISTS decompositions ("
    "folder TEXT PRIMARY KEY, content TEXT NOT NULL, settings TEXT NOT NULL, model TEXT NOT NULL,"
    "model_content TEXT NOT NULL, rigor TEXT NOT NULL, torch TEXT NOT NULL, version TEXT NOT NULL,"
    "verdict TEXT NOT NULL, reason TEXT NOT NULL, components INTEGER NOT NULL, steps INTEGER NOT NULL,"
    "steps_passed INTEGER NOT NULL, checklist_held INTEGER NOT NULL, findings INTEGER NOT NULL,"
    "seconds REAL NOT NULL, finished TEXT NOT NULL, result TEXT NOT NULL)";
#define COLUMNS                                                                                              \
    "folder, content, settings, model, model_content, rigor, torch, version, verdict, reason, components,"   \
    " steps, steps_passed, checklist_held, findings, seconds, finished, result"
static const char SELECT[] = "SELECT " COLUMNS " FROM decompositions WHERE folder = ?1";
static const char INSERT[] = "INSERT OR REPLACE INTO decompositions (" COLUMNS ") VALUES "
                             "(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17,?18)";

static Status failed(const History *history, Error *error) {
    int code = sqlite3_errcode(history->database);
    const char *advice = code == SQLITE_FULL ? "free some space, then go on with --resume"
                         : code == SQLITE_READONLY || code == SQLITE_CANTOPEN
                             ? "make the folder writable, or name another file with --database FILE"
                         : code == SQLITE_BUSY ? "let the other run end, or name another --database FILE"
                         : code == SQLITE_NOTADB || code == SQLITE_CORRUPT
                             ? "move it away, or name another file with --database FILE"
                             : "check the disk, or name another file with --database FILE";
    return error_set(error, history->path, advice, "the results cannot be kept: %s",
                     sqlite3_errmsg(history->database));
}

static Status run(History *history, const char *statement, Error *error) {
    return sqlite3_exec(history->database, statement, NULL, NULL, NULL) == SQLITE_OK ? STATUS_OK
                                                                                     : failed(history, error);
}

static int form_of(History *history) {
    sqlite3_stmt *query = NULL;
    int form = -1;
    if (sqlite3_prepare_v2(history->database, "PRAGMA user_version", -1, &query, NULL) == SQLITE_OK &&
        sqlite3_step(query) == SQLITE_ROW)
        form = sqlite3_column_int(query, 0);
    sqlite3_finalize(query);
    return form;
}

static Status prepare(History *history, Error *error) {
    sqlite3_busy_timeout(history->database, BUSY_MILLISECONDS);
    int form = form_of(history);
    if (form < 0)
        return failed(history, error);
    if (form != 0 && form != FORM)
        return error_set(error, history->path, "name another file with --database FILE",
                         "it was written by another version of plumbline");
    if (run(history, "PRAGMA journal_mode = WAL", error) != STATUS_OK ||
        run(history, "PRAGMA synchronous = FULL", error) != STATUS_OK ||
        run(history, "BEGIN IMMEDIATE", error) != STATUS_OK)
        return STATUS_ERROR;
    /* Writing now tells what is read-only before an hour's work is lost. */
    return run(history, TABLE, error) == STATUS_OK &&
                   run(history, "PRAGMA user_version = 1", error) == STATUS_OK &&
                   run(history, "COMMIT", error) == STATUS_OK
               ? STATUS_OK
               : STATUS_ERROR;
}

Status history_open(Arena *arena, const char *path, History **result, Error *error) {
    History *history = ARENA_NEW(arena, History);
    *history = (History){.path = arena_strdup(arena, path)};
    *result = NULL;
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_FULLMUTEX;
    Status status = sqlite3_open_v2(path, &history->database, flags, NULL) == SQLITE_OK
                        ? prepare(history, error)
                        : failed(history, error);
    if (status != STATUS_OK)
        history_close(history);
    else
        *result = history;
    return status;
}

void history_close(History *history) {
    if (history != NULL)
        sqlite3_close(history->database);
}

static const char *text_at(Arena *arena, sqlite3_stmt *query, int column) {
    const char *text = (const char *)sqlite3_column_text(query, column);
    return arena_strdup(arena, text == NULL ? "" : text);
}

static size_t count_at(sqlite3_stmt *query, int column) {
    sqlite3_int64 number = sqlite3_column_int64(query, column);
    return number > 0 ? (size_t)number : 0;
}

/* A row as somebody may have edited it: an unknown verdict is none. */
static BatchRow *read_row(Arena *arena, sqlite3_stmt *query) {
    BatchRow *row = ARENA_NEW(arena, BatchRow);
    const char **texts[] = {&row->folder,        &row->content, &row->settings, &row->model,
                            &row->model_content, &row->rigor,   &row->torch,    &row->version};
    size_t *counts[] = {&row->component_count, &row->step_count, &row->steps_passed, &row->checklist_held,
                        &row->finding_count};
    int column = 0;
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        *texts[i] = text_at(arena, query, column++);
    const char *verdict = text_at(arena, query, column++);
    row->verdict = VERDICT_ERROR;
    for (int i = VERDICT_PASS; i <= VERDICT_ERROR; i++)
        if (strcmp(verdict, verdict_name((Verdict)i)) == 0)
            row->verdict = (Verdict)i;
    row->reason = text_at(arena, query, column++);
    for (size_t i = 0; i < COUNT_OF(counts); i++)
        *counts[i] = count_at(query, column++);
    row->seconds = sqlite3_column_double(query, column++);
    row->finished = text_at(arena, query, column++);
    row->result = text_at(arena, query, column);
    row->begun = row->earlier = true;
    return row;
}

Status history_get(Arena *arena, History *history, const char *folder, BatchRow **row, Error *error) {
    sqlite3_stmt *query = NULL;
    *row = NULL;
    if (sqlite3_prepare_v2(history->database, SELECT, -1, &query, NULL) != SQLITE_OK ||
        sqlite3_bind_text(query, 1, folder, -1, SQLITE_STATIC) != SQLITE_OK) {
        sqlite3_finalize(query);
        return failed(history, error);
    }
    int state = sqlite3_step(query);
    if (state == SQLITE_ROW)
        *row = read_row(arena, query);
    Status status = state == SQLITE_ROW || state == SQLITE_DONE ? STATUS_OK : failed(history, error);
    sqlite3_finalize(query);
    return status;
}

Status history_put(History *history, const BatchRow *row, Error *error) {
    const char *const texts[] = {row->folder, row->content,       row->settings,
                                 row->model,  row->model_content, row->rigor,
                                 row->torch,  row->version,       verdict_name(row->verdict),
                                 row->reason};
    const size_t counts[] = {row->component_count, row->step_count, row->steps_passed, row->checklist_held,
                             row->finding_count};
    sqlite3_stmt *query = NULL;
    if (sqlite3_prepare_v2(history->database, INSERT, -1, &query, NULL) != SQLITE_OK)
        return failed(history, error);
    int column = 1;
    bool good = true;
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        good &= sqlite3_bind_text(query, column++, texts[i], -1, SQLITE_STATIC) == SQLITE_OK;
    for (size_t i = 0; i < COUNT_OF(counts); i++)
        good &= sqlite3_bind_int64(query, column++, (sqlite3_int64)counts[i]) == SQLITE_OK;
    good &= sqlite3_bind_double(query, column++, row->seconds) == SQLITE_OK;
    good &= sqlite3_bind_text(query, column++, row->finished, -1, SQLITE_STATIC) == SQLITE_OK;
    good &= sqlite3_bind_text(query, column++, row->result, -1, SQLITE_STATIC) == SQLITE_OK;
    good = good && sqlite3_step(query) == SQLITE_DONE;
    Status status = good ? STATUS_OK : failed(history, error);
    sqlite3_finalize(query);
    return status;
}
