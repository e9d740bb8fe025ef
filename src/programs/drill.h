/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_PROGRAMS_DRILL_H
#define SEGUE_PROGRAMS_DRILL_H

/* `segue drill`: a load that checks every block, through every path, while parts of the array are
 * killed and hung; then what happened, in milliseconds. 0: no host error and no wrong block; 1:
 * some; 2: wrong usage; 5: refused; 7: the array cannot be reached. */
int drill_main(int argc, char **argv);

#endif
