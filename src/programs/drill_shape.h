/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_PROGRAMS_DRILL_SHAPE_H
#define SEGUE_PROGRAMS_DRILL_SHAPE_H

/* What of an array may fail in one moment without its hosts being told: learned from its merged
 * status, names sorted, so that the same array has the same shape in every run. */

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

enum {
    SHAPE_PROCESSES = 16,
    SHAPE_GROUPS = 8,
    SHAPE_MEMBERS = 8,
    SHAPE_DRIVES = 128,
    SHAPE_SETS = 64,
    SHAPE_SET_DRIVES = 32,
};

enum shape_role { SHAPE_MODULE = 1, SHAPE_SWITCH = 2, SHAPE_TRAY = 4 };

struct drill_shape {
    uint8_t processes, groups;
    uint16_t drives, sets;
    struct {
        char name[16];
        uint8_t roles; /* bits */
    } process[SHAPE_PROCESSES];
    struct {
        char name[16];
        uint8_t members;
        struct {
            char module[16];
            uint8_t process;
        } member[SHAPE_MEMBERS];
    } group[SHAPE_GROUPS];
    struct {
        char name[16];
        char path[256];
        uint8_t process;
    } drive[SHAPE_DRIVES];
    /* Drives of which no more than `spare` may be lost; a mirror's are copies of each other. */
    struct {
        char pool[40];
        bool mirror;
        uint8_t spare, count;
        uint16_t drive[SHAPE_SET_DRIVES];
    } set[SHAPE_SETS];
};

/* False: the status names more than fits. */
bool drill_shape_learn(struct drill_shape *shape, const json_t *status);
/* The array goes on without these processes (bits) and, unless it is below 0, this drive. */
bool drill_shape_tolerates(const struct drill_shape *shape, uint32_t processes, int drive);
/* The drive belongs to a pool. */
bool drill_shape_uses(const struct drill_shape *shape, int drive);

#endif
