/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command/al_pa.h"
#include "manage/quantity.h"
#include "manage/status_json.h"
#include "manage/suggest.h"
#include "programs/segue_objects.h"

/* segue loop ...: loop switches, their looplets and ports. */

enum { LOOPLETS = SLOT_MAX / LOOPLET_SLOTS, PORT_WIDTH = 6 };

/* ---- the drawing ---- */

static const json_t *drive_of_slot(const json_t *loop, uint64_t slot)
{
    size_t i;
    json_t *drive;
    json_array_foreach(json_object_get(loop, "drives"), i,
                       drive) if (status_number_of(drive, "slot") == slot) return drive;
    return NULL;
}

/* One port of the ring, PORT_WIDTH wide: what is bypassed or absent is passed by. */
static const char *port_picture(const json_t *drive, char *out, size_t bytes)
{
    const char *port = status_text_of(drive, "port"), *al_pa = status_text_of(drive, "al_pa");
    bool online = strcmp(port, "online") == 0;
    if (online || strcmp(port, "initialising") == 0)
        snprintf(out, bytes, online ? "(%2.2s)--" : "{%2.2s}--", *al_pa ? al_pa : "--");
    else if (strcmp(port, "bypassed") == 0)
        snprintf(out, bytes, "-xx---");
    else if (strcmp(port, "bypassed-by-hand") == 0)
        snprintf(out, bytes, "-XX---");
    else
        snprintf(out, bytes, "------");
    return out;
}

static void draw_looplet(const json_t *loop, uint32_t looplet)
{
    char slots[LOOPLET_SLOTS * PORT_WIDTH + 1] = "", ports[sizeof slots] = "", one[16];
    int end = 0;
    for (uint32_t i = 0; i < LOOPLET_SLOTS; i++) {
        const json_t *drive = drive_of_slot(loop, looplet * LOOPLET_SLOTS + i);
        int at = (int)i * PORT_WIDTH;
        snprintf(ports + at, sizeof ports - (size_t)at, "%s", port_picture(drive, one, sizeof one));
        snprintf(slots + at, sizeof slots - (size_t)at, drive ? " %02u   " : "      ",
                 looplet * LOOPLET_SLOTS + i);
        end = drive ? at + 3 : end;
    }
    slots[end] = 0;
    printf("  |             %s\n  +- looplet %u --%s.\n", slots, looplet, ports);
    memset(ports, '-', sizeof ports - 1);
    printf("  .--------------%s'\n", ports);
}

/* The map of positions: the FL_Port first, then the ports that take part, in their order. */
static void draw_positions(const json_t *loop)
{
    printf("  LILP  00");
    for (uint32_t slot = 0; slot < SLOT_MAX; slot++) {
        const json_t *drive = drive_of_slot(loop, slot);
        if (strcmp(status_text_of(drive, "port"), "online") == 0)
            printf(" %s", status_text_of(drive, "al_pa"));
    }
    putchar('\n');
}

static void draw(const json_t *loop)
{
    size_t i;
    json_t *port;
    printf("loop %s of tray %s\n\n", status_text_of(loop, "name"), status_text_of(loop, "tray"));
    printf("  units ");
    json_array_foreach(json_object_get(loop, "ports"), i, port)
        printf("  %s %s", status_text_of(port, "unit"), status_text_of(port, "state"));
    printf("\n    |\n  [00] FL_Port: %s\n", status_text_of(loop, "name"));
    for (uint32_t looplet = 0; looplet < LOOPLETS; looplet++)
        for (uint32_t slot = 0; slot < LOOPLET_SLOTS; slot++)
            if (drive_of_slot(loop, looplet * LOOPLET_SLOTS + slot)) {
                draw_looplet(loop, looplet);
                break;
            }
    printf("  '-> [00]\n");
    draw_positions(loop);
}

static void list_ports(const json_t *loop)
{
    struct table *table =
        table_new("SLOT|AL_PA|PORT|>IN|>OUT|>LIPS|>BYPASSES|>TIME-OUTS|>SUSPECT|>REPAIR");
    size_t i;
    json_t *drive;
    json_array_foreach(json_object_get(loop, "drives"), i, drive)
    {
        static const char *const keys[] = {"frames_in", "frames_out", "lips",  "bypasses",
                                           "timeouts",  "suspect",    "repair"};
        enum { KEYS = sizeof keys / sizeof keys[0] };
        const json_t *counters = json_object_get(drive, "counters");
        char numbers[KEYS][24];
        const char *cells[3 + KEYS] = {status_text_of(drive, "name"), NULL,
                                       status_text_of(drive, "port")};
        if (*status_text_of(drive, "al_pa"))
            cells[1] = status_text_of(drive, "al_pa");
        for (size_t k = 0; k < KEYS; k++) {
            snprintf(numbers[k], sizeof numbers[k], "%" PRIu64,
                     status_number_of(counters, keys[k]));
            cells[3 + k] = numbers[k];
        }
        table_row(table, cells);
    }
    char *text = table_text(table, 100);
    printf("\n%s", text);
    free(text);
    table_free(table);
}

