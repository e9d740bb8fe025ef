/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_API_API_SERVER_H
#define SEGUE_API_API_SERVER_H

#include <stddef.h>

struct api;
struct api_server;

/* Listens at once; the PEM texts stay the caller's. NULL: the sentence says why. */
struct api_server *api_server_new(struct api *api, char *certificate, char *key, char *sentence,
                                  size_t bytes);
void api_server_free(struct api_server *server);

#endif
