/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_API_API_SCHEMAS_H
#define SEGUE_API_API_SCHEMAS_H

#include <stddef.h>

struct api_schema {
    const char *name, *json;
};

/* NULL: there are not so many. */
const struct api_schema *api_schema_at(size_t i);

#endif
