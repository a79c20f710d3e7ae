/* SPDX-License-Identifier: Apache-2.0 */
#include "common/volatile.h"

VOLATILE_DRIVER("memory", "keeps jobs in the memory of the process", 0)
