/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The driver skeleton: keeps jobs in a list in the memory of the process. They are gone with the
 * process, which is what "volatile" below says; everything else is as a driver has to be. Put your
 * store in the place of the list and keep the answers.
 *
 *     make check                  builds it, and runs test_skeleton.c
 *     dray driver test            whether it keeps the delivery contract, with queue.yaml
 *     dray drivers ./skeleton.so  what it tells of itself
 *
 * dray/driver.h describes each operation. What to know before reading on: calls on one instance
 * never overlap, so there is no lock; whatever a pointer reaches is borrowed for the call, so what
 * is kept is copied; and a code below 64 other than OK promises that nothing has changed.
 */
#include <dray/driver.h>

#include <string.h>

/* A job in the list, in one block with its texts. */
struct entry {
    struct entry *next;
    struct dray_job job;
    uint64_t serial;           /* the order of pushing; stays for life */
    int64_t until;             /* monotonic: when it falls due, or when its lease ends */
    char owner[DRAY_TEXT_MAX]; /* room for it: handing out cannot fail for want of memory */
};

/* One open store. The core hands it in zeroed. */
struct skeleton_store {
    const struct dray_host *host;
    struct entry *first; /* ready jobs stand in the order of becoming ready */
    uint64_t serials;
};

/* ------------------------------------------------------------------------------------------- */
/* Open and close                                                                              */
/* ------------------------------------------------------------------------------------------- */

/* The keys of the section `skeleton:` in the configuration. The core has checked the values. */
static const struct dray_option options[] = {
    {.type = DRAY_OPTION_INTEGER,
        .name = "capacity",
        .fallback = "1000",
        .help = "jobs kept at most, dead ones included",
        .min = 1,
        .max = 1000000},
};

static int32_t skeleton_open(void *self, struct dray_call *call, const struct dray_host *host)
{
    struct skeleton_store *store = self;
    store->host = host;
    /* Never promise more than is kept: what is asked for and cannot be given is refused. */
    if (call->durability > DRAY_DURABILITY_VOLATILE)
        return host->fail(call, DRAY_UNSUPPORTED, 0,
            "the driver skeleton keeps jobs in the memory of the process; its durability is "
            "volatile");
    call->durability = DRAY_DURABILITY_VOLATILE;
    return DRAY_OK;
}

static void skeleton_close(void *self)
{
    struct skeleton_store *store = self;
    while (store->first) {
        struct entry *entry = store->first;
        store->first = entry->next;
        store->host->resize(store->host, entry, 0);
    }
}

/* ------------------------------------------------------------------------------------------- */
/* The list                                                                                    */
/* ------------------------------------------------------------------------------------------- */

static int same(struct dray_str a, struct dray_str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, (size_t)a.len) == 0);
}

static struct dray_str copy_text(char **at, struct dray_str text)
{
    struct dray_str copy = {*at, text.len};
    if (text.len)
        memcpy(*at, text.data, (size_t)text.len);
    *at += text.len;
    return copy;
}

static void set_owner(struct entry *entry, struct dray_str owner)
{
    size_t len = owner.len < sizeof(entry->owner) ? (size_t)owner.len : sizeof(entry->owner);
    if (len)
        memcpy(entry->owner, owner.data, len);
    entry->job.owner = (struct dray_str){entry->owner, len};
}

/* A block of its own for the job. NULL without memory: then nothing has changed yet. */
static struct entry *copy_job(struct skeleton_store *store, const struct dray_job *job)
{
    struct dray_job copy = *job;
    struct dray_str *texts[] = {&copy.id, &copy.queue, &copy.type, &copy.payload, &copy.name,
        &copy.unique, &copy.group, &copy.error, &copy.result, &copy.progress};
    const size_t ntexts = sizeof(texts) / sizeof(texts[0]);
    size_t size = sizeof(struct entry);
    for (size_t i = 0; i < ntexts; i++)
        size += (size_t)texts[i]->len;
    struct entry *entry = store->host->resize(store->host, NULL, size);
    if (!entry)
        return NULL;
    char *at = (char *)(entry + 1);
    for (size_t i = 0; i < ntexts; i++)
        *texts[i] = copy_text(&at, *texts[i]);
    copy.size = sizeof(copy);
    *entry = (struct entry){.job = copy};
    set_owner(entry, job->owner);
    return entry;
}

static struct entry **find(struct skeleton_store *store, struct dray_str queue, struct dray_str id)
{
    struct entry **at = &store->first;
    while (*at && !(same((*at)->job.id, id) && same((*at)->job.queue, queue)))
        at = &(*at)->next;
    return at;
}

