/* SPDX-License-Identifier: Apache-2.0 */
#include "manage/journal.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

size_t journal_format(char *line, size_t bytes, const char *level, const char *part,
                      const char *text)
{
    struct timespec now;
    struct tm utc;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    size_t at = strftime(line, bytes, "%Y-%m-%dT%H:%M:%S", &utc);
    int rest = snprintf(line + at, bytes - at, ".%06ldZ %-6s %-4s %s", now.tv_nsec / 1000, level,
                        part, text);
    size_t length = at + (size_t)(rest > 0 ? rest : 0);
    if (length > bytes - 1)
        length = bytes - 1;
    line[length++] = '\n'; /* in place of the terminating 0 */
    return length;
}

void journal_rotate(const char *path, int files)
{
    char from[512 + 8], to[512 + 8];
    for (int i = files - 1; i > 0; i--) {
        snprintf(to, sizeof to, "%s.%d", path, i);
        if (i > 1)
            snprintf(from, sizeof from, "%s.%d", path, i - 1);
        else
            snprintf(from, sizeof from, "%s", path);
        rename(from, to);
    }
}

bool journal_append(const char *path, const char *level, const char *part, const char *text)
{
    char line[JOURNAL_LINE_BYTES];
    struct stat facts;
    size_t length = journal_format(line, sizeof line, level, part, text);
    for (size_t i = 0; i + 1 < length; i++)
        if ((unsigned char)line[i] < ' ')
            line[i] = ' ';
    if (stat(path, &facts) == 0 && facts.st_size > JOURNAL_FILE_BYTES)
        journal_rotate(path, JOURNAL_FILES);
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    if (fd < 0)
        return false;
    bool written = write(fd, line, length) == (ssize_t)length;
    close(fd);
    return written;
}
