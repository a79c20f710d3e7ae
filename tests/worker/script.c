/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/script.h"

#include "dray/dray.h"

#include <dlfcn.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define RULES 8

struct rule {
    int32_t code;
    int times;
    int done;
};

/* What is said of an operation. */
struct part {
    struct rule rule[RULES]; /* in order */
    unsigned rules;
    int held;    /* calls wait */
    int waiting; /* one does */
    unsigned count;
    void (*before)(void);
};

static struct {
    pthread_mutex_t lock;
    pthread_cond_t moved;
    struct part part[SCRIPT_OPS];
    unsigned turns, overlaps, resends;
    unsigned slow_us;
    uint32_t flags;
    uint64_t nonce, lease_left_ms;
    void (*show)(struct dray_call *call, const struct dray_job *job); /* the caller's sink */
    _Atomic int inside;
    const struct dray_driver *memory;
} script = {.lock = PTHREAD_MUTEX_INITIALIZER, .moved = PTHREAD_COND_INITIALIZER};

/* ---- what a test says ---- */

void script_reset(void)
{
    pthread_mutex_lock(&script.lock);
    memset(script.part, 0, sizeof(script.part));
    script.turns = script.overlaps = script.resends = script.slow_us = 0;
    script.flags = 0;
    script.nonce = script.lease_left_ms = 0;
    pthread_cond_broadcast(&script.moved);
    pthread_mutex_unlock(&script.lock);
}

void script_say(enum script_op op, int32_t code, int times, int done)
{
    pthread_mutex_lock(&script.lock);
    struct part *part = &script.part[op];
    if (!times)
        part->rules = 0;
    else if (part->rules < RULES)
        part->rule[part->rules++] = (struct rule){code, times, done};
    pthread_mutex_unlock(&script.lock);
}

void script_hold(enum script_op op)
{
    pthread_mutex_lock(&script.lock);
    script.part[op].held = 1;
    pthread_mutex_unlock(&script.lock);
}

void script_wait(enum script_op op)
{
    pthread_mutex_lock(&script.lock);
    while (!script.part[op].waiting)
        pthread_cond_wait(&script.moved, &script.lock);
    pthread_mutex_unlock(&script.lock);
}

void script_go(enum script_op op)
{
    pthread_mutex_lock(&script.lock);
    script.part[op].held = 0;
    pthread_cond_broadcast(&script.moved);
    pthread_mutex_unlock(&script.lock);
}

void script_before(enum script_op op, void (*act)(void))
{
    pthread_mutex_lock(&script.lock);
    script.part[op].before = act;
    pthread_mutex_unlock(&script.lock);
}

void script_say_lease(uint64_t left_ms)
{
    pthread_mutex_lock(&script.lock);
    script.lease_left_ms = left_ms;
    pthread_mutex_unlock(&script.lock);
}

void script_slow_down(unsigned microseconds)
{
    pthread_mutex_lock(&script.lock);
    script.slow_us = microseconds;
    pthread_mutex_unlock(&script.lock);
}

static uint64_t read_locked(const uint64_t *number)
{
    pthread_mutex_lock(&script.lock);
    uint64_t value = *number;
    pthread_mutex_unlock(&script.lock);
    return value;
}

static unsigned read_count(const unsigned *number)
{
    pthread_mutex_lock(&script.lock);
    unsigned value = *number;
    pthread_mutex_unlock(&script.lock);
    return value;
}

unsigned script_count(enum script_op op)
{
    return read_count(&script.part[op].count);
}

unsigned script_turns(void)
{
    return read_count(&script.turns);
}

unsigned script_overlaps(void)
{
    return read_count(&script.overlaps);
}

unsigned script_resends(void)
{
    return read_count(&script.resends);
}

uint32_t script_last_flags(void)
{
    return read_count(&script.flags);
}

uint64_t script_last_nonce(void)
{
    return read_locked(&script.nonce);
}

/* ---- the driver ---- */

static void enter(void)
{
    if (atomic_fetch_add(&script.inside, 1) > 0) {
        pthread_mutex_lock(&script.lock);
        script.overlaps++;
        pthread_mutex_unlock(&script.lock);
    }
}

static void leave(void)
{
    atomic_fetch_sub(&script.inside, 1);
}

