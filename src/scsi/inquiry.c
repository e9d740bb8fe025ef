/* SPDX-License-Identifier: Apache-2.0 */
#include "scsi/inquiry.h"

#include "base/bytes.h"
#include "scsi/copy.h"
#include "scsi/medium.h"
#include "scsi/sense.h"

enum {
    PERIPHERAL_DISK = 0x00,
    PERIPHERAL_NOTHING = 0x7F, /* qualifier 3: no device can be there */
};

static const char inquiry_vendor[8] = "SEGUE   ";

static void put_zeroes(struct cursor *c, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        cursor_put8(c, 0);
}

/* The volume's uuid in 32 hexadecimal digits: its serial number. */
static void put_serial(struct cursor *c, const struct volume_info *info)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < sizeof info->uuid; i++) {
        cursor_put8(c, (uint8_t)digits[info->uuid[i] >> 4]);
        cursor_put8(c, (uint8_t)digits[info->uuid[i] & 15]);
    }
}

static void inquiry_standard(const struct scsi_request *r, struct cursor *c)
{
    static const uint16_t versions[8] = {
        0x00A0, /* SAM-5 */
        0x0960, /* iSCSI */
        0x0460, /* SPC-4 */
        0x04C0, /* SBC-3 */
    };
    cursor_put8(c, r->info ? PERIPHERAL_DISK : PERIPHERAL_NOTHING);
    cursor_put8(c, 0);    /* not removable */
    cursor_put8(c, 0x06); /* SPC-4 */
    cursor_put8(c, 0x12); /* HISUP, response data format 2 */
    cursor_put8(c, 96 - 5);
    cursor_put8(c, 0x18); /* TPGS: implicit ALUA; 3PC */
    cursor_put8(c, 0x10); /* MULTIP */
    cursor_put8(c, 0x02); /* CMDQUE */
    cursor_put_bytes(c, inquiry_vendor, sizeof inquiry_vendor);
    cursor_put_bytes(c, "VOLUME          ", 16);
    cursor_put_bytes(c, "0001", 4);
    put_zeroes(c, 58 - 36);
    for (int i = 0; i < 8; i++)
        cursor_put16(c, versions[i]);
    put_zeroes(c, 96 - 74);
}

/* ---- vital product data: each builds what follows the page length ---- */

static void page_supported(const struct scsi_request *r, struct cursor *c);

static void page_serial(const struct scsi_request *r, struct cursor *c)
{
    put_serial(c, r->info);
}

enum { /* SPC-4 7.8.6: code set; association, designator type */
       CODE_BINARY = 1,
       CODE_ASCII = 2,
       CODE_ISCSI = 0x50, /* protocol identifier of a target port's designators */
       DESIGNATOR_T10 = 0x01,
       DESIGNATOR_NAA = 0x03,
       DESIGNATOR_UUID = 0x0A,
       DESIGNATOR_RELATIVE_PORT = 0x94, /* PIV, target port */
       DESIGNATOR_PORT_GROUP = 0x95,
};

static void put_designator(struct cursor *c, uint8_t code_set, uint8_t type, uint8_t length)
{
    cursor_put8(c, code_set);
    cursor_put8(c, type);
    cursor_put8(c, 0);
    cursor_put8(c, length);
}

static void put_port_designator(struct cursor *c, uint8_t type, uint16_t number)
{
    put_designator(c, CODE_ISCSI | CODE_BINARY, type, 4);
    cursor_put16(c, 0);
    cursor_put16(c, number);
}

/* NAA 3: 60 bits of our own making, from both halves of the uuid. */
static uint64_t naa_of(const struct volume_info *info)
{
    return 3ull << 60 | (be64_at(info->uuid) ^ be64_at(info->uuid + 8)) >> 4;
}

bool inquiry_is_named(const struct volume_info *info, uint8_t code_set, uint8_t type,
                      const uint8_t *designator, uint8_t length)
{
    if (code_set == CODE_BINARY && type == DESIGNATOR_NAA && length == 8)
        return be64_at(designator) == naa_of(info);
    return code_set == CODE_BINARY && type == DESIGNATOR_UUID && length == 18 &&
           be16_at(designator) == 0x1000 && memcmp(designator + 2, info->uuid, 16) == 0;
}