static void append(struct skeleton_store *store, struct entry *entry)
{
    struct entry **at = &store->first;
    while (*at)
        at = &(*at)->next;
    *at = entry;
    entry->next = NULL;
}

/* Takes the entry at `at` out of the list. */
static struct entry *detach(struct entry **at)
{
    struct entry *entry = *at;
    *at = entry->next;
    return entry;
}

/* Each change of a job is a new copy in the place of the old one, so that it happens whole or, for
   want of memory, not at all: NULL. */
static struct entry *replace(
    struct skeleton_store *store, struct entry **at, const struct dray_job *job, int64_t until)
{
    struct entry *fresh = copy_job(store, job);
    if (!fresh)
        return NULL;
    fresh->serial = (*at)->serial;
    fresh->until = until;
    store->host->resize(store->host, detach(at), 0);
    append(store, fresh);
    return fresh;
}

static int64_t later(int64_t now, uint64_t ms)
{
    return ms < (uint64_t)(INT64_MAX - now) ? now + (int64_t)ms : INT64_MAX;
}

/* ------------------------------------------------------------------------------------------- */
/* Push                                                                                        */
/* ------------------------------------------------------------------------------------------- */

/* Would the queue hold more jobs that have not ended than it may, or the store more than fit? */
static int is_full(const struct skeleton_store *store, const struct dray_push *group)
{
    uint64_t all = 0, live = 0;
    for (const struct entry *entry = store->first; entry; entry = entry->next, all++)
        live += entry->job.state != DRAY_STATE_DEAD && same(entry->job.queue, group->queue);
    return all >= (uint64_t)store->host->number(store->host, "capacity") ||
           (group->capacity && live >= group->capacity);
}

/* The state of a new job; *delay is how long it waits. */
static uint32_t first_state(
    const struct skeleton_store *store, const struct dray_job *job, uint32_t flags, uint64_t *delay)
{
    int64_t wait = job->run_at_ms - store->host->wall_ms(store->host);
    *delay = job->run_at_ms ? (uint64_t)(wait > 0 ? wait : 0) : job->delay_ms;
    if ((flags & DRAY_PUSH_RESTORE) && job->state != DRAY_STATE_DELAYED)
        return job->state == DRAY_STATE_DEAD ? DRAY_STATE_DEAD : DRAY_STATE_READY;
    return *delay ? DRAY_STATE_DELAYED : DRAY_STATE_READY;
}

/* One job (max_push is 1). A driver that takes groups stores all of one or nothing. */
static int32_t skeleton_push(void *self, struct dray_call *call, struct dray_push *group)
{
    struct skeleton_store *store = self;
    struct dray_job job = *group->jobs[0];
    uint64_t delay;
    if (group->njobs != 1)
        return store->host->fail(
            call, DRAY_LIMIT, 0, "the driver skeleton takes one job at a time");

    /* The same job again is there already; another one under its id is refused. */
    const struct entry *there = *find(store, group->queue, job.id);
    if (there) {
        int equal = same(there->job.type, job.type) && same(there->job.payload, job.payload);
        group->answers[0] = equal ? DRAY_EXISTS : DRAY_CONFLICT;
        return equal ? DRAY_OK : DRAY_CONFLICT;
    }
    if (is_full(store, group))
        return store->host->fail(
            call, DRAY_FULL, 0, "the driver skeleton is full; raise capacity or wait for workers");

    job.state = first_state(store, &job, group->flags, &delay);
    if (!(group->flags & DRAY_PUSH_RESTORE))
        job.created_ms = store->host->wall_ms(store->host);
    struct entry *entry = copy_job(store, &job);
    if (!entry)
        return store->host->fail(call, DRAY_NOMEM, 0, "no memory for a job");
    entry->serial = ++store->serials;
    entry->until = later(store->host->mono_ms(store->host), delay);
    append(store, entry);
    return DRAY_OK;
}

/* ------------------------------------------------------------------------------------------- */
/* Reserve                                                                                     */
/* ------------------------------------------------------------------------------------------- */

static int wanted(const struct entry *entry, const struct dray_reserve *want)
{
    for (uint32_t i = 0; i < want->nqueues; i++) {
        if (same(entry->job.queue, want->queues[i]))
            return 1;
    }
    return 0;
}

static int is_over(const struct entry *entry, int64_t now)
{
    return (entry->job.state == DRAY_STATE_ACTIVE && entry->until < now) ||
           (entry->job.state == DRAY_STATE_DELAYED && entry->until <= now);
}

/* In the queues asked for: puts back what nobody renewed, and promotes what is due. The attempt
   stays counted; the token is void, because only active jobs have a current one. */
