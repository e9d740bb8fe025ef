/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_ARRAY_ENGINE_H
#define SEGUE_ARRAY_ENGINE_H

/* The inside of the RAID engine: what its files share. Each file has a header of its own for what
 * it does; the memory is all here, taken once by array_new(). */

#include "array/array.h"
#include "array/bits.h"
#include "base/mutant.h"

enum {
    LEG_MAX = 16384,    /* drive commands, waiting or under way */
    STRIPE_MAX = 144,   /* stripes with parity that are worked on at a time ... */
    STRIPE_SPARE = 16,  /* ... of these for resynchronisation */
    STRIPE_PIECES = 32, /* chunks, or pieces of them, that one step writes */
    STRIPE_LEGS = STRIPE_PIECES + 4,
    STRIPE_BUCKETS = 256,
    STRIPE_STEP_BYTES = 2 << 20, /* memory of one step, over all members */
    PARITY_MAX = 2,              /* P, Q */
    PARITY_DRIVES_MAX = 32,      /* of a pool with parity */
    /* of the legs for what is not cut from host I/O: maps, resynchronisation, state; stripes */
    LEG_RESERVE = 1024 + STRIPE_MAX * STRIPE_LEGS,
    PART_MAX = 4096,  /* pieces of host I/O in one mirror set, or one stripe */
    DRIVE_DEPTH = 64, /* commands under way per drive */
    SEND_MAX = 2000,  /* actions of one pump */
    NOTICE_MAX = 1024,
    EXTENTS_MAX = 64, /* of a volume */
    CARRY_MAX = 64,   /* effects being carried out */
    CARRY_PLAN = 32,  /* no more are planned while so many are */
    HOLD_MAX = 128,
    STORE_COOKIES = 64,
    CHUNK_DEFAULT = 64 << 10,
    CHUNK_MAX = 1 << 20,
    COPY_BYTES = 256 << 10, /* of one step of resynchronisation */
    FILL_BYTES = 64 << 20,  /* of one fill command */
    FILL_PARTS = 8,         /* fill commands of one I/O under way */
    POOL_NONE = 0xFF,
    DRIVE_WORDS = DRIVE_MAX / 64,
    PROVISION_SLOT_WORDS = PROVISION_BLOCKS_MAX / 64,
    ZEROINGS_MAX = 32,
};

/* ---- drive commands: leg.c ---- */

enum leg_owner {
    LEG_FREE,
    LEG_LINGER,         /* nobody waits for it, but a try of it is not answered yet */
    LEG_PART,           /* index: part */
    LEG_REPAIR,         /* index: part */
    LEG_MAP,            /* index: pool */
    LEG_CLEAR,          /* index: pool: flush before bits are cleared, or before the end */
    LEG_COPY,           /* index: pool: resynchronisation */
    LEG_STRIPE,         /* index: stripe */
    LEG_STRIPE_FLUSH,   /* index: pool: it has lost a drive */
    LEG_SYNC,           /* index: drive: superblocks and flush of one that comes back */
    LEG_PROBE,          /* index: drive */
    LEG_BLOB,           /* index: drive: storing state */
    LEG_LOAD,           /* index: drive: reading state */
    LEG_CARRY,          /* index: drive */
    LEG_PROVISION,      /* index: pool: a block of the provisioning map */
    LEG_PROVISION_READ, /* index: pool: some of its blocks */
    LEG_REDO,           /* index: pool * REDO_SLOTS + slot: a redo record, or what it plays */
    LEG_REDO_READ,      /* the same */
    LEG_REDO_CLEAN,     /* index: drive: it holds no record any more */
};

enum leg_state { LEG_STATE_WAITING, LEG_STATE_SENT, LEG_STATE_ENDED };

enum leg_end {
    LEG_OK,
    LEG_DROPPED, /* its drive FAILED: go on without it */
    LEG_ERROR,   /* the drive said so; a write: too long, and nothing can do without the drive */
    LEG_TIMEOUT, /* a read, a repair: no answer in its time */
};

