/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_API_API_CONSOLE_H
#define SEGUE_API_API_CONSOLE_H

/* The web console: files that the build has put into the program (console/build). They are for
 * everybody, and say nothing of the array: what they show they ask of /api/v1. */

#include <stdbool.h>
#include <stddef.h>

struct api_file {
    const char *path;           /* "/", "/app.js" */
    const char *type;           /* Content-Type */
    const char *etag;           /* in quotes */
    const unsigned char *bytes; /* gzip */
    size_t length;
};

extern const struct api_file api_console_files[];
extern const size_t api_console_count;

/* The file at that path; every page of the console is "/". NULL: there is none. */
const struct api_file *api_console_find(const char *path);

#endif
