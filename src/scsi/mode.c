/* SPDX-License-Identifier: Apache-2.0 */
#include "scsi/mode.h"

#include "base/bytes.h"
#include "scsi/effect.h"
#include "scsi/opcodes.h"
#include "scsi/sense.h"

/* Mode pages (SPC-4 7.5, SBC-3 6.4). A host can change SWP and D_SENSE of the control page, and WCE
 * of the caching page to 0: its writes to the volume then wait for the drives, as if each had FUA.
 * WCE=1 needs a pool whose cache mode has a write cache, which is a person's decision. */

enum {
    MODE_PAGE_BYTES_MAX = 32,
    MODE_ALL = 0x3F,
    MODE_SUBPAGES_ALL = 0xFF,
    MODE_CONTROL = 0x0A,
    MODE_CACHING = 0x08,
};

enum mode_control { MODE_CURRENT, MODE_CHANGEABLE, MODE_DEFAULT, MODE_SAVED };

/* Length includes the page's header: 2 bytes, 4 with a subpage. Every page can be saved (PS). */
static const struct mode_page {
    uint8_t code, subpage, length;
    uint8_t bytes[MODE_PAGE_BYTES_MAX]; /* defaults */
} mode_pages[] = {
    /* read-write error recovery: AWRE, ARRE */
    {0x01, 0, 12, {0x81, 10, 0xC0}},
    /* disconnect-reconnect: nothing to say */
    {0x02, 0, 16, {0x82, 14}},
    {MODE_CACHING, 0, 20, {0x88, 18}},
    /* GLTSD; unrestricted reordering; no limit for BUSY */
    {MODE_CONTROL, 0, 12, {0x8A, 10, 0x02, 0x10, 0, 0, 0, 0, 0xFF, 0xFF}},
    /* control extension: implicit ALUA is on */
    {MODE_CONTROL, 0x01, 32, {0xCA, 0x01, 0, 28, 0x01}},
    /* informational exceptions: DEXCPT */
    {0x1C, 0, 12, {0x9C, 10, 0x08}},
};

enum { MODE_PAGES = sizeof mode_pages / sizeof mode_pages[0] };

static bool page_is(const struct mode_page *page, uint8_t code, uint8_t subpage)
{
    return page->code == code && page->subpage == subpage;
}

/* What can be changed. `bit` is set in volume_state.modes when it is not what it is by default. */
static const struct mode_field {
    uint8_t page, byte, mask;
    uint8_t bit;
} mode_fields[] = {
    {MODE_CONTROL, 4, 0x08, MODES_PROTECT},
    {MODE_CONTROL, 2, 0x04, MODES_DESCRIPTOR},
    {MODE_CACHING, 2, 0x04, MODES_THROUGH},
};

enum { MODE_FIELDS = sizeof mode_fields / sizeof mode_fields[0] };

/* Is the field 1 by default? */
static bool field_default(const struct scsi_request *r, const struct mode_field *field)
{
    return field->bit == MODES_THROUGH && r->info->write_cache;
}

static bool field_changeable(const struct scsi_request *r, const struct mode_field *field)
{
    return field->bit != MODES_THROUGH || r->info->write_cache;
}

static bool field_value(const struct scsi_request *r, const struct mode_field *field,
                        enum mode_control control)
{
    uint8_t bit = control == MODE_SAVED ? (uint8_t)(field->bit << 1) : field->bit;
    bool differs = field_changeable(r, field) && r->volume->modes & bit;
    if (control == MODE_CHANGEABLE)
        return field_changeable(r, field);
    return field_default(r, field) != (differs && control != MODE_DEFAULT);
}

static uint32_t page_header(const struct mode_page *page)
{
    return page->subpage ? 4 : 2;
}

static void page_values(const struct scsi_request *r, const struct mode_page *page,
                        enum mode_control control, uint8_t out[MODE_PAGE_BYTES_MAX])
{
    memcpy(out, page->bytes, MODE_PAGE_BYTES_MAX);
    if (control == MODE_CHANGEABLE)
        memset(out + page_header(page), 0, MODE_PAGE_BYTES_MAX - page_header(page));
    for (int i = 0; i < MODE_FIELDS; i++)
        if (page_is(page, mode_fields[i].page, 0) && field_value(r, &mode_fields[i], control))
            out[mode_fields[i].byte] |= mode_fields[i].mask;
}