/* Number of the loop switch that is named, or -1 and said. */
static int find_loop(struct objects *o, const char *name)
{
    const char *names[LOOP_MAX];
    char remedy[64];
    for (int l = 0; l < o->config.loops; l++) {
        names[l] = o->config.loop[l].name;
        if (strcmp(names[l], name) == 0)
            return l;
    }
    const char *near = suggest_word(name, names, o->config.loops);
    snprintf(remedy, sizeof remedy, near ? "did you mean %s" : "see segue loop show%.0s",
             near ? near : "");
    segue_fail(o->call, SEGUE_EXIT_NO_OBJECT, "NO_SUCH_LOOP", remedy,
               "there is no loop switch %.40s", name);
    return -1;
}

static int show(struct objects *o)
{
    const char *name = o->call->arguments ? o->call->argument[0] : NULL;
    json_t *loops = json_object_get(o->status, "loops"), *loop;
    size_t i, shown = 0;
    if (name && find_loop(o, name) < 0)
        return SEGUE_EXIT_NO_OBJECT;
    if (segue_wants_json(o->call)) {
        const json_t *one = status_find(loops, "name", name ? name : "");
        json_dumpf(name ? one : loops, stdout, JSON_INDENT(2));
        putchar('\n');
        return SEGUE_EXIT_DONE;
    }
    json_array_foreach(loops, i, loop)
    {
        if (name && strcmp(status_text_of(loop, "name"), name) != 0)
            continue;
        if (shown++)
            putchar('\n');
        draw(loop);
        list_ports(loop);
    }
    if (!shown)
        return segue_fail(o->call, SEGUE_EXIT_UNREACHABLE, "UNREACHABLE", "is it up? segue status",
                          "loop switch %s does not answer", name ? name : "");
    printf("\n(ef) online  {ef} initialising  xx bypassed, tested again  XX bypassed by hand\n");
    return SEGUE_EXIT_DONE;
}

int segue_loop_show(const struct segue_call *call)
{
    int code;
    struct objects *o = objects_open(call, &code);
    return o ? objects_close(o, show(o)) : code;
}

/* ---- changing ---- */

static int lip(struct objects *o)
{
    const struct segue_call *call = o->call;
    int loop = find_loop(o, call->argument[0]);
    uint64_t looplet = 0;
    char words[24] = "lip", object[80];
    if (loop < 0)
        return SEGUE_EXIT_NO_OBJECT;
    if (call->arguments > 1 &&
        (!quantity_number(call->argument[1], &looplet) || looplet >= LOOPLETS))
        return segue_fail(call, SEGUE_EXIT_USAGE, "USAGE", "segue loop show draws them",
                          "\"%.40s\" is no looplet: they are 0 to %d", call->argument[1],
                          LOOPLETS - 1);
    if (call->arguments > 1)
        snprintf(words, sizeof words, "lip %u", (unsigned)looplet);
    snprintf(object, sizeof object, "loop %.40s", call->argument[0]);
    return objects_say(o, port_loop(loop), words, object);
}

int segue_loop_lip(const struct segue_call *call)
{
    int code;
    struct objects *o = objects_open(call, &code);
    return o ? objects_close(o, lip(o)) : code;
}

/* A pool that would not live without it is worth a second word. */
static int allow_bypass(struct objects *o, const char *name)
{
    size_t i;
    json_t *pool;
    const char *confirm = o->call->flag[SEGUE_FLAG_CONFIRM];
    json_array_foreach(json_object_get(o->status, "pools"), i, pool)
    {
        bool counts = status_list_has(json_object_get(pool, "drives"), name) &&
                      !status_list_has(json_object_get(pool, "drives_bad"), name);
        if (!counts || status_number_of(pool, "redundancy_remaining") > 0)
            continue;
        if (confirm && strcmp(confirm, name) == 0)
            return SEGUE_EXIT_DONE;
        char remedy[120];
        snprintf(remedy, sizeof remedy, "if hosts of it may wait: add --confirm %.40s", name);
        return segue_fail(o->call, SEGUE_EXIT_REFUSED, "NO_REDUNDANCY", remedy,
                          "cannot bypass drive %.40s: pool %s does not live without it", name,
                          status_text_of(pool, "name"));
    }
    return SEGUE_EXIT_DONE;
}

static int say_to_port(struct objects *o, const char *verb)
{
    const char *name = o->call->argument[0];
    int drive = objects_drive(o, name);
    char words[40], object[80];
    if (drive < 0)
        return SEGUE_EXIT_NO_OBJECT;
    if (strcmp(verb, "bypass") == 0) {
        int code = allow_bypass(o, name);
        if (code != SEGUE_EXIT_DONE)
            return code;
    }
    snprintf(words, sizeof words, "%s %d", verb, drive % 32);
    snprintf(object, sizeof object, "drive %.40s", name);
    return objects_say(o, port_loop(drive / 32), words, object);
}

int segue_loop_bypass(const struct segue_call *call)
{
    int code;
    struct objects *o = objects_open(call, &code);
    return o ? objects_close(o, say_to_port(o, "bypass")) : code;
}

int segue_loop_release(const struct segue_call *call)
{
    int code;
    struct objects *o = objects_open(call, &code);
    return o ? objects_close(o, say_to_port(o, "release")) : code;
}
