/* SPDX-License-Identifier: Apache-2.0 */
/* Reading lines back. The sum says that a line is as it was written; all the same nothing in it is
   believed that could hurt the table. */
#include "file/crc.h"
#include "file/line.h"
#include "file/names.h"

#include <string.h>

enum kind { NUMBER, TIME, HEX, TEXT, OP, STATE, PAYLOAD };

struct field {
    const char *name;
    size_t len;
    enum kind kind;
    size_t at; /* in struct line, or in struct header */
};

#define FIELD(text, kind, type, member)                                                            \
    {                                                                                              \
        text, sizeof(text) - 1, kind, offsetof(type, member)                                       \
    }

/* A line while it is read: numbers are wide until they have been checked. */
struct reading {
    struct line line;
    uint64_t attempts, releases, priority, max_attempts, cancelled, uncharged, paused;
    int64_t ended_ms;
};

#define READ(text, kind, member) FIELD(text, kind, struct reading, member)

/* In the order of writing, which makes each the first guess after the one before. */
static const struct field line_fields[] = {
    READ("seq", NUMBER, line.seq),
    READ("turn", NUMBER, line.turn),
    READ("more", NUMBER, line.more),
    READ("op", OP, line.event.kind),
    READ("queue", TEXT, line.event.job.queue),
    READ("id", TEXT, line.event.job.id),
    READ("type", TEXT, line.event.job.type),
    READ("created", TIME, line.event.job.created_ms),
    READ("priority", NUMBER, priority),
    READ("timeout", NUMBER, line.event.job.timeout_ms),
    READ("max_attempts", NUMBER, max_attempts),
    READ("name", TEXT, line.event.job.name),
    READ("unique", TEXT, line.event.job.unique),
    READ("group", TEXT, line.event.job.group),
    READ("state", STATE, line.event.job.state),
    READ("run_at", TIME, line.event.due_ms),
    READ("until", TIME, line.event.until_ms),
    READ("boot", HEX, line.boot),
    READ("ended", TIME, ended_ms),
    READ("attempts", NUMBER, attempts),
    READ("releases", NUMBER, releases),
    READ("token", NUMBER, line.event.job.token.counter),
    READ("nonce", HEX, line.event.job.token.nonce),
    READ("cancelled", NUMBER, cancelled),
    READ("owner", TEXT, line.event.job.owner),
    READ("run_ms", NUMBER, line.event.run_ms),
    READ("uncharged", NUMBER, uncharged),
    READ("error", TEXT, line.event.job.error),
    READ("result", TEXT, line.event.job.result),
    READ("progress", TEXT, line.event.job.progress),
    READ("payload", PAYLOAD, line.event.job.payload),
    READ("payload_text", TEXT, line.event.job.payload),
    READ("paused", NUMBER, paused),
    READ("pushed", NUMBER, line.totals.pushed),
    READ("completed", NUMBER, line.totals.completed),
    READ("failed", NUMBER, line.totals.failed),
    READ("retried", NUMBER, line.totals.retried),
    READ("died", NUMBER, line.totals.died),
    READ("runs", NUMBER, line.totals.runs),
};

static const char dray_jobs[] = "jobs";

struct header_reading {
    struct header header;
    struct dray_str dray;
};

#define HEAD(text, kind, member) FIELD(text, kind, struct header_reading, member)

static const struct field header_fields[] = {
    HEAD("dray", TEXT, dray),
    HEAD("version", NUMBER, header.version),
    HEAD("file", HEX, header.file),
    HEAD("after", HEX, header.after),
    HEAD("end", NUMBER, header.end),
    HEAD("records", NUMBER, header.records),
};

struct parser {
    const char *at, *end; /* `end`: the last brace */
    char *scratch;        /* room for all that is left of the line; NULL: not yet */
    struct buffer *buffer;
    const struct dray_host *host;
    int nomem;
};

static int parse_number(struct parser *p, uint64_t *value)
{
    uint64_t sum = 0;
    const char *begin = p->at;

    for (; p->at < p->end && *p->at >= '0' && *p->at <= '9'; p->at++) {
        if (__builtin_mul_overflow(sum, 10, &sum) ||
            __builtin_add_overflow(sum, (uint64_t)(*p->at - '0'), &sum))
            return 0;
    }
    *value = sum;
    return p->at > begin;
}

