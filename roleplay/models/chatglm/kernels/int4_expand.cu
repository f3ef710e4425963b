/* W [o, i] in float16 of packed int4 rows with one scale a row: what the cpm_kernels path multiplies with.

   Compiled by NVRTC where there is a GPU, without any header; a C++ compiler makes the same functions for the CPU, where
   tests call int4_expand_thread for every thread of a grid. A thread takes one word, that is 8 columns of a row: byte k of
   it holds column 2 k in the high nibble and column 2 k + 1 in the low one, two's complement. */

#ifdef __CUDACC__
#define ON_DEVICE static __device__ __forceinline__

ON_DEVICE float from_half(unsigned short bits) {
    float value;
    asm("cvt.f32.f16 %0, %1;" : "=f"(value) : "h"(bits));
    return value;
}

ON_DEVICE unsigned short to_half(float value) {
    unsigned short bits;
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(bits) : "f"(value));
    return bits;
}
#else
#include <string.h>
#define ON_DEVICE static inline

ON_DEVICE float from_half(unsigned short bits) {
    _Float16 value;
    memcpy(&value, &bits, 2);
    return (float)value;
}

ON_DEVICE unsigned short to_half(float value) {
    _Float16 rounded = (_Float16)value;
    unsigned short bits;
    memcpy(&bits, &rounded, 2);
    return bits;
}
#endif

ON_DEVICE unsigned int two_columns(unsigned int word, int byte, float scale) {
    int high = (int)(word << (24 - 8 * byte)) >> 28;
    int low = (int)(word << (28 - 8 * byte)) >> 28;
    return (unsigned int)to_half((float)high * scale) | (unsigned int)to_half((float)low * scale) << 16;
}

/* Thread number "thread" of row "row"; threads past the last word do nothing. */
ON_DEVICE void expand_word(
    const unsigned int *packed, const unsigned short *scales, unsigned int *weight, int words, int row, int thread) {
    if (thread >= words) return;
    long long at = (long long)row * words + thread;
    unsigned int word = packed[at], *to = weight + 4 * at;
    float scale = from_half(scales[row]);
    for (int byte = 0; byte < 4; byte++) to[byte] = two_columns(word, byte, scale);
}

#ifdef __CUDACC__
extern "C" __global__ void int4_expand(
    const unsigned int *packed, const unsigned short *scales, unsigned int *weight, int words) {
    expand_word(packed, scales, weight, words, blockIdx.x, blockIdx.y * blockDim.x + threadIdx.x);
}
#else
extern "C" void int4_expand_thread(
    const unsigned int *packed, const unsigned short *scales, unsigned int *weight, int words, int row, int thread) {
    expand_word(packed, scales, weight, words, row, thread);
}
#endif
