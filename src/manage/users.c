/* SPDX-License-Identifier: Apache-2.0 */
#include "manage/users.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "base/must.h"
#include "manage/statefile.h"
#include "manage/status_json.h"

static const char users_file[] = "users.json", tokens_file[] = "tokens.json",
                  setup_file[] = "setup";

enum { HASH = 32, HASH_HEX = 2 * HASH + 1, SCRYPT_N = 16384, SCRYPT_R = 8, SCRYPT_P = 1 };
static const uint64_t scrypt_memory = 64 << 20;

static const char *const role_names[USERS_ROLES] = {"monitor", "operator", "admin"};

const char *users_role_name(enum users_role role)
{
    return role < USERS_ROLES ? role_names[role] : "nobody";
}

bool users_role_of(const char *word, enum users_role *role)
{
    for (int i = 0; i < USERS_ROLES; i++)
        if (strcmp(word, role_names[i]) == 0) {
            *role = (enum users_role)i;
            return true;
        }
    return false;
}

/* ---- secrets ---- */

static void hex_of(const uint8_t *bytes, size_t count, char *out)
{
    for (size_t i = 0; i < count; i++)
        snprintf(out + 2 * i, 3, "%02x", bytes[i]);
}

void users_random(const char *prefix, char *out, size_t bytes)
{
    uint8_t random[HASH];
    char hex[HASH_HEX];
    ssize_t got = getrandom(random, sizeof random, 0);
    must(got == sizeof random);
    hex_of(random, sizeof random, hex);
    snprintf(out, bytes, "%s%s", prefix, hex);
}

static void sha256_hex(const char *text, char out[HASH_HEX])
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    int made = EVP_Digest(text, strlen(text), digest, NULL, EVP_sha256(), NULL);
    must(made == 1);
    hex_of(digest, HASH, out);
}

static bool scrypt_hex(const char *password, const char *salt, char out[HASH_HEX])
{
    uint8_t key[HASH];
    if (EVP_PBE_scrypt(password, strlen(password), (const unsigned char *)salt, strlen(salt),
                       SCRYPT_N, SCRYPT_R, SCRYPT_P, scrypt_memory, key, sizeof key) != 1)
        return false;
    hex_of(key, sizeof key, out);
    return true;
}

bool users_same_secret(const char *a, const char *b)
{
    char first[HASH_HEX], second[HASH_HEX];
    sha256_hex(a, first);
    sha256_hex(b, second);
    return CRYPTO_memcmp(first, second, sizeof first) == 0;
}

/* ---- files ---- */

struct edit {
    const struct config *config;
    const char *file;
    int lock;
    json_t *list;
};

static bool edit_begin(struct edit *edit, const struct config *config, const char *file)
{
    *edit = (struct edit){.config = config, .file = file, .lock = statefile_lock(config, file)};
    edit->list = edit->lock < 0 ? NULL : statefile_load(config, file);
    return edit->list != NULL;
}

static enum users_result edit_end(struct edit *edit, enum users_result result)
{
    if (result == USERS_DONE && !statefile_save(edit->config, edit->file, edit->list))
        result = USERS_FAILED;
    json_decref(edit->list);
    if (edit->lock >= 0)
        close(edit->lock);
    return result;
}

static bool is_name(const char *name, char sentence[USERS_SENTENCE])
{
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
    size_t length = strlen(name);
    if (length > 0 && length < USERS_NAME && name[0] != '-' && strspn(name, letters) == length)
        return true;
    snprintf(sentence, USERS_SENTENCE, "a name has 1 to %d letters, digits, '-', '_' and '.'",
             USERS_NAME - 1);
    return false;
}

static bool is_password(const char *password, char sentence[USERS_SENTENCE])
{
    size_t length = strlen(password);
    if (length >= USERS_PASSWORD_MIN && length <= USERS_PASSWORD_MAX)
        return true;
    snprintf(sentence, USERS_SENTENCE, "a password has %d to %d characters", USERS_PASSWORD_MIN,
             USERS_PASSWORD_MAX);
    return false;
}

static json_t *time_now(void)
{
    char text[32];
    time_t now = time(NULL);
    struct tm utc;
    gmtime_r(&now, &utc);
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc);
    return json_string(text);
}

static bool set_password(json_t *user, const char *password)
{
    char salt[HASH_HEX], hash[HASH_HEX];
    users_random("", salt, sizeof salt);
    if (!scrypt_hex(password, salt, hash))
        return false;
    json_object_set_new(user, "salt", json_string(salt));
    json_object_set_new(user, "scrypt", json_string(hash));
    return true;
}

