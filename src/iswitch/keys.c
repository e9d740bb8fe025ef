/* SPDX-License-Identifier: Apache-2.0 */
#include "iswitch/keys.h"

#include <string.h>

#include "base/must.h"

enum key_kind {
    KEY_KIND_LIST,    /* the first offered value that we know */
    KEY_KIND_AND,     /* Yes if both say Yes */
    KEY_KIND_OR,      /* Yes if one says Yes */
    KEY_KIND_MIN,     /* the smaller number */
    KEY_KIND_MAX,     /* the larger number */
    KEY_KIND_NUMBER,  /* declared, no answer */
    KEY_KIND_NAME,    /* declared, no answer */
    KEY_KIND_IGNORED, /* declared, of no use to us, no answer */
    KEY_KIND_REFUSED, /* answered Reject: the target's own to declare, or obsolete */
    KEY_KINDS,
};

enum {
    IN_SECURITY = 1 << ISCSI_STAGE_SECURITY,
    IN_OPERATIONAL = 1 << ISCSI_STAGE_OPERATIONAL,
    IN_FULL = 1 << ISCSI_STAGE_FULL_FEATURE,
    IN_LOGIN = IN_SECURITY | IN_OPERATIONAL,
    IN_ANY = IN_LOGIN | IN_FULL,
    LIST_MAX = 3,
};

struct key_row {
    const char *name;
    enum key_kind kind;
    uint8_t stages;
    bool normal;            /* irrelevant to a discovery session */
    uint32_t low, high;     /* numbers: what may be offered. Names: bytes */
    uint32_t ours, initial; /* what we offer, and what holds where nobody speaks of it */
    size_t at;              /* in struct parameters */
    const char *list[LIST_MAX];
};

#define PARAMETER(field) offsetof(struct parameters, field)

/* RFC 7143 clause 13, RFC 7144 7.1 (iSCSIProtocolLevel) */
static const struct key_row rows[] = {
    {"InitiatorName",
     KEY_KIND_NAME,
     IN_LOGIN,
     false,
     1,
     ISCSI_NAME_MAX,
     0,
     0,
     PARAMETER(initiator),
     {0}},
    {"TargetName", KEY_KIND_NAME, IN_LOGIN, false, 1, ISCSI_NAME_MAX, 0, 0, PARAMETER(target), {0}},
    {"SessionType", KEY_KIND_NAME, IN_LOGIN, false, 1, 15, 0, 0, PARAMETER(session_type), {0}},
    {"InitiatorAlias", KEY_KIND_IGNORED, IN_ANY, false, 0, 0, 0, 0, 0, {0}},
    {"AuthMethod", KEY_KIND_REFUSED, IN_SECURITY, false, 0, 0, 0, 0, 0, {0}}, /* login.c has it */
    {"HeaderDigest",
     KEY_KIND_LIST,
     IN_OPERATIONAL,
     false,
     0,
     0,
     0,
     DIGEST_NONE,
     PARAMETER(header_digest),
     {[DIGEST_NONE] = "None", [DIGEST_CRC32C] = "CRC32C"}},
    {"DataDigest",
     KEY_KIND_LIST,
     IN_OPERATIONAL,
     false,
     0,
     0,
     0,
     DIGEST_NONE,
     PARAMETER(data_digest),
     {[DIGEST_NONE] = "None", [DIGEST_CRC32C] = "CRC32C"}},
    {"TaskReporting",
     KEY_KIND_LIST,
     IN_OPERATIONAL,
     true,
     0,
     0,
     0,
     0,
     PARAMETER(task_reporting),
     {"RFC3720"}},
    {"MaxConnections",
     KEY_KIND_MIN,
     IN_OPERATIONAL,
     true,
     1,
     65535,
     1,
     1,
     PARAMETER(max_connections),
     {0}},
    {"InitialR2T", KEY_KIND_OR, IN_OPERATIONAL, true, 0, 1, 0, 1, PARAMETER(initial_r2t), {0}},
    {"ImmediateData",
     KEY_KIND_AND,
     IN_OPERATIONAL,
     true,
     0,
     1,
     1,
     1,
     PARAMETER(immediate_data),
     {0}},
    {"MaxRecvDataSegmentLength",
     KEY_KIND_NUMBER,
     IN_OPERATIONAL | IN_FULL,
     false,
     512,
     ISCSI_SEGMENT_MAX,
     0,
     DEFAULT_SEGMENT_MAX,
     PARAMETER(segment_max),
     {0}},
    {"MaxBurstLength",
     KEY_KIND_MIN,
     IN_OPERATIONAL,
     true,
     512,
     ISCSI_SEGMENT_MAX,
     1 << 20,
     256 << 10,
     PARAMETER(burst_max),
     {0}},
    {"FirstBurstLength",
     KEY_KIND_MIN,
     IN_OPERATIONAL,
     true,
     512,
     ISCSI_SEGMENT_MAX,
     256 << 10,
     64 << 10,
     PARAMETER(first_burst),
     {0}},
    {"DefaultTime2Wait",
     KEY_KIND_MAX,
     IN_OPERATIONAL,
     false,
     0,
     3600,
     0,
     2,
     PARAMETER(time_to_wait),
     {0}},
    {"DefaultTime2Retain",
     KEY_KIND_MIN,
     IN_OPERATIONAL,
     false,
     0,
     3600,
     0,
     0,
     PARAMETER(time_to_retain),
     {0}},
    {"MaxOutstandingR2T",
     KEY_KIND_MIN,
     IN_OPERATIONAL,
     true,
     1,
     65535,
     4,
     1,
     PARAMETER(r2t_max),
     {0}},
    {"DataPDUInOrder", KEY_KIND_OR, IN_OPERATIONAL, true, 0, 1, 1, 1, PARAMETER(pdu_in_order), {0}},
    {"DataSequenceInOrder",
     KEY_KIND_OR,
     IN_OPERATIONAL,
     true,
     0,
     1,
     1,
     1,
     PARAMETER(sequence_in_order),
     {0}},
    {"ErrorRecoveryLevel",
     KEY_KIND_MIN,
     IN_OPERATIONAL,
     false,
     0,
     2,
     0,
     0,
     PARAMETER(recovery_level),
     {0}},
    {"iSCSIProtocolLevel",
     KEY_KIND_MIN,
     IN_OPERATIONAL,
     false,
     0,
     31,
     1,
     1,
     PARAMETER(protocol_level),
     {0}},
    {"IFMarker", KEY_KIND_AND, IN_OPERATIONAL, false, 0, 1, 0, 0, PARAMETER(marker), {0}},
    {"OFMarker", KEY_KIND_AND, IN_OPERATIONAL, false, 0, 1, 0, 0, PARAMETER(marker), {0}},
    {"IFMarkInt", KEY_KIND_REFUSED, IN_OPERATIONAL, false, 0, 0, 0, 0, 0, {0}},
    {"OFMarkInt", KEY_KIND_REFUSED, IN_OPERATIONAL, false, 0, 0, 0, 0, 0, {0}},
    {"TargetAddress", KEY_KIND_REFUSED, IN_ANY, false, 0, 0, 0, 0, 0, {0}},
    {"TargetAlias", KEY_KIND_REFUSED, IN_ANY, false, 0, 0, 0, 0, 0, {0}},
    {"TargetPortalGroupTag", KEY_KIND_REFUSED, IN_ANY, false, 0, 0, 0, 0, 0, {0}},
};
enum { ROWS = sizeof rows / sizeof rows[0] };

