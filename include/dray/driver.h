/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The driver interface: all that a backend for Dray needs.
 *
 * A driver is a shared object that keeps jobs. It exports one function, dray_driver_entry(), which
 * returns a static `struct dray_driver`. open, close, push, reserve, ack and retry make a driver;
 * everything else is optional, and each optional operation says what happens without it.
 *
 * Who does what. The core is policy: how many attempts, how long to wait, when a job is dead, what
 * to do with an unknown type. A driver is a store: keep, order, lease, compare tokens - each in one
 * atomic step. A driver never looks at max_attempts, never computes a backoff, never buries a job
 * on its own.
 *
 * Threads. Any thread may make a call, but the core never overlaps two calls on one instance, so a
 * driver needs no lock for its own state. Two instances may be called at once; a shared store may
 * be used by other processes at any time.
 *
 * Time. No call waits for work to arrive. A call may wait for I/O or for a lock, up to
 * call->budget_ms of real time, and then gives up with DRAY_BUSY (certainly nothing done) or
 * DRAY_UNKNOWN (it may yet take effect). Ask the host for the time, never the system: tests move
 * the host's clock by hand.
 *
 * Memory. Whatever a pointer reaches is borrowed for the call, in both directions: copy what you
 * keep; neither side frees for the other. Strings are pointer and length, and need not end in a
 * zero byte. Fields that a call leaves out are zero.
 *
 * Answers. An operation on many items finds its answers preset to DRAY_OK and writes the
 * exceptions. Returning DRAY_OK means "see the answers"; any other code holds for every item of
 * the call. Return errors with host->fail, which takes the one line that a person will read. Say
 * DRAY_UNKNOWN whenever the effect could appear later although you cannot confirm it: an error
 * below 64 is a promise that nothing happened.
 *
 * Forbidden: signal handlers, atexit, threads or thread-specific data that outlive close, calls
 * into the application interface, anything at all before open (ELF constructors).
 *
 * Growth. The head of each struct is frozen, new members are added at its end, and each struct
 * that can grow begins with its size. Such structs cross only as pointers or as arrays of pointers,
 * so their size may differ on both sides. Frozen for ever: struct dray_str, struct dray_token.
 */
#ifndef DRAY_DRIVER_H
#define DRAY_DRIVER_H

#include "dray/error.h"
#include "dray/export.h"
#include "dray/tend.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define DRAY_MAGIC 0x59415244u /* "DRAY" in little-endian byte order */
#define DRAY_ABI 1u            /* raised only when an old driver would no longer work */

/* Limits of the contract. The core has checked them before a driver sees a value. */
#define DRAY_NAME_MAX 64u               /* id, queue, type, group: bytes */
#define DRAY_TEXT_MAX 255u              /* name, unique key: bytes */
#define DRAY_NOTE_MAX 4096u             /* error, progress: bytes */
#define DRAY_PAYLOAD_MAX (1024u * 1024) /* payload and result, unless configured smaller: bytes */
#define DRAY_PRIORITY_LAST 9u           /* 0 is first */
#define DRAY_PRIORITY_NORMAL 5u

/* ------------------------------------------------------------------------------------------- */
/* Data                                                                                        */
/* ------------------------------------------------------------------------------------------- */

/* Bytes with a length. Empty is len 0; data may be NULL then. */
struct dray_str {
    const char *data;
    uint64_t len;
};

/*
 * The right to one job. `counter` rises over the whole life of a job id, also through kick and
 * repeat. `nonce` is that of the reserve which handed the job out. At most one token of a job is
 * current: the one that its last reserve made, until the lease is settled or put back. A call with
 * any other token changes nothing and answers DRAY_STALE. The token alone decides, not the clock.
 */
struct dray_token {
    uint64_t counter;
    uint64_t nonce;
};

