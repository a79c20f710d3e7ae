/* SPDX-License-Identifier: CC0-1.0 */
/*
 * The job `import`: reads the list of subscribers and dispatches one `send` each, all in one batch.
 *
 *     {"list": "subscribers.csv", "issue": "2026-11"}
 *
 * It judges no address; that is up to `send`, where each failure has a job of its own to be seen
 * in. What it does see to is that nobody gets an issue twice: a job's id is made of the issue and
 * the address, and an id that the queue has seen is not stored again. So an import that was cut
 * short, or asked for twice, is simply run again - for as long as the queue remembers done jobs
 * (queue.keep.done).
 */
#include "csv.h"
#include "dray/module.h"

#include <ctype.h>
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define ISSUE_MAX 40
#define PLACE_MAX 256 /* a job's name for people is at most 255 bytes */

/* What a subscriber's job is made of. */
struct letter {
    char id[DRAY_ID_SIZE];
    char place[PLACE_MAX]; /* the job's name for people: FILE:LINE of its row */
    char *payload;
};

struct letters {
    struct letter *all;
    size_t n, room;
};

/* What became of the list: the result of the job. */
struct tally {
    size_t rows, blank, dispatched, already;
};

enum { EMAIL, NAME, CITY, WANTED };

static char *trim(char *text)
{
    while (isspace((unsigned char)*text))
        text++;
    size_t len = strlen(text);
    while (len > 0 && isspace((unsigned char)text[len - 1]))
        len--;
    text[len] = 0;
    for (char *p = text; *p; p++) {
        if ((unsigned char)*p < ' ' || *p == 0x7f)
            *p = ' '; /* a line break inside a name has no place in a header */
    }
    return text;
}

/* The columns of the header by their letters alone: `E-Mail `, `email` and `EMAIL` are one. */
static void find_columns(const struct csv_row *header, size_t columns[WANTED])
{
    static const char *const names[WANTED] = {"email", "name", "city"};
    for (size_t k = 0; k < WANTED; k++)
        columns[k] = CSV_COLUMNS;
    for (size_t i = 0; i < header->n; i++) {
        char letters[16] = "";
        size_t len = 0;
        for (const char *p = header->fields[i]; *p && len + 1 < sizeof(letters); p++) {
            if (isalpha((unsigned char)*p))
                letters[len++] = (char)tolower((unsigned char)*p);
        }
        letters[len] = 0;
        for (size_t k = 0; k < WANTED; k++) {
            if (strcmp(letters, names[k]) == 0)
                columns[k] = i;
        }
    }
}

/* A JSON string of a text that should be UTF-8. Where it is not, it is read as ISO 8859-1, which is
   what such a list has usually been through. */
static json_t *string_of(const char *text)
{
    json_t *string = json_string(text);
    if (string)
        return string;
    char *utf8 = malloc(2 * strlen(text) + 1), *to = utf8;
    if (!utf8)
        return NULL;
    for (const char *p = text; *p; p++) {
        unsigned char c = (unsigned char)*p;
        if (c >= 0x80)
            *to++ = (char)(0xc0 | c >> 6);
        *to++ = (char)(c >= 0x80 ? 0x80 | (c & 0x3f) : c);
    }
    *to = 0;
    string = json_string(utf8);
    free(utf8);
    return string;
}

/* ISSUE.HASH: the 64-bit FNV-1a hash (RFC 9923) of what names the subscriber, case set aside. */
static void make_id(char *id, const char *issue, const char *who)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (; *who; who++)
        hash = (hash ^ (uint64_t)tolower((unsigned char)*who)) * 0x100000001b3u;
    snprintf(id, DRAY_ID_SIZE, "%s.%016llx", issue, (unsigned long long)hash);
}

static void letters_free(struct letters *letters)
{
    for (size_t i = 0; i < letters->n; i++)
        free(letters->all[i].payload);
    free(letters->all);
}

/* A place for one more. NULL without memory. */
static struct letter *letters_add(struct letters *letters)
{
    if (letters->n == letters->room) {
        size_t room = letters->room ? 2 * letters->room : 256;
        struct letter *all = realloc(letters->all, room * sizeof(*all));
        if (!all)
            return NULL;
        letters->all = all;
        letters->room = room;
    }
    struct letter *letter = &letters->all[letters->n++];
    memset(letter, 0, sizeof(*letter));
    return letter;
}

static char *make_payload(char *fields[WANTED])
{
    json_t *payload = json_pack("{s:o, s:o, s:o}", "email", string_of(fields[EMAIL]), "name",
        string_of(fields[NAME]), "city", string_of(fields[CITY]));
    char *text = payload ? json_dumps(payload, JSON_COMPACT) : NULL;
    json_decref(payload);
    return text;
}

