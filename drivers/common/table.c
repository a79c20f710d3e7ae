/* SPDX-License-Identifier: Apache-2.0 */
#include "common/table_impl.h"

struct table *table_new(const struct dray_host *host, const char *driver, uint64_t capacity)
{
    struct table *table = host->resize(host, NULL, sizeof(*table));

    if (!table)
        return NULL;
    memset(table, 0, sizeof(*table));
    table->host = host;
    table->driver = driver;
    table->capacity = capacity;
    /* Ids may come from strangers: the seed keeps them from choosing colliding ones. Without
       randomness the table still works. */
    if (host->random(host, &table->seed, sizeof(table->seed)) != DRAY_OK)
        table->seed = (uint64_t)host->mono_ms(host);
    slab_init(&table->slab, host);
    index_init(&table->ids, host);
    index_init(&table->keys, host);
    return table;
}

static void free_records(struct table *table)
{
    for (uint32_t ref = slab_next(&table->slab, 0); ref; ref = slab_next(&table->slab, ref)) {
        if (record_at(&table->slab, ref)->state)
            record_free(table, ref);
    }
}

void table_free(struct table *table)
{
    if (!table)
        return;
    const struct dray_host *host = table->host;
    table_copy_end(table);
    free_records(table);
    for (uint32_t i = 0; i < table->queues.count; i++) {
        struct queue *queue = (struct queue *)(void *)table->queues.list[i];
        names_done(&queue->types, host);
        times_done(&queue->odd_leases, host);
        times_done(&queue->delayed, host);
        times_done(&queue->ended[0], host);
        times_done(&queue->ended[1], host);
    }
    names_done(&table->queues, host);
    names_done(&table->owners, host);
    index_done(&table->ids);
    index_done(&table->keys);
    slab_done(&table->slab);
    host->resize(host, table->staged, 0);
    host->resize(host, table, 0);
}

void table_weigh(struct table *table, table_extra_fn extra)
{
    table->extra = extra;
}

uint64_t table_active(const struct table *table)
{
    uint64_t active = 0;

    for (uint32_t i = 0; i < table->queues.count; i++) {
        const struct queue *queue = (struct queue *)(void *)table->queues.list[i];
        active += queue->counts[DRAY_STATE_ACTIVE];
    }
    return active;
}

void table_measure(const struct table *table, struct table_size *size)
{
    *size = (struct table_size){.jobs = table->nrecords, .bytes = table->nbytes};
    for (uint32_t i = 0; i < table->queues.count; i++) {
        const struct queue *queue = (struct queue *)(void *)table->queues.list[i];
        size->active += queue->counts[DRAY_STATE_ACTIVE];
        for (uint32_t k = 0; k < queue->types.count; k++) {
            const struct tally *type = (struct tally *)(void *)queue->types.list[k];
            if (!tally_is_counted(type))
                continue;
            size->totals++;
            size->bytes += queue->name.len + type->name.len;
        }
    }
}

struct queue *table_queue(struct table *table, struct dray_str name)
{
    if (table->last_queue && names_equal(table->last_queue->name, name))
        return table->last_queue;
    struct queue *queue = names_find(&table->queues, name);
    if (queue)
        table->last_queue = queue;
    return queue;
}

struct queue *table_queue_make(struct table *table, struct dray_str name)
{
    struct queue *queue = table_queue(table, name);

    if (queue)
        return queue;
    queue = names_get(&table->queues, table->host, name, sizeof(*queue));
    if (queue)
        queue->salt = index_hash(table->seed, name.data, name.len);
    return queue;
}

struct tally *table_type_make(struct table *table, struct queue *queue, struct dray_str name)
{
    if (queue->last_type && names_equal(queue->last_type->name, name))
        return queue->last_type;
    struct tally *type = names_get(&queue->types, table->host, name, sizeof(*type));
    if (type) {
        type->queue = queue;
        queue->last_type = type;
    }
    return type;
}

struct owner *table_owner_make(struct table *table, struct dray_str name)
{
    if (table->last_owner && names_equal(table->last_owner->name, name))
        return table->last_owner;
    struct owner *owner = names_get(&table->owners, table->host, name, sizeof(*owner));
    if (owner)
        table->last_owner = owner;
    return owner;
}

uint32_t table_hash(const struct queue *queue, struct dray_str text)
{
    return (uint32_t)index_hash(queue->salt, text.data, text.len);
}

static int match_id(const void *arg, uint32_t ref)
{
    const struct key *key = arg;
    const struct record *record = record_at(&key->table->slab, ref);

    return names_equal(record_id(record), key->text) && record->type->queue == key->queue;
}

static int match_key(const void *arg, uint32_t ref)
{
    const struct key *key = arg;
    const struct record *record = record_at(&key->table->slab, ref);

    return names_equal(record_unique(record), key->text) && record->type->queue == key->queue;
}

uint32_t table_find_id(
    const struct table *table, const struct queue *queue, struct dray_str id, uint32_t hash)
{
    return index_find(&table->ids, hash, match_id, &(struct key){table, queue, id});
}

uint32_t table_find_key(const struct table *table, const struct queue *queue, struct dray_str key)
{
    return index_find(
        &table->keys, table_hash(queue, key), match_key, &(struct key){table, queue, key});
}

void table_drop_key(struct table *table, uint32_t ref)
{
    const struct record *record = record_at(&table->slab, ref);

    if (record->unique_len)
        index_remove(&table->keys, table_hash(record->type->queue, record_unique(record)), ref);
}

void table_forget(struct table *table, uint32_t ref)
{
    index_remove(&table->ids, record_at(&table->slab, ref)->hash, ref);
    record_free(table, ref);
    table->nrecords--;
}
