/* SPDX-License-Identifier: Apache-2.0 */
/* GLib's GThreadPool with as many exclusive threads as Dray has executors. */
#include "crowd.h"
#include "peers.h"
#include "stopwatch.h"

#include <glib.h>
#include <stdlib.h>
#include <string.h>

struct pool {
    GThreadPool *threads;
    struct tally tally;
};

static void run_job(gpointer data, gpointer user)
{
    struct pool *pool = user;
    tally_hit(&pool->tally);
    free(data);
}

/* GThreadPool has no batches: `n` jobs are `n` pushes. */
static int pool_put(void *arg, unsigned n)
{
    struct pool *pool = arg;
    for (unsigned i = 0; i < n; i++) {
        char *job = malloc(PEER_PAYLOAD_LEN);
        if (!job)
            return -1;
        memcpy(job, peer_payload, PEER_PAYLOAD_LEN);
        if (!g_thread_pool_push(pool->threads, job, NULL)) {
            free(job);
            return -1;
        }
    }
    return 0;
}

static int glib_end_to_end(const struct load *load, struct sample *out)
{
    struct pool pool;
    tally_init(&pool.tally);
    pool.threads = g_thread_pool_new(run_job, &pool, (gint)load->executors, TRUE, NULL);
    if (!pool.threads)
        return -1;
    struct handed_in in;
    struct lap begin = stopwatch_start();
    int rc = crowd_dispatch(load, pool_put, &pool, &in);
    if (rc == 0)
        rc = tally_wait(&pool.tally, in.jobs);
    struct lap spent = stopwatch_since(&begin);
    stopwatch_rates(out->values, in.jobs, &spent);
    g_thread_pool_free(pool.threads, FALSE, TRUE);
    out->dispatched = in.jobs;
    out->handled = atomic_load(&pool.tally.handled);
    tally_done(&pool.tally);
    return rc;
}

const struct peer peer_glib = {
    .name = "GLib pool",
    .end_to_end = glib_end_to_end,
};