/* States: dray_job.state. A job is in exactly one at every instant that any client can see. */
enum {
    DRAY_STATE_READY = 1,
    DRAY_STATE_DELAYED = 2,
    DRAY_STATE_ACTIVE = 3,
    DRAY_STATE_DEAD = 4,
    DRAY_STATE_DONE = 5
};

/* Flags of a job: dray_job.flags. */
enum {
    DRAY_JOB_CANCELLED = 1 /* active and marked by a cancel */
};

/*
 * A job. Every store keeps all of it, and gives all of it back in reserve and list. The first part
 * is set by push; the second is written by the driver, and set in a push only with
 * DRAY_PUSH_RESTORE.
 */
struct dray_job {
    uint32_t size;
    uint32_t priority; /* 0 first .. 9 last */
    struct dray_str id;
    struct dray_str queue;
    struct dray_str type;
    struct dray_str payload; /* comes back byte for byte, or not at all */
    struct dray_str name;    /* for people; may be empty */
    struct dray_str unique;  /* unique key; may be empty */
    struct dray_str group;   /* may be empty */
    int64_t run_at_ms;       /* in a push: wall clock, or 0 for "after delay_ms"; given back: when a
                                delayed job falls due or a ready one was due, or 0 */
    uint64_t delay_ms;       /* in a push, if run_at_ms is 0: due after so long; 0 is ready now */
    uint64_t timeout_ms;     /* 0: the handler decides */
    uint32_t max_attempts;   /* 0: the handler decides */

    /* From here on the driver writes. */
    uint32_t state;
    uint32_t attempts; /* counted by each reserve, before it returns */
    uint32_t releases; /* how often in a row it was given back unstarted */
    uint32_t flags;
    uint32_t pad;
    struct dray_token token;
    uint64_t lease_left_ms; /* of an active job */
    int64_t created_ms;     /* wall clock */
    int64_t ended_ms;       /* wall clock; of a dead or done job, else 0 */
    struct dray_str owner;  /* of the lease, "host:pid" */
    struct dray_str error;  /* the last one, at most DRAY_NOTE_MAX bytes */
    struct dray_str result; /* of a done job: JSON */
    struct dray_str progress;
    uint64_t ref; /* see struct dray_lease */
};

/* Flags of a push. */
enum {
    DRAY_PUSH_RESEND = 1, /* an earlier try may have landed: look among remembered ended ids too */
    DRAY_PUSH_RESTORE = 2 /* moving or importing: keep state, attempts, releases, token counter,
                             times, errors; an active job arrives as ready, a delayed one due at
                             run_at_ms; totals do not count it */
};

/*
 * One group of jobs: one queue, all or none. Members whose id is there already with the same type,
 * payload and unique key answer DRAY_EXISTS, change nothing and count as there; the rest is stored.
 * An id that is there with other content (DRAY_CONFLICT), or a unique key that a job which has not
 * ended holds (DRAY_DUPLICATE, its id into `holder`), refuses the whole group: nothing is stored,
 * every answer is filled in, and the members that were fine keep DRAY_OK. `code` is then that of
 * the first refused member. Two members of one group may collide with each other just as with
 * stored jobs. A group larger than max_push: DRAY_LIMIT. A batch keeps its order.
 */
struct dray_push {
    uint32_t size;
    uint32_t flags;
    struct dray_str queue;
    const struct dray_job *const *jobs; /* [njobs] */
    int32_t *answers;                   /* [njobs], preset to DRAY_OK */
    char (*holders)[DRAY_NAME_MAX + 1]; /* [njobs], preset empty; zero-terminated; NULL: no wish */
    uint32_t njobs;
    int32_t code;      /* of this group, inside a turn; preset to DRAY_OK */
    uint64_t capacity; /* 0: no bound; else DRAY_FULL if the queue would hold more jobs that have
                          not ended */
};