static void sweep(struct skeleton_store *store, const struct dray_reserve *want, int64_t now)
{
    static const char expired[] = "lease expired";
    for (struct entry **at = &store->first; *at;) {
        if (!wanted(*at, want) || !is_over(*at, now)) {
            at = &(*at)->next;
            continue;
        }
        struct entry *entry = detach(at);
        if (entry->job.state == DRAY_STATE_ACTIVE)
            entry->job.error = (struct dray_str){expired, sizeof(expired) - 1};
        entry->job.state = DRAY_STATE_READY;
        append(store, entry);
    }
}

/* The first job of the first queue that has one. */
static struct entry **next_ready(struct skeleton_store *store, const struct dray_reserve *want)
{
    for (uint32_t i = 0; i < want->nqueues; i++) {
        for (struct entry **at = &store->first; *at; at = &(*at)->next) {
            if ((*at)->job.state == DRAY_STATE_READY && same((*at)->job.queue, want->queues[i]))
                return at;
        }
    }
    return NULL;
}

/* After how long time alone could bring a job: so workers sleep neither too long nor too short. */
static uint64_t next_look(
    const struct skeleton_store *store, const struct dray_reserve *want, int64_t now)
{
    uint64_t next = DRAY_NEXT_NEVER;
    for (const struct entry *entry = store->first; entry; entry = entry->next) {
        uint32_t state = entry->job.state;
        if (!wanted(entry, want) || state == DRAY_STATE_DEAD)
            continue;
        uint64_t wait = state == DRAY_STATE_READY ? 0 : (uint64_t)(entry->until - now);
        if (state == DRAY_STATE_ACTIVE)
            wait++; /* a lease is over after its last millisecond */
        next = wait < next ? wait : next;
    }
    return next;
}

static int32_t skeleton_reserve(void *self, struct dray_call *call, const struct dray_reserve *want)
{
    struct skeleton_store *store = self;
    int64_t now = store->host->mono_ms(store->host);
    sweep(store, want, now);
    struct entry **at = want->max ? next_ready(store, want) : NULL;
    if (at) {
        /* The attempt is counted and the lease recorded before anybody sees the job. */
        struct dray_job *job = &(*at)->job;
        job->state = DRAY_STATE_ACTIVE;
        job->attempts++;
        job->token.counter++;
        job->token.nonce = want->nonce;
        job->lease_left_ms = want->lease_ms;
        set_owner(*at, want->owner);
        (*at)->until = later(now, want->lease_ms);
        call->job(call, job);
    }
    call->next_ms = next_look(store, want, now);
    return DRAY_OK;
}

/* ------------------------------------------------------------------------------------------- */
/* What becomes of a leased job                                                                */
/* ------------------------------------------------------------------------------------------- */

/* The leased job, if the token is the current one: the token alone decides, not the clock. */
static struct entry **find_leased(struct skeleton_store *store, const struct dray_lease *lease)
{
    struct entry **at = find(store, lease->queue, lease->id);
    if (*at && (*at)->job.state == DRAY_STATE_ACTIVE &&
        (*at)->job.token.counter == lease->token.counter &&
        (*at)->job.token.nonce == lease->token.nonce)
        return at;
    return NULL;
}

static void apply_verdict(struct dray_job *job, const struct dray_lease *lease)
{
    job->state = lease->delay_ms ? DRAY_STATE_DELAYED : DRAY_STATE_READY;
    job->owner.len = 0;
    if (lease->error.len)
        job->error = lease->error;
    if (lease->progress.len)
        job->progress = lease->progress;
    switch (lease->verdict) {
    case DRAY_VERDICT_AGAIN:
        job->releases = 0;
        break;
    case DRAY_VERDICT_RELEASE: /* handed back without a try: the attempt does not count */
        job->attempts--;
        job->releases++;
        break;
    case DRAY_VERDICT_REPEAT: /* this run is complete, the same job runs again */
        job->attempts = job->releases = 0;
        break;
    default: /* DRAY_VERDICT_BURY */
        job->state = DRAY_STATE_DEAD;
        if (lease->flags & DRAY_LEASE_UNCHARGE)
            job->attempts--;
        break;
    }
}

static int32_t settle_one(struct skeleton_store *store, const struct dray_lease *lease)
{
    struct entry **at = find_leased(store, lease);
    if (!at)
        return DRAY_STALE;
    if (lease->verdict == DRAY_VERDICT_DONE) {
        store->host->resize(store->host, detach(at), 0);
        return DRAY_OK;
    }
    struct dray_job job = (*at)->job;
    apply_verdict(&job, lease);
    if (job.state == DRAY_STATE_DEAD)
        job.ended_ms = store->host->wall_ms(store->host);
    int64_t due = later(store->host->mono_ms(store->host), lease->delay_ms);
    return replace(store, at, &job, due) ? DRAY_OK : DRAY_NOMEM;
}

