/* SPDX-License-Identifier: Apache-2.0 */
#include "node/log.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "manage/journal.h"

enum {
    LOG_RING_BYTES = 256 << 10,
    LOG_PIECE_BYTES = 16 << 10,
    LOG_LINE_BYTES = 512,
    LOG_PATH_BYTES = 512,
    LOG_FILE_BYTES = 10 << 20,
    LOG_FILES = JOURNAL_FILES, /* the one that is written, and NAME.1, NAME.2 */
    LOG_FLUSH_TRIES = 200,
};

struct log {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t given;
    char ring[LOG_RING_BYTES];
    size_t first, count;
    unsigned long dropped;
    bool ending, writing;
    bool quiet; /* stderr is a file too: it gets what is not of the log, and does not grow */
    char path[LOG_PATH_BYTES];
    int fd;
    size_t file_bytes, file_max;
};

/* ---- the thread ---- */

static void open_file(struct log *log)
{
    log->fd = open(log->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    struct stat facts;
    log->file_bytes = log->fd >= 0 && fstat(log->fd, &facts) == 0 ? (size_t)facts.st_size : 0;
}

static void rotate(struct log *log)
{
    close(log->fd);
    journal_rotate(log->path, LOG_FILES);
    open_file(log);
}

static void write_all(int fd, const char *bytes, size_t length)
{
    while (length) {
        ssize_t written = write(fd, bytes, length);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0) /* a full disk or a closed pipe: there is nobody to tell */
            return;
        bytes += written;
        length -= (size_t)written;
    }
}

static void write_piece(struct log *log, const char *piece, size_t length)
{
    if (!log->quiet)
        write_all(STDERR_FILENO, piece, length);
    if (log->fd < 0)
        return;
    write_all(log->fd, piece, length);
    log->file_bytes += length;
    if (log->file_bytes > log->file_max && piece[length - 1] == '\n')
        rotate(log);
}

/* Takes what the ring holds, at most a piece, up to its end. */
static size_t take_piece(struct log *log, char *piece)
{
    size_t length = log->count;
    if (length > LOG_RING_BYTES - log->first)
        length = LOG_RING_BYTES - log->first;
    if (length > LOG_PIECE_BYTES)
        length = LOG_PIECE_BYTES;
    memcpy(piece, log->ring + log->first, length);
    log->first = (log->first + length) % LOG_RING_BYTES;
    log->count -= length;
    return length;
}

static void *run(void *argument)
{
    struct log *log = argument;
    char piece[LOG_PIECE_BYTES];
    pthread_mutex_lock(&log->lock);
    for (;;) {
        while (log->count == 0 && !log->ending)
            pthread_cond_wait(&log->given, &log->lock);
        if (log->count == 0)
            break;
        size_t length = take_piece(log, piece);
        log->writing = true;
        pthread_mutex_unlock(&log->lock);
        write_piece(log, piece, length);
        pthread_mutex_lock(&log->lock);
        log->writing = false;
    }
    pthread_mutex_unlock(&log->lock);
    return NULL;
}

/* ---- the loop's side ---- */

/* Signals are for the loop, not for this thread. */
static int start_thread(struct log *log)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    int error = pthread_create(&log->thread, NULL, run, log);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error)
        return -1;
    pthread_setname_np(log->thread, "log");
    return 0;
}

struct log *log_open(const char *path, char *sentence, size_t sentence_bytes)
{
    struct log *log = calloc(1, sizeof *log);
    if (!log) {
        snprintf(sentence, sentence_bytes, "no memory for the log");
        return NULL;
    }
    log->fd = -1;
    log->file_max = LOG_FILE_BYTES;
    if (path) {
        snprintf(log->path, sizeof log->path, "%s", path);
        open_file(log);
        if (log->fd < 0) {
            snprintf(sentence, sentence_bytes, "log %s cannot be opened: %s", path,
                     strerror(errno));
            free(log);
            return NULL;
        }
        struct stat facts;
        log->quiet = fstat(STDERR_FILENO, &facts) == 0 && S_ISREG(facts.st_mode);
    }
    pthread_mutex_init(&log->lock, NULL);
    pthread_cond_init(&log->given, NULL);
    if (start_thread(log)) {
        snprintf(sentence, sentence_bytes, "no thread for the log");
        free(log);
        return NULL;
    }
    return log;
}

struct log *log_open_journal(const char *path, char *sentence, size_t sentence_bytes)
{
    struct log *log = log_open(path, sentence, sentence_bytes);
    if (log) { /* nothing has been written yet */
        log->file_max = JOURNAL_FILE_BYTES;
        log->quiet = true;
    }
    return log;
}

static void put(struct log *log, const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++)
        log->ring[(log->first + log->count++) % LOG_RING_BYTES] = bytes[i];
}

void log_line(struct log *log, enum trace_level level, const char *part, const char *text)
{
    char line[LOG_LINE_BYTES], notice[64];
    size_t length = journal_format(line, sizeof line, trace_level_name(level), part, text);
    pthread_mutex_lock(&log->lock);
    if (log->dropped && LOG_RING_BYTES - log->count > LOG_PIECE_BYTES) {
        int said = snprintf(notice, sizeof notice, "(%lu lines were not kept)\n", log->dropped);
        put(log, notice, (size_t)said);
        log->dropped = 0;
    }
    if (LOG_RING_BYTES - log->count < length)
        log->dropped++;
    else
        put(log, line, length);
    pthread_cond_signal(&log->given);
    pthread_mutex_unlock(&log->lock);
}

void log_flush(struct log *log)
{
    for (int i = 0; i < LOG_FLUSH_TRIES; i++) {
        if (pthread_mutex_trylock(&log->lock) == 0) {
            bool written = log->count == 0 && !log->writing;
            pthread_mutex_unlock(&log->lock);
            if (written)
                return;
        }
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
}

void log_close(struct log *log)
{
    pthread_mutex_lock(&log->lock);
    log->ending = true;
    pthread_cond_signal(&log->given);
    pthread_mutex_unlock(&log->lock);
    pthread_join(log->thread, NULL);
    if (log->fd >= 0)
        close(log->fd);
    free(log);
}
