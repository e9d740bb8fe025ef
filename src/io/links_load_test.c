/* SPDX-License-Identifier: Apache-2.0 */
/* A link between two loops of this process that breaks again and again under load, with too little
 * memory for all that is under way. Every message that arrives must be whole, and in its order. */
#include "io/loop.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum {
    ENDS = 2,
    STEPS = 12000,
    HELD_MAX = 40,
    PAYLOAD_MAX = 60000,
    POOL_BYTES = 1 << 20,
    QUEUE_BYTES = 300000,
    UNUSED = 0xDD,
};

struct end {
    struct loop *loop;
    bool up, stopped;
    uint64_t sent;               /* the number of its last message */
    uint64_t expected;           /* of the other's; 0: the first one of this link says */
    uint64_t arrived, ups;       /* in all */
    struct slice held[HELD_MAX]; /* payloads that this end still works on, */
    uint64_t held_number[HELD_MAX];
};

static char directory[64];
static struct trace trace = {.name = "test", .max_level = TRACE_ERROR};
static struct end ends[ENDS];
static uint64_t random_state;

static uint64_t mix(uint64_t x)
{
    x ^= x >> 31;
    x *= 0x9E3779B97F4A7C15u;
    x ^= x >> 29;
    x *= 0xBF58476D1CE4E5B9u;
    return x ^ x >> 32;
}

static uint32_t chance(uint32_t of)
{
    random_state += 0x9E3779B97F4A7C15u;
    return (uint32_t)(mix(random_state) % of);
}

static port_id port_of(int end)
{
    return end == 0 ? port_switch(0) : port_unit(1, 0);
}

static struct loop *make_loop(int self)
{
    struct loop_config config = {.late_ns = MS(50), .buffer_bytes = POOL_BYTES};
    struct links_config *links = &config.links;
    snprintf(links->array, sizeof links->array, "lab");
    links->incarnation = loop_now_ns();
    links->processes = links->ports = ENDS;
    links->self = (uint8_t)self;
    links->queue_bytes = QUEUE_BYTES;
    for (int i = 0; i < ENDS; i++) {
        snprintf(links->process[i].name, sizeof links->process[i].name, "P%d", i);
        snprintf(links->process[i].address, sizeof links->process[i].address, "unix:%s/%d.sock",
                 directory, i);
        links->port[i].port = port_of(i);
        links->port[i].process = (uint8_t)i;
    }
    char sentence[256];
    return loop_new(&config, &trace, sentence, sizeof sentence);
}

/* ---- messages ---- */

static uint32_t length_of(int end, uint64_t number)
{
    uint64_t key = mix(number * ENDS + (uint64_t)end);
    return key % 4 == 0 ? 0 : 1 + (uint32_t)(key >> 20) % (key % 4 == 1 ? PAYLOAD_MAX : 4096);
}

static void check_payload(int from, uint64_t number, struct slice payload)
{
    assert_int_equal(payload.length, length_of(from, number));
    const uint8_t *bytes = slice_bytes(payload);
    for (uint32_t i = 0; i < payload.length; i++)
        if (bytes[i] != (uint8_t)(number * 13 + (uint64_t)from + i * 7 + (i >> 9)))
            fail_msg("message %llu of end %d: byte %u is wrong", (unsigned long long)number, from,
                     i);
}

/* `strange`: from a port that does not live there, so that the other end breaks the link. */
static void send_message(int from, bool strange)
{
    struct end *end = &ends[from];
    uint32_t length = length_of(from, end->sent + 1);
    struct message message = {
        .kind = MESSAGE_RELAY, .from = port_of(from), .to = port_of(1 - from)};
    if (length) {
        struct buffer *buffer = buffer_get(loop_buffers(end->loop), length);
        if (!buffer)
            return;
        for (uint32_t i = 0; i < length; i++)
            buffer->data[i] = (uint8_t)((end->sent + 1) * 13 + (uint64_t)from + i * 7 + (i >> 9));
        message.payload = slice_of(buffer, 0, length);
    }
    message.response.epoch = ++end->sent;
    if (strange)
        message.from = port_unit(2, 0);
    links_send(loop_links(end->loop), &message);
}

/* Checked on arrival and, since it may be worked on for long, again when it is let go. */
static void let_go(int to, int i)
{
    struct end *end = &ends[to];
    if (!end->held_number[i])
        return;
    check_payload(1 - to, end->held_number[i], end->held[i]);
    slice_drop(&end->held[i]);
    end->held_number[i] = 0;
}

static void take_message(int to, struct message *message)
{
    struct end *end = &ends[to];
    uint64_t number = message->response.epoch;
    assert_true(end->up);
    assert_int_equal(message->from, port_of(1 - to));
    if (end->expected)
        assert_int_equal(number, end->expected);
    end->expected = number + 1;
    end->arrived++;
    check_payload(1 - to, number, message->payload);
    int i = (int)chance(HELD_MAX);
    let_go(to, i);
    end->held[i] = message->payload;
    end->held_number[i] = number;
}