/* Verdicts: what becomes of a leased job. DONE goes to ack, the others to retry. */
enum {
    DRAY_VERDICT_DONE = 1,    /* active -> done with DRAY_LEASE_KEEP, else gone */
    DRAY_VERDICT_AGAIN = 2,   /* active -> delayed (ready if delay_ms is 0); releases back to 0 */
    DRAY_VERDICT_RELEASE = 3, /* the same, attempt given back (attempts - 1), releases + 1 */
    DRAY_VERDICT_BURY = 4,    /* active -> dead */
    DRAY_VERDICT_REPEAT = 5   /* this run is completed; -> delayed with attempts and releases 0;
                                 id, unique key and creation stay */
};

/* Flags of a lease. */
enum {
    DRAY_LEASE_KEEP = 1, /* DONE: keep it as done, with its result */
    DRAY_LEASE_UNCHARGE =
        2 /* BURY: the job was handed out but not started: give the attempt back */
};

/*
 * A leased job, as ack, retry and extend name it. Good on any instance of the store, not only on
 * the one that reserved it. An error that is empty leaves the last one; a progress that is empty
 * leaves the last one.
 *
 * `ref` is whatever the driver wrote into dray_job.ref when it handed the job out (a row number, a
 * slot): a hint that finds the record faster. It may be stale, or 0 when the core does not have it;
 * always compare id and token.
 *
 * A job that was marked by a cancel: DONE succeeds; AGAIN, RELEASE and REPEAT change nothing and
 * answer DRAY_CANCELLED, upon which the core buries it; BURY buries it. Extend renews the lease and
 * answers DRAY_CANCELLED.
 */
struct dray_lease {
    uint32_t size;
    uint32_t verdict; /* a DRAY_VERDICT_; unused by extend */
    uint32_t flags;
    uint32_t pad;
    struct dray_str queue;
    struct dray_str id;
    struct dray_str type; /* for the totals; saves a read */
    struct dray_token token;
    uint64_t ref;
    uint64_t delay_ms; /* AGAIN, RELEASE, REPEAT: never sooner than after so long */
    uint64_t lease_ms; /* extend: the lease ends so long from now; never shortens it */
    uint64_t run_ms;   /* how long the handler ran, for the totals */
    struct dray_str error;
    struct dray_str result;
    struct dray_str progress;
};

/* Flags of a reserve. */
enum {
    DRAY_RESERVE_REPLAY = 1 /* first hand out, uncounted, what this nonce already holds */
};

/* dray_call.next_ms of a reserve. */
#define DRAY_NEXT_UNKNOWN UINT64_MAX     /* preset: the core polls */
#define DRAY_NEXT_NEVER (UINT64_MAX - 1) /* only a push or a change can make work */

/*
 * A wish for jobs. In this order, per queue asked: put back every lease that has expired (active ->
 * ready, token void, error "lease expired", the attempt stays counted), promote delayed jobs that
 * are due, prune what `keep` no longer wants (a bounded slice a call), clear the bell of `watch`,
 * then hand out up to `max` ready jobs through call->job. Expired leases are compared again in the
 * step that puts them back: a lease renewed or settled meanwhile is left alone.
 *
 * Handing out counts the attempt, makes a token (counter + 1, this nonce) and records the lease
 * before the call returns. Order within a queue: lowest priority number, then the order of entering
 * ready. Queues are tried in the order given. A paused queue hands out nothing, but is swept; a
 * queue that is not asked for is left alone. A reserve that fails leaves nothing of its sweep
 * behind, or says DRAY_UNKNOWN.
 *
 * The driver reports in call->next_ms, computed in the same step, after how many milliseconds a
 * look could find something by time alone (a delayed job falls due, a lease ends): 0 if more is
 * ready now, DRAY_NEXT_NEVER if nothing waits for a time.
 */
