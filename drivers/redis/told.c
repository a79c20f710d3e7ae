/* SPDX-License-Identifier: Apache-2.0 */
#include "redis/told.h"

#include "redis/answer.h"
#include "redis/store.h"

/* FNV-1a (http://www.isthe.com/chongo/tech/comp/fnv/): two records that share a mark cost a line of
   the log, no more. */
static uint64_t add_to_mark(uint64_t mark, struct dray_str text)
{
    for (uint64_t i = 0; i < text.len; i++)
        mark = (mark ^ (unsigned char)text.data[i]) * 0x100000001b3;
    return mark;
}

/* Nonzero the first time. */
static int is_new(struct told *told, uint64_t mark)
{
    for (uint32_t i = 0; i < TOLD_MOST; i++) {
        if (told->marks[i] == mark)
            return 0;
    }
    told->marks[told->next] = mark;
    told->next = (told->next + 1) % TOLD_MOST;
    return 1;
}

void told_record(struct store *store, struct dray_str queue, struct dray_str id)
{
    static const struct dray_str blank = {" ", 1};
    char plain_queue[ANSWER_PLAIN], plain_id[ANSWER_PLAIN];
    uint64_t mark = add_to_mark(add_to_mark(0xcbf29ce484222325, queue), blank);
    mark = add_to_mark(mark, id);
    if (!is_new(&store->told, mark ? mark : 1))
        return;
    if (id.len && id.data[0] == '*') { /* of jobs that share a lease: scripts/common.lua */
        store->host->log(store->host, DRAY_LOG_ERROR,
            "%s: queue %s: what is kept of jobs that were handed out together is not a record of "
            "this layout, so nobody gets them again; `dray fsck` counts them",
            store->link.where, answer_plain(queue, plain_queue));
        return;
    }
    store->host->log(store->host, DRAY_LOG_ERROR,
        "%s: queue %s, job %s: not a record of this layout, so it is handed to nobody; see who "
        "else writes under prefix %s, then `dray delete` it",
        store->link.where, answer_plain(queue, plain_queue), answer_plain(id, plain_id),
        store->prefix);
}

void told_more(struct store *store, uint64_t n)
{
    store->host->log(store->host, DRAY_LOG_ERROR,
        "%s: %llu more jobs that are not records of this layout; `dray fsck` names all of them",
        store->link.where, (unsigned long long)n);
}
