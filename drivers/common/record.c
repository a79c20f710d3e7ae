/* SPDX-License-Identifier: Apache-2.0 */
#include "common/record.h"

#include "common/table_impl.h"

static size_t text_size(const struct dray_job *job)
{
    return job->id.len + job->name.len + job->unique.len + job->group.len;
}

static char *append(char *at, struct dray_str text)
{
    if (text.len)
        memcpy(at, text.data, text.len);
    return at + text.len;
}

/* Where a payload of its own lies; NULL without memory. */
static char *payload_outside(struct table *table, struct dray_str payload)
{
    char *copy = table->host->resize(table->host, NULL, payload.len);

    if (copy)
        memcpy(copy, payload.data, payload.len);
    return copy;
}

static struct dray_str note_error(const struct notes *notes)
{
    return (struct dray_str){notes ? notes->text : NULL, notes ? notes->error_len : 0};
}

static struct dray_str note_result(const struct notes *notes)
{
    return (struct dray_str){
        notes ? notes->text + notes->error_len : NULL, notes ? notes->result_len : 0};
}

static struct dray_str note_progress(const struct notes *notes)
{
    return (struct dray_str){notes ? notes->text + notes->error_len + notes->result_len : NULL,
        notes ? notes->progress_len : 0};
}

static uint64_t text_bytes(const struct table *table, const struct record *record)
{
    uint64_t bytes = (uint64_t)record->id_len + record->name_len + record->unique_len +
                     record->group_len + record->payload_len;

    if (!table->extra)
        return bytes;
    struct dray_str name = {record->text + record->id_len, record->name_len};
    return bytes + record->type->name.len + record->type->queue->name.len + table->extra(name, 0) +
           table->extra(record_unique(record), 0) + table->extra(record_payload(record), 1);
}

static uint64_t note_bytes(const struct table *table, const struct notes *notes)
{
    if (!notes)
        return 0;
    uint64_t bytes = (uint64_t)notes->error_len + notes->result_len + notes->progress_len;
    if (!table->extra)
        return bytes;
    return bytes + table->extra(note_error(notes), 0) + table->extra(note_result(notes), 0) +
           table->extra(note_progress(notes), 0);
}

uint32_t record_new(struct table *table, struct tally *type, const struct dray_job *job)
{
    size_t fixed = sizeof(struct record) + text_size(job);
    int outside = fixed + job->payload.len > SLAB_BLOCK_MAX;
    uint32_t ref = slab_take(&table->slab, fixed + (outside ? sizeof(char *) : job->payload.len));

    if (!ref)
        return 0;
    struct record *record = record_at(&table->slab, ref);
    memset(record, 0, sizeof(*record));
    char *copy = outside ? payload_outside(table, job->payload) : NULL;
    if (outside && !copy) {
        slab_give(&table->slab, ref);
        return 0;
    }
    record->type = type;
    record->place = RECORD_NO_PLACE;
    record->due = RECORD_NO_DUE;
    record->timeout_ms = job->timeout_ms;
    record->max_attempts = job->max_attempts;
    record->payload_len = (uint32_t)job->payload.len;
    record->priority =
        (uint8_t)(job->priority < DRAY_PRIORITY_LAST ? job->priority : DRAY_PRIORITY_LAST);
    record->flags = (uint8_t)((outside ? RECORD_OUTSIDE : 0) | table->mark);
    record->id_len = (uint8_t)job->id.len;
    record->name_len = (uint8_t)job->name.len;
    record->unique_len = (uint8_t)job->unique.len;
    record->group_len = (uint8_t)job->group.len;
    char *at = append(record->text, job->id);
    at = append(append(append(at, job->name), job->unique), job->group);
    if (outside)
        memcpy(at, &copy, sizeof(copy));
    else
        append(at, job->payload);
    table->nbytes += text_bytes(table, record);
    return ref;
}

void record_free(struct table *table, uint32_t ref)
{
    struct record *record = record_at(&table->slab, ref);

    table->nbytes -= text_bytes(table, record) + note_bytes(table, record->notes);
    if (record->flags & RECORD_OUTSIDE) {
        char *copy;
        memcpy(&copy,
            record->text + record->id_len + record->name_len + record->unique_len +
                record->group_len,
            sizeof(copy));
        table->host->resize(table->host, copy, 0);
    }
    if (record->notes)
        table->host->resize(table->host, record->notes, 0);
    record->state = 0;
    slab_give(&table->slab, ref);
}

int record_note(struct table *table, struct record *record, struct dray_str error,
    struct dray_str result, struct dray_str progress)
{
    const struct dray_host *host = table->host;

    if (!error.len && !result.len && !progress.len)
        return 1;
    int new_error = error.len != 0;
    if (!new_error)
        error = note_error(record->notes);
    if (!result.len)
        result = note_result(record->notes);
    if (!progress.len)
        progress = note_progress(record->notes);
    struct notes *notes =
        host->resize(host, NULL, sizeof(*notes) + error.len + result.len + progress.len);
    if (!notes)
        return 0;
    notes->error_len = (uint32_t)error.len;
    notes->result_len = (uint32_t)result.len;
    notes->progress_len = (uint32_t)progress.len;
    append(append(append(notes->text, error), result), progress);
    table->nbytes += note_bytes(table, notes) - note_bytes(table, record->notes);
    host->resize(host, record->notes, 0);
    record->notes = notes;
    if (new_error)
        record->error = RECORD_ERROR_NOTE;
    return 1;
}

void record_clear_error(struct table *table, struct record *record)
{
    /* The text goes with the next note; until then its length hides it. Result and progress lie
       behind it and move up. */
    record->error = RECORD_ERROR_NOTE;
    if (!record->notes)
        return;
    table->nbytes -= note_bytes(table, record->notes);
    memmove(record->notes->text, record->notes->text + record->notes->error_len,
        (size_t)record->notes->result_len + record->notes->progress_len);
    record->notes->error_len = 0;
    table->nbytes += note_bytes(table, record->notes);
}

static struct dray_str error_of(const struct record *record)
{
    static const char expired[] = "lease expired";
    static const char cancelled[] = "cancelled";

    if (record->error == RECORD_ERROR_EXPIRED)
        return (struct dray_str){expired, sizeof(expired) - 1};
    if (record->error == RECORD_ERROR_CANCELLED)
        return (struct dray_str){cancelled, sizeof(cancelled) - 1};
    return note_error(record->notes);
}

void record_show(const struct record *record, uint32_t ref, struct dray_job *job)
{
    const char *at = record->text;

    job->size = sizeof(*job);
    job->priority = record->priority;
    job->id = (struct dray_str){at, record->id_len};
    job->name = (struct dray_str){at += record->id_len, record->name_len};
    job->unique = (struct dray_str){at += record->name_len, record->unique_len};
    job->group = (struct dray_str){at + record->unique_len, record->group_len};
    job->payload = record_payload(record);
    job->type = record->type->name;
    job->queue = record->type->queue->name;
    job->timeout_ms = record->timeout_ms;
    job->max_attempts = record->max_attempts;
    job->state = record->state;
    job->attempts = record->attempts;
    job->releases = record->releases;
    job->flags = record->flags & RECORD_CANCELLED;
    job->token = record->token;
    job->created_ms = record->created_ms;
    int active = record->state == DRAY_STATE_ACTIVE;
    job->owner = active ? record->owner->name : (struct dray_str){NULL, 0};
    job->ended_ms = record->state >= DRAY_STATE_DEAD ? record->until : 0;
    job->error = error_of(record);
    job->result = note_result(record->notes);
    job->progress = note_progress(record->notes);
    job->ref = ref;
}
