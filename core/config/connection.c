/* SPDX-License-Identifier: Apache-2.0 */
#include "config/connection.h"

#include "config/file.h"
#include "host/error.h"

#include <string.h>

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

enum {
    URL,
    HOST,
    PORT,
    USERNAME,
    PASSWORD,
    PASSWORD_FILE,
    DATABASE,
    PATH,
    SENTINELS,
    MASTER,
    SENTINEL_USERNAME,
    SENTINEL_PASSWORD,
    SENTINEL_PASSWORD_FILE,
    TIMEOUT,
    TLS,
    CA_FILE,
    CERT_FILE,
    KEY_FILE,
    ROWS
};
static const struct dray_option rows[ROWS] = {
    [URL] = {.type = DRAY_OPTION_SECRET, .name = "url"},
    [HOST] = {.type = DRAY_OPTION_STRING, .name = "host"},
    [PORT] = {.type = DRAY_OPTION_INTEGER, .name = "port", .min = 1, .max = 65535},
    [USERNAME] = {.type = DRAY_OPTION_STRING, .name = "username"},
    [PASSWORD] = {.type = DRAY_OPTION_SECRET, .name = "password"},
    [PASSWORD_FILE] = {.type = DRAY_OPTION_PATH, .name = "password_file"},
    [DATABASE] = {.type = DRAY_OPTION_STRING, .name = "database"},
    [PATH] = {.type = DRAY_OPTION_PATH, .name = "path"},
    [SENTINELS] = {.type = DRAY_OPTION_LIST, .name = "sentinels"},
    [MASTER] = {.type = DRAY_OPTION_STRING, .name = "master"},
    [SENTINEL_USERNAME] = {.type = DRAY_OPTION_STRING, .name = "sentinel_username"},
    [SENTINEL_PASSWORD] = {.type = DRAY_OPTION_SECRET, .name = "sentinel_password"},
    [SENTINEL_PASSWORD_FILE] = {.type = DRAY_OPTION_PATH, .name = "sentinel_password_file"},
    [TIMEOUT] = {.type = DRAY_OPTION_DURATION, .name = "timeout", .min = 1, .max = INT64_MAX},
    [TLS] = {.type = DRAY_OPTION_BOOLEAN, .name = "tls"},
    [CA_FILE] = {.type = DRAY_OPTION_PATH, .name = "ca_file"},
    [CERT_FILE] = {.type = DRAY_OPTION_PATH, .name = "cert_file"},
    [KEY_FILE] = {.type = DRAY_OPTION_PATH, .name = "key_file"},
};

enum { PASSWORD_BYTES_MAX = 4096 };

/* ------------------------------------------------------------------------------------------- */
/* URLs: RFC 3986, as far as a connection needs it                                             */
/* ------------------------------------------------------------------------------------------- */

struct url {
    const struct reader *reader;
    const struct node *node;
    struct value *values;
};

static int refuse(const struct url *url, const char *what)
{
    return node_error(url->reader->error, url->node,
        "the url %s; write it like redis://user:password@host:6379/0 or unix:///path", what);
}

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* A part of the URL with its %xx decoded, as the value of `row` unless a single key gives that. */
static int set_part(const struct url *url, int row, const char *start, const char *end)
{
    char *text = arena_alloc(url->reader->arena, (size_t)(end - start) + 1, 1);
    if (!text)
        return reader_no_memory(url->reader);
    char *out = text;
    for (const char *p = start; p < end; p++) {
        if (*p != '%') {
            *out++ = *p;
            continue;
        }
        int high = end - p > 2 ? hex(p[1]) : -1;
        int low = end - p > 2 ? hex(p[2]) : -1;
        if (high < 0 || low < 0 || (high == 0 && low == 0))
            return refuse(url, "has a % that is not followed by two hexadecimal digits");
        *out++ = (char)(high * 16 + low);
        p += 2;
    }
    if (url->values[row].given)
        return DRAY_OK;
    struct node *node = node_text(url->reader->arena, url->node->file, text);
    if (!node)
        return reader_no_memory(url->reader);
    node->line = url->node->line;
    node->quoted = row != PORT;
    return value_read(url->reader, node, "the url", &rows[row], &url->values[row]);
}