static int parse_time(struct parser *p, int64_t *value)
{
    uint64_t sum;
    int minus = p->at < p->end && *p->at == '-';

    p->at += minus;
    if (!parse_number(p, &sum) || sum > INT64_MAX)
        return 0;
    *value = minus ? -(int64_t)sum : (int64_t)sum;
    return 1;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int parse_hex_digits(struct parser *p, int most, uint64_t *value)
{
    int n = 0;

    for (*value = 0; n < most && p->at < p->end && hex_digit(*p->at) >= 0; n++)
        *value = *value << 4 | (uint64_t)hex_digit(*p->at++);
    return n;
}

/* One character behind a backslash, as line_write.c writes them. */
static int parse_escape(struct parser *p, char *out)
{
    uint64_t value;

    if (p->at >= p->end)
        return 0;
    switch (*p->at++) {
    case 'n':
        *out = '\n';
        return 1;
    case '"':
    case '\\':
        *out = p->at[-1];
        return 1;
    case 'u':
        if (parse_hex_digits(p, 4, &value) != 4 || value > 127)
            return 0;
        *out = (char)value;
        return 1;
    default:
        return 0;
    }
}

static int parse_escaped(struct parser *p, const char *begin, struct dray_str *text)
{
    if (!p->scratch) {
        buffer_reset(p->buffer, p->host, SIZE_MAX);
        p->nomem = !buffer_ensure(p->buffer, p->host, (size_t)(p->end - begin) + 1);
        if (p->nomem)
            return 0;
        p->scratch = p->buffer->data;
    }
    char *out = p->scratch;
    p->at = begin;
    while (p->at < p->end && *p->at != '"') {
        char c = *p->at++;
        if (c == '\\' && !parse_escape(p, &c))
            return 0;
        *out++ = c;
    }
    if (p->at >= p->end)
        return 0;
    p->at++;
    *text = (struct dray_str){p->scratch, (uint64_t)(out - p->scratch)};
    p->scratch = out;
    return 1;
}

static int parse_text(struct parser *p, struct dray_str *text)
{
    if (p->at >= p->end || *p->at++ != '"')
        return 0;
    const char *begin = p->at;
    while (p->at < p->end && *p->at != '"' && *p->at != '\\')
        p->at++;
    if (p->at >= p->end)
        return 0;
    if (*p->at == '\\')
        return parse_escaped(p, begin, text);
    *text = (struct dray_str){begin, (uint64_t)(p->at - begin)};
    p->at++;
    return 1;
}

static int parse_hex(struct parser *p, uint64_t *value)
{
    if (p->at >= p->end || *p->at++ != '"' || !parse_hex_digits(p, 16, value))
        return 0;
    return p->at < p->end && *p->at++ == '"';
}

/* One of the words of a list. */
static int parse_word(struct parser *p, const char *const *words, uint32_t n, uint32_t *value)
{
    struct dray_str text;

    if (!parse_text(p, &text))
        return 0;
    for (*value = 1; *value < n; (*value)++) {
        if (strlen(words[*value]) == text.len && memcmp(words[*value], text.data, text.len) == 0)
            return 1;
    }
    return 0;
}

static int parse_value(struct parser *p, const struct field *field, void *into)
{
    void *to = (char *)into + field->at;

    switch (field->kind) {
    case NUMBER:
        return parse_number(p, to);
    case TIME:
        return parse_time(p, to);
    case HEX:
        return parse_hex(p, to);
    case TEXT:
        return parse_text(p, to);
    case OP:
        return parse_word(p, line_ops, TABLE_KINDS, to);
    case STATE:
        return parse_word(p, line_states, DRAY_STATE_DONE + 1, to);
    default:
        /* The last field: all up to the brace. */
        *(struct dray_str *)to = (struct dray_str){p->at, (uint64_t)(p->end - p->at)};
        p->at = p->end;
        return 1;
    }
}

/* The field that is named here; the search begins behind the one found last. */
static const struct field *parse_key(
    struct parser *p, const struct field *fields, size_t n, size_t *last)
{
    struct dray_str name;

    if (!parse_text(p, &name) || p->at >= p->end || *p->at++ != ':')
        return NULL;
    for (size_t i = 0; i < n; i++) {
        size_t at = *last + i < n ? *last + i : *last + i - n;
        if (fields[at].len == name.len && memcmp(fields[at].name, name.data, name.len) == 0) {
            *last = at + 1 < n ? at + 1 : 0;
            return &fields[at];
        }
    }
    return NULL;
}

static int parse_fields(struct parser *p, const struct field *fields, size_t n, void *into)
{
    size_t last = 0;

    for (;;) {
        const struct field *field = parse_key(p, fields, n, &last);
        if (!field || !parse_value(p, field, into))
            return 0;
        while (p->at < p->end && *p->at == ' ')
            p->at++;
        if (p->at >= p->end)
            return 1;
        if (*p->at++ != ',')
            return 0;
    }
}

static int fits(struct dray_str text, uint64_t least, uint64_t most)
{
    return text.len >= least && text.len <= most;
}

static int has_job(uint32_t kind)
{
    return kind < TABLE_QUEUE;
}

/* May an event of this kind leave a job in this state? */
static int is_possible(uint32_t kind, uint32_t state)
{
#define IN(state) (1u << (state))
    static const unsigned waiting = IN(DRAY_STATE_READY) | IN(DRAY_STATE_DELAYED);
    static const unsigned ended = IN(DRAY_STATE_DEAD) | IN(DRAY_STATE_DONE);
    unsigned states = waiting;

    switch (kind) {
    case TABLE_JOB:
        states = waiting | IN(DRAY_STATE_ACTIVE) | ended;
        break;
    case TABLE_LEASE:
    case TABLE_EXTEND:
    case TABLE_MARK:
        states = IN(DRAY_STATE_ACTIVE);
        break;
    case TABLE_DONE:
        states = IN(0) | IN(DRAY_STATE_DONE);
        break;
    case TABLE_BURY:
    case TABLE_CANCEL:
        states = IN(DRAY_STATE_DEAD);
        break;
    case TABLE_EXPIRE:
    case TABLE_DUE:
    case TABLE_KICK:
        states = IN(DRAY_STATE_READY);
        break;
    case TABLE_REMOVE:
        states = IN(0);
        break;
    default:
        break;
    }
    return (states & IN(state)) != 0;
#undef IN
}

static int is_sound(const struct reading *r)
{
    const struct dray_job *job = &r->line.event.job;
    uint32_t kind = r->line.event.kind;

    if (!kind || !r->line.seq || !r->line.turn || r->line.turn > r->line.seq ||
        !fits(job->queue, 1, DRAY_NAME_MAX))
        return 0;
    if ((kind == TABLE_PUSH || kind == TABLE_JOB || kind == TABLE_TOTALS) &&
        !fits(job->type, 1, DRAY_NAME_MAX))
        return 0;
    if (!has_job(kind))
        return 1;
    return fits(job->id, 1, DRAY_NAME_MAX) && fits(job->group, 0, DRAY_NAME_MAX) &&
           fits(job->name, 0, DRAY_TEXT_MAX) && fits(job->unique, 0, DRAY_TEXT_MAX) &&
           fits(job->payload, 0, UINT32_MAX / 2) && fits(job->error, 0, UINT32_MAX / 8) &&
           fits(job->result, 0, UINT32_MAX / 8) && fits(job->progress, 0, UINT32_MAX / 8) &&
           r->priority <= DRAY_PRIORITY_LAST && r->attempts <= UINT32_MAX &&
           r->releases <= UINT32_MAX && r->max_attempts <= UINT32_MAX &&
           is_possible(kind, job->state);
}

static void finish(struct reading *r)
{
    struct table_event *event = &r->line.event;

    event->paused = r->paused != 0;
    event->uncharged = r->uncharged != 0;
    event->job.priority = (uint32_t)r->priority;
    event->job.attempts = (uint32_t)r->attempts;
    event->job.releases = (uint32_t)r->releases;
    event->job.max_attempts = (uint32_t)r->max_attempts;
    event->job.flags = r->cancelled ? DRAY_JOB_CANCELLED : 0;
    if (event->job.state >= DRAY_STATE_DEAD)
        event->until_ms = r->ended_ms;
    r->line.totals.run_ms = event->run_ms;
}

int32_t line_read(struct line *line, const char *text, size_t len, struct buffer *scratch,
    const struct dray_host *host)
{
    struct parser p = {
        .at = text + LINE_SUMMED, .end = text + len - 1, .buffer = scratch, .host = host};
    struct reading r;

    memset(&r, 0, sizeof(r));
    r.priority = DRAY_PRIORITY_NORMAL;
    r.line.event.due_ms = TABLE_NO_DUE;
    if (!parse_fields(&p, line_fields, sizeof(line_fields) / sizeof(line_fields[0]), &r))
        return p.nomem ? DRAY_NOMEM : DRAY_INVALID;
    if (!is_sound(&r))
        return DRAY_INVALID;
    finish(&r);
    *line = r.line;
    line->event.totals = &line->totals;
    return DRAY_OK;
}

int header_read(struct header *header, const char *text, size_t len, struct buffer *scratch,
    const struct dray_host *host)
{
    struct parser p = {
        .at = text + LINE_SUMMED, .end = text + len - 1, .buffer = scratch, .host = host};
    struct header_reading r;

    memset(&r, 0, sizeof(r));
    if (!line_is_whole(text, len))
        return 0;
    /* A newer version may have fields that this one does not know: its number comes first. */
    int read =
        parse_fields(&p, header_fields, sizeof(header_fields) / sizeof(header_fields[0]), &r);
    *header = r.header;
    return r.dray.len == sizeof(dray_jobs) - 1 &&
           memcmp(r.dray.data, dray_jobs, sizeof(dray_jobs) - 1) == 0 && r.header.version &&
           (read || r.header.version > LINE_VERSION);
}

int line_is_whole(const char *line, size_t len)
{
    struct parser p = {.at = line + LINE_START_LEN, .end = line + LINE_START_LEN + 8};
    uint64_t sum;

    if (len < LINE_MIN || memcmp(line, LINE_START, LINE_START_LEN) != 0 || line[len - 1] != '}' ||
        line[LINE_SUMMED - 2] != '"' || line[LINE_SUMMED - 1] != ',')
        return 0;
    if (parse_hex_digits(&p, 8, &sum) != 8)
        return 0;
    return crc32c(line + LINE_SUMMED, len - LINE_SUMMED) == (uint32_t)sum;
}