struct leg {
    struct list link; /* free; its drive's waiting, sent or lingering; ended */
    enum leg_owner owner;
    enum leg_state state;
    enum leg_end end;
    enum drive_op op;
    uint8_t drive;
    bool fua;
    bool landed; /* a try of it was answered OK under this login */
    bool parked; /* refused by a fence: until another epoch or login */
    bool repair; /* gives up after one limit */
    bool erred;  /* a flush: one try of it failed */
    bool gone;   /* the loop switch said that there is no such drive */
    uint16_t index;
    uint16_t try;  /* number of the last one sent */
    uint16_t open; /* bit try % 16: unanswered under this login */
    uint32_t generation;
    uint32_t length;
    uint64_t offset;   /* on the drive */
    uint64_t epoch;    /* of the last try */
    uint64_t since_ns; /* first tried, or first found that it could not be; 0: not yet */
    uint64_t tried_ns, again_ns;
    uint64_t patience_ns; /* reads: after so long TIMEOUT */
    struct slice data;    /* to write, held; or what was read */
};

/* ---- drives: drives.c, probe.c ---- */

enum probe {
    PROBE_NONE,
    PROBE_READING,
    PROBE_OURS,
    PROBE_BLANK,   /* no valid superblock: a new drive in that place */
    PROBE_FOREIGN, /* somebody else's superblock */
    PROBE_ERROR,   /* nothing could be read */
    PROBE_GONE,    /* the loop switch does not list it, or not online */
};

enum fault { FAULT_NONE, FAULT_ABSENT, FAULT_ERROR, FAULT_ALIEN };

enum sync {
    SYNC_IDLE,  /* not STALE, or SYNCED was said */
    SYNC_WAIT,  /* for the probe, and for the maps */
    SYNC_MAP,   /* blank: every bit is being set */
    SYNC_LABEL, /* blank: superblocks are being written */
    SYNC_COPY,  /* regions in `lacks` */
    SYNC_META,  /* the state slots */
    SYNC_FLUSH,
};

struct drive {
    /* what each walk looks at comes first */
    uint8_t pool, position; /* by the configuration; POOL_NONE */
    enum drive_state state; /* by the record */
    enum fault fault;
    enum probe probe;
    enum sync sync;
    uint32_t waiting_count, sent_count, lingering_count;
    bool listed;                /* the loop switch told of it */
    bool bad;                   /* BAD was said, the record has not followed yet */
    bool may_return;            /* its loop switch has logged in since it went bad, or ... */
    bool may_retry;             /* ... we have failed it ourselves: it may be tried again */
    bool returned;              /* RETURNED was said */
    bool unsound;               /* GOOD by the record, though never SYNCED since it was STALE */
    bool synced;                /* STALE: SYNCED was said */
    bool has_state;             /* STALE: its state slots are a copy now, and are kept so */
    bool slots_known;           /* map_slot and state_slot are what the probe found */
    uint8_t map_slot;           /* that the next map goes to: its newest map stays as it is */
    uint8_t state_slot;         /* the same of the state */
    uint8_t strikes;            /* how often it failed */
    bool superblock_ok, map_ok; /* found by the probe */
    uint64_t bad_ns, avoid_ns;  /* reads rather go elsewhere until then */
    uint64_t map_sequence;      /* of the map that its probe found; 0: none */
    uint64_t probe_ns;          /* not before */
    uint64_t retry_ns;          /* FAILED: not tried again before */
    uint64_t good_ns;           /* since when it is GOOD */
    uint64_t told_ns;           /* RETURNED, SYNCED: when it was said */
    uint64_t sync_sequence;     /* of the map write that must be durable first */
    uint32_t sync_legs, sync_blob;
    bool sync_failed;
    bool relabelling; /* its superblock alone is being written */
    bool named;       /* under this login an incarnation was given to it, an empty one */
    struct list waiting, sent, lingering; /* legs */
    struct drive_info info;
    struct bits *lacks; /* STALE: regions that it has not got; kept apart: walks are over drives */
    uint64_t labels[DRIVE_WORDS];  /* positions whose superblocks are being written for it */
    struct superblock superblock;  /* as found */
    struct state_header header[2]; /* generation 0: none */
    bool provision_read;           /* provision_slot is what it holds */
    uint8_t provision_reads;       /* on their way */
    uint32_t provision_pieces;     /* that it has given */
    bool redo_seen;                /* its heads of redo records were looked at, or do not count */
    bool redo_clean;               /* it holds none but those that are under way */
    uint8_t redo_found;            /* bit s: in slot s it holds one, to be played */
    uint8_t redo_legs;             /* it is being cleaned */
    uint64_t redo_retry_ns;
    uint64_t provision_slot[PROVISION_SLOT_WORDS]; /* bit b: slot for the next block b of the map */
    uint64_t provision_lacks[PROVISION_SLOT_WORDS]; /* blocks that it may not hold as we do */
};