/* Is the page asked for by that code and subpage? */
static bool page_wanted(const struct mode_page *page, uint8_t code, uint8_t subpage)
{
    if (code == MODE_ALL)
        return subpage == MODE_SUBPAGES_ALL || (subpage == 0 && page->subpage == 0);
    if (code != page->code)
        return false;
    return subpage == MODE_SUBPAGES_ALL || subpage == page->subpage;
}

static void put_block_descriptor(const struct volume_info *info, bool long_lba, struct cursor *c)
{
    if (long_lba) {
        cursor_put64(c, info->blocks);
        cursor_put32(c, 0);
    } else {
        cursor_put32(c, info->blocks < UINT32_MAX ? (uint32_t)info->blocks : UINT32_MAX);
    }
    cursor_put32(c, info->block_bytes);
}

static void put_mode_header(const struct scsi_request *r, bool ten, uint8_t descriptor_length,
                            struct cursor *c)
{
    bool protected = r->info->read_only || r->volume->modes & MODES_PROTECT;
    uint8_t device = protected ? 0x90 : 0x10; /* WP, DPOFUA */
    if (!ten) {
        cursor_put8(c, 0); /* mode data length: mode_plan_sense knows it later */
        cursor_put8(c, 0);
        cursor_put8(c, device);
        cursor_put8(c, descriptor_length);
        return;
    }
    cursor_put16(c, 0);
    cursor_put8(c, 0);
    cursor_put8(c, device);
    cursor_put8(c, descriptor_length == 16); /* LONGLBA */
    cursor_put8(c, 0);
    cursor_put16(c, descriptor_length);
}

void mode_plan_sense(const struct scsi_request *r, struct scsi_plan *plan)
{
    const uint8_t *cdb = r->command->cdb;
    bool ten = r->opcode->length == 10;
    bool long_lba = ten && cdb[1] & 0x10;
    uint8_t descriptor_length = cdb[1] & 0x08 ? 0 : long_lba ? 16 : 8; /* DBD */
    struct cursor c = sense_data_begin(plan);
    put_mode_header(r, ten, descriptor_length, &c);
    if (descriptor_length)
        put_block_descriptor(r->info, long_lba, &c);
    bool found = false;
    for (int i = 0; i < MODE_PAGES; i++) {
        uint8_t values[MODE_PAGE_BYTES_MAX];
        if (!page_wanted(&mode_pages[i], cdb[2] & 0x3F, cdb[3]))
            continue;
        found = true;
        page_values(r, &mode_pages[i], (enum mode_control)(cdb[2] >> 6), values);
        cursor_put_bytes(&c, values, mode_pages[i].length);
    }
    if (!found) {
        sense_check_cdb(plan, 2);
        return;
    }
    uint32_t length = (uint32_t)(c.at - plan->data);
    if (ten)
        be16_put(plan->data, (uint16_t)(length - 2));
    else
        plan->data[0] = (uint8_t)(length - 1);
    sense_data_end(plan, &c, ten ? be16_at(cdb + 7) : cdb[4]);
}

/* ---- select ---- */

/* A parameter list while it is read. */
struct mode_list {
    struct cursor c;
    uint8_t modes;   /* what it asks for: MODES_CURRENT */
    uint8_t given;   /* bits whose pages are in it */
    uint32_t offset; /* of what is wrong */
};

static enum sense_code list_wrong(struct mode_list *list, uint32_t offset)
{
    list->offset = offset;
    return SENSE_INVALID_FIELD_IN_PARAMETERS;
}

/* The block descriptor may only say what is so. */
static enum sense_code select_descriptor(const struct scsi_request *r, struct mode_list *list,
                                         bool ten)
{
    uint32_t at = ten ? 8 : 4;
    bool long_lba = ten && r->data[4] & 1;
    uint32_t length = ten ? be16_at(r->data + 6) : r->data[3];
    if (length == 0)
        return SENSE_NONE;
    if (length != (long_lba ? 16 : 8))
        return list_wrong(list, ten ? 6 : 3);
    const uint8_t *d = cursor_take(&list->c, length);
    if (!d)
        return SENSE_PARAMETER_LIST_LENGTH;
    uint64_t blocks = long_lba ? be64_at(d) : be32_at(d);
    uint32_t block_bytes = long_lba ? be32_at(d + 12) : be24_at(d + 5);
    uint64_t most = long_lba ? UINT64_MAX : UINT32_MAX;
    if (blocks != 0 && blocks != r->info->blocks && blocks != most)
        return list_wrong(list, at);
    return block_bytes == r->info->block_bytes ? SENSE_NONE
                                               : list_wrong(list, at + (long_lba ? 12 : 5));
}