static void turn(int which)
{
    struct end *end = &ends[which];
    struct happening happening;
    loop_turn(end->loop, 0);
    while (loop_next(end->loop, &happening)) {
        assert_int_equal(happening.kind, HAPPENING_LINK);
        switch (happening.link.kind) {
        case LINK_EVENT_UP:
            assert_false(end->up);
            end->up = true;
            end->ups++;
            end->expected = 0;
            break;
        case LINK_EVENT_DOWN:
            assert_false(happening.link.gone);
            assert_true(end->up);
            end->up = false;
            break;
        case LINK_EVENT_MESSAGE:
            take_message(which, &happening.link.message);
            break;
        }
    }
}

/* A pool keeps the sizes into which it was first cut. */
static void cut_memory(struct buffer_pool *pool)
{
    struct buffer *taken[POOL_BYTES / 4096];
    int count = 0;
    for (int i = 0; i < 10; i++)
        taken[count++] = buffer_get(pool, 65536);
    for (int i = 0; i < 16; i++)
        taken[count++] = buffer_get(pool, 16384);
    for (int i = 0; i < 32; i++)
        taken[count++] = buffer_get(pool, 4096);
    assert_null(buffer_get(pool, 1));
    while (count)
        buffer_unref(taken[--count]);
}

/* What nobody holds any more is useless: whoever still sends from it sends this. */
static void spoil_free_memory(struct buffer_pool *pool)
{
    struct buffer *taken[POOL_BYTES / 4096], *buffer;
    int count = 0;
    while ((buffer = buffer_get(pool, 4096)))
        taken[count++] = buffer;
    while (count) {
        count--;
        memset(taken[count]->data, UNUSED, taken[count]->capacity);
        buffer_unref(taken[count]);
    }
}

static void step(void)
{
    int which = (int)chance(ENDS);
    struct end *end = &ends[which];
    if (chance(200) == 0)
        end->stopped = !end->stopped;
    for (uint32_t i = chance(4); i > 0; i--)
        send_message(which, false);
    if (chance(500) == 0)
        send_message(which, true);
    if (chance(3) == 0)
        let_go(which, (int)chance(HELD_MAX));
    if (!end->stopped)
        turn(which);
    if (chance(10) == 0)
        spoil_free_memory(loop_buffers(end->loop));
}

/* How much happens in a step depends on the machine. */
static bool lively(void)
{
    for (int e = 0; e < ENDS; e++)
        if (ends[e].arrived <= 1000 || ends[e].ups <= 5)
            return false;
    return true;
}

static void what_arrives_is_whole_and_in_order(void **state)
{
    (void)state;
    for (int i = 0; i < STEPS || !lively(); i++)
        step();
    /* and in the end the link comes up, and carries everything */
    uint64_t arrived[ENDS];
    for (int e = 0; e < ENDS; e++)
        arrived[e] = ends[e].arrived;
    while (!ends[0].up || !ends[1].up || ends[0].arrived < arrived[0] + 100 ||
           ends[1].arrived < arrived[1] + 100)
        for (int e = 0; e < ENDS; e++) {
            send_message(e, false);
            let_go(e, (int)chance(HELD_MAX));
            turn(e);
        }
    assert_true(lively());
    for (bool some = true; some;) {
        some = false;
        for (int e = 0; e < ENDS; e++) {
            for (int i = 0; i < HELD_MAX; i++)
                let_go(e, i);
            turn(e);
            some = some || buffer_pool_used(loop_buffers(ends[e].loop));
        }
    }
}

static void turn_until_up(void)
{
    while (!ends[0].up || !ends[1].up)
        for (int e = 0; e < ENDS; e++)
            turn(e);
}

/* Without memory for a payload a link stands still; it goes on by itself, and has not ended. */
static void a_link_waits_for_memory(void **state)
{
    (void)state;
    turn_until_up();
    struct buffer_pool *pool = loop_buffers(ends[1].loop);
    struct buffer *taken[POOL_BYTES / 4096], *buffer;
    for (int round = 0; round < 10; round++) {
        int count = 0;
        while ((buffer = buffer_get(pool, 4096)))
            taken[count++] = buffer;
        uint64_t arrived = ends[1].arrived;
        while (length_of(0, ends[0].sent + 1) == 0) /* the first one cannot be taken */
            ends[0].sent++;
        uint64_t number = ends[0].sent + 1;
        for (int i = 0; i < 4; i++)
            send_message(0, false);
        for (int i = 0; i < 20; i++) {
            turn(0);
            turn(1);
        }
        assert_int_equal(ends[1].arrived, arrived);
        while (count)
            buffer_unref(taken[--count]);
        ends[1].expected = number;
        while (ends[1].arrived < arrived + 4) {
            turn(0);
            turn(1);
        }
        for (int i = 0; i < HELD_MAX; i++)
            let_go(1, i);
    }
    assert_int_equal(ends[0].ups + ends[1].ups, 2);
}

static int set_up(void **state)
{
    (void)state;
    snprintf(directory, sizeof directory, "/tmp/links-test-XXXXXX");
    if (!mkdtemp(directory))
        return -1;
    memset(ends, 0, sizeof ends);
    random_state = 20261126;
    for (int e = 0; e < ENDS; e++) {
        ends[e].loop = make_loop(e);
        if (!ends[e].loop)
            return -1;
        cut_memory(loop_buffers(ends[e].loop));
    }
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    char command[128];
    for (int e = 0; e < ENDS; e++)
        loop_free(ends[e].loop);
    snprintf(command, sizeof command, "rm -r '%s'", directory);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_arrives_is_whole_and_in_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_link_waits_for_memory, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