struct loop {
    bool up, gone;
    uint64_t login, down_ns; /* down_ns 0: the next pump sets it */
};

/* ---- pools and volumes: pools.c; maps: intent.c; resynchronisation: resync.c ---- */

enum clear_state { CLEAR_IDLE, CLEAR_FLUSHING, CLEAR_READY };

struct intent {
    struct bits set;           /* on the drives; if `whole`: durable on every one that takes part */
    struct bits wanted;        /* writes wait for these */
    struct bits writing;       /* what the map write under way says */
    struct bits clear;         /* candidates: flushed, or being flushed */
    struct bits found;         /* in the map at the beginning: until array_settled() */
    struct bits recent, older; /* written in this tick, in the one before */
    bool wanted_any, force;
    uint64_t sequence, durable; /* of map writes */
    uint32_t legs;              /* of the map write under way */
    bool failed;
    enum clear_state clearing;
    uint32_t clear_legs;
    uint32_t clear_stamp;
    bool clear_failed, clear_last;  /* last: of a quiesce */
    bool ending;                    /* the map write under way is the last of a quiesce */
    bool quiet;                     /* quiesce: this pool is done */
    bool active;                    /* there may be bits to clear */
    bool doubt_kept, doubt_writing; /* the map on the drives, under way, says that there is doubt */
    bool whole; /* every drive that takes part holds the same map, and it is this reign's, or ours
                   were all the same when it began */
    uint64_t tick_ns;
};

enum copy_state { COPY_IDLE, COPY_DRAIN, COPY_READING, COPY_WRITING };

/* One step after the other of one region; or of the state slots of one drive. */
struct copy {
    enum copy_state state;
    bool running; /* a region, or state slots, are under way */
    bool doubt;   /* all copies of the region are made equal; else: for STALE drives */
    bool state_slots;
    bool small;      /* nobody could read the whole chunk: in blocks */
    bool incomplete; /* something could not be copied */
    uint8_t set;
    uint8_t drive; /* state_slots: for which */
    uint32_t region, stamp, legs, blob_stamp;
    uint32_t cursor; /* the search for the next region begins here */
    uint32_t skip;   /* not this one next, though somebody waits for it: it could not be copied */
    uint8_t source;  /* position */
    uint8_t state_source; /* state_slots: the first to be asked */
    bool refused;         /* a source failed otherwise than by saying so */
    uint32_t piece;       /* state_slots: which */
    uint64_t at, end;     /* in the data area, of this region; pieces: on the drive */
    uint32_t length;
    uint64_t small_end;
    uint64_t retry_ns;
    uint64_t tried[DRIVE_WORDS];   /* positions: sources that failed */
    uint64_t targets[DRIVE_WORDS]; /* positions: STALE drives whose lack this run ends */
    struct slice data;
};

/* ---- which granules hold data: provision.c ---- */

struct provision_map {
    uint64_t word[PROVISION_BLOCKS_MAX * PROVISION_WORDS];
};

struct provision {
    uint64_t granule_bytes;
    uint32_t granules, blocks;
    bool kept;  /* else the pool was made without a map: everything is mapped, always */
    bool known; /* `mapped` and `stale` are complete */
    bool whole; /* every GOOD drive holds them */
    struct provision_map *mapped, *stale;
    struct provision_map *set, *clear; /* wanted */
    struct provision_map *next;        /* `mapped` as the write under way says it */
    uint64_t dirty[PROVISION_SLOT_WORDS], writing[PROVISION_SLOT_WORDS];
    uint64_t sequence;
    uint32_t legs; /* of the write, or of the reads, under way */
    bool failed;
    uint64_t retry_ns;
    /* reading */
    uint32_t piece;                        /* the next one */
    bool reading;                          /* one is under way */
    bool refused;                          /* a drive did not answer */
    uint64_t found[PROVISION_SLOT_WORDS];  /* blocks that some drive has given */
    uint64_t read[DRIVE_WORDS];            /* positions that have given this piece */
    uint64_t newest[PROVISION_BLOCKS_MAX]; /* sequence of what was found */
};

/* A stale run of granules is being filled with zeroes, durably, before it is mapped. */
struct zeroing {
    bool used;
    uint32_t first, count;
    struct array_io io;
};

/* ---- redo records: redo.c ---- */

