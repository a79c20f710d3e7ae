/* SPDX-License-Identifier: CC0-1.0 */
/*
 * The job `send`: one letter to one subscriber, delivered into a Maildir.
 *
 *     {"email": "ada@example.org", "name": "Ada", "city": "London"}
 *
 * An address that cannot work gives the job up at once: trying again would not mend it, and among
 * the dead jobs somebody finds it. A full disk, on the other hand, is worth another try.
 *
 * A worker that loses its power between the delivery and the report to the queue delivers again:
 * that is what at-least-once means. The Message-ID is made of the job's id, so a mail program can
 * tell that both are one letter.
 */
#include "dray/module.h"
#include "maildir.h"
#include "message.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define TEMPLATE_MAX 65536
#define GREYLISTED_MS 300

/* What the configuration says under `options`, and the letter: read once, never changed after. */
struct sender {
    json_t *options;
    const char *from_name, *from_address, *maildir, *unsubscribe;
    char *subject, *body;
};

/* Whom a letter goes to, and what it fills in. */
struct reader {
    const char *address, *name, *greeting, *city, *unsubscribe;
};

static void sender_free(void *state)
{
    struct sender *sender = state;
    if (!sender)
        return;
    json_decref(sender->options);
    free(sender->subject);
    free(sender);
}

static int refuse(struct dray_error *error, const char *what, const char *where)
{
    snprintf(error->text, sizeof(error->text), "%s: %s", where, what);
    return DRAY_CONFIG;
}

/* "Subject: ...", an empty line, the text. */
static int read_letter(struct sender *sender, const char *path, struct dray_error *error)
{
    FILE *file = fopen(path, "re");
    if (!file)
        return refuse(error, strerror(errno), path);
    char *text = calloc(1, TEMPLATE_MAX + 1);
    size_t len = text ? fread(text, 1, TEMPLATE_MAX, file) : 0;
    int bad = !text || ferror(file) || len == TEMPLATE_MAX;
    fclose(file);
    char *body = bad ? NULL : strstr(text, "\n\n");
    if (!body || strncmp(text, "Subject: ", 9) != 0) {
        free(text);
        return refuse(error, "a letter is `Subject: ...`, an empty line and the text", path);
    }
    *body = 0;
    memmove(text, text + 9, (size_t)(body - text) - 9 + 1);
    sender->subject = text;
    sender->body = body + 2;
    return DRAY_OK;
}

static int sender_init(const char *options, void **state, struct dray_error *error)
{
    struct sender *sender = calloc(1, sizeof(*sender));
    const char *letter;
    if (!sender)
        return refuse(error, "out of memory", "send");
    sender->options = json_loads(options, 0, NULL);
    if (json_unpack(sender->options, "{s:s, s:s, s:s, s:s, s:s}", "from_name", &sender->from_name,
            "from", &sender->from_address, "maildir", &sender->maildir, "unsubscribe",
            &sender->unsubscribe, "letter", &letter) != 0) {
        sender_free(sender);
        return refuse(error, "needs from_name, from, maildir, unsubscribe and letter", "options");
    }
    const char *problem = address_problem(sender->from_address);
    int code = problem ? refuse(error, problem, "options.from") : DRAY_OK;
    if (code == DRAY_OK && maildir_make(sender->maildir) != 0)
        code = refuse(error, strerror(errno), sender->maildir);
    if (code == DRAY_OK)
        code = read_letter(sender, letter, error);
    if (code != DRAY_OK) {
        sender_free(sender);
        return code;
    }
    *state = sender;
    return DRAY_OK;
}

/* Copies a text with {name}, {city} and {unsubscribe} filled in. NULL without memory. */
static char *fill_in(const char *text, const struct reader *reader)
{
    const char *const words[][2] = {{"{name}", reader->greeting}, {"{city}", reader->city},
        {"{unsubscribe}", reader->unsubscribe}};
    char *filled = NULL;
    size_t len;
    FILE *out = open_memstream(&filled, &len);
    if (!out)
        return NULL;
    while (*text) {
        size_t i = 0, n = sizeof(words) / sizeof(words[0]);
        while (i < n && strncmp(text, words[i][0], strlen(words[i][0])) != 0)
            i++;
        if (i < n) {
            fputs(words[i][1], out);
            text += strlen(words[i][0]);
        } else {
            fputc(*text++, out);
        }
    }
    int failed = ferror(out);
    if (fclose(out) != 0 || failed) {
        free(filled);
        return NULL;
    }
    return filled;
}

/* The whole mail as text. NULL without memory. */
static char *compose(const struct sender *sender, struct dray_attempt *attempt,
    const struct reader *reader, size_t *len)
{
    char *mail = NULL;
    char *subject = fill_in(sender->subject, reader);
    char *body = fill_in(sender->body, reader);
    FILE *out = subject && body ? open_memstream(&mail, len) : NULL;
    if (out) {
        message_write(out, &(struct message){.from_name = sender->from_name,
                               .from_address = sender->from_address,
                               .to_name = reader->name,
                               .to_address = reader->address,
                               .subject = subject,
                               .body = body,
                               .id = dray_attempt_id(attempt),
                               .unsubscribe = reader->unsubscribe,
                               .date = time(NULL)});
        int failed = ferror(out);
        if (fclose(out) != 0 || failed) {
            free(mail);
            mail = NULL;
        }
    }
    free(subject);
    free(body);
    return mail;
}

static const char *text_of(const json_t *payload, const char *key)
{
    return json_string_value(json_object_get(payload, key));
}

static int deliver(
    struct dray_attempt *attempt, const struct sender *sender, const struct reader *reader)
{
    size_t len = 0;
    char *mail = compose(sender, attempt, reader, &len);
    if (!mail)
        return dray_attempt_fail(attempt, "out of memory");
    char name[320];
    int failed = maildir_deliver(sender->maildir, mail, len, name, sizeof(name)) != 0;
    int code = errno;
    free(mail);
    if (failed)
        return dray_attempt_fail(attempt, "%s: %s", sender->maildir, strerror(code));
    return DRAY_OK;
}

static int send_letter(struct dray_attempt *attempt, void *user)
{
    const struct sender *sender = user;
    const json_t *payload = dray_attempt_json(attempt);
    const char *to = text_of(payload, "email");
    const char *name = text_of(payload, "name"), *city = text_of(payload, "city");
    if (!to || !name || !city)
        return dray_attempt_give_up(attempt, "the payload needs email, name and city");
    const char *problem = address_problem(to);
    if (problem)
        return dray_attempt_give_up(attempt, "%s: %s", dray_attempt_name(attempt), problem);
    /* Stands for a mail server that turns strangers away at first, as many do. */
    if (strcmp(strchr(to, '@'), "@flaky.example") == 0 && dray_attempt_number(attempt) == 1)
        return dray_attempt_retry_in(
            attempt, GREYLISTED_MS, "flaky.example: 451 4.7.1 greylisted, come back in a moment");
    char link[512];
    snprintf(link, sizeof(link), "%s%s", sender->unsubscribe, dray_attempt_id(attempt));
    const struct reader reader = {.address = to,
        .name = name,
        .greeting = *name ? name : "reader",
        .city = *city ? city : "your town",
        .unsubscribe = link};
    return deliver(attempt, sender, &reader);
}

static const struct dray_module_handler handlers[] = {
    {.type = "send", .fn = send_letter},
};

DRAY_MODULE(handlers, sender_init, sender_free)