/* Reads the list into a batch. NULL, or what is wrong with it. */
static const char *read_list(struct csv *csv, const char *path, const char *issue,
    struct letters *letters, struct tally *tally)
{
    struct csv_row row;
    size_t columns[WANTED];
    if (csv_next(csv, &row) != 1)
        return "there is no header";
    find_columns(&row, columns);
    if (columns[EMAIL] == CSV_COLUMNS)
        return "no column is called email";
    int more;
    while ((more = csv_next(csv, &row)) == 1) {
        static char none[] = "";
        char *fields[WANTED];
        for (size_t k = 0; k < WANTED; k++)
            fields[k] = columns[k] < row.n ? trim(row.fields[columns[k]]) : none;
        if (!*fields[EMAIL] && !*fields[NAME]) {
            tally->blank++;
            continue;
        }
        tally->rows++;
        struct letter *letter = letters_add(letters);
        if (!letter || !(letter->payload = make_payload(fields)))
            return "out of memory";
        make_id(letter->id, issue, *fields[EMAIL] ? fields[EMAIL] : fields[NAME]);
        snprintf(letter->place, sizeof(letter->place), "%.200s:%u", path, row.line);
    }
    return more < 0 ? "a quote is never closed" : NULL;
}

/* Leaves out what the queue refused. Returns how many are left. */
static size_t drop_conflicts(
    struct dray_new_job *jobs, const struct dray_dispatched *answers, size_t n)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        if (answers[i].code != DRAY_CONFLICT)
            jobs[kept++] = jobs[i];
    }
    return kept;
}

/*
 * Dispatches all letters in one batch, all or none. Those that the queue has already answer
 * DRAY_EXISTS and count as there. An id with another payload - an address that is listed in two
 * spellings, or a name that was corrected since - refuses the batch with DRAY_CONFLICT: those
 * subscribers have their job, so the rest goes without them.
 */
static int dispatch(
    struct dray *dray, const struct letters *letters, struct tally *tally, struct dray_error *error)
{
    size_t n = letters->n;
    struct dray_new_job *jobs = calloc(n + 1, sizeof(*jobs));
    struct dray_dispatched *answers = calloc(n + 1, sizeof(*answers));
    int code = jobs && answers ? DRAY_CONFLICT : DRAY_NOMEM;
    for (size_t i = 0; jobs && i < n; i++) {
        const struct letter *letter = &letters->all[i];
        jobs[i] = (struct dray_new_job){
            .type = "send", .id = letter->id, .name = letter->place, .payload = letter->payload};
    }
    for (size_t before = 0; code == DRAY_CONFLICT && n > 0 && n != before;) {
        before = n;
        code = dray_dispatch_batch(dray, jobs, n, answers, error);
        if (code == DRAY_CONFLICT)
            n = drop_conflicts(jobs, answers, n);
    }
    if (n == 0 && code == DRAY_CONFLICT)
        code = DRAY_OK; /* everybody has a job already */
    for (size_t i = 0; code == DRAY_OK && i < n; i++)
        tally->dispatched += answers[i].code == DRAY_OK;
    tally->already = letters->n - tally->dispatched;
    free(jobs);
    free(answers);
    return code;
}

static int import(struct dray_attempt *attempt, const char *path, const char *issue)
{
    struct csv csv;
    struct letters letters = {0};
    struct tally tally = {0};
    struct dray_error error = DRAY_ERROR_INIT;
    if (csv_open(&csv, path) != 0)
        return dray_attempt_fail(attempt, "%s: %s", path, strerror(errno));
    int verdict;
    const char *problem = read_list(&csv, path, issue, &letters, &tally);
    if (problem) {
        verdict = dray_attempt_fail(attempt, "%s:%u: %s", path, csv.line, problem);
    } else if (dispatch(dray_attempt_dray(attempt), &letters, &tally, &error) != DRAY_OK) {
        verdict = dray_attempt_fail(attempt, "%s: %s", path, error.text);
    } else {
        char result[256];
        snprintf(result, sizeof(result),
            "{\"rows\":%zu,\"dispatched\":%zu,\"already\":%zu,\"blank\":%zu}", tally.rows,
            tally.dispatched, tally.already, tally.blank);
        verdict = dray_attempt_result(attempt, result);
    }
    letters_free(&letters);
    csv_close(&csv);
    return verdict;
}

static int import_list(struct dray_attempt *attempt, void *user)
{
    (void)user;
    const json_t *payload = dray_attempt_json(attempt);
    const char *path = json_string_value(json_object_get(payload, "list"));
    const char *issue = json_string_value(json_object_get(payload, "issue"));
    if (!path || !issue)
        return dray_attempt_give_up(attempt, "the payload needs list and issue");
    if (!isalnum((unsigned char)*issue) || strlen(issue) > ISSUE_MAX ||
        issue[strspn(issue, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-")])
        return dray_attempt_give_up(attempt, "an issue is letters, digits and dashes");
    return import(attempt, path, issue);
}

static const struct dray_module_handler handlers[] = {
    {.type = "import", .fn = import_list},
};

DRAY_MODULE(handlers, NULL, NULL)