enum redo_state {
    REDO_FREE,
    REDO_RECORDING, /* is being written */
    REDO_HELD,      /* its owner writes the blocks */
    REDO_CLEARING,  /* is being made invalid */
    REDO_HEAD,      /* found: its head is being read, */
    REDO_READING,   /* its data, */
    REDO_PLAYING,   /* the blocks are being written */
};

enum redo_owner {
    REDO_OWNER_IO,      /* one io of many pieces: hostio.c */
    REDO_OWNER_STRIPES, /* of the pool, those with that slot: stripe_record.c */
};

enum io_record { IO_RECORD_NONE, IO_RECORD_ASKED, IO_RECORD_HELD, IO_RECORD_ENDING };

struct redo_slot {
    enum redo_state state;
    enum redo_owner owner;
    struct array_io *io;  /* REDO_OWNER_IO */
    bool ending;          /* its owner has done with it */
    bool failed, refused; /* refused: a drive did not take its invalidation */
    bool begun;           /* playing: counted by the write-intent map */
    uint32_t legs;
    uint64_t retry_ns;
    uint64_t holders[DRIVE_WORDS]; /* positions that hold it */
    uint64_t landed[DRIVE_WORDS];  /* ... and have said so */
    /* of one that is played */
    enum redo_kind kind;
    uint32_t places, bytes, place; /* place: the next one; */
    uint32_t at;                   /* ... where its data begins */
    uint64_t tried[DRIVE_WORDS];   /* positions whose copy is not whole */
    uint8_t source;                /* position */
    uint8_t head[LAYOUT_BLOCK];
    struct slice data;
    struct array_io play;
};

struct redo {
    bool stripes_open; /* no record of certain drives is left to be played */
    bool open;         /* none at all, and none is left on a GOOD drive */
    struct redo_slot slot[REDO_SLOTS];
};

/* A pool with parity has lost a drive: what the others hold is flushed first. */
enum stripe_flush { STRIPE_FLUSHED, STRIPE_FLUSH_WANTED, STRIPE_FLUSHING };

struct pool {
    bool used;
    struct pool_info info;
    uint8_t sets, members; /* sets, drives of each */
    uint8_t parity;        /* members of each stripe that hold no data: 0, P, P and Q */
    uint64_t data_bytes;   /* of each drive */
    uint64_t region_bytes;
    uint32_t regions;
    uint32_t volumes;
    /* while running */
    bool born;           /* its drives carry its superblocks */
    bool fresh;          /* just made: its drives are no use before it was carried out */
    bool map_known;      /* `intent.set` is complete */
    bool recheck;        /* blocked parts may go on */
    bool relabel;        /* a drive may have an old superblock */
    uint32_t stamp;      /* counts changes of its drives */
    uint32_t stale;      /* its drives that are STALE */
    uint64_t generation; /* of its superblocks */
    uint32_t incarnation[DRIVE_MAX];
    struct intent intent;
    struct provision provision;
    struct redo redo;
    uint32_t zeroings;
    struct bits doubt;
    bool doubtful;       /* there may be something in it */
    struct bits suspect; /* of a pool with parity: it may not be that of the data; only background
                            work and degraded reads have to do with that */
    bool suspicious;
    struct copy copy;
    struct list blocked, writing; /* parts */
    struct list to_record;        /* stripes */
    uint8_t record_home;          /* position of the next record */
    enum stripe_flush stripe_flush;
    uint32_t flush_legs;
    uint16_t inflight[LAYOUT_REGION_MAX]; /* writes under way per region */
};

struct run {
    uint32_t start, count; /* in LAYOUT_UNITs of the pool's data */
};

struct volume {
    bool used;
    uint8_t pool;
    uint16_t runs;
    struct volume_info info;
    uint64_t hold_lba; /* host I/O beyond this waits: zeroes are being written there */
    struct run run[EXTENTS_MAX];
};

/* ---- stripes with parity: stripe.c, stripe_plan.c, stripe_make.c ---- */

enum stripe_work {
    STRIPE_IDLE,
    STRIPE_READ,  /* one part, whose data its drive does not give */
    STRIPE_WRITE, /* parts */
    STRIPE_RESYNC,
};

enum stripe_phase {
    STRIPE_BEGINNING, /* waits for memory */
    STRIPE_PLANNING,  /* ... and for buffers */
    STRIPE_READING,
    STRIPE_MAKING,
    STRIPE_RECORDING, /* waits for a record, and for the record to be held */
    STRIPE_SENDING,
    STRIPE_WRITING,
    STRIPE_CLEARING, /* its record is being made invalid */
};

