/* SPDX-License-Identifier: Apache-2.0 */
/* The kinds of care for a store: applications ask for them, drivers give them. */
#ifndef DRAY_TEND_H
#define DRAY_TEND_H

enum {
    DRAY_TEND_CHECK = 1,  /* read everything, change nothing */
    DRAY_TEND_REPAIR = 2, /* set damage aside, make the rest whole */
    DRAY_TEND_COMPACT = 3 /* give back space */
};

#endif
