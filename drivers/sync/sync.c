/* SPDX-License-Identifier: Apache-2.0 */
#include "common/volatile.h"

VOLATILE_DRIVER("sync", "runs each job in its dispatcher, at once", DRAY_IS_INLINE)
