/* SPDX-License-Identifier: GPL-2.0 */
/* How long and from which seed the fuzz tests run. */
#ifndef UAPI_FUZZ_H
#define UAPI_FUZZ_H

extern unsigned int fuzz_seed;
extern unsigned int fuzz_seconds;

#endif