/* host, [IPv6] and :port */
static int read_authority(const struct url *url, const char *start, const char *end)
{
    const char *host_end = end;
    const char *colon;
    if (start < end && *start == '[') {
        host_end = memchr(start, ']', (size_t)(end - start));
        if (!host_end)
            return refuse(url, "has a [ without a ]");
        colon = host_end + 1 < end ? host_end + 1 : NULL;
        if (colon && *colon != ':')
            return refuse(url, "has more than a port behind the ]");
        start++;
    } else {
        colon = memchr(start, ':', (size_t)(end - start));
        if (colon)
            host_end = colon;
        if (colon && memchr(colon + 1, ':', (size_t)(end - colon - 1)))
            return refuse(url, "has more than one : behind the host (IPv6 goes into brackets)");
    }
    for (const char *p = colon ? colon + 1 : end; p < end; p++) {
        /* Said here without the text: behind a forgotten @ it would be a password. */
        if (*p < '0' || *p > '9')
            return refuse(url, "has a port that is not a number");
    }
    int code = DRAY_OK;
    if (host_end > start)
        code = set_part(url, HOST, start, host_end);
    if (code == DRAY_OK && colon)
        code = set_part(url, PORT, colon + 1, end);
    return code;
}

static int read_user(const struct url *url, const char *start, const char *end)
{
    const char *colon = memchr(start, ':', (size_t)(end - start));
    int code = DRAY_OK;
    if ((colon ? colon : end) > start)
        code = set_part(url, USERNAME, start, colon ? colon : end);
    if (code == DRAY_OK && colon)
        code = set_part(url, PASSWORD, colon + 1, end);
    return code;
}

/* Schemes that are another one over TLS. */
static int means_tls(const char *scheme, size_t len)
{
    static const char *const names[] = {"rediss", "valkeys", "tls", "https"};
    for (size_t i = 0; i < COUNT(names); i++) {
        if (strlen(names[i]) == len && strncmp(names[i], scheme, len) == 0)
            return 1;
    }
    return 0;
}

static int read_url(const struct url *url)
{
    const char *text = url->values[URL].text;
    const char *rest = strstr(text, "://");
    size_t scheme = rest ? (size_t)(rest - text) : 0;
    if (scheme == 0)
        return refuse(url, "does not begin with a scheme and ://");
    for (size_t i = 0; i < scheme; i++) {
        if (!((text[i] >= 'a' && text[i] <= 'z') || (i > 0 && strchr("0123456789+-.", text[i]))))
            return refuse(url, "has a scheme that is not in lower case letters");
    }
    rest += 3;
    if (strpbrk(rest, "?#"))
        return refuse(url, "has a ? or #; give such values as keys of the connection (a ? or # in "
                           "a password is %3F or %23)");
    const char *end = rest + strlen(rest);
    if (scheme == 4 && strncmp(text, "unix", 4) == 0) {
        if (*rest != '/')
            return refuse(url, "must have an absolute path behind unix://");
        return set_part(url, PATH, rest, end);
    }
    const char *slash = strchr(rest, '/');
    const char *authority_end = slash ? slash : end;
    const char *at = memrchr(rest, '@', (size_t)(authority_end - rest));
    int code = at ? read_user(url, rest, at) : DRAY_OK;
    if (code == DRAY_OK)
        code = read_authority(url, at ? at + 1 : rest, authority_end);
    if (code == DRAY_OK && slash && slash + 1 < end)
        code = set_part(url, DATABASE, slash + 1, end);
    if (code == DRAY_OK && means_tls(text, scheme) && !url->values[TLS].given)
        url->values[TLS] = (struct value){.node = url->node, .given = 1, .number = 1};
    return code;
}

/* ------------------------------------------------------------------------------------------- */

/* The line of a file as the value of the row `password`. */
static int read_password_file(const struct reader *reader, struct value *values, int password)
{
    int from = password == PASSWORD ? PASSWORD_FILE : SENTINEL_PASSWORD_FILE;
    const struct value *file = &values[from];
    const char *name = rows[from].name;
    if (!file->given)
        return DRAY_OK;
    /* A password out of the URL has no key of its own, and gives way. */
    if (values[password].given && values[password].node->key)
        return node_error(reader->error, file->node, "there is a %s and a %s; keep one",
            rows[password].name, name);
    struct dray_error problem = DRAY_ERROR_INIT;
    const char *text;
    size_t len = 0;
    int code = file_read(reader->arena, file->text, PASSWORD_BYTES_MAX, &text, &len, &problem);
    if (code != DRAY_OK) {
        node_error(reader->error, file->node, "%s: %s", name, problem.text);
        if (reader->error)
            reader->error->code = code;
        return code;
    }
    while (len > 0 && (text[len - 1] == '\n' || text[len - 1] == '\r'))
        len--;
    if (len == 0 || memchr(text, 0, len) || memchr(text, '\n', len))
        return node_error(
            reader->error, file->node, "%s: the file must hold one line, the password", name);
    values[password] = *file;
    values[password].text = arena_copy(reader->arena, text, len);
    return values[password].text ? DRAY_OK : reader_no_memory(reader);
}