/* What the script has for this call: DRAY_OK or the code to give, and whether to carry it out. */
static int32_t consult(enum script_op op, int *done)
{
    struct part *part = &script.part[op];
    pthread_mutex_lock(&script.lock);
    void (*before)(void) = part->before;
    pthread_mutex_unlock(&script.lock);
    if (before)
        before();
    pthread_mutex_lock(&script.lock);
    part->count++;
    while (part->held) {
        part->waiting = 1;
        pthread_cond_broadcast(&script.moved);
        pthread_cond_wait(&script.moved, &script.lock);
    }
    part->waiting = 0;
    int32_t code = DRAY_OK;
    *done = 1;
    if (part->rules) {
        struct rule *rule = &part->rule[0];
        code = rule->code;
        *done = rule->done;
        if (rule->times > 0 && --rule->times == 0)
            memmove(rule, rule + 1, --part->rules * sizeof(*rule));
    }
    pthread_mutex_unlock(&script.lock);
    return code;
}

static int32_t answer(struct dray_call *call, int32_t code)
{
    if (code < DRAY_BUSY)
        return code;
    call->error->code = code;
    snprintf(call->error->text, sizeof(call->error->text), "the script says %s; let it be",
        dray_code_name(code));
    return code;
}

static int32_t script_open(void *self, struct dray_call *call, const struct dray_host *host)
{
    return script.memory->open(self, call, host);
}

static void script_close(void *self)
{
    script.memory->close(self);
}

static int32_t do_push(void *self, struct dray_call *call, struct dray_push *group)
{
    int done;
    if (group->flags & DRAY_PUSH_RESEND) {
        pthread_mutex_lock(&script.lock);
        script.resends++;
        pthread_mutex_unlock(&script.lock);
    }
    int32_t code = consult(SCRIPT_PUSH, &done);
    int32_t real = done ? script.memory->push(self, call, group) : DRAY_OK;
    return code != DRAY_OK ? answer(call, code) : real;
}

static void ignore_job(struct dray_call *call, const struct dray_job *job)
{
    (void)call;
    (void)job;
}

static int32_t do_reserve(void *self, struct dray_call *call, const struct dray_reserve *want)
{
    int done = 1;
    int32_t code = DRAY_OK;
    if (want->max) {
        pthread_mutex_lock(&script.lock);
        script.flags = want->flags;
        script.nonce = want->nonce;
        pthread_mutex_unlock(&script.lock);
        code = consult(SCRIPT_RESERVE, &done);
    }
    if (code == DRAY_OK)
        return script.memory->reserve(self, call, want);
    struct dray_call silent = *call;
    silent.job = ignore_job;
    if (done)
        script.memory->reserve(self, &silent, want);
    return answer(call, code);
}

static int32_t do_settle(
    void *self, struct dray_call *call, const struct dray_lease *lease, int32_t *out)
{
    int done;
    int32_t code = consult(SCRIPT_SETTLE, &done);
    int32_t real = DRAY_OK;
    if (done)
        real = lease->verdict == DRAY_VERDICT_DONE
                   ? script.memory->ack(self, call, &lease, out, 1)
                   : script.memory->retry(self, call, &lease, out, 1);
    if (code != DRAY_OK)
        *out = answer(call, code);
    else if (real != DRAY_OK)
        *out = real;
    return DRAY_OK;
}

static int32_t do_extend(
    void *self, struct dray_call *call, const struct dray_lease *lease, int32_t *out)
{
    int done;
    int32_t code = consult(SCRIPT_EXTEND, &done);
    if (done)
        script.memory->extend(self, call, &lease, out, 1);
    if (code != DRAY_OK)
        *out = answer(call, code);
    return DRAY_OK;
}

static void begin_turn(void)
{
    pthread_mutex_lock(&script.lock);
    script.turns++;
    struct timespec ts = {0, (long)script.slow_us * 1000};
    pthread_mutex_unlock(&script.lock);
    if (ts.tv_nsec)
        nanosleep(&ts, NULL); /* the disk that it has not */
}

static int32_t script_turn(void *self, struct dray_call *call, struct dray_turn *turn)
{
    enter();
    begin_turn();
    for (uint32_t i = 0; i < turn->nsettle; i++)
        do_settle(self, call, turn->settle[i], &turn->settle_answers[i]);
    for (uint32_t i = 0; i < turn->npush; i++)
        turn->push[i]->code = do_push(self, call, turn->push[i]);
    for (uint32_t i = 0; i < turn->nextend; i++)
        do_extend(self, call, turn->extend[i], &turn->extend_answers[i]);
    if (turn->reserve)
        turn->reserve_code = do_reserve(self, call, turn->reserve);
    leave();
    return DRAY_OK;
}

static int32_t script_push(void *self, struct dray_call *call, struct dray_push *group)
{
    enter();
    int32_t code = do_push(self, call, group);
    leave();
    return code;
}