static void page_identification(const struct scsi_request *r, struct cursor *c)
{
    const uint8_t *uuid = r->info->uuid;
    uint16_t port = (uint16_t)(r->command->id.sender + 1);
    put_designator(c, CODE_BINARY, DESIGNATOR_NAA, 8);
    cursor_put64(c, naa_of(r->info));
    put_designator(c, CODE_ASCII, DESIGNATOR_T10, 8 + 32);
    cursor_put_bytes(c, inquiry_vendor, sizeof inquiry_vendor);
    put_serial(c, r->info);
    put_designator(c, CODE_BINARY, DESIGNATOR_UUID, 18);
    cursor_put16(c, 0x1000); /* a UUID as RFC 4122 has it */
    cursor_put_bytes(c, uuid, 16);
    put_port_designator(c, DESIGNATOR_RELATIVE_PORT, port);
    put_port_designator(c, DESIGNATOR_PORT_GROUP, port); /* a group for each interface switch */
}

static void page_extended(const struct scsi_request *r, struct cursor *c)
{
    cursor_put8(c, 0);
    cursor_put8(c, 0x07);                         /* HEADSUP, ORDSUP, SIMPSUP */
    cursor_put8(c, r->info->write_cache ? 1 : 0); /* V_SUP: a volatile cache */
    put_zeroes(c, 60 - 3);
}

enum { /* SPC-4 7.8.17 */
       COPY_COMMANDS = 0x0001,
       COPY_DATA = 0x0004,
       COPY_DESCRIPTORS = 0x0008,
       COPY_TARGET_IDENTIFIERS = 0x000C,
       COPY_GENERAL = 0x8001,
};

/* Third-party copy: the descriptors that must be there. */
static void page_copy(const struct scsi_request *r, struct cursor *c)
{
    static const uint8_t commands[8] = {7, 0x83, 1, 0, 0x84, 2, COPY_STATUS, COPY_PARAMETERS};
    cursor_put16(c, COPY_COMMANDS);
    cursor_put16(c, sizeof commands);
    cursor_put_bytes(c, commands, sizeof commands);
    cursor_put16(c, COPY_DATA);
    cursor_put16(c, 0x1C);
    cursor_put32(c, 0);
    cursor_put16(c, COPY_TARGETS_MAX);
    cursor_put16(c, COPY_SEGMENTS_MAX);
    cursor_put32(c, COPY_LIST_BYTES_MAX);
    put_zeroes(c, 0x1C - 12);
    cursor_put16(c, COPY_DESCRIPTORS);
    cursor_put16(c, 4);
    cursor_put8(c, 2);
    cursor_put8(c, COPY_SEGMENT_BLOCK_TO_BLOCK);
    cursor_put8(c, COPY_TARGET_IDENTIFICATION);
    cursor_put8(c, 0);
    cursor_put16(c, COPY_TARGET_IDENTIFIERS);
    cursor_put16(c, 4);
    put_zeroes(c, 4); /* none beyond the list's own */
    cursor_put16(c, COPY_GENERAL);
    cursor_put16(c, 0x20);
    cursor_put32(c, 1); /* copies at a time, ... */
    cursor_put32(c, 1); /* ... and with an identifier */
    cursor_put32(c, COPY_SEGMENT_BYTES_MAX);
    cursor_put8(c, 9); /* granularity of segments: 512 bytes */
    cursor_put8(c, 0);
    put_zeroes(c, 0x20 - 14);
    (void)r;
}

static void page_limits(const struct scsi_request *r, struct cursor *c)
{
    const struct volume_info *info = r->info;
    uint32_t physical = 1u << info->physical_exponent;
    cursor_put8(c, 0); /* WSNZ=0: WRITE SAME of 0 blocks goes up to the end */
    cursor_put8(c, (uint8_t)medium_compare_max(info));
    cursor_put16(c, (uint16_t)physical); /* optimal transfer length granularity */
    cursor_put32(c, medium_transfer_max(info));
    cursor_put32(c, 0); /* optimal transfer length: not said */
    cursor_put32(c, 0); /* maximum prefetch length: not said */
    cursor_put32(c, medium_unmap_max(info));
    cursor_put32(c, MEDIUM_UNMAP_RANGES_MAX);
    cursor_put32(c, info->granule_blocks); /* optimal unmap granularity */
    cursor_put32(c, 0x80000000u);          /* alignment 0, valid */
    cursor_put64(c, medium_same_max(info));
    cursor_put32(c, info->atomic_blocks); /* maximum atomic transfer length; 0: none */
    put_zeroes(c, 60 - 44);               /* of any alignment and length; no boundary */
}

