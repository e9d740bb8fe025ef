/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "manage/config_draft.h"

/* chap: who may log in with which secret. The configuration names files; what they hold is read by
 * the processes that need it and is never shown. */

struct check {
    const struct config_draft *draft;
    struct config *config;
    const struct config_complaint *where;
};

/* Paths begin at the configuration's directory. */
static bool check_secret(const struct check *c, const struct draft_secret *from, const char *key,
                         struct config_secret *out)
{
    const char *path = from->secret.text;
    int directory = (int)(strrchr(c->config->file, '/') - c->config->file);
    int length = path[0] == '/' ? snprintf(out->path, sizeof out->path, "%s", path)
                                : snprintf(out->path, sizeof out->path, "%.*s/%s", directory,
                                           c->config->file, path);
    out->line = from->secret.line;
    if (length < 0 || (size_t)length >= sizeof out->path)
        return config_complain(c->where, from->secret.line, key,
                               "the path is longer than %d bytes; use a shorter one",
                               CONFIG_PATH - 1);
    for (const char *at = from->name.text; *at; at++)
        if ((unsigned char)*at <= ' ' || (unsigned char)*at >= 0x7F)
            return config_complain(c->where, from->name.line, key,
                                   "a CHAP name has letters, digits and signs, and no blanks");
    snprintf(out->name, sizeof out->name, "%s", from->name.text);
    return true;
}

bool config_secrets_check(const struct config_draft *draft, struct config *config,
                          const struct config_complaint *where)
{
    const struct check c = {draft, config, where};
    config->chap.required = draft->chap_required.number != 0;
    for (uint32_t i = 0; i < draft->chap_users; i++) {
        const struct draft_secret *from = &draft->chap_user[i];
        for (uint32_t j = 0; j < i; j++)
            if (strcmp(draft->chap_user[j].name.text, from->name.text) == 0)
                return config_complain(where, from->name.line, "chap.users.name",
                                       "the name %.60s is taken (line %u); give it another",
                                       from->name.text, draft->chap_user[j].name.line);
        if (!check_secret(&c, from, "chap.users.secret", &config->chap.user[i]))
            return false;
    }
    config->chap.users = (uint8_t)draft->chap_users;
    if (config->chap.required && config->chap.users == 0)
        return config_complain(where, draft->chap_required.line, "chap.required",
                               "nobody could log in: there are no users; add chap.users");
    return !draft->chap_target.name.given ||
           check_secret(&c, &draft->chap_target, "chap.target.secret", &config->chap.target);
}

/* ---- reading ---- */

struct reading {
    const struct config *config;
    const struct config_secret *from;
    char *sentence;
    size_t sentence_bytes;
};

static bool refuse(const struct reading *r, const char *what)
{
    snprintf(r->sentence, r->sentence_bytes, "%s:%u: chap: %s: %s", r->config->file, r->from->line,
             r->from->path, what);
    return false;
}

static bool check_file(const struct reading *r, int fd)
{
    struct stat found;
    char text[128];
    if (fstat(fd, &found) != 0)
        return refuse(r, strerror(errno));
    if (!S_ISREG(found.st_mode))
        return refuse(r, "it is not a file; put the secret into one");
    if ((found.st_mode & 077) == 0)
        return true;
    snprintf(text, sizeof text,
             "others can use it (mode %04o); do chmod 600, and change the secret",
             (unsigned)found.st_mode & 07777);
    return refuse(r, text);
}

/* The first line of the file. */
static bool take_line(const struct reading *r, const char *bytes, size_t length, struct secret *out)
{
    char text[128];
    const char *end = memchr(bytes, '\n', length);
    if (end)
        length = (size_t)(end - bytes);
    if (length > 0 && bytes[length - 1] == '\r')
        length--;
    if (length >= SECRET_MIN && length <= SECRET_MAX) {
        out->length = (uint8_t)length;
        memcpy(out->bytes, bytes, length);
        snprintf(out->name, sizeof out->name, "%s", r->from->name);
        return true;
    }
    snprintf(
        text, sizeof text,
        "a secret has %d to %d bytes on the first line, and this one has %s%zu; make a new one",
        SECRET_MIN, SECRET_MAX, length > SECRET_MAX ? "at least " : "", length);
    return refuse(r, text);
}

static bool read_secret(const struct config *config, const struct config_secret *from,
                        struct secret *out, char *sentence, size_t sentence_bytes)
{
    const struct reading r = {config, from, sentence, sentence_bytes};
    char bytes[SECRET_MAX + 3];
    int fd = open(from->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return refuse(&r, errno == ENOENT ? "there is no such file; make it, or correct the path"
                                          : strerror(errno));
    bool good = check_file(&r, fd);
    ssize_t length = good ? read(fd, bytes, sizeof bytes) : 0;
    close(fd);
    if (good && length < 0)
        good = refuse(&r, "it cannot be read");
    good = good && take_line(&r, bytes, (size_t)length, out);
    explicit_bzero(bytes, sizeof bytes);
    return good;
}

static bool same_secret(const struct secret *a, const struct secret *b)
{
    return a->length == b->length && memcmp(a->bytes, b->bytes, a->length) == 0;
}

int config_read_secrets(const struct config *config, struct secrets *out, char *sentence,
                        size_t sentence_bytes)
{
    memset(out, 0, sizeof *out);
    out->required = config->chap.required;
    for (uint8_t i = 0; i < config->chap.users; i++)
        if (!read_secret(config, &config->chap.user[i], &out->user[i], sentence, sentence_bytes))
            return -1;
    out->users = config->chap.users;
    if (!config->chap.target.name[0])
        return 0;
    const struct reading r = {config, &config->chap.target, sentence, sentence_bytes};
    if (!read_secret(config, &config->chap.target, &out->target, sentence, sentence_bytes))
        return -1;
    for (uint8_t i = 0; i < out->users; i++)
        if (same_secret(&out->user[i], &out->target)) {
            refuse(&r, "it is the secret of a user too; the array needs one of its own (who knows "
                       "it could have the array answer for him)");
            return -1;
        }
    return 0;
}
