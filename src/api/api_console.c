/* SPDX-License-Identifier: Apache-2.0 */
#include "api/api_console.h"

#include <string.h>

const struct api_file *api_console_find(const char *path)
{
    if (strcmp(path, "/setup") == 0 || strcmp(path, "/index.html") == 0)
        path = "/";
    for (size_t i = 0; i < api_console_count; i++)
        if (strcmp(api_console_files[i].path, path) == 0)
            return &api_console_files[i];
    return NULL;
}