static void page_characteristics(const struct scsi_request *r, struct cursor *c)
{
    (void)r;
    cursor_put16(c, 1); /* does not rotate */
    cursor_put8(c, 0);
    cursor_put8(c, 0x40); /* WABEREQ: blocks can be read after SANITIZE BLOCK ERASE */
    put_zeroes(c, 60 - 4);
}

static void page_provisioning(const struct scsi_request *r, struct cursor *c)
{
    (void)r;
    cursor_put8(c, 0);    /* no threshold */
    cursor_put8(c, 0xE4); /* LBPU, LBPWS, LBPWS10, LBPRZ */
    cursor_put8(c, 0x01); /* resource provisioned */
    cursor_put8(c, 0);
}

/* One descriptor: all mode pages are shared by all nexuses (SPC-4 7.8.9). */
static void page_mode_policy(const struct scsi_request *r, struct cursor *c)
{
    (void)r;
    cursor_put8(c, 0x3F);
    cursor_put8(c, 0xFF);
    cursor_put16(c, 0);
}

/* The target ports: an interface switch each (SPC-4 7.8.11). */
static void page_ports(const struct scsi_request *r, struct cursor *c)
{
    for (uint16_t port = 1; port <= r->server->switches; port++) {
        cursor_put16(c, 0);
        cursor_put16(c, port);
        cursor_put32(c, 0); /* it is no initiator port */
        cursor_put16(c, 0);
        cursor_put16(c, 8);
        put_port_designator(c, DESIGNATOR_PORT_GROUP, port);
    }
}

/* No referrals: REPORT REFERRALS is not there, R_SUP is 0 (SBC-3 6.5.7). */
static void page_referrals(const struct scsi_request *r, struct cursor *c)
{
    (void)r;
    put_zeroes(c, 0x10 - 4);
}

static const struct vital_page {
    uint8_t code;
    void (*put)(const struct scsi_request *r, struct cursor *c);
} vital_pages[] = {
    /* ascending codes */
    {0x00, page_supported},    {0x80, page_serial},      {0x83, page_identification},
    {0x86, page_extended},     {0x87, page_mode_policy}, {0x88, page_ports},
    {0x8F, page_copy},         {0xB0, page_limits},      {0xB1, page_characteristics},
    {0xB2, page_provisioning}, {0xB3, page_referrals},
};

enum { VITAL_PAGES = sizeof vital_pages / sizeof vital_pages[0] };

static void page_supported(const struct scsi_request *r, struct cursor *c)
{
    /* Where no volume is, this page is the only one. */
    for (int i = 0; i < (r->info ? VITAL_PAGES : 1); i++)
        cursor_put8(c, vital_pages[i].code);
}

static const struct vital_page *vital_find(const struct scsi_request *r, uint8_t code)
{
    for (int i = 0; i < (r->info ? VITAL_PAGES : 1); i++)
        if (vital_pages[i].code == code)
            return &vital_pages[i];
    return NULL;
}

void inquiry_plan(const struct scsi_request *r, struct scsi_plan *plan)
{
    const uint8_t *cdb = r->command->cdb;
    bool vital = cdb[1] & 0x01;
    const struct vital_page *page = vital ? vital_find(r, cdb[2]) : NULL;
    if (vital ? !page : cdb[2] != 0) {
        sense_check_cdb(plan, 2);
        return;
    }
    struct cursor c = sense_data_begin(plan);
    if (vital) {
        cursor_put8(&c, r->info ? PERIPHERAL_DISK : PERIPHERAL_NOTHING);
        cursor_put8(&c, page->code);
        uint8_t *length = cursor_take(&c, 2);
        page->put(r, &c);
        be16_put(length, (uint16_t)(c.at - length - 2));
    } else {
        inquiry_standard(r, &c);
    }
    sense_data_end(plan, &c, be16_at(cdb + 3));
}
