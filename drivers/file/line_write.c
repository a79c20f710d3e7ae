/* SPDX-License-Identifier: Apache-2.0 */
#include "file/crc.h"
#include "file/line.h"
#include "file/names.h"

#include <string.h>

#define FIXED 1024u /* more than all names and numbers of a record take */
#define WORST 6u    /* bytes of one escaped byte */

static char *put(char *at, const char *text, size_t len)
{
    memcpy(at, text, len);
    return at + len;
}

#define PUT(at, literal) put(at, literal, sizeof(literal) - 1)

static char *put_number(char *at, uint64_t value)
{
    char digits[20];
    size_t n = 0;

    do
        digits[n++] = (char)('0' + value % 10);
    while (value /= 10);
    while (n)
        *at++ = digits[--n];
    return at;
}

static char *put_hex(char *at, uint64_t value, int digits)
{
    static const char hex[] = "0123456789abcdef";

    while (digits-- > 0)
        *at++ = hex[value >> (4 * digits) & 15];
    return at;
}

static int is_plain(unsigned char c)
{
    return c >= 32 && c != '"' && c != '\\' && c != 127;
}

static char *put_text(char *at, struct dray_str text)
{
    *at++ = '"';
    for (uint64_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (is_plain(c)) {
            *at++ = (char)c;
        } else if (c == '"' || c == '\\') {
            *at++ = '\\';
            *at++ = (char)c;
        } else if (c == '\n') {
            at = PUT(at, "\\n");
        } else {
            at = PUT(at, "\\u00");
            at = put_hex(at, c, 2);
        }
    }
    *at++ = '"';
    return at;
}

static char *put_key(char *at, const char *name)
{
    *at++ = ',';
    *at++ = '"';
    at = put(at, name, strlen(name));
    *at++ = '"';
    *at++ = ':';
    return at;
}

static char *number_field(char *at, const char *name, uint64_t value)
{
    return put_number(put_key(at, name), value);
}

static char *time_field(char *at, const char *name, int64_t value)
{
    at = put_key(at, name);
    if (value < 0)
        *at++ = '-';
    return put_number(at, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
}

static char *text_field(char *at, const char *name, struct dray_str text)
{
    return text.len ? put_text(put_key(at, name), text) : at;
}

static char *word_field(char *at, const char *name, const char *word)
{
    return put_text(put_key(at, name), (struct dray_str){word, strlen(word)});
}

static char *hex_field(char *at, const char *name, uint64_t value, int digits)
{
    at = put_key(at, name);
    *at++ = '"';
    at = put_hex(at, value, digits);
    *at++ = '"';
    return at;
}

/* State, and the times that go with it. */
static char *put_state(char *at, const struct table_event *event, uint32_t boot)
{
    uint32_t state = event->job.state;

    at = word_field(at, "state", line_states[state]);
    if (event->due_ms != TABLE_NO_DUE)
        at = time_field(at, "run_at", event->due_ms);
    if (state == DRAY_STATE_ACTIVE) {
        at = time_field(at, "until", event->until_ms);
        at = hex_field(at, "boot", boot, 8);
    } else if (state >= DRAY_STATE_DEAD) {
        at = time_field(at, "ended", event->until_ms);
    }
    return at;
}

static char *put_counters(char *at, const struct table_event *event)
{
    const struct dray_job *job = &event->job;

    if (job->attempts)
        at = number_field(at, "attempts", job->attempts);
    if (job->releases)
        at = number_field(at, "releases", job->releases);
    if (job->token.counter)
        at = number_field(at, "token", job->token.counter);
    if (job->token.nonce)
        at = hex_field(at, "nonce", job->token.nonce, 16);
    if (job->flags & DRAY_JOB_CANCELLED)
        at = number_field(at, "cancelled", 1);
    if (job->state == DRAY_STATE_ACTIVE && event->kind != TABLE_EXTEND)
        at = text_field(at, "owner", job->owner);
    if (event->run_ms)
        at = number_field(at, "run_ms", event->run_ms);
    if (event->uncharged)
        at = number_field(at, "uncharged", 1);
    return at;
}

/* What never changes, but for the payload. */
static char *put_job(char *at, const struct dray_job *job)
{
    at = time_field(at, "created", job->created_ms);
    if (job->priority != DRAY_PRIORITY_NORMAL)
        at = number_field(at, "priority", job->priority);
    if (job->timeout_ms)
        at = number_field(at, "timeout", job->timeout_ms);
    if (job->max_attempts)
        at = number_field(at, "max_attempts", job->max_attempts);
    at = text_field(at, "name", job->name);
    at = text_field(at, "unique", job->unique);
    return text_field(at, "group", job->group);
}

static char *put_totals(char *at, const struct dray_stats_row *row)
{
    at = number_field(at, "pushed", row->pushed);
    at = number_field(at, "completed", row->completed);
    at = number_field(at, "failed", row->failed);
    at = number_field(at, "retried", row->retried);
    at = number_field(at, "died", row->died);
    at = number_field(at, "runs", row->runs);
    return number_field(at, "run_ms", row->run_ms);
}

/* As it is unless it would break the line; no other byte below a space stands outside strings but a
   tab, and none inside. */
static int can_be_raw(struct dray_str payload)
{
    unsigned low = 0;

    for (uint64_t i = 0; i < payload.len; i++)
        low |= (unsigned)((unsigned char)payload.data[i] < 32);
    return !low && payload.len;
}

static char *put_payload(char *at, struct dray_str payload)
{
    if (!can_be_raw(payload))
        return put_text(put_key(at, "payload_text"), payload);
    at = put_key(at, "payload");
    return put(at, payload.data, payload.len);
}

static char *put_event(char *at, const struct table_event *event, uint32_t boot)
{
    const struct dray_job *job = &event->job;
    int whole = event->kind == TABLE_PUSH || event->kind == TABLE_JOB;

    at = text_field(at, "queue", job->queue);
    switch (event->kind) {
    case TABLE_QUEUE:
        return number_field(at, "paused", event->paused);
    case TABLE_RESET:
        return at;
    case TABLE_TOTALS:
        return put_totals(text_field(at, "type", job->type), event->totals);
    case TABLE_CONSUMER:
        at = text_field(at, "owner", job->owner);
        return hex_field(time_field(at, "until", event->until_ms), "boot", boot, 8);
    default:
        break;
    }
    at = text_field(at, "id", job->id);
    if (event->kind == TABLE_REMOVE)
        return at;
    if (whole)
        at = put_job(text_field(at, "type", job->type), job);
    if (event->kind != TABLE_DONE || job->state)
        at = put_state(at, event, boot);
    at = put_counters(at, event);
    at = text_field(at, "error", job->error);
    at = text_field(at, "result", job->result);
    at = text_field(at, "progress", job->progress);
    return whole ? put_payload(at, job->payload) : at;
}

/* An upper bound of what a record takes; 0 if it cannot be told. */
static size_t bound(const struct table_event *event)
{
    const struct dray_job *job = &event->job;
    uint64_t texts = job->queue.len + job->id.len + job->type.len + job->name.len +
                     job->unique.len + job->group.len + job->owner.len + job->error.len +
                     job->result.len + job->progress.len;

    if (event->kind == TABLE_PUSH || event->kind == TABLE_JOB)
        texts += can_be_raw(job->payload) ? job->payload.len / WORST + 1 : job->payload.len;
    return texts > SIZE_MAX / WORST / 2 ? 0 : FIXED + texts * WORST;
}

int line_write(struct buffer *out, const struct dray_host *host, uint64_t seq, uint64_t turn,
    uint32_t boot, const struct table_event *event)
{
    size_t most = bound(event);

    if (!most || !buffer_ensure(out, host, most))
        return 0;
    char *at = out->data + out->len;
    at = PUT(at, LINE_START "00000000\",\"seq\":");
    at = number_field(put_number(at, seq), "turn", turn);
    at = number_field(at, "more", 0);
    at = word_field(at, "op", line_ops[event->kind]);
    at = put_event(at, event, boot);
    *at++ = '}';
    *at++ = '\n';
    out->len = (size_t)(at - out->data);
    return 1;
}

void line_seal(char *line, size_t len, int more)
{
    if (more) {
        /* The first three fields are numbers of ours: the name stands where it is looked for. */
        char *at = memchr(line + LINE_SUMMED, 'm', len - LINE_SUMMED);
        at[sizeof("more\":") - 1] = '1';
    }
    put_hex(line + LINE_START_LEN, crc32c(line + LINE_SUMMED, len - LINE_SUMMED), 8);
}

uint64_t line_extra(struct dray_str text, int payload)
{
    uint64_t extra = 0;

    if (payload && can_be_raw(text))
        return 0;
    for (uint64_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];
        int escaped = !is_plain(c);
        extra += (uint64_t)escaped * (c == '"' || c == '\\' || c == '\n' ? 1 : WORST - 1);
    }
    /* The longer name, and the quotes that a payload as it is does not have. */
    return extra + (payload ? sizeof("_text\"\"") - 1 : 0);
}