static uint32_t *number_at(struct parameters *parameters, const struct key_row *row)
{
    return (uint32_t *)(void *)((uint8_t *)parameters + row->at);
}

void keys_default(struct parameters *parameters)
{
    memset(parameters, 0, sizeof *parameters);
    for (int i = 0; i < ROWS; i++)
        if (rows[i].kind <= KEY_KIND_NUMBER)
            *number_at(parameters, &rows[i]) = rows[i].initial;
}

/* ---- writing ---- */

void keys_put(struct text_out *out, const char *key, const char *value)
{
    struct cursor c = cursor_of(out->bytes + out->length, TEXT_BYTES - out->length);
    cursor_put_bytes(&c, key, strlen(key));
    cursor_put8(&c, '=');
    cursor_put_bytes(&c, value, strlen(value) + 1);
    if (c.failed)
        out->overflow = true;
    else
        out->length = (uint32_t)(c.at - out->bytes);
}

void keys_put_number(struct text_out *out, const char *key, uint32_t value)
{
    char digits[11];
    int at = sizeof digits;
    digits[--at] = 0;
    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    keys_put(out, key, digits + at);
}

/* ---- reading ---- */

static int digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : 16;
}

bool keys_number(const char *text, uint32_t *out)
{
    uint64_t value = 0;
    int base = 10;
    if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) {
        base = 16;
        text += 2;
    }
    if (!*text)
        return false;
    for (; *text; text++) {
        int digit = digit_of(*text);
        if (digit >= base)
            return false;
        value = value * (uint64_t)base + (uint64_t)digit;
        if (value > UINT32_MAX)
            return false;
    }
    *out = (uint32_t)value;
    return true;
}

static bool boolean_of(const char *text, uint32_t *out)
{
    *out = strcmp(text, "Yes") == 0;
    return *out || strcmp(text, "No") == 0;
}

/* ---- one function per kind. False: the value cannot be accepted. ---- */

