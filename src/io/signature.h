/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_IO_SIGNATURE_H
#define SEGUE_IO_SIGNATURE_H

/* What lies on a drive already, as libblkid knows it: a file system, a partition table, a volume
 * manager's mark, another RAID's; or a pool's superblock. */

enum { SIGNATURE_BYTES = 24 };
#define SIGNATURE_POOL "segue"

/* Its name ("ext4", "gpt", "LVM2_member"; "segue" of a pool), or "" if there is none. */
void signature_find(const char *path, char out[SIGNATURE_BYTES]);

#endif
