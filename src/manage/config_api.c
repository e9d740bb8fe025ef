/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "manage/config_draft.h"

/* api: where management is reached over HTTPS, and with which certificate. */

/* "address:port", IPv6 in brackets; both in numbers, so that it is clear who can reach it. */
static bool is_address(const char *text)
{
    char address[64];
    unsigned char binary[16];
    const char *colon = strrchr(text, ':');
    char *end;
    size_t length = colon ? (size_t)(colon - text) : 0;
    if (!length || length >= sizeof address)
        return false;
    unsigned long port = strtoul(colon + 1, &end, 10);
    if (*end || end == colon + 1 || port < 1 || port > 65535)
        return false;
    snprintf(address, sizeof address, "%.*s", (int)length, text);
    if (address[0] != '[')
        return inet_pton(AF_INET, address, binary) == 1;
    if (address[length - 1] != ']')
        return false;
    address[length - 1] = 0;
    return inet_pton(AF_INET6, address + 1, binary) == 1;
}

static bool take_path(const struct config *config, const struct config_value *from, const char *key,
                      const struct config_complaint *where, char *out)
{
    int directory = (int)(strrchr(config->file, '/') - config->file);
    int length = from->text[0] == '/'
                     ? snprintf(out, CONFIG_PATH, "%s", from->text)
                     : snprintf(out, CONFIG_PATH, "%.*s/%s", directory, config->file, from->text);
    if (length > 0 && length < CONFIG_PATH)
        return true;
    return config_complain(where, from->line, key,
                           "the path is longer than %d bytes; use a shorter one", CONFIG_PATH - 1);
}

bool config_api_check(const struct config_draft *draft, struct config *config,
                      const struct config_complaint *where)
{
    const struct config_value *certificate = &draft->api_certificate, *key = &draft->api_key;
    for (uint32_t i = 0; i < draft->api_listen.count; i++) {
        const struct config_value *from = &draft->api_listen.at[i];
        if (!is_address(from->text))
            return config_complain(where, from->line, "api.listen",
                                   "\"%.60s\" is no address and port; write one such as "
                                   "\"127.0.0.1:8443\" or \"[::1]:8443\"",
                                   from->text);
        snprintf(config->api.listen[i], sizeof config->api.listen[i], "%s", from->text);
    }
    config->api.listens = (uint8_t)draft->api_listen.count;
    for (int i = 0; config->api.listens && i < config->processes; i++)
        if (strcmp(config->process[i].name, "api") == 0)
            return config_complain(where, draft->api_listen.line, "api",
                                   "a process is called api, as this one is; give it another name");
    if (certificate->given != key->given)
        return config_complain(where, certificate->given ? certificate->line : key->line, "api",
                               "a certificate and its key go together; add the other, or leave "
                               "both out and one is made");
    return !certificate->given ||
           (take_path(config, certificate, "api.certificate", where, config->api.certificate) &&
            take_path(config, key, "api.key", where, config->api.key));
}