/* How a step comes to its parity. */
enum stripe_way {
    WAY_MAKE,    /* out of all data: written, and read */
    WAY_CHANGE,  /* old data out of it, new data into it */
    WAY_RECOVER, /* all is read, what is missing recovered, then made */
};

/* The lock of a stripe, and what is done under it, one work after the other, in steps of some bytes
 * of each chunk. Masks are of members. */
struct stripe {
    struct list link;    /* free, or its bucket */
    struct list ready;   /* in array->stripes_ready: something is to be done; or pool->to_record */
    struct list waiting; /* parts */
    struct list parts;   /* the work's */
    bool used, resync_waits;
    uint8_t pool;
    uint16_t legs;
    uint64_t number;
    enum stripe_work work;
    enum stripe_phase phase;
    enum stripe_way way;
    uint32_t at, to, end, step; /* bytes of a chunk: the step under way, the end, how far at once */
    uint32_t memory;            /* bytes that it has reserved */
    uint64_t since_ns;
    uint32_t broken, slow; /* could not read, did not answer in time */
    uint32_t lost, by;     /* to be recovered, by these parity members */
    uint32_t wanted;       /* resync: members to be rewritten; write: parity that is wanted */
    uint32_t landed;       /* took what was written */
    bool wrote, failed, refused;
    int8_t record;                         /* slot of its redo record; -1: none */
    struct slice image[PARITY_DRIVES_MAX]; /* as read, or recovered */
    struct slice fresh[PARITY_MAX];        /* parity as it will be */
    struct slice pattern;                  /* of a fill */
};

/* ---- host I/O: hostio.c, part.c ---- */

struct part {
    struct list link;        /* free; its pool's blocked or writing; or alone */
    struct list stripe_link; /* waiting for a stripe, or of one */
    struct array_io *io;
    enum array_op op;
    uint8_t pool, set;
    bool used, started, failed, failed_any;
    bool held;     /* a stripe has it, or will */
    uint16_t legs; /* drive commands under way */
    uint16_t turn;
    uint32_t length, at; /* `at`: bytes into the io */
    uint64_t offset;     /* in the data area of the set's drives; with parity: in the pool's data */
    uint64_t row, row_end; /* what it touches of the data area of the set's drives */
    uint64_t since_ns;
    uint64_t tried[DRIVE_WORDS], broken[DRIVE_WORDS]; /* a read: positions */
    uint64_t landed[DRIVE_WORDS];                     /* a write: positions that answered OK */
    struct slice data;                                /* what was read */
};

/* ---- state on the drives: blob.c; effects: carry.c ---- */

struct store {
    bool wanted; /* `next` is to be written */
    bool active;
    uint32_t next_length;
    uint64_t next_generation, generation; /* ... of the one under way */
    uint8_t *next;                        /* ARRAY_STATE_MAX */
    struct slice blob;                    /* being written */
    struct slice header;
    uint32_t legs, taken;
    uint32_t stamp;                   /* counts stores begun and ended */
    uint32_t cookies, cookies_active; /* waiting; of these, of the store under way */
    uint64_t cookie[STORE_COOKIES];
};

struct load {
    bool wanted, heads; /* heads: all headers were asked for */
    uint32_t legs;
    uint8_t *bytes; /* ARRAY_STATE_MAX */
    uint32_t length;
    uint64_t generation;
    struct state_header trying;
};

enum carry_step {
    CARRY_IDLE,
    CARRY_ASSIGN,
    CARRY_FILL,
    CARRY_LABEL,
    CARRY_FLUSH,
    CARRY_IO,
    CARRY_TOLD, /* done, CARRIED was said; waits for array_carry_end() */
};

/* Host I/O to a volume waits from there on: zeroes are to be written first. */
struct hold {
    uint16_t index;
    uint8_t uuid[16];
    uint64_t lba;
    bool zeroed; /* durably; only the caller's word is still awaited */
};

struct carry_item {
    uint64_t cookie;
    uint32_t length;
    bool ended; /* array_carry_end() was called */
    uint8_t effect[EFFECT_MAX];
};