/* ---- users ---- */

static size_t count_admins(const json_t *list)
{
    size_t i, count = 0;
    json_t *user;
    json_array_foreach(list, i, user) count += strcmp(status_text_of(user, "role"), "admin") == 0;
    return count;
}

enum users_result users_create(const struct config *config, const char *name, enum users_role role,
                               const char *password, char sentence[USERS_SENTENCE])
{
    struct edit edit;
    if (!is_name(name, sentence) || !is_password(password, sentence))
        return USERS_BAD;
    if (!edit_begin(&edit, config, users_file))
        return edit_end(&edit, USERS_FAILED);
    if (status_find(edit.list, "name", name))
        return edit_end(&edit, USERS_TAKEN);
    snprintf(sentence, USERS_SENTENCE, "there are %d users, and no more fit", USERS_MAX);
    if (json_array_size(edit.list) >= USERS_MAX)
        return edit_end(&edit, USERS_BAD);
    json_t *user = json_pack("{s:s, s:s, s:o}", "name", name, "role", users_role_name(role),
                             "created", time_now());
    bool hashed = set_password(user, password);
    json_array_append_new(edit.list, user);
    return edit_end(&edit, hashed ? USERS_DONE : USERS_FAILED);
}

enum users_result users_set(const struct config *config, const char *name, enum users_role role,
                            const char *password, char sentence[USERS_SENTENCE])
{
    struct edit edit;
    if (password && !is_password(password, sentence))
        return USERS_BAD;
    if (!edit_begin(&edit, config, users_file))
        return edit_end(&edit, USERS_FAILED);
    json_t *user = status_find(edit.list, "name", name);
    if (!user)
        return edit_end(&edit, USERS_NONE);
    bool admin = strcmp(status_text_of(user, "role"), "admin") == 0;
    if (admin && role != USERS_ADMIN && role != USERS_ROLES && count_admins(edit.list) == 1)
        return edit_end(&edit, USERS_LAST);
    if (role != USERS_ROLES)
        json_object_set_new(user, "role", json_string(users_role_name(role)));
    if (password && !set_password(user, password))
        return edit_end(&edit, USERS_FAILED);
    return edit_end(&edit, USERS_DONE);
}

static enum users_result take_out(struct edit *edit, const char *name)
{
    size_t i;
    json_t *entry;
    json_array_foreach(edit->list, i, entry)
    {
        if (strcmp(status_text_of(entry, "name"), name) != 0)
            continue;
        json_array_remove(edit->list, i);
        return USERS_DONE;
    }
    return USERS_NONE;
}

enum users_result users_delete(const struct config *config, const char *name)
{
    struct edit edit;
    if (!edit_begin(&edit, config, users_file))
        return edit_end(&edit, USERS_FAILED);
    const json_t *user = status_find(edit.list, "name", name);
    if (user && strcmp(status_text_of(user, "role"), "admin") == 0 && count_admins(edit.list) == 1)
        return edit_end(&edit, USERS_LAST);
    return edit_end(&edit, take_out(&edit, name));
}

static json_t *without_secrets(json_t *list)
{
    size_t i;
    json_t *entry;
    json_array_foreach(list, i, entry)
    {
        json_object_del(entry, "salt");
        json_object_del(entry, "scrypt");
        json_object_del(entry, "sha256");
    }
    return list;
}

json_t *users_list(const struct config *config)
{
    return without_secrets(statefile_load(config, users_file));
}

bool users_any(const struct config *config)
{
    json_t *list = statefile_load(config, users_file);
    bool any = !list || json_array_size(list) > 0; /* a damaged file opens no door */
    json_decref(list);
    return any;
}

bool users_role_now(const struct config *config, const char *name, enum users_role *role)
{
    json_t *list = statefile_load(config, users_file);
    const json_t *user = status_find(list, "name", name);
    bool found = user && users_role_of(status_text_of(user, "role"), role);
    json_decref(list);
    return found;
}

