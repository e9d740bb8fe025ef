/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <openssl/bn.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/api_state.h"
#include "manage/statefile.h"

/* The certificate: that of the configuration, or one that is made at the first start and signs
 * itself, so that nobody is led to do without TLS. Its fingerprint is said with the set-up URL. */

enum { FILE_MAX = 256 << 10, DAYS = 3650 };

static char *read_text(const char *path, bool secret, char *sentence, size_t bytes)
{
    struct stat found;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &found) != 0 || found.st_size > FILE_MAX) {
        snprintf(sentence, bytes, "%s: %s", path, fd < 0 ? strerror(errno) : "it is too large");
        if (fd >= 0)
            close(fd);
        return NULL;
    }
    if (secret && (found.st_mode & 077)) {
        snprintf(sentence, bytes, "%s: others can read the key (mode %04o); do chmod 600", path,
                 (unsigned)found.st_mode & 07777);
        close(fd);
        return NULL;
    }
    char *text = calloc(1, (size_t)found.st_size + 1);
    if (text && read(fd, text, (size_t)found.st_size) != found.st_size) {
        snprintf(sentence, bytes, "%s: it cannot be read", path);
        free(text);
        text = NULL;
    }
    close(fd);
    return text;
}

static bool write_pem(const char *path, EVP_PKEY *key, X509 *certificate)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, key ? 0600 : 0644);
    FILE *file = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (!file) {
        if (fd >= 0)
            close(fd);
        return false;
    }
    bool written = key ? PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL) == 1
                       : PEM_write_X509(file, certificate) == 1;
    return fclose(file) == 0 && written;
}

static bool add_extension(X509 *certificate, int kind, const char *value)
{
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, kind, value);
    bool added = extension && X509_add_ext(certificate, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return added;
}

/* The addresses that it listens on, and what people call this machine. */
static void names_of(const struct config *config, char *out, size_t bytes)
{
    char host[128] = "localhost";
    gethostname(host, sizeof host - 1);
    size_t at = (size_t)snprintf(out, bytes, "DNS:localhost,DNS:%.100s,IP:127.0.0.1,IP:::1", host);
    for (int i = 0; i < config->api.listens && at < bytes; i++) {
        const char *text = config->api.listen[i], *colon = strrchr(text, ':');
        bool six = text[0] == '[';
        at += (size_t)snprintf(out + at, bytes - at, ",IP:%.*s", (int)(colon - text) - 2 * six,
                               text + six);
    }
}

static bool fill_in(X509 *certificate, EVP_PKEY *key, const struct config *config)
{
    char names[512];
    unsigned char serial[16];
    BIGNUM *number = BN_new();
    names_of(config, names, sizeof names);
    char id[USERS_TOKEN_BYTES];
    users_random("", id, sizeof id);
    memcpy(serial, id, sizeof serial);
    bool good = number && BN_bin2bn(serial, sizeof serial, number) &&
                BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate));
    BN_free(number);
    X509_NAME *name = X509_get_subject_name(certificate);
    return good && X509_set_version(certificate, 2) == 1 &&
           X509_gmtime_adj(X509_getm_notBefore(certificate), -3600) &&
           X509_gmtime_adj(X509_getm_notAfter(certificate), 86400L * DAYS) &&
           X509_set_pubkey(certificate, key) == 1 &&
           X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                                      (const unsigned char *)config->array, -1, -1, 0) == 1 &&
           X509_set_issuer_name(certificate, name) == 1 &&
           add_extension(certificate, NID_basic_constraints, "critical,CA:FALSE") &&
           add_extension(certificate, NID_ext_key_usage, "serverAuth") &&
           add_extension(certificate, NID_subject_alt_name, names) &&
           X509_sign(certificate, key, EVP_sha256()) > 0;
}

static bool make(const struct config *config, const char *certificate_path, const char *key_path)
{
    int lock = statefile_lock(config, "api"); /* makes the directory, too */
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = X509_new();
    bool made = key && certificate && fill_in(certificate, key, config) &&
                write_pem(key_path, key, NULL) && write_pem(certificate_path, NULL, certificate);
    X509_free(certificate);
    EVP_PKEY_free(key);
    if (lock >= 0)
        close(lock);
    return made;
}

static void print_of(const char *pem, char out[96])
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    BIO *memory = BIO_new_mem_buf(pem, -1);
    X509 *certificate = memory ? PEM_read_bio_X509(memory, NULL, NULL, NULL) : NULL;
    *out = 0;
    if (certificate && X509_digest(certificate, EVP_sha256(), digest, &length) == 1)
        for (size_t i = 0; i < length && 3 * i + 3 <= 96; i++)
            snprintf(out + 3 * i, 96 - 3 * i, "%02X%s", digest[i], i + 1 < length ? ":" : "");
    X509_free(certificate);
    BIO_free(memory);
}

bool api_tls_read(const struct config *config, char **certificate, char **key, char fingerprint[96],
                  char *sentence, size_t bytes)
{
    char certificate_path[STATEFILE_PATH], key_path[STATEFILE_PATH];
    *certificate = *key = NULL;
    *fingerprint = 0;
    if (!config->api.listens)
        return true;
    statefile_path(config, "api-certificate.pem", certificate_path, sizeof certificate_path);
    statefile_path(config, "api-key.pem", key_path, sizeof key_path);
    bool own = !*config->api.certificate;
    if (own && (access(certificate_path, F_OK) != 0 || access(key_path, F_OK) != 0) &&
        !make(config, certificate_path, key_path)) {
        snprintf(sentence, bytes, "%s: no certificate could be made", certificate_path);
        return false;
    }
    *certificate =
        read_text(own ? certificate_path : config->api.certificate, false, sentence, bytes);
    *key = *certificate ? read_text(own ? key_path : config->api.key, true, sentence, bytes) : NULL;
    if (*certificate)
        print_of(*certificate, fingerprint);
    return *certificate && *key;
}
