/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_SIM_MUTANTS_H
#define SEGUE_SIM_MUTANTS_H

/* Which rule of the protocol is broken in this run, if any (base/mutant.h): for the programs that
 * look whether their tests notice. Only a build with -Dmutants=true has mutants. */

#include <stdbool.h>

/* Chosen before anything runs. False: there is none of that name, and stderr says so. */
bool mutants_choose(const char *name);
/* A build with mutants has chosen what the environment's MUTANT names before main. False, and
 * stderr says so: MUTANT names one, and this build has none. */
bool mutants_obey_environment(void);
/* Each one on a line: name, rule, what is broken, between tabs. */
void mutants_list(void);

#endif
