/* SPDX-License-Identifier: Apache-2.0 */
/* Directed checks: each opens a fresh store, proves one sentence of the contract and names it. */
#ifndef CONFORMANCE_CHECK_H
#define CONFORMANCE_CHECK_H

#include "subject.h"

/* What a check cannot do without; DRAY_CAN_ and DRAY_IS_ bits stand for themselves. */
enum {
    NEED_EXTEND = 1 << 16,
    NEED_TURN = 1 << 17,
    NEED_CHANGE = 1 << 18,
    NEED_LIST = 1 << 19,
    NEED_STATS = 1 << 20,
    NEED_GROUP = 1 << 21, /* groups of at least 8 */
    NEED_BATCH = 1 << 22, /* calls of at least 8 items */
    NEED_ALONE = 1 << 23, /* a store that no other process shares */
    NEED_WATCH = 1 << 24,
    NEED_TEND = 1 << 25,
    NEED_CONNECTION = 1 << 26 /* an option that names an entry of `connections` */
};

struct check {
    struct subject subject;
    int quick;         /* fewer of what there are many of */
    char failure[640]; /* empty: holds */
    char missing[128]; /* what the driver turns out to lack; empty: nothing */
};

struct check_row {
    const char *clause;
    const char *name;
    void (*run)(struct check *check);
    uint64_t needs;
};

/* Is the store open at `process` or better? If not, the check is one that the driver does not
   offer, which this notes. */
int check_durable(struct check *check);

/* What a driver offers, as such bits. */
uint64_t check_offers(const struct dray_driver *driver);

/* The first of these bits in words: "no unique keys". */
const char *check_lack(uint64_t missing);

/* Each file's checks, ended by a row without a clause. */
extern const struct check_row checks_push[];
extern const struct check_row checks_bytes[];
extern const struct check_row checks_lease[];
extern const struct check_row checks_settle[];
extern const struct check_row checks_order[];
extern const struct check_row checks_change[];
extern const struct check_row checks_view[];
extern const struct check_row checks_store[];
extern const struct check_row checks_shared[];
extern const struct check_row checks_crowd[];
extern const struct check_row checks_link[];

void check_fail(struct check *check, const char *file, int line, const char *fmt, ...)
    DRAY_PRINTF(4, 5);

/* The name of a code; static. */
const char *code_name(int32_t code);

/* Each notes a failure; 0 if there is one. */
int check_holds(struct check *check, int holds, const char *file, int line, const char *text);
int check_code(
    struct check *check, int32_t got, int32_t wanted, const char *file, int line, const char *text);
int check_number(struct check *check, long long got, long long wanted, const char *file, int line,
    const char *text);

/* The check ends at its first failure, also at one that a function it called has met. */
#define EXPECT(check, condition)                                                                   \
    if ((check)->failure[0] ||                                                                     \
        !check_holds((check), (condition) != 0, __FILE__, __LINE__, #condition))                   \
    return

#define EXPECT_CODE(check, call, wanted)                                                           \
    if ((check)->failure[0] || !check_code((check), (call), (wanted), __FILE__, __LINE__, #call))  \
    return

#define EXPECT_NUMBER(check, value, wanted)                                                        \
    if ((check)->failure[0] || !check_number((check), (long long)(value), (long long)(wanted),     \
                                   __FILE__, __LINE__, #value))                                    \
    return

#endif
