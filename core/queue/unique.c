/* SPDX-License-Identifier: Apache-2.0 */
#include "queue/unique.h"

#include "dray/error.h"
#include "text/json.h"

#include <sha256.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int unique_key(char out[UNIQUE_KEY_SIZE], const char *type, const char *payload, size_t payload_len)
{
    char *canonical = NULL;
    size_t len = 0;
    int code = json_canonical(payload, payload_len, &canonical, &len);
    if (code == DRAY_NOMEM)
        return code;
    SHA256_CTX sha;
    char digits[SHA256_DIGEST_STRING_LENGTH];
    SHA256Init(&sha);
    SHA256Update(&sha, (const uint8_t *)type, strlen(type) + 1);
    if (code == DRAY_OK)
        SHA256Update(&sha, (const uint8_t *)canonical, len);
    else
        SHA256Update(&sha, (const uint8_t *)payload, payload_len);
    free(canonical);
    SHA256End(&sha, digits);
    memcpy(out, "sha256:", 7);
    memcpy(out + 7, digits, 65);
    return DRAY_OK;
}