static int32_t script_reserve(void *self, struct dray_call *call, const struct dray_reserve *want)
{
    enter();
    int32_t code = do_reserve(self, call, want);
    leave();
    return code;
}

static int32_t script_settle(void *self, struct dray_call *call,
    const struct dray_lease *const *leases, int32_t *answers, uint32_t n)
{
    enter();
    for (uint32_t i = 0; i < n; i++)
        do_settle(self, call, leases[i], &answers[i]);
    leave();
    return DRAY_OK;
}

static int32_t script_extend(void *self, struct dray_call *call,
    const struct dray_lease *const *leases, int32_t *answers, uint32_t n)
{
    enter();
    for (uint32_t i = 0; i < n; i++)
        do_extend(self, call, leases[i], &answers[i]);
    leave();
    return DRAY_OK;
}

static int32_t script_change(void *self, struct dray_call *call, const struct dray_change *change)
{
    int done;
    enter();
    int32_t code = consult(SCRIPT_CHANGE, &done);
    int32_t real = done ? script.memory->change(self, call, change) : DRAY_OK;
    leave();
    return code != DRAY_OK ? answer(call, code) : real;
}

static void show_lease_as_said(struct dray_call *call, const struct dray_job *job)
{
    struct dray_job shown = *job;
    if (job->state == DRAY_STATE_ACTIVE)
        shown.lease_left_ms = read_locked(&script.lease_left_ms);
    script.show(call, &shown);
}

static int32_t script_list(void *self, struct dray_call *call, struct dray_filter *filter)
{
    int done;
    enter();
    int32_t code = consult(SCRIPT_LIST, &done);
    script.show = call->job;
    if (read_locked(&script.lease_left_ms))
        call->job = show_lease_as_said;
    int32_t real = done ? script.memory->list(self, call, filter) : DRAY_OK;
    call->job = script.show;
    leave();
    return code != DRAY_OK ? answer(call, code) : real;
}

static int32_t script_stats(
    void *self, struct dray_call *call, const struct dray_str *queues, uint32_t n)
{
    int done;
    enter();
    int32_t code = consult(SCRIPT_STATS, &done);
    int32_t real = done ? script.memory->stats(self, call, queues, n) : DRAY_OK;
    leave();
    return code != DRAY_OK ? answer(call, code) : real;
}

/* ---- registering ---- */

static const struct dray_driver *load_memory(void)
{
    char path[PATH_MAX];
    const char *folder = getenv("DRAY_DRIVER_PATH");
    snprintf(path, sizeof(path), "%s/memory.so", folder ? folder : ".");
    void *module = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    void *symbol = module ? dlsym(module, "dray_driver_entry") : NULL;
    if (!symbol) {
        fprintf(stderr, "cannot load the memory driver: %s\n", dlerror());
        exit(1);
    }
    const struct dray_driver *(*entry)(void);
    memcpy(&entry, &symbol, sizeof(entry)); /* a cast between the two is not ISO C */
    return entry();
}

static void make_bare(struct dray_driver *driver)
{
    driver->extend = NULL;
    driver->turn = NULL;
    driver->change = NULL;
    driver->list = NULL;
    driver->stats = NULL;
    driver->max_push = driver->max_batch = 1;
    driver->can &= ~(uint64_t)(DRAY_CAN_PRIORITY | DRAY_CAN_UNIQUE | DRAY_CAN_KEEP);
}

static void add(const char *name, struct dray_driver *driver)
{
    struct dray_error error = DRAY_ERROR_INIT;
    driver->name = name;
    if (dray_register_driver(name, driver, &error) != DRAY_OK) {
        fprintf(stderr, "%s\n", error.text);
        exit(1);
    }
}

void script_register(void)
{
    static struct dray_driver slow, quick, bare, shared;
    if (script.memory)
        return;
    script.memory = load_memory();
    slow = *script.memory;
    slow.open = script_open;
    slow.close = script_close;
    slow.push = script_push;
    slow.reserve = script_reserve;
    slow.ack = slow.retry = script_settle;
    slow.extend = script_extend;
    slow.turn = script_turn;
    slow.watch = NULL;
    slow.change = script_change;
    slow.list = script_list;
    slow.stats = script_stats;
    slow.tend = NULL;
    quick = bare = shared = slow;
    quick.can |= DRAY_IS_QUICK;
    slow.can &= ~(uint64_t)DRAY_IS_QUICK;
    shared.can = slow.can | DRAY_IS_SHARED;
    bare.can = slow.can;
    make_bare(&bare);
    add("slow", &slow);
    add("quick", &quick);
    add("bare", &bare);
    add("shared", &shared);
}
