/* SPDX-License-Identifier: CC0-1.0 */
#include "message.h"

#include <string.h>

#define LOCAL_MAX 64    /* RFC 5321, section 4.5.3.1 */
#define ADDRESS_MAX 254 /* RFC 5321 erratum 1690 */
#define LABEL_MAX 63    /* RFC 1035 */
#define LINE_LENGTH 76  /* of quoted-printable (RFC 2045) and with encoded words (RFC 2047) */
#define WORD_FRAME 12   /* =?UTF-8?B? and ?= */
#define WORD_BYTES 45   /* what an encoded word of at most 75 characters holds */

static int is_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static const char *local_problem(const char *local, size_t len)
{
    if (len == 0)
        return "there is nothing before the @";
    if (len > LOCAL_MAX)
        return "the part before the @ is longer than 64 characters";
    for (size_t i = 0; i < len; i++) {
        if (local[i] == '.' && (i == 0 || i == len - 1 || local[i - 1] == '.'))
            return "a dot is out of place before the @";
        if (local[i] != '.' && !is_alnum(local[i]) && !strchr("!#$%&'*+-/=?^_`{|}~", local[i]))
            return "a character is not allowed before the @";
    }
    return NULL;
}

static const char *domain_problem(const char *domain)
{
    size_t label = 0, labels = 1;
    for (const char *p = domain; *p; p++) {
        if (*p == '.') {
            if (label == 0 || p[-1] == '-')
                return "the domain has an empty or unfinished part";
            label = 0;
            labels++;
            continue;
        }
        if (!is_alnum(*p) && (*p != '-' || label == 0))
            return "a character is not allowed in the domain";
        if (++label > LABEL_MAX)
            return "a part of the domain is longer than 63 characters";
    }
    if (label == 0 || labels < 2 || domain[strlen(domain) - 1] == '-')
        return "the domain is not complete";
    return NULL;
}

const char *address_problem(const char *address)
{
    if (!*address)
        return "the address is empty";
    for (const char *p = address; *p; p++) {
        if ((unsigned char)*p >= 0x80)
            return "the address is not ASCII, and this sender does not speak SMTPUTF8";
    }
    const char *at = strchr(address, '@');
    if (!at)
        return "the address has no @";
    if (strchr(at + 1, '@'))
        return "the address has more than one @";
    if (strlen(address) > ADDRESS_MAX)
        return "the address is longer than 254 characters";
    const char *problem = local_problem(address, (size_t)(at - address));
    return problem ? problem : domain_problem(at + 1);
}

/* Printable ASCII, nothing that could be taken for an encoded word, and short enough for a line of
   its own (RFC 5322 allows 998). */
static int is_plain(const char *text)
{
    size_t len = 0;
    for (; text[len]; len++) {
        if (text[len] < 0x20 || text[len] > 0x7e)
            return 0;
    }
    return len < 400 && !strstr(text, "=?");
}

/* Bytes of the UTF-8 character that begins with `lead`. */
static size_t character_size(char lead)
{
    unsigned char c = (unsigned char)lead;
    return c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
}

static void base64(FILE *out, const char *text, size_t len)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < len; i += 3) {
        unsigned bits = 0;
        for (size_t k = 0; k < 3; k++)
            bits = bits << 8 | (i + k < len ? (unsigned char)text[i + k] : 0u);
        fputc(digits[bits >> 18], out);
        fputc(digits[bits >> 12 & 63], out);
        fputc(i + 1 < len ? digits[bits >> 6 & 63] : '=', out);
        fputc(i + 2 < len ? digits[bits & 63] : '=', out);
    }
}

/* Encoded words hold whole characters and share no line, so that each can be read by itself.
   `column` is where the first one begins. */
static void encoded_words(FILE *out, const char *text, size_t column)
{
    while (*text) {
        size_t len = 0, room = (LINE_LENGTH - column - WORD_FRAME) / 4 * 3;
        while (
            text[len] && len + character_size(text[len]) <= (room < WORD_BYTES ? room : WORD_BYTES))
            len += character_size(text[len]);
        column = 1;
        fputs("=?UTF-8?B?", out);
        base64(out, text, len);
        fputs("?=", out);
        text += len;
        if (*text)
            fputs("\n ", out);
    }
}

/* A name before an address: as it is where that is allowed, else quoted, else encoded. */
static void mailbox(FILE *out, const char *field, const char *name, const char *address)
{
    fprintf(out, "%s: ", field);
    if (!*name) {
        fprintf(out, "%s\n", address);
        return;
    }
    if (is_plain(name)) {
        fputc('"', out);
        for (const char *p = name; *p; p++) {
            if (*p == '"' || *p == '\\')
                fputc('\\', out);
            fputc(*p, out);
        }
        fputc('"', out);
    } else {
        encoded_words(out, name, strlen(field) + 2);
    }
    fprintf(out, "\n <%s>\n", address);
}

static void subject(FILE *out, const char *text)
{
    static const char field[] = "Subject: ";
    fputs(field, out);
    if (is_plain(text))
        fputs(text, out);
    else
        encoded_words(out, text, strlen(field));
    fputc('\n', out);
}

/* In English whatever the locale is. */
static void date(FILE *out, time_t when)
{
    static const char *const days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char *const months[] = {
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    struct tm tm = {0};
    gmtime_r(&when, &tm);
    fprintf(out, "Date: %s, %d %s %d %02d:%02d:%02d +0000\n", days[tm.tm_wday], tm.tm_mday,
        months[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

static void quoted_printable(FILE *out, const char *text)
{
    int column = 0;
    for (const char *p = text; *p; p++) {
        unsigned char c = (unsigned char)*p;
        if (c == '\n') {
            fputc('\n', out);
            column = 0;
            continue;
        }
        int blank = (c == ' ' || c == '\t') && p[1] && p[1] != '\n';
        int plain = blank || (c > ' ' && c <= '~' && c != '=');
        if (column + (plain ? 1 : 3) > LINE_LENGTH - 1) {
            fputs("=\n", out);
            column = 0;
        }
        column += plain ? fputc(c, out) != EOF : fprintf(out, "=%02X", c);
    }
}

void message_write(FILE *out, const struct message *message)
{
    date(out, message->date);
    mailbox(out, "From", message->from_name, message->from_address);
    mailbox(out, "To", message->to_name, message->to_address);
    subject(out, message->subject);
    fprintf(out, "Message-ID: <%s%s>\n", message->id, strchr(message->from_address, '@'));
    fprintf(out, "List-Unsubscribe: <%s>\n", message->unsubscribe);
    fputs("List-Unsubscribe-Post: List-Unsubscribe=One-Click\n", out); /* RFC 8058 */
    fputs("MIME-Version: 1.0\n"
          "Content-Type: text/plain; charset=UTF-8\n"
          "Content-Transfer-Encoding: quoted-printable\n\n",
        out);
    quoted_printable(out, message->body);
}
