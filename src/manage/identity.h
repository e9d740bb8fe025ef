/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_MANAGE_IDENTITY_H
#define SEGUE_MANAGE_IDENTITY_H

/* Identities of what is created (RFC 4122). */

#include <stdint.h>

/* Version 5: the same array and name give the same identity, always. */
void identity_of_name(const char *array, const char *kind, const char *name, uint8_t uuid[16]);
/* Of what a request creates. The environment's SEGUE_REQUEST_ID names the request: the same one
 * gives the same identity, so that asking again, when no answer came, is asking once. Without it:
 * random.
 */
void identity_of_request(const char *kind, const char *name, uint8_t uuid[16]);
/* Version 4, from the kernel's random numbers. */
void identity_random(uint8_t uuid[16]);

#endif
