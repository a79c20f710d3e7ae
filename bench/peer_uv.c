/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libuv's thread pool. A process has one pool whose size is fixed by UV_THREADPOOL_SIZE at its
 * first use, so each run happens in a child of its own. uv_queue_work belongs to the loop's thread,
 * which is therefore the dispatcher; it reaps finished work as it goes, as a program would.
 */
#include "crowd.h"
#include "peers.h"
#include "stopwatch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

struct pool {
    uv_loop_t loop;
    struct tally tally;
    uint64_t reaped;
    unsigned unreaped_puts;
};

struct job {
    uv_work_t work;
    struct pool *pool;
    char payload[PEER_PAYLOAD_LEN];
};

static void run_job(uv_work_t *work)
{
    struct job *job = work->data;
    tally_hit(&job->pool->tally);
}

static void reap_job(uv_work_t *work, int status)
{
    struct job *job = work->data;
    job->pool->reaped += status == 0;
    free(job);
}

static int pool_put(void *arg, unsigned n)
{
    struct pool *pool = arg;
    for (unsigned i = 0; i < n; i++) {
        struct job *job = malloc(sizeof(*job));
        if (!job)
            return -1;
        job->work.data = job;
        job->pool = pool;
        memcpy(job->payload, peer_payload, PEER_PAYLOAD_LEN);
        if (uv_queue_work(&pool->loop, &job->work, run_job, reap_job) != 0) {
            free(job);
            return -1;
        }
    }
    pool->unreaped_puts += n;
    if (pool->unreaped_puts >= 1000) {
        pool->unreaped_puts = 0;
        uv_run(&pool->loop, UV_RUN_NOWAIT);
    }
    return 0;
}

static int end_to_end_in_child(const struct load *load, struct sample *out)
{
    char threads[16];
    snprintf(threads, sizeof(threads), "%u", load->executors);
    if (setenv("UV_THREADPOOL_SIZE", threads, 1) != 0)
        return -1;
    struct pool pool = {.reaped = 0};
    tally_init(&pool.tally);
    if (uv_loop_init(&pool.loop) != 0)
        return -1;
    struct handed_in in;
    struct lap begin = stopwatch_start();
    if (crowd_dispatch(load, pool_put, &pool, &in) != 0)
        return -1;
    if (tally_wait(&pool.tally, in.jobs) != 0)
        return -1;
    struct lap spent = stopwatch_since(&begin);
    stopwatch_rates(out->values, in.jobs, &spent);
    uv_run(&pool.loop, UV_RUN_DEFAULT);
    out->dispatched = in.jobs;
    out->handled = pool.reaped;
    return 0;
}

static int uv_end_to_end(const struct load *load, struct sample *out)
{
    int ends[2];
    if (pipe(ends) != 0) {
        perror("dray-bench: pipe");
        return -1;
    }
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        close(ends[0]);
        struct sample sample = {.values = {-1, -1, -1}};
        int rc = end_to_end_in_child(load, &sample);
        if (rc == 0 && write(ends[1], &sample, sizeof(sample)) != (ssize_t)sizeof(sample))
            rc = -1;
        _exit(rc == 0 ? 0 : 1);
    }
    close(ends[1]);
    ssize_t got = child > 0 ? read(ends[0], out, sizeof(*out)) : -1;
    close(ends[0]);
    if (child > 0)
        waitpid(child, NULL, 0);
    return got == (ssize_t)sizeof(*out) ? 0 : -1;
}

const struct peer peer_uv = {
    .name = "libuv pool",
    .end_to_end = uv_end_to_end,
};