struct dray_reserve {
    uint32_t size;
    uint32_t max;                  /* 0: sweep, promote and prune only */
    const struct dray_str *queues; /* [nqueues] */
    uint32_t nqueues;
    uint32_t flags;
    uint64_t lease_ms;
    uint64_t nonce;          /* goes into each token; never 0 */
    struct dray_str owner;   /* "host:pid"; recorded with each lease, and with max > 0 as the
                                queue's consumer, seen now (written at most every 10 s) */
    struct dray_str only_id; /* not empty: only this job, due or not; asked of drivers with
                                DRAY_IS_INLINE alone */
    uint64_t keep_done_ms;   /* prune done jobs that ended longer ago */
    uint64_t keep_dead_ms;   /* the same for dead ones; UINT64_MAX: never */
    uint64_t keep_max; /* keep at most so many ended jobs a queue, the latest; UINT64_MAX: all */
};

/*
 * Everything the core wants of a driver now, in one call, in this order: settle, push, extend,
 * reserve. A driver with transactions or round trips spends one on all of it. Each group of pushes
 * and each lease is answered on its own, as if by its own call: one caller's refusal never touches
 * another's. Returning other than DRAY_OK says that code of every part.
 */
struct dray_turn {
    uint32_t size;
    uint32_t nsettle;
    uint32_t npush;
    uint32_t nextend;
    const struct dray_lease *const *settle; /* verdicts of ack and retry mixed */
    int32_t *settle_answers;                /* [nsettle], preset to DRAY_OK */
    struct dray_push *const *push;          /* [npush]; each answers in its own code and answers */
    const struct dray_lease *const *extend;
    int32_t *extend_answers;            /* [nextend], preset to DRAY_OK */
    const struct dray_reserve *reserve; /* NULL: none */
    int32_t reserve_code;               /* preset to DRAY_OK */
    uint32_t pad;
};

/* What change does: dray_driver.change. */
enum {
    DRAY_CHANGE_KICK = 1,   /* dead or delayed -> ready; dead: attempts, releases and error cleared,
                               DRAY_DUPLICATE if its unique key is taken; ready: DRAY_OK, no change;
                               active or done: DRAY_CONFLICT */
    DRAY_CHANGE_CANCEL = 2, /* ready or delayed -> dead with error "cancelled"; active: marked;
                               ended: DRAY_CONFLICT */
    DRAY_CHANGE_REMOVE = 3, /* gone without a trace; active: DRAY_CONFLICT without FORCE */
    DRAY_CHANGE_PAUSE = 4,  /* a queue, which need not exist yet: it hands out nothing */
    DRAY_CHANGE_RESUME = 5,
    DRAY_CHANGE_RESET = 6 /* a queue's totals to zero */
};

enum {
    DRAY_CHANGE_FORCE = 1 /* REMOVE: an active job too; its token is void */
};

struct dray_change {
    uint32_t size;
    uint32_t what;
    uint32_t flags;
    uint32_t nids; /* 0 for PAUSE, RESUME, RESET */
    struct dray_str queue;
    const struct dray_str *ids; /* [nids] */
    int32_t *answers;           /* [nids], preset to DRAY_OK; DRAY_NOTFOUND for an unknown id */
};

/*
 * Which jobs list shows. Jobs that match throughout the listing are shown exactly once; oldest push
 * first where the store has that order. A job whose lease has expired or which has fallen due may
 * still be shown as active or delayed: list changes nothing.
 */
struct dray_filter {
    uint32_t size;
    uint32_t states;       /* bit 1 << DRAY_STATE_x; 0: all */
    struct dray_str queue; /* empty: all queues */
    struct dray_str type;  /* empty: all types */
    struct dray_str id;    /* empty: all; else at most one a queue */
    int64_t since_ms;      /* created at or after, wall clock; 0: all */
    uint64_t cursor[2];    /* in: where to go on, both 0 at first; out: where, both 0 at the end */
    uint32_t max;          /* at most so many in this call; fewer need not mean the end */
    uint32_t pad;
};

