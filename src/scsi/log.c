/* SPDX-License-Identifier: Apache-2.0 */
#include "scsi/log.h"

#include "base/bytes.h"
#include "scsi/medium.h"
#include "scsi/opcodes.h"
#include "scsi/sense.h"

/* Log pages (SPC-4 7.3). Each unit of the group counts what it sees done, so that the counters go
 * on after a takeover. A volume has no temperature and wears by no measure of its own, so it says
 * that it does not know. There are no thresholds, and nothing is saved on a host's word. */

/* ---- counting ---- */

/* The counter that the command belongs to, or -1. */
static int count_kind(const struct opcode *o)
{
    if (o->plan == medium_plan_read)
        return COUNT_READ;
    if (o->plan == medium_plan_verify)
        return COUNT_VERIFY;
    return o->flags & OPCODE_CHANGES && o->range != RANGE_WHOLE ? COUNT_WRITE : -1;
}

void scsi_done(struct scsi_server *server, const struct command_message *command, uint8_t status,
               const uint8_t *sense, uint8_t sense_length)
{
    enum { KEY_MEDIUM_ERROR = 3, BOTH_FORMATS = 4 };
    const struct volume_info *info = scsi_volume(server, command->volume);
    bool known;
    if (command->kind != COMMAND_SCSI || !info)
        return;
    const struct opcode *o = opcode_find(server, command->cdb, &known);
    int kind = o ? count_kind(o) : -1;
    uint64_t lba, blocks;
    if (kind < 0 || !medium_range(o, command->cdb, info, &lba, &blocks))
        return;
    struct volume_counts *counts = &server->counts[command->volume];
    if (status == SCSI_STATUS_GOOD) {
        counts->of[kind].commands++;
        counts->of[kind].blocks += blocks;
    } else if (sense_length >= BOTH_FORMATS) {
        uint8_t key = (sense[0] & 0x7F) == SENSE_FIXED ? sense[2] : sense[1];
        counts->of[kind].errors += (key & 0x0F) == KEY_MEDIUM_ERROR;
    }
}

/* ---- parameters ---- */

enum { PARAMETER_COUNTER = 0x02, PARAMETER_LIST = 0x03 }; /* unbounded counter; binary list */

/* Parameters that have been asked for are written; `highest` is of all that there are. */
struct log_writer {
    struct cursor c;
    uint16_t from;
    uint16_t highest;
};

static void put_parameter(struct log_writer *w, uint16_t code, uint8_t control, const void *value,
                          uint8_t length)
{
    w->highest = code;
    if (code < w->from)
        return;
    cursor_put16(&w->c, code);
    cursor_put8(&w->c, control);
    cursor_put8(&w->c, length);
    cursor_put_bytes(&w->c, value, length);
}

static void put_counter(struct log_writer *w, uint16_t code, uint64_t value)
{
    struct be64 bytes = be64_of(value);
    put_parameter(w, code, PARAMETER_COUNTER, bytes.b, sizeof bytes.b);
}

static void put_supported(const struct scsi_request *r, const struct volume_counts *counts,
                          struct log_writer *w);
static void put_supported_subpages(const struct scsi_request *r, const struct volume_counts *counts,
                                   struct log_writer *w);

static void put_errors(const struct scsi_request *r, const struct volume_counts *counts,
                       struct log_writer *w, enum count_kind kind)
{
    put_counter(w, 0x0005, counts->of[kind].blocks * r->info->block_bytes); /* bytes processed */
    put_counter(w, 0x0006, counts->of[kind].errors);                        /* uncorrected errors */
}

static void put_write_errors(const struct scsi_request *r, const struct volume_counts *counts,
                             struct log_writer *w)
{
    put_errors(r, counts, w, COUNT_WRITE);
}

static void put_read_errors(const struct scsi_request *r, const struct volume_counts *counts,
                            struct log_writer *w)
{
    put_errors(r, counts, w, COUNT_READ);
}

static void put_verify_errors(const struct scsi_request *r, const struct volume_counts *counts,
                              struct log_writer *w)
{
    put_errors(r, counts, w, COUNT_VERIFY);
}

enum { TEMPERATURE_UNKNOWN = 0xFF };