/* ack and retry: the verdict tells them apart. */
static int32_t skeleton_settle(void *self, struct dray_call *call,
    const struct dray_lease *const *leases, int32_t *answers, uint32_t n)
{
    (void)call;
    for (uint32_t i = 0; i < n; i++)
        answers[i] = settle_one(self, leases[i]);
    return DRAY_OK;
}

static int32_t extend_one(struct skeleton_store *store, const struct dray_lease *lease)
{
    struct entry **at = find_leased(store, lease);
    if (!at)
        return DRAY_STALE;
    int64_t until = later(store->host->mono_ms(store->host), lease->lease_ms);
    struct dray_job job = (*at)->job;
    if (lease->progress.len)
        job.progress = lease->progress;
    if (until < (*at)->until)
        until = (*at)->until; /* never shortened */
    return replace(store, at, &job, until) ? DRAY_OK : DRAY_NOMEM;
}

static int32_t skeleton_extend(void *self, struct dray_call *call,
    const struct dray_lease *const *leases, int32_t *answers, uint32_t n)
{
    (void)call;
    for (uint32_t i = 0; i < n; i++)
        answers[i] = extend_one(self, leases[i]);
    return DRAY_OK;
}

/* ------------------------------------------------------------------------------------------- */
/* List                                                                                        */
/* ------------------------------------------------------------------------------------------- */

static int passes(const struct entry *entry, const struct dray_filter *filter)
{
    const struct dray_job *job = &entry->job;
    return (!filter->states || filter->states & 1u << job->state) &&
           (!filter->queue.len || same(filter->queue, job->queue)) &&
           (!filter->type.len || same(filter->type, job->type)) &&
           (!filter->id.len || same(filter->id, job->id)) && job->created_ms >= filter->since_ms;
}

static void show(
    const struct skeleton_store *store, struct dray_call *call, const struct entry *entry)
{
    struct dray_job job = entry->job;
    int64_t left = entry->until - store->host->mono_ms(store->host);
    job.lease_left_ms = job.state == DRAY_STATE_ACTIVE && left > 0 ? (uint64_t)left : 0;
    job.run_at_ms = job.state == DRAY_STATE_DELAYED ? store->host->wall_ms(store->host) + left : 0;
    call->job(call, &job);
}

/* By serial number, oldest first: a job keeps its own, so what comes and goes between two calls
   makes no job appear twice. */
static int32_t skeleton_list(void *self, struct dray_call *call, struct dray_filter *filter)
{
    struct skeleton_store *store = self;
    const struct entry *next = NULL;
    for (uint32_t n = 0; n < filter->max; n++) {
        next = NULL;
        for (const struct entry *entry = store->first; entry; entry = entry->next) {
            if (entry->serial > filter->cursor[0] && passes(entry, filter) &&
                (!next || entry->serial < next->serial))
                next = entry;
        }
        if (!next)
            break;
        show(store, call, next);
        filter->cursor[0] = next->serial;
    }
    if (!next)
        filter->cursor[0] = 0;
    filter->cursor[1] = 0;
    return DRAY_OK;
}

/* ------------------------------------------------------------------------------------------- */
/* What the driver is                                                                          */
/* ------------------------------------------------------------------------------------------- */

/* Bits in `can` that are not set, and operations that are not there, are refused by the core with a
   word about why: add them one by one. */
static const struct dray_driver skeleton_driver = {
    .magic = DRAY_MAGIC,
    .abi = DRAY_ABI,
    .size = sizeof(struct dray_driver),
    .instance_size = sizeof(struct skeleton_store),
    .name = "skeleton",
    .version = "0.1.0",
    .summary = "keeps jobs in a list in memory: gone with the process",
    .can = DRAY_IS_QUICK, /* no call waits for I/O */
    .max_push = 1,
    .max_batch = 1,
    .options = options,
    .noptions = sizeof(options) / sizeof(options[0]),
    .option_size = sizeof(options[0]),
    .open = skeleton_open,
    .close = skeleton_close,
    .push = skeleton_push,
    .reserve = skeleton_reserve,
    .ack = skeleton_settle,
    .retry = skeleton_settle,
    .extend = skeleton_extend,
    .list = skeleton_list,
};

const struct dray_driver *dray_driver_entry(void)
{
    return &skeleton_driver;
}