static void select_fields(const struct scsi_request *r, const struct mode_page *page,
                          const uint8_t *given, struct mode_list *list)
{
    for (int i = 0; i < MODE_FIELDS; i++) {
        const struct mode_field *field = &mode_fields[i];
        if (!page_is(page, field->page, 0) || !field_changeable(r, field))
            continue;
        bool value = given[field->byte] & field->mask;
        list->given |= field->bit;
        list->modes &= (uint8_t)~field->bit;
        if (value != field_default(r, field))
            list->modes |= field->bit;
    }
}

/* One page of the list. */
static enum sense_code select_page(const struct scsi_request *r, struct mode_list *list)
{
    uint8_t current[MODE_PAGE_BYTES_MAX], changeable[MODE_PAGE_BYTES_MAX];
    const struct mode_page *page = NULL;
    struct cursor *c = &list->c;
    uint32_t at = (uint32_t)(c->at - r->data);
    if (cursor_left(c) < 2)
        return SENSE_PARAMETER_LIST_LENGTH;
    uint8_t subpage = c->at[0] & 0x40 ? c->at[1] : 0;
    for (int i = 0; i < MODE_PAGES; i++)
        if (page_is(&mode_pages[i], c->at[0] & 0x3F, subpage))
            page = &mode_pages[i];
    if (!page)
        return list_wrong(list, at);
    const uint8_t *given = cursor_take(c, page->length);
    if (!given)
        return SENSE_PARAMETER_LIST_LENGTH;
    page_values(r, page, MODE_CURRENT, current);
    page_values(r, page, MODE_CHANGEABLE, changeable);
    if ((given[0] & 0x7F) != (current[0] & 0x7F)) /* PS is reserved here */
        return list_wrong(list, at);
    for (uint32_t i = 1; i < page->length; i++) {
        uint8_t may = i < page_header(page) ? 0 : changeable[i];
        if ((given[i] ^ current[i]) & ~may)
            return list_wrong(list, at + i);
    }
    select_fields(r, page, given, list);
    return SENSE_NONE;
}

static enum sense_code select_list(const struct scsi_request *r, uint32_t length,
                                   struct mode_list *list)
{
    bool ten = r->opcode->length == 10;
    uint32_t header = ten ? 8 : 4;
    if (length > r->data_length || length < header)
        return SENSE_PARAMETER_LIST_LENGTH;
    list->c = cursor_read(r->data, length);
    (void)cursor_take(&list->c, header);
    enum sense_code wrong = select_descriptor(r, list, ten);
    while (wrong == SENSE_NONE && cursor_left(&list->c) > 0)
        wrong = select_page(r, list);
    return wrong;
}

void mode_plan_select(const struct scsi_request *r, struct scsi_plan *plan)
{
    const uint8_t *cdb = r->command->cdb;
    uint32_t length = r->opcode->length == 10 ? be16_at(cdb + 7) : cdb[4];
    bool save = cdb[1] & 0x01, page_format = cdb[1] & 0x10;
    uint8_t modes = r->volume->modes;
    struct mode_list list = {.modes = modes & MODES_CURRENT};
    sense_good(plan);
    if (length == 0)
        return;
    if (!page_format) {
        sense_check_cdb(plan, 1);
        return;
    }
    enum sense_code wrong = select_list(r, length, &list);
    if (wrong == SENSE_INVALID_FIELD_IN_PARAMETERS) {
        sense_check_parameters(plan, list.offset);
        return;
    }
    if (wrong != SENSE_NONE) {
        sense_check(plan, wrong);
        return;
    }
    uint8_t saved = modes & MODES_SAVED;
    if (save) /* of the pages that are in the list */
        saved = (uint8_t)((saved & ~(list.given << 1)) | (list.modes & list.given) << 1);
    struct change mode = effect_own(r, CHANGE_MODE);
    mode.detail = list.modes | saved;
    if (mode.detail == modes)
        return;
    effect_add(plan, mode);
    struct change attention = effect_own(r, CHANGE_ATTENTION);
    attention.detail = ATTENTION_MODE_CHANGED;
    effect_add(plan, attention);
    effect_resolve(plan);
}