/*
 * One row of stats. With an empty type: the queue itself - counts by state, pause, consumer. With a
 * type: the totals of that type in that queue since the last reset; the counts are 0 there.
 *
 * Totals. pushed: each job stored by a push (not EXISTS, not RESTORE). completed: DONE, REPEAT.
 * failed: AGAIN, BURY without UNCHARGE, each expired lease. retried: AGAIN. dead: BURY, and a
 * cancel of a waiting job. runs and run_ms: DONE, REPEAT, AGAIN, and BURY without UNCHARGE.
 */
struct dray_stats_row {
    uint32_t size;
    uint32_t paused;
    struct dray_str queue;
    struct dray_str type;
    uint64_t ready;
    uint64_t delayed;  /* all that are delayed, of which: */
    uint64_t retrying; /* releases 0, attempts > 0 */
    uint64_t parked;   /* releases > 0 */
    uint64_t active;
    uint64_t dead;
    uint64_t done;
    uint64_t pushed, completed, failed, retried, died;
    uint64_t runs, run_ms;
    struct dray_str consumer; /* owner of the last reserve with room; empty: none known */
    uint64_t consumer_age_ms; /* how long ago */
    int64_t oldest_ready_ms;  /* wall clock: creation of the job next in turn; 0: none or unknown */
};

/* What tend found. Each finding also goes to call->note as one line. */
struct dray_tend {
    uint32_t size;
    uint32_t what;    /* a DRAY_TEND_ of dray/tend.h */
    uint64_t records; /* looked at */
    uint64_t damaged;
    uint64_t repaired;
    uint64_t bytes_before;
    uint64_t bytes_after;
};

/* Durability, weakest first: what OK to a push survives. */
enum {
    DRAY_DURABILITY_VOLATILE = 1,  /* nothing: gone with the process */
    DRAY_DURABILITY_PROCESS = 2,   /* SIGKILL of every client */
    DRAY_DURABILITY_HOST = 3,      /* power loss, on an honest disk */
    DRAY_DURABILITY_REPLICATED = 4 /* loss of the host too */
};

/*
 * One a call: limits go in, results come out. The three functions are the sinks for what a call
 * hands out; they cannot fail, copy what they need, and must be called from inside the operation on
 * its own thread.
 */
struct dray_call {
    uint32_t size;
    uint32_t budget_ms;       /* real time after which the call gives up */
    struct dray_error *error; /* never NULL; written by host->fail */
    void (*job)(struct dray_call *call, const struct dray_job *job);         /* reserve, list */
    void (*stats)(struct dray_call *call, const struct dray_stats_row *row); /* stats */
    void (*note)(struct dray_call *call, const char *line);                  /* tend */
    uint64_t next_ms;    /* reserve: when to look again */
    uint32_t durability; /* open: in, the level wanted or 0 for the driver's default; out, the one
                            in force. Refuse a level that you cannot give with DRAY_UNSUPPORTED */
    uint32_t pad;
};

/* ------------------------------------------------------------------------------------------- */
/* What the core does for a driver                                                             */
/* ------------------------------------------------------------------------------------------- */

enum { DRAY_LOG_DEBUG = 1, DRAY_LOG_INFO = 2, DRAY_LOG_WARN = 3, DRAY_LOG_ERROR = 4 };

/* Valid from open until close returns. Any thread of the driver may use it. */
struct dray_host {
    uint32_t size;
    uint32_t abi;
    const char *boot_id; /* changes with each boot of the machine; at most 64 bytes */

