/* What the firmware takes of the C library, so that no library is needed. */
#ifndef CORTEX_M_STRING_H
#define CORTEX_M_STRING_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

void *memcpy(void *to, const void *from, size_t bytes);
void *memset(void *to, int byte, size_t bytes);

#ifdef __cplusplus
}
#endif

#endif
