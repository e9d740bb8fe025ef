/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_COMMAND_AL_PA_H
#define SEGUE_COMMAND_AL_PA_H

/* Arbitrated loop physical addresses (FC-AL-2, clause 5 and annex K): those bytes whose 8B/10B code
 * is neutral. 126 are for NL_Ports; 00 is the FL_Port's, here the loop switch's own. */

#include <stdbool.h>
#include <stdint.h>

enum { AL_PAS = 126, AL_PA_FL_PORT = 0x00, AL_PA_NONE = 0xFF };

/* May an NL_Port have it? */
bool al_pa_valid(uint8_t al_pa);
/* Of a loop identifier, 0..125: the hard address of a slot of that number. Identifier 0 has the
 * lowest priority on the loop, EF. */
uint8_t al_pa_of_id(uint32_t id);

/* A set of addresses, as the bit map that LIFA, LIPA, LIHA and LISA carry round (FC-AL-2, 10.4). */
struct al_pa_map {
    uint8_t bit[16]; /* from 00 up, the first behind the L bit */
};

bool al_pa_taken(const struct al_pa_map *map, uint8_t al_pa);
/* False: somebody nearer has claimed it, or it is none that a port may have. */
bool al_pa_claim(struct al_pa_map *map, uint8_t al_pa);
/* The first bit that nobody has claimed, claimed: a soft address. AL_PA_NONE: all are taken. */
uint8_t al_pa_claim_any(struct al_pa_map *map);

#endif
