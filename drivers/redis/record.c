/* SPDX-License-Identifier: Apache-2.0 */
#include "redis/record.h"

#include <string.h>

#define CONTENT_HEAD 21u
#define CREATED 6u
#define STATE_HEAD 65u
#define FLAG_CANCELLED 1u
#define FLAG_UNIQUE 2u
#define TIME_MAX (((uint64_t)1 << 48) - 1)

static const char letters[] = {[DRAY_STATE_READY] = 'r',
    [DRAY_STATE_DELAYED] = 'd',
    [DRAY_STATE_ACTIVE] = 'a',
    [DRAY_STATE_DEAD] = 'x',
    [DRAY_STATE_DONE] = 'o'};

static char *put_text(char *out, struct dray_str text)
{
    if (text.len)
        memcpy(out, text.data, text.len);
    return out + text.len;
}

static uint64_t at_most(uint64_t value, uint64_t most)
{
    return value < most ? value : most;
}

uint64_t record_add_content(struct buffer *buffer, const struct dray_job *job)
{
    uint64_t len = CONTENT_HEAD - CREATED + job->name.len + job->group.len + job->type.len +
                   job->unique.len + job->payload.len;
    char *out = buffer_space(buffer, len);
    if (!out)
        return len;
    put_number(out, 1, job->priority);
    put_number(out + 1, 6, at_most(job->timeout_ms, TIME_MAX));
    put_number(out + 7, 4, job->max_attempts);
    put_number(out + 11, 1, job->name.len);
    put_number(out + 12, 1, job->group.len);
    put_number(out + 13, 1, job->type.len);
    put_number(out + 14, 1, job->unique.len);
    out = put_text(out + 15, job->name);
    out = put_text(out, job->group);
    out = put_text(out, job->type);
    out = put_text(out, job->unique);
    put_text(out, job->payload);
    return len;
}

static uint64_t time_of(int64_t ms)
{
    return ms > 0 ? at_most((uint64_t)ms, TIME_MAX) : 0;
}

void record_pack_created(struct buffer *buffer, int64_t created_ms)
{
    char *out = pack_space(buffer, CREATED);
    if (out)
        put_number(out, CREATED, time_of(created_ms));
}

void record_pack_state(struct buffer *buffer, const struct dray_job *job)
{
    int over = job->state == DRAY_STATE_DEAD || job->state == DRAY_STATE_DONE;
    uint32_t state = over || job->state == DRAY_STATE_DELAYED ? job->state : DRAY_STATE_READY;
    uint64_t nerror = at_most(job->error.len, DRAY_NOTE_MAX);
    uint64_t nprogress = at_most(job->progress.len, DRAY_NOTE_MAX);
    char *out = pack_space(buffer, STATE_HEAD + nerror + nprogress + job->result.len);
    if (!out)
        return;
    memset(out, 0, STATE_HEAD);
    out[0] = letters[state];
    put_number(out + 1, 8, at_most(job->token.counter, (uint64_t)1 << 50));
    put_number(out + 17, 1, job->priority << 4 | (job->unique.len ? FLAG_UNIQUE : 0));
    put_number(out + 18, 4, job->attempts);
    put_number(out + 22, 4, job->releases);
    put_number(out + 26, 8, time_of(over ? job->ended_ms : job->run_at_ms));
    put_number(out + 35, 2, nerror);
    put_number(out + 37, 2, nprogress);
    out = put_text(out + STATE_HEAD, (struct dray_str){job->error.data, nerror});
    out = put_text(out, (struct dray_str){job->progress.data, nprogress});
    put_text(out, job->result);
}

void record_pack_token(struct buffer *buffer, struct dray_token token)
{
    char *out = pack_space(buffer, RECORD_TOKEN);
    if (!out)
        return;
    out[0] = 'a';
    put_number(out + 1, 8, token.counter);
    put_number(out + 9, 8, token.nonce);
}

static struct dray_str take(const char **at, uint64_t len)
{
    struct dray_str text = {*at, len};
    *at += len;
    return text;
}

static int read_content(struct dray_job *job, struct dray_str content)
{
    if (content.len < CONTENT_HEAD)
        return 0;
    const char *head = content.data;
    const char *at = head + CONTENT_HEAD;
    uint64_t used = CONTENT_HEAD;
    for (int i = 17; i < 21; i++)
        used += (unsigned char)head[i];
    if (used > content.len)
        return 0;
    job->created_ms = (int64_t)get_number(head, 6);
    job->priority = (uint32_t)get_number(head + 6, 1);
    job->timeout_ms = get_number(head + 7, 6);
    job->max_attempts = (uint32_t)get_number(head + 13, 4);
    job->name = take(&at, (unsigned char)head[17]);
    job->group = take(&at, (unsigned char)head[18]);
    job->type = take(&at, (unsigned char)head[19]);
    job->unique = take(&at, (unsigned char)head[20]);
    job->payload = take(&at, content.len - used);
    return job->priority <= DRAY_PRIORITY_LAST && job->type.len <= DRAY_NAME_MAX &&
           job->group.len <= DRAY_NAME_MAX;
}

static uint32_t state_of(char letter)
{
    for (uint32_t state = DRAY_STATE_READY; state <= DRAY_STATE_DONE; state++) {
        if (letters[state] == letter)
            return state;
    }
    return 0;
}

static void read_time(struct dray_job *job, int64_t at_ms, int64_t now_ms)
{
    if (job->state == DRAY_STATE_ACTIVE)
        job->lease_left_ms = at_ms > now_ms ? (uint64_t)(at_ms - now_ms) : 0;
    else if (job->state == DRAY_STATE_DEAD || job->state == DRAY_STATE_DONE)
        job->ended_ms = at_ms;
    else
        job->run_at_ms = at_ms;
}

int record_read_state(struct dray_job *job, struct dray_str state, int64_t now_ms)
{
    const char *head = state.data;
    if (state.len < STATE_HEAD)
        return 0;
    const char *at = head + STATE_HEAD;
    uint64_t nowner = get_number(head + 34, 1);
    uint64_t nerror = get_number(head + 35, 2), nprogress = get_number(head + 37, 2);
    uint64_t used = STATE_HEAD + nowner + nerror + nprogress;
    job->state = state_of(head[0]);
    if (!job->state || used > state.len || nerror > DRAY_NOTE_MAX || nprogress > DRAY_NOTE_MAX)
        return 0;
    job->token.counter = get_number(head + 1, 8);
    if (job->state == DRAY_STATE_ACTIVE)
        job->token.nonce = get_number(head + 9, 8);
    job->flags = get_number(head + 17, 1) & FLAG_CANCELLED ? DRAY_JOB_CANCELLED : 0;
    job->attempts = (uint32_t)get_number(head + 18, 4);
    job->releases = (uint32_t)get_number(head + 22, 4);
    read_time(job, (int64_t)get_number(head + 26, 8), now_ms);
    job->owner = take(&at, nowner);
    job->error = take(&at, nerror);
    job->progress = take(&at, nprogress);
    job->result = take(&at, state.len - used);
    return 1;
}

int record_read(
    struct dray_job *job, struct dray_str content, struct dray_str state, int64_t now_ms)
{
    job->state = DRAY_STATE_READY;
    if (job->id.len < 1 || job->id.len > DRAY_NAME_MAX || !read_content(job, content))
        return 0;
    return state.len == 0 || record_read_state(job, state, now_ms);
}
