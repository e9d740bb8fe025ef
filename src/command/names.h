/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_COMMAND_NAMES_H
#define SEGUE_COMMAND_NAMES_H

/* Who is who on the array's network: 24-bit Fibre Channel port identifiers (FC-FS-3 clause 12), and
 * the members of a multicast group.
 *
 *   01 ss 00   interface switch ss-1         FF FB gg   multicast group gg (1, 2)
 *   02 mm uu   unit uu (1, 2) of module mm-1
 *   03 ll 00   loop switch ll-1
 *   03 ll aa   drive with the loop address (AL_PA) aa on it
 *   04 mm 00   management endpoint of module mm-1
 */

#include <stdbool.h>
#include <stdint.h>

#include "command/al_pa.h"
#include "command/limits.h"

typedef uint32_t port_id;

enum port_kind {
    PORT_KIND_NONE,
    PORT_KIND_SWITCH,
    PORT_KIND_UNIT,
    PORT_KIND_LOOP,
    PORT_KIND_MANAGER,
};

static inline port_id port_switch(int s)
{
    return 0x010000u | (uint32_t)(s + 1) << 8;
}
static inline port_id port_unit(int module, int group)
{
    return 0x020000u | (uint32_t)(module + 1) << 8 | (uint32_t)(group + 1);
}
static inline port_id port_loop(int l)
{
    return 0x030000u | (uint32_t)(l + 1) << 8;
}
/* A drive on that loop; an address that is none: the loop switch itself, which knows it by number.
 */
static inline port_id port_drive(int l, uint8_t al_pa)
{
    return port_loop(l) | (uint32_t)(al_pa_valid(al_pa) ? al_pa : AL_PA_FL_PORT);
}
static inline port_id port_manager(int module)
{
    return 0x040000u | (uint32_t)(module + 1) << 8;
}
static inline port_id port_group(int group)
{
    return 0xFFFB00u | (uint32_t)(group + 1);
}
static inline bool port_is_group(port_id p)
{
    return (p & 0xFFFF00u) == 0xFFFB00u;
}
static inline enum port_kind port_kind(port_id p)
{
    uint32_t kind = p >> 16;
    return kind >= 1 && kind <= 4 ? (enum port_kind)kind : PORT_KIND_NONE;
}
/* The middle byte less one: number of the switch, module or loop switch. */
static inline int port_index(port_id p)
{
    return (int)(p >> 8 & 0xFF) - 1;
}
/* The low byte less one: a unit's group. */
static inline int port_sub(port_id p)
{
    return (int)(p & 0xFF) - 1;
}
/* A sender is an interface switch or a management endpoint: 0..SENDER_MAX-1. */
static inline int sender_of_port(port_id p)
{
    return port_kind(p) == PORT_KIND_MANAGER ? SWITCH_MAX + port_index(p) : port_index(p);
}
static inline port_id port_of_sender(int sender)
{
    return sender < SWITCH_MAX ? port_switch(sender) : port_manager(sender - SWITCH_MAX);
}

/* A unit as the control record names it: which module's unit, in which life of its memory. A
 * group's units are all of the same index, so the group says the rest. */
enum { MODULE_NONE = 0xFF };

struct member {
    uint8_t module; /* MODULE_NONE: nobody */
    uint64_t incarnation;
};

static inline struct member member_none(void)
{
    return (struct member){MODULE_NONE, 0};
}
static inline bool member_same(struct member a, struct member b)
{
    return a.module == b.module && a.incarnation == b.incarnation;
}

struct members {
    uint8_t count;
    struct member at[2 * MODULE_MAX];
};

/* Index of the member, or -1. */
int members_find(const struct members *set, struct member m);
/* Index of any incarnation of that module's unit, or -1. */
int members_find_module(const struct members *set, uint8_t module);
bool members_add(struct members *set, struct member m); /* false: it was there already */
void members_remove(struct members *set, struct member m);
bool members_equal(const struct members *a, const struct members *b);

/* What names a host's command, for ever: its sender, that sender's session (one life of it), and
 * the position among the commands that this session sent to this group, from 1. */
struct command_id {
    uint8_t sender;
    uint64_t session;
    uint64_t sequence;
};

static inline bool command_id_same(struct command_id a, struct command_id b)
{
    return a.sender == b.sender && a.session == b.session && a.sequence == b.sequence;
}

#endif