    /* Milliseconds since 1970 UTC; may jump when a person sets the clock. */
    int64_t (*wall_ms)(const struct dray_host *host);
    /* Milliseconds since some fixed moment of this boot; never jumps, counts suspension. */
    int64_t (*mono_ms)(const struct dray_host *host);
    /* As realloc; NULL allocates, size 0 frees and returns NULL. Aligned for any type. */
    void *(*resize)(const struct dray_host *host, void *block, size_t size);
    /* Fills `len` bytes with randomness fit for tokens. DRAY_OK, or a code if there is none. */
    int32_t (*random)(const struct dray_host *host, void *out, size_t len);
    /* One line for the log; the core names the driver. Debug and warnings; errors are returned. */
    void (*log)(const struct dray_host *host, uint32_t level, const char *fmt, ...)
        DRAY_PRINTF(3, 4);
    /* Fills call->error with the code, an errno (0: none) and one line: what, where, what to do.
       No full stop at the end, no payload, no password. Returns `code`. */
    int32_t (*fail)(struct dray_call *call, int32_t code, int32_t sys, const char *fmt, ...)
        DRAY_PRINTF(4, 5);
    /* The value of one of the driver's options. number: integers, milliseconds, bytes, 0 or 1, or
       the index of the choice. text: paths (absolute), strings, members of a list; NULL past the
       end. A map gives its keys and values in turn. Unknown names: 0 and NULL. */
    int64_t (*number)(const struct dray_host *host, const char *option);
    const char *(*text)(const struct dray_host *host, const char *option, uint32_t index);
};

/* Types of an option. The core parses and checks; a driver parses no text. */
enum {
    DRAY_OPTION_STRING = 1,
    DRAY_OPTION_INTEGER = 2,  /* min and max apply */
    DRAY_OPTION_DURATION = 3, /* number gives milliseconds; min and max in milliseconds */
    DRAY_OPTION_SIZE = 4,     /* number gives bytes; min and max in bytes */
    DRAY_OPTION_BOOLEAN = 5,
    DRAY_OPTION_CHOICE = 6,      /* `choices`: "a|b|c" */
    DRAY_OPTION_LIST = 7,        /* of strings */
    DRAY_OPTION_MAP = 8,         /* of strings to strings */
    DRAY_OPTION_PATH = 9,        /* made absolute against the configuration's folder */
    DRAY_OPTION_CONNECTION = 10, /* names an entry of `connections`; its values are read as
                                    "connection.url", "connection.host", "connection.password" ...;
                                    "connection.sentinels" gives hosts and ports in turn */
    DRAY_OPTION_SECRET = 11      /* a string that is never shown */
};

enum {
    DRAY_OPTION_REQUIRED = 1 /* no default: the configuration must give it */
};

/* A key of the driver's section. Static. */
struct dray_option {
    uint32_t type;
    uint32_t flags;
    const char *name;
    const char
        *fallback; /* the default, written as in YAML; NULL: none (text gives NULL, number 0) */
    const char *choices;
    const char *help; /* one line */
    int64_t min, max; /* both 0: unbounded */
};

/* ------------------------------------------------------------------------------------------- */
/* What a driver is                                                                            */
/* ------------------------------------------------------------------------------------------- */

/* Capabilities and traits: bits of dray_driver.can. Without a capability the core refuses the wish
   with DRAY_UNSUPPORTED, naming the driver; nothing is emulated, nothing dropped. */
#define DRAY_CAN_PRIORITY 1u /* without it: jobs of another priority than 5 are refused */
#define DRAY_CAN_UNIQUE 2u   /* without it: unique keys are refused */
#define DRAY_CAN_KEEP                                                                              \
    4u /* keeps done and dead jobs. Without it: dead jobs are kept as long                         \
          as the store likes, done ones never */
#define DRAY_CAN_REPLAY                                                                            \
    8u                         /* reserve understands REPLAY. Required of every driver that can    \
                                  answer UNKNOWN to a reserve */
#define DRAY_IS_SHARED 16u     /* other processes may use the same store */
#define DRAY_IS_INLINE 32u     /* the core runs a job in the caller, right after its push (sync) */
#define DRAY_IS_QUICK 64u      /* no call ever waits for I/O or for another process */
#define DRAY_IS_AUTOSTART 128u /* the core starts a background worker on the first dispatch */

/*
 * The descriptor. Static and constant: it is read before open and may be copied. The first four
 * members are frozen.
 *
 * `self` is the instance: instance_size zeroed bytes, aligned for any type, that the core allocates
 * before open and frees after close.
 */