static bool take_list(struct negotiation *n, const struct key_row *row, char *value)
{
    while (value) {
        char *comma = strchr(value, ',');
        if (comma)
            *comma++ = 0;
        for (uint32_t i = 0; i < LIST_MAX && row->list[i]; i++)
            if (strcmp(row->list[i], value) == 0) {
                *number_at(n->parameters, row) = i;
                keys_put(n->out, row->name, row->list[i]);
                return true;
            }
        value = comma;
    }
    return false;
}

static bool take_boolean(struct negotiation *n, const struct key_row *row, char *value)
{
    uint32_t offered;
    if (!boolean_of(value, &offered))
        return false;
    uint32_t result = row->kind == KEY_KIND_AND ? offered && row->ours : offered || row->ours;
    *number_at(n->parameters, row) = result;
    keys_put(n->out, row->name, result ? "Yes" : "No");
    return true;
}

static bool take_number(struct negotiation *n, const struct key_row *row, char *value)
{
    uint32_t offered;
    if (!keys_number(value, &offered) || offered < row->low || offered > row->high)
        return false;
    bool ours = row->kind == KEY_KIND_MIN ? row->ours < offered : row->ours > offered;
    uint32_t result = ours ? row->ours : offered;
    *number_at(n->parameters, row) = result;
    keys_put_number(n->out, row->name, result);
    return true;
}

static bool take_declared(struct negotiation *n, const struct key_row *row, char *value)
{
    uint32_t declared;
    if (!keys_number(value, &declared) || declared < row->low || declared > row->high)
        return false;
    *number_at(n->parameters, row) = declared;
    return true;
}

/* Names are compared as RFC 7143 4.2.7.2 normalizes them: in lower case. */
static bool take_name(struct negotiation *n, const struct key_row *row, char *value)
{
    size_t length = strlen(value);
    if (length < row->low || length > row->high)
        return false;
    char *out = (char *)n->parameters + row->at;
    for (size_t i = 0; i <= length; i++) {
        char c = value[i];
        if (i < length && ((uint8_t)c <= ' ' || c == ',' || (uint8_t)c >= 0x7F))
            return false;
        bool upper = c >= 'A' && c <= 'Z' && row->at != PARAMETER(session_type);
        out[i] = (char)(upper ? c - 'A' + 'a' : c);
    }
    return true;
}

static bool take_ignored(struct negotiation *n, const struct key_row *row, char *value)
{
    (void)n;
    (void)row;
    (void)value;
    return true;
}

static bool take_refused(struct negotiation *n, const struct key_row *row, char *value)
{
    (void)n;
    (void)row;
    (void)value;
    return false;
}

static bool (*const take[KEY_KINDS])(struct negotiation *, const struct key_row *, char *) = {
    [KEY_KIND_LIST] = take_list,       [KEY_KIND_AND] = take_boolean,
    [KEY_KIND_OR] = take_boolean,      [KEY_KIND_MIN] = take_number,
    [KEY_KIND_MAX] = take_number,      [KEY_KIND_NUMBER] = take_declared,
    [KEY_KIND_NAME] = take_name,       [KEY_KIND_IGNORED] = take_ignored,
    [KEY_KIND_REFUSED] = take_refused,
};

/* These are answers, never offers: an answer to them would be answered for ever. */
static bool is_answer(const char *value)
{
    return strcmp(value, "NotUnderstood") == 0 || strcmp(value, "Irrelevant") == 0 ||
           strcmp(value, "Reject") == 0;
}

enum keys_result keys_take(struct negotiation *n, const char *key, char *value)
{
    int k = 0;
    while (k < ROWS && strcmp(rows[k].name, key) != 0)
        k++;
    if (is_answer(value))
        return KEYS_OK;
    if (k == ROWS) {
        keys_put(n->out, key, "NotUnderstood");
        return KEYS_OK;
    }
    const struct key_row *row = &rows[k];
    uint64_t bit = 1ull << k;
    if (n->stage != ISCSI_STAGE_FULL_FEATURE && *n->seen & bit)
        return KEYS_BROKEN; /* RFC 7143 6.2: no key twice in one negotiation */
    *n->seen |= bit;
    if (!(row->stages >> n->stage & 1)) {
        keys_put(n->out, key, "Reject");
        return KEYS_OK;
    }
    if (n->discovery && row->normal) {
        keys_put(n->out, key, "Irrelevant");
        return KEYS_OK;
    }
    must(row->kind < KEY_KINDS);
    if (take[row->kind](n, row, value))
        return KEYS_OK;
    if (row->kind == KEY_KIND_NAME)
        return KEYS_BROKEN;
    keys_put(n->out, key, "Reject");
    return KEYS_OK;
}
