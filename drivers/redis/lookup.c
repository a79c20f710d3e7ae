/* SPDX-License-Identifier: Apache-2.0 */
#include "redis/lookup.h"

#include "redis/store.h"

#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

/* An answer that nobody has asked for since is no longer taken for true. */
#define FRESH_MS 5000

/* Shared by whoever asks and by the thread; it outlives a store that is closed meanwhile, so its
   memory is not the host's. */
struct lookup {
    pthread_mutex_t lock; /* of all but `host` */
    pthread_cond_t done;
    char host[LOOKUP_HOST];
    int finished, abandoned;
    int result;
    int64_t finished_ms;
    char address[LOOKUP_HOST];
};

static void destroy(struct lookup *lookup)
{
    pthread_cond_destroy(&lookup->done);
    pthread_mutex_destroy(&lookup->lock);
    free(lookup);
}

/* The first IPv4 address, else the first of any kind: as hiredis chooses. */
static int resolve(const char *host, int flags, char address[LOOKUP_HOST])
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = flags}, *list = NULL;
    int result = getaddrinfo(host, NULL, &hints, &list);
    if (result != 0)
        return result;
    const struct addrinfo *chosen = list;
    for (const struct addrinfo *one = list; one && chosen->ai_family != AF_INET; one = one->ai_next)
        chosen = one->ai_family == AF_INET ? one : chosen;
    result = chosen ? getnameinfo(chosen->ai_addr, chosen->ai_addrlen, address, LOOKUP_HOST, NULL,
                          0, NI_NUMERICHOST)
                    : EAI_NONAME;
    freeaddrinfo(list);
    return result;
}

static void *run(void *user)
{
    struct lookup *lookup = user;
    char address[LOOKUP_HOST] = "";
    int result = resolve(lookup->host, 0, address);
    pthread_mutex_lock(&lookup->lock);
    memcpy(lookup->address, address, sizeof(address));
    lookup->result = result;
    lookup->finished = 1;
    lookup->finished_ms = store_clock_ms();
    int abandoned = lookup->abandoned;
    pthread_cond_signal(&lookup->done);
    pthread_mutex_unlock(&lookup->lock);
    if (abandoned)
        destroy(lookup);
    return NULL;
}

/* With all signals blocked: the program's handlers are for its own threads. */
static int start_thread(struct lookup *lookup)
{
    sigset_t all, before;
    pthread_attr_t attributes;
    pthread_t thread;
    if (pthread_attr_init(&attributes) != 0)
        return 0;
    sigfillset(&all);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int started = pthread_create(&thread, &attributes, run, lookup) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return started;
}

static int make_locks(struct lookup *lookup)
{
    pthread_condattr_t attributes;
    if (pthread_condattr_init(&attributes) != 0)
        return 0;
    int made = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0 &&
               pthread_cond_init(&lookup->done, &attributes) == 0;
    pthread_condattr_destroy(&attributes);
    if (made && pthread_mutex_init(&lookup->lock, NULL) == 0)
        return 1;
    if (made)
        pthread_cond_destroy(&lookup->done);
    return 0;
}

static struct lookup *begin(const char *host)
{
    struct lookup *lookup = calloc(1, sizeof(*lookup));
    if (!lookup || !make_locks(lookup)) {
        free(lookup);
        return NULL;
    }
    snprintf(lookup->host, sizeof(lookup->host), "%s", host);
    if (start_thread(lookup))
        return lookup;
    destroy(lookup);
    return NULL;
}

/* Leaves it to its thread if that still runs. */
static void end(struct lookup **slot)
{
    struct lookup *lookup = *slot;
    *slot = NULL;
    if (!lookup)
        return;
    pthread_mutex_lock(&lookup->lock);
    int finished = lookup->finished;
    lookup->abandoned = 1;
    pthread_mutex_unlock(&lookup->lock);
    if (finished)
        destroy(lookup);
}

/* Nonzero once there is an answer. */
static int await(struct lookup *lookup, int64_t deadline_ms)
{
    struct timespec until = {deadline_ms / 1000, deadline_ms % 1000 * 1000000};
    int sys = 0;
    pthread_mutex_lock(&lookup->lock);
    while (!lookup->finished && sys == 0)
        sys = pthread_cond_timedwait(&lookup->done, &lookup->lock, &until);
    int finished = lookup->finished;
    pthread_mutex_unlock(&lookup->lock);
    return finished;
}

static int is_over(struct lookup *lookup, int64_t ms)
{
    pthread_mutex_lock(&lookup->lock);
    int over = lookup->finished && store_clock_ms() - lookup->finished_ms > ms;
    pthread_mutex_unlock(&lookup->lock);
    return over;
}

/* Where the question for this host is under way, or is to be; NULL: too many are. */
static struct lookup **find_slot(struct lookups *lookups, const char *host)
{
    struct lookup **place = NULL;
    for (uint32_t i = 0; i < LOOKUPS_MOST; i++) {
        struct lookup **slot = &lookups->slots[i];
        if (*slot && is_over(*slot, FRESH_MS))
            end(slot);
        if (*slot && strcmp((*slot)->host, host) == 0)
            return slot;
        if (!*slot && !place)
            place = slot;
    }
    return place;
}

int lookup_address(
    struct lookups *lookups, const char *host, char address[LOOKUP_HOST], int64_t deadline_ms)
{
    if (resolve(host, AI_NUMERICHOST, address) == 0)
        return 0;
    struct lookup **slot = find_slot(lookups, host);
    if (!slot)
        return LOOKUP_LATE;
    if (!*slot)
        *slot = begin(host);
    if (!*slot)
        return EAI_MEMORY;
    if (!await(*slot, deadline_ms))
        return LOOKUP_LATE;
    int result = (*slot)->result;
    memcpy(address, (*slot)->address, LOOKUP_HOST);
    end(slot);
    return result;
}

const char *lookup_reason(int result)
{
    return result == LOOKUP_LATE ? "its name is not looked up in time; give its address, or see to "
                                   "the name server"
                                 : gai_strerror(result);
}

void lookups_free(struct lookups *lookups)
{
    for (uint32_t i = 0; i < LOOKUPS_MOST; i++)
        end(&lookups->slots[i]);
}