/* ------------------------------------------------------------------------------------------- */
/* Sentinels                                                                                   */
/* ------------------------------------------------------------------------------------------- */

/* host, host:port, [IPv6] or [IPv6]:port as a host and the text of a port, "" if there is none.
   Returns 0 if it is none of them, -1 without memory. */
static int split_place(struct arena *arena, const char *text, const char **host, const char **port)
{
    int bracket = *text == '[';
    const char *start = text + bracket;
    const char *end = bracket ? strchr(start, ']') : start + strcspn(start, ":");
    if (!end || end == start || strpbrk(start, bracket ? "[ /@" : "[] /@"))
        return 0;
    const char *rest = end + bracket;
    int64_t number = 0;
    if (*rest && (*rest != ':' || value_integer(rest + 1, &number) || number < 1 || number > 65535))
        return 0;
    *host = arena_copy(arena, start, (size_t)(end - start));
    *port = *rest ? rest + 1 : "";
    return *host ? 1 : -1;
}

/* The list becomes hosts and ports in turn. */
static int read_sentinels(const struct reader *reader, struct value *list)
{
    const char **texts = arena_alloc(reader->arena, 2 * list->ntexts + 1, sizeof(*texts));
    if (!texts)
        return reader_no_memory(reader);
    for (size_t i = 0; i < list->ntexts; i++) {
        const char *text = list->texts[i];
        int fine = split_place(reader->arena, text, &texts[2 * i], &texts[2 * i + 1]);
        if (fine < 0)
            return reader_no_memory(reader);
        if (!fine)
            return node_error(reader->error, list->node,
                "sentinels: \"%.60s\" is no place of a sentinel; write host:port", text);
    }
    list->texts = texts;
    list->ntexts *= 2;
    return DRAY_OK;
}

/* Either an address, or sentinels that know it by the name of the master. */
static int check_sentinels(const struct reader *reader, struct value *values)
{
    static const int fixed[] = {HOST, PORT, PATH};
    struct value *list = &values[SENTINELS];
    for (int row = MASTER; row <= SENTINEL_PASSWORD_FILE && !list->given; row++) {
        if (values[row].given)
            return node_error(reader->error, values[row].node,
                "%s is of no use without sentinels, a list of host:port", rows[row].name);
    }
    if (!list->given)
        return DRAY_OK;
    if (list->ntexts == 0)
        return node_error(reader->error, list->node, "sentinels must name at least one host:port");
    if (!values[MASTER].given || !values[MASTER].text[0])
        return node_error(reader->error, list->node,
            "sentinels need master, the name by which they know the server");
    for (size_t i = 0; i < COUNT(fixed); i++) {
        if (values[fixed[i]].given)
            return node_error(reader->error, values[fixed[i]].node,
                "there are sentinels and a %s; they say where the server is: leave the %s out%s",
                rows[fixed[i]].name, rows[fixed[i]].name,
                values[fixed[i]].node->key ? "" : " of the url");
    }
    return read_sentinels(reader, list);
}

static int read_entry(const struct reader *reader, const struct node *entry, struct value *values)
{
    const char *section = arena_print(reader->arena, "connections.%s", entry->key);
    if (!section)
        return reader_no_memory(reader);
    const struct table table = {section, rows, ROWS};
    int code = table_read(reader, entry, &table, NULL, 0, values);
    const struct url url = {reader, values[URL].node, values};
    if (code == DRAY_OK && values[URL].given)
        code = read_url(&url);
    if (code == DRAY_OK)
        code = check_sentinels(reader, values);
    return code;
}

int connection_read(
    const struct reader *reader, const struct node *entry, connection_fn each, void *user)
{
    struct value values[ROWS] = {0};
    int code = read_entry(reader, entry, values);
    if (code == DRAY_OK)
        code = read_password_file(reader, values, PASSWORD);
    if (code == DRAY_OK)
        code = read_password_file(reader, values, SENTINEL_PASSWORD);
    for (size_t i = 0; i < ROWS && code == DRAY_OK; i++) {
        if (values[i].given)
            code = each(user, &rows[i], &values[i]);
    }
    return code;
}

int connections_check(const struct reader *reader, const struct node *connections)
{
    int code = expect_map(reader, connections, "connections");
    if (code != DRAY_OK || node_is_null(connections))
        return code;
    for (const struct node *entry = connections->first; entry && code == DRAY_OK;
         entry = entry->next) {
        struct value values[ROWS];
        code = read_entry(reader, entry, values);
    }
    return code;
}