static void put_temperature(const struct scsi_request *r, const struct volume_counts *counts,
                            struct log_writer *w)
{
    static const uint8_t unknown[2] = {0, TEMPERATURE_UNKNOWN};
    (void)r;
    (void)counts;
    put_parameter(w, 0x0000, PARAMETER_LIST, unknown, sizeof unknown);
}

/* General statistics and performance. Processing intervals are not measured: no clock is here. */
static void put_statistics(const struct scsi_request *r, const struct volume_counts *counts,
                           struct log_writer *w)
{
    uint8_t value[64] = {0};
    (void)r;
    be64_put(value, counts->of[COUNT_READ].commands);
    be64_put(value + 8, counts->of[COUNT_WRITE].commands);
    be64_put(value + 16, counts->of[COUNT_WRITE].blocks); /* received */
    be64_put(value + 24, counts->of[COUNT_READ].blocks);  /* transmitted */
    put_parameter(w, 0x0001, PARAMETER_LIST, value, sizeof value);
}

static void put_exceptions(const struct scsi_request *r, const struct volume_counts *counts,
                           struct log_writer *w)
{
    static const uint8_t none[4] = {0, 0, TEMPERATURE_UNKNOWN, 0};
    (void)r;
    (void)counts;
    put_parameter(w, 0x0000, PARAMETER_LIST, none, sizeof none);
}

static const struct log_page {
    uint8_t code, subpage;
    bool plain; /* no parameters: the list follows the header */
    void (*put)(const struct scsi_request *r, const struct volume_counts *counts,
                struct log_writer *w);
} log_pages[] = {
    /* ascending */
    {0x00, 0x00, true, put_supported},      {0x00, 0xFF, true, put_supported_subpages},
    {0x02, 0x00, false, put_write_errors},  {0x03, 0x00, false, put_read_errors},
    {0x05, 0x00, false, put_verify_errors}, {0x0D, 0x00, false, put_temperature},
    {0x19, 0x00, false, put_statistics},    {0x2F, 0x00, false, put_exceptions},
};

enum { LOG_PAGES = sizeof log_pages / sizeof log_pages[0] };

static void put_supported(const struct scsi_request *r, const struct volume_counts *counts,
                          struct log_writer *w)
{
    (void)r;
    (void)counts;
    for (int i = 0; i < LOG_PAGES; i++)
        if (!log_pages[i].subpage)
            cursor_put8(&w->c, log_pages[i].code);
}

static void put_supported_subpages(const struct scsi_request *r, const struct volume_counts *counts,
                                   struct log_writer *w)
{
    (void)r;
    (void)counts;
    for (int i = 0; i < LOG_PAGES; i++) {
        cursor_put8(&w->c, log_pages[i].code);
        cursor_put8(&w->c, log_pages[i].subpage);
    }
}

void log_plan_sense(const struct scsi_request *r, struct scsi_plan *plan)
{
    enum { PC_THRESHOLD = 0, PC_CURRENT = 1, PC_DEFAULT_THRESHOLD = 2, PC_DEFAULT = 3 };
    enum { SUBPAGE_FORMAT = 0x40 };
    static const struct volume_counts none;
    const uint8_t *cdb = r->command->cdb;
    uint8_t control = cdb[2] >> 6, code = cdb[2] & 0x3F, subpage = cdb[3];
    const struct log_page *page = NULL;
    for (int i = 0; i < LOG_PAGES; i++)
        if (log_pages[i].code == code && log_pages[i].subpage == subpage)
            page = &log_pages[i];
    bool thresholds = control == PC_THRESHOLD || control == PC_DEFAULT_THRESHOLD;
    if (!page || (thresholds && !page->plain)) {
        sense_check_cdb(plan, 2);
        return;
    }
    struct log_writer w = {.c = sense_data_begin(plan), .from = be16_at(cdb + 5)};
    cursor_put8(&w.c, (uint8_t)(code | (subpage ? SUBPAGE_FORMAT : 0)));
    cursor_put8(&w.c, subpage);
    uint8_t *length = cursor_take(&w.c, 2);
    page->put(r, control == PC_DEFAULT ? &none : &r->server->counts[r->command->volume], &w);
    if (w.from > w.highest) {
        sense_check_cdb(plan, 5);
        return;
    }
    be16_put(length, (uint16_t)(w.c.at - length - 2));
    sense_data_end(plan, &w.c, be16_at(cdb + 7));
}