int64_t line_least(const struct table_size *size)
{
    static const char job[] =
        LINE_START "00000000\",\"seq\":1,\"turn\":1,\"more\":0,\"op\":\"job\",\"queue\":\"\","
                   "\"id\":\"\",\"type\":\"\","
                   "\"created\":1700000000000,\"state\":\"ready\",\"payload\":}\n";
    static const char active[] =
        ",\"until\":1,\"boot\":\"00000000\",\"attempts\":1,\"token\":1,\"nonce\":"
        "\"0000000000000000\",\"owner\":\"h:1\"";
    static const char totals[] = LINE_START
        "00000000\",\"seq\":1,\"turn\":1,\"more\":0,\"op\":\"totals\",\"queue\":\"\",\"type\":\"\","
        "\"pushed\":1,\"completed\":1,\"failed\":0,\"retried\":0,\"died\":0,\"runs\":1,\"run_ms\":"
        "1}\n";

    return (int64_t)(HEADER_LEN + size->bytes + size->jobs * (sizeof(job) - 1) +
                     size->active * (sizeof(active) - 1) + size->totals * (sizeof(totals) - 1));
}

void header_write(char out[HEADER_LEN], const struct header *header)
{
    char *at = PUT(out, LINE_START "00000000\",\"dray\":\"jobs\"");

    at = number_field(at, "version", LINE_VERSION);
    at = hex_field(at, "file", header->file, 16);
    at = hex_field(at, "after", header->after, 16);
    at = number_field(at, "end", header->end);
    at = number_field(at, "records", header->records);
    *at++ = '}';
    /* Spaces between the values and the brace keep its length whatever the numbers are. */
    char *brace = at - 1;
    memset(brace, ' ', (size_t)(out + HEADER_LEN - brace));
    out[HEADER_LEN - 2] = '}';
    out[HEADER_LEN - 1] = '\n';
    line_seal(out, HEADER_LEN - 1, 0);
}

uint32_t line_boot(const char *boot_id)
{
    return crc32c(boot_id, strlen(boot_id));
}