bool users_check(const struct config *config, const char *name, const char *password,
                 enum users_role *role)
{
    char hash[HASH_HEX] = "";
    json_t *list = statefile_load(config, users_file);
    const json_t *user = status_find(list, "name", name);
    const char *salt = user ? status_text_of(user, "salt") : "nobody", *kept = "";
    if (user)
        kept = status_text_of(user, "scrypt");
    bool good = strlen(password) <= USERS_PASSWORD_MAX && scrypt_hex(password, salt, hash) &&
                strlen(kept) == strlen(hash) && CRYPTO_memcmp(hash, kept, strlen(hash)) == 0 &&
                users_role_of(status_text_of(user, "role"), role);
    json_decref(list);
    return good;
}

/* ---- tokens ---- */

enum users_result users_token_create(const struct config *config, const char *name,
                                     enum users_role role, char out[USERS_TOKEN_BYTES],
                                     char sentence[USERS_SENTENCE])
{
    struct edit edit;
    char hash[HASH_HEX];
    if (!is_name(name, sentence))
        return USERS_BAD;
    if (!edit_begin(&edit, config, tokens_file))
        return edit_end(&edit, USERS_FAILED);
    if (status_find(edit.list, "name", name))
        return edit_end(&edit, USERS_TAKEN);
    snprintf(sentence, USERS_SENTENCE, "there are %d tokens, and no more fit", USERS_TOKENS_MAX);
    if (json_array_size(edit.list) >= USERS_TOKENS_MAX)
        return edit_end(&edit, USERS_BAD);
    users_random("segue_", out, USERS_TOKEN_BYTES);
    sha256_hex(out, hash);
    json_array_append_new(edit.list,
                          json_pack("{s:s, s:s, s:o, s:s}", "name", name, "role",
                                    users_role_name(role), "created", time_now(), "sha256", hash));
    return edit_end(&edit, USERS_DONE);
}

enum users_result users_token_delete(const struct config *config, const char *name)
{
    struct edit edit;
    if (!edit_begin(&edit, config, tokens_file))
        return edit_end(&edit, USERS_FAILED);
    return edit_end(&edit, take_out(&edit, name));
}

json_t *users_token_list(const struct config *config)
{
    return without_secrets(statefile_load(config, tokens_file));
}

bool users_token_check(const struct config *config, const char *token, char name[USERS_NAME],
                       enum users_role *role)
{
    char hash[HASH_HEX];
    bool good = false;
    size_t i;
    json_t *entry, *list = statefile_load(config, tokens_file);
    sha256_hex(token, hash);
    json_array_foreach(list, i, entry)
    {
        const char *kept = status_text_of(entry, "sha256");
        if (strlen(kept) != strlen(hash) || CRYPTO_memcmp(kept, hash, strlen(hash)) != 0)
            continue;
        good = users_role_of(status_text_of(entry, "role"), role);
        snprintf(name, USERS_NAME, "%s", status_text_of(entry, "name"));
    }
    json_decref(list);
    return good;
}

/* ---- the first one ---- */

static bool secret_of_setup(const struct config *config, char out[USERS_TOKEN_BYTES])
{
    if (users_any(config))
        return false;
    json_t *kept = statefile_load(config, setup_file);
    const char *secret = json_string_value(json_array_get(kept, 0));
    if (secret && strlen(secret) + 1 == USERS_TOKEN_BYTES) {
        snprintf(out, USERS_TOKEN_BYTES, "%s", secret);
        json_decref(kept);
        return true;
    }
    json_decref(kept);
    users_random("setup_", out, USERS_TOKEN_BYTES);
    kept = json_pack("[s]", out);
    bool saved = statefile_save(config, setup_file, kept);
    json_decref(kept);
    return saved;
}

bool users_setup_secret(const struct config *config, char out[USERS_TOKEN_BYTES])
{
    int lock = statefile_lock(config, setup_file);
    bool there = lock >= 0 && secret_of_setup(config, out);
    if (lock >= 0)
        close(lock);
    return there;
}

enum users_result users_setup(const struct config *config, const char *secret, const char *name,
                              const char *password, char sentence[USERS_SENTENCE])
{
    char wanted[USERS_TOKEN_BYTES];
    int lock = statefile_lock(config, setup_file);
    enum users_result result = lock < 0 ? USERS_FAILED : USERS_NONE;
    if (lock >= 0 && secret_of_setup(config, wanted) && users_same_secret(secret, wanted))
        result = users_create(config, name, USERS_ADMIN, password, sentence);
    if (result == USERS_DONE) {
        json_t *nothing = json_array();
        statefile_save(config, setup_file, nothing);
        json_decref(nothing);
    }
    if (lock >= 0)
        close(lock);
    return result;
}