struct carry {
    struct carry_item item[CARRY_MAX];
    uint32_t first, count;
    struct hold hold[HOLD_MAX];
    uint32_t holds;
    enum carry_step step;
    bool failed;
    bool unlabelled; /* a buffer is wanted for superblocks */
    uint32_t serial, legs;
    uint8_t drive_count;
    uint8_t drives[DRIVE_MAX];
    uint8_t pool;
    bool deleting;
    uint64_t fill_at[DRIVE_MAX], fill_end; /* per position in drives[] */
    bool assigned[DRIVE_MAX];
    uint64_t assign_ns[DRIVE_MAX]; /* sent; 0: to be sent */
    uint64_t assign_since_ns;
    struct array_io io; /* zeroes a volume */
    bool io_busy;
};

/* ---- the whole ---- */

enum phase { PHASE_IDLE, PHASE_LOADING, PHASE_BEGINNING, PHASE_RUNNING };

struct array {
    uint8_t group;
    port_id self;
    struct buffer_pool *buffers;
    const struct limits *limits;
    struct trace *trace;
    uint64_t now_ns;
    enum phase phase;
    uint64_t epoch;
    bool begin_doubt;
    bool again;      /* this pump is not over */
    bool more;       /* the next pump has something to do at once */
    bool look;       /* something about drives has changed */
    bool legs_short; /* host I/O waits for legs or parts */
    bool no_buffer;  /* something waits for a buffer */
    bool quiescing;
    bool settled;      /* what earlier reigns had begun was written anew */
    uint64_t begin_ns; /* 0: the next pump sets it */
    uint64_t timer_ns; /* the earliest limit that may run out */
    uint64_t refused_epoch;
    uint32_t turn;

    struct loop loop[LOOP_MAX];
    struct drive drive[DRIVE_MAX];
    uint64_t drives_used[DRIVE_WORDS]; /* listed once, or of a pool, or with legs: walks are over
                                          these */
    struct bits lacks[DRIVE_MAX];      /* of the drives */
    struct pool pool[POOL_MAX];
    uint32_t pools_end; /* as volumes_end */
    struct volume volume[VOLUME_MAX];
    uint32_t volumes_end; /* those beyond were never used since array_clear() */

    struct leg leg[LEG_MAX];
    uint32_t legs_used; /* those beyond were never taken: their memory is not touched */
    struct list legs_free, legs_ended;
    uint64_t legs_waiting[DRIVE_WORDS];  /* drives that may have some */
    uint32_t legs_free_count, legs_sent; /* free: in the list, or never taken */
    struct stripe stripe[STRIPE_MAX];
    struct list stripes_free, stripes_ready, stripe_bucket[STRIPE_BUCKETS];
    struct list stripes_awaited; /* parts: for a stripe to be free */
    uint32_t stripes_free_count;
    uint64_t stripe_memory; /* reserved by them */
    struct part part[PART_MAX];
    uint32_t parts_used; /* as legs_used */
    struct list parts_free;
    struct list splitting, working, done; /* array_io */
    uint32_t ios;
    uint32_t orphans; /* ios under way of volumes that are no more */
    uint64_t read_bytes, written_bytes;

    struct store store;
    struct load load;
    struct carry carry;
    struct zeroing zeroing[ZEROINGS_MAX];
    struct provision_map *provision_maps; /* the memory of all pools */

    struct array_notice notice[NOTICE_MAX];
    uint32_t notice_first, notice_count;
};

static inline bool position_has(const uint64_t *set, uint32_t position)
{
    return set[position / 64] >> (position % 64) & 1;
}
static inline void position_add(uint64_t *set, uint32_t position)
{
    set[position / 64] |= (uint64_t)1 << (position % 64);
}
static inline void position_remove(uint64_t *set, uint32_t position)
{
    set[position / 64] &= ~((uint64_t)1 << (position % 64));
}

/* The first drive from there on that is used; DRIVE_MAX: none. */
static inline int drives_next(const struct array *array, int from)
{
    for (int word = from / 64; word < DRIVE_WORDS; word++, from = word * 64) {
        uint64_t some = array->drives_used[word] >> (from % 64);
        if (some)
            return from + __builtin_ctzll(some);
    }
    return DRIVE_MAX;
}
#define drives_each(array, d) \
    for (int d = drives_next(array, 0); d < DRIVE_MAX; d = drives_next(array, d + 1))

/* Something for the caller: array.c. */
struct array_notice *array_tell(struct array *array, enum array_notice_kind kind);
/* The next pump is wanted at that time at the latest. */
static inline void array_alarm(struct array *array, uint64_t at_ns)
{
    if (at_ns < array->timer_ns)
        array->timer_ns = at_ns;
}

#endif
