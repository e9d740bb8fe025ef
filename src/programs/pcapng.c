/* SPDX-License-Identifier: Apache-2.0 */
#include "programs/pcapng.h"

#include <string.h>

/* Blocks are in the byte order of the machine that writes, which the section header shows. */
enum {
    BLOCK_SECTION = 0x0A0D0D0A,
    BLOCK_INTERFACE = 1,
    BLOCK_STATISTICS = 5,
    BLOCK_PACKET = 6,
    BYTE_ORDER_MAGIC = 0x1A2B3C4D,
    OPTION_END = 0,
    OPTION_SECTION_PROGRAM = 4,
    OPTION_INTERFACE_NAME = 2,
    OPTION_INTERFACE_RESOLUTION = 9,
    OPTION_PACKET_FLAGS = 2,
    OPTION_PACKET_MISSED = 4,
    OPTION_STATISTICS_SEEN = 4,
    OPTION_STATISTICS_MISSED = 5,
    BODY_MAX = 512,
};

/* All of a block but the packet's bytes. */
struct body {
    uint8_t bytes[BODY_MAX];
    size_t length;
};

static void put(struct body *body, const void *bytes, size_t length)
{
    if (length)
        memcpy(body->bytes + body->length, bytes, length);
    body->length += length;
    while (body->length % 4)
        body->bytes[body->length++] = 0;
}

static void put32(struct body *body, uint32_t number)
{
    put(body, &number, sizeof number);
}

static void put_time(struct body *body, uint64_t time_ns)
{
    put32(body, (uint32_t)(time_ns >> 32));
    put32(body, (uint32_t)time_ns);
}

static void put_option(struct body *body, uint16_t code, const void *bytes, uint16_t length)
{
    uint16_t head[2] = {code, length};
    put(body, head, sizeof head);
    put(body, bytes, length);
}

static bool write_block(FILE *file, uint32_t type, const struct body *body, const uint8_t *bytes,
                        uint32_t length, const struct body *options)
{
    static const uint8_t zeroes[4];
    uint32_t pad = (4 - length % 4) % 4;
    uint32_t total = (uint32_t)(12 + body->length + length + pad + options->length);
    fwrite(&type, 1, 4, file);
    fwrite(&total, 1, 4, file);
    fwrite(body->bytes, 1, body->length, file);
    fwrite(bytes ? bytes : zeroes, 1, bytes ? length : 0, file);
    fwrite(zeroes, 1, pad, file);
    fwrite(options->bytes, 1, options->length, file);
    return fwrite(&total, 1, 4, file) == 4 && !ferror(file);
}

bool pcapng_begin(FILE *file, const char *program, const char *interface, uint32_t snap_length)
{
    struct body section = {.length = 0}, options = {.length = 0}, link = {.length = 0},
                link_options = {.length = 0};
    uint16_t version[2] = {1, 0}, type[2] = {PCAPNG_LINKTYPE_FC_2, 0};
    uint32_t unknown[2] = {0xFFFFFFFFu, 0xFFFFFFFFu};
    uint8_t nanoseconds = 9;
    put32(&section, BYTE_ORDER_MAGIC);
    put(&section, version, sizeof version);
    put(&section, unknown, sizeof unknown);
    put_option(&options, OPTION_SECTION_PROGRAM, program, (uint16_t)strnlen(program, 64));
    put_option(&options, OPTION_END, NULL, 0);
    put(&link, type, sizeof type);
    put32(&link, snap_length);
    put_option(&link_options, OPTION_INTERFACE_NAME, interface, (uint16_t)strnlen(interface, 64));
    put_option(&link_options, OPTION_INTERFACE_RESOLUTION, &nanoseconds, 1);
    put_option(&link_options, OPTION_END, NULL, 0);
    return write_block(file, BLOCK_SECTION, &section, NULL, 0, &options) &&
           write_block(file, BLOCK_INTERFACE, &link, NULL, 0, &link_options);
}

bool pcapng_packet(FILE *file, const struct pcapng_packet *packet)
{
    struct body body = {.length = 0}, options = {.length = 0};
    uint32_t flags = packet->out ? 2 : 1;
    put32(&body, 0); /* the interface */
    put_time(&body, packet->time_ns);
    put32(&body, packet->captured);
    put32(&body, packet->original);
    put_option(&options, OPTION_PACKET_FLAGS, &flags, sizeof flags);
    if (packet->missed)
        put_option(&options, OPTION_PACKET_MISSED, &packet->missed, sizeof packet->missed);
    put_option(&options, OPTION_END, NULL, 0);
    return write_block(file, BLOCK_PACKET, &body, packet->bytes, packet->captured, &options);
}

bool pcapng_end(FILE *file, uint64_t seen, uint64_t missed)
{
    struct body body = {.length = 0}, options = {.length = 0};
    put32(&body, 0);
    put_time(&body, 0);
    put_option(&options, OPTION_STATISTICS_SEEN, &seen, sizeof seen);
    put_option(&options, OPTION_STATISTICS_MISSED, &missed, sizeof missed);
    put_option(&options, OPTION_END, NULL, 0);
    return write_block(file, BLOCK_STATISTICS, &body, NULL, 0, &options) && fflush(file) == 0;
}