struct dray_driver {
    uint32_t magic;         /* DRAY_MAGIC */
    uint32_t abi;           /* DRAY_ABI */
    uint32_t size;          /* sizeof(struct dray_driver) */
    uint32_t instance_size; /* bytes of one open store */

    const char *name;    /* as in YAML: [a-z][a-z0-9_]{0,31} */
    const char *version; /* the driver's own */
    const char *summary; /* one line */
    uint64_t can;        /* DRAY_CAN_ and DRAY_IS_ bits */
    uint32_t max_push;   /* jobs in one group; at least 1 */
    uint32_t max_batch;  /* leases and wanted jobs in one call or turn, all kinds together; a group
                            counts as one; at least 1 */
    const struct dray_option *options;
    uint32_t noptions;
    uint32_t option_size; /* sizeof(struct dray_option) */

    /* ---- Required ---- */

    /* Opens the store that the options name, creating it if need be. Refuses with one clear line
       what is not its own: another program's file, a newer format (never rewritten), a durability
       that it cannot give. Also called again on a fresh instance after POISONED. */
    int32_t (*open)(void *self, struct dray_call *call, const struct dray_host *host);

    /* Frees everything. Also called after a failed open. Leases stay as they are in the store. */
    void (*close)(void *self);

    /* Stores one group; see struct dray_push. Its return value is the group's code. */
    int32_t (*push)(void *self, struct dray_call *call, struct dray_push *group);

    /* Hands out jobs; see struct dray_reserve. None is no error: DRAY_OK without a call of job. */
    int32_t (*reserve)(void *self, struct dray_call *call, const struct dray_reserve *want);

    /* Settles leases with verdict DONE. */
    int32_t (*ack)(void *self, struct dray_call *call, const struct dray_lease *const *leases,
        int32_t *answers, uint32_t n);

    /* Settles leases with any other verdict. */
    int32_t (*retry)(void *self, struct dray_call *call, const struct dray_lease *const *leases,
        int32_t *answers, uint32_t n);

    /* ---- Optional ---- */

    /* Renews leases, and keeps their progress if it is not empty. Without it: leases are not
       renewed, and the core demands a timeout below the lease of every job. */
    int32_t (*extend)(void *self, struct dray_call *call, const struct dray_lease *const *leases,
        int32_t *answers, uint32_t n);

    /* A whole turn in one step. Without it: the core makes the single calls, one after another. */
    int32_t (*turn)(void *self, struct dray_call *call, struct dray_turn *turn);

    /* Sets *fd to a descriptor that turns readable when work may have come to one of the queues by
       another process; reserve clears it before it looks. The driver owns it; it stays valid until
       the next watch or close. Without it: the core polls (on shared stores it does so in any case,
       once a second). */
    int32_t (*watch)(
        void *self, struct dray_call *call, const struct dray_str *queues, uint32_t n, int32_t *fd);

    /* Changes made by people; see struct dray_change. Without it: they are refused. */
    int32_t (*change)(void *self, struct dray_call *call, const struct dray_change *change);

    /* Shows jobs through call->job; see struct dray_filter. Without it: list and show are
       refused. */
    int32_t (*list)(void *self, struct dray_call *call, struct dray_filter *filter);

    /* Gives rows through call->stats: for each of the queues (n 0: all that exist) the queue's row,
       then one a type. A queue that never was gives a row of zeros. Without it: refused. */
    int32_t (*stats)(void *self, struct dray_call *call, const struct dray_str *queues, uint32_t n);

    /* Checks, repairs or compacts. Without it: refused. */
    int32_t (*tend)(void *self, struct dray_call *call, struct dray_tend *tend);
};

/*
 * The one symbol that a driver exports. Returns the descriptor; may not allocate, fail or have any
 * effect. Fixed for ever.
 */
DRAY_API const struct dray_driver *dray_driver_entry(void);

#ifdef __cplusplus
}
#endif

#endif
