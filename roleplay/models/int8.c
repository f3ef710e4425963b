/* Int8 weights times float activations: y[m][o] = sum over i of x[m][i] * weight[o][i] * scale[o][i / GROUP].
 *
 * Letters: o rows of the matrix (outputs), i columns (inputs, a multiple of GROUP), m rows of x; o is a multiple of 4.
 * All arrays are dense.
 *
 * A weight is widened once for all rows of x that pass over it together; nothing is rounded but sums. The vectors are the
 * compiler's own (GCC, Clang), so that the same lines become AVX-512, AVX2 or what another processor has.
 *
 * The threads are those of the OpenMP that the caller hands in (torch's own: two pools on the same cores would only wait
 * for each other).
 */
#include <stdint.h>

typedef void (*parallel_t)(void (*run)(void *), void *data, unsigned threads, unsigned flags);

enum { GROUP = 64 };

/* About how much of a matrix a thread takes at once: it stays in the second-level cache while all rows of x pass over it. */
enum { CHUNK_BYTES = 128 * 1024 };

/* Bytes: how far ahead weights are fetched from memory. */
enum { AHEAD = 4096 };

/* Vectors of 16 and of 8 lanes; loose ones lie anywhere. */
#define VECTORS(N)                                                                                                          \
    typedef float floats##N __attribute__((vector_size(4 * N)));                                                            \
    typedef float loose##N __attribute__((vector_size(4 * N), aligned(4)));                                                 \
    typedef int32_t ints##N __attribute__((vector_size(4 * N)));                                                            \
    typedef int16_t halves##N __attribute__((vector_size(2 * N), aligned(2)));

VECTORS(16)
VECTORS(8)

typedef struct job {
    const float *x;
    const int8_t *weight;
    const float *scale;
    float *y;
    int16_t *halves;
    long m, o, i, chunk, next;
    void (*part)(const struct job *job, long first, long last);
} job_t;

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 8")
#define EACH(NAME, COUNT) UNROLL for (int NAME = 0; NAME < COUNT; NAME++)

/* The sum of all lanes, by halves. */
INLINE float total(float *each, int lanes) {
    for (int half = lanes / 2; half > 1; half /= 2)
        EACH(lane, half) each[lane] += each[lane + half];
    return each[0] + each[1];
}

/* Over a part of the matrix: R of its rows by M rows of x, both constants, and what is left of the part one by one.
 * WIDEN makes floats of N weights. R * M sums and R weights are held in registers. */
#define TILE(TARGET, NAME, R, M, N, WIDEN)                                                                                  \
    TARGET static void NAME(const job_t *job, long first, long last, long at) {                                             \
        for (long row = first; row + R <= last; row += R) {                                                                 \
            floats##N sums[R][M];                                                                                           \
            EACH(r, R) EACH(k, M) sums[r][k] = (floats##N){0};                                                              \
            for (long g = 0; g < job->i / GROUP; g++) {                                                                     \
                EACH(r, R) __builtin_prefetch(job->weight + (row + r) * job->i + g * GROUP + AHEAD);                        \
                EACH(part, GROUP / N) {                                                                                     \
                    long column = g * GROUP + part * N;                                                                     \
                    floats##N weights[R];                                                                                   \
                    EACH(r, R) weights[r] = WIDEN(job->weight + (row + r) * job->i + column);                               \
                    EACH(r, R) weights[r] *= job->scale[(row + r) * (job->i / GROUP) + g];                                  \
                    EACH(k, M) {                                                                                            \
                        floats##N x = *(const loose##N *)(job->x + (at + k) * job->i + column);                             \
                        EACH(r, R) sums[r][k] += weights[r] * x;                                                            \
                    }                                                                                                       \
                }                                                                                                           \
            }                                                                                                               \
            EACH(r, R) EACH(k, M) {                                                                                         \
                float each[N];                                                                                              \
                __builtin_memcpy(each, &sums[r][k], sizeof each);                                                           \
                job->y[(at + k) * job->o + row + r] = total(each, N);                                                       \
            }                                                                                                               \
        }                                                                                                                   \
    }

/* A part of the matrix as float32, or rounded to the upper halves of those: bfloat16. */
#define EXPAND(TARGET, NAME, N, WIDEN)                                                                                      \
    TARGET static void NAME(const job_t *job, long first, long last) {                                                      \
        for (long at = first * job->i; at < last * job->i; at += N) {                                                       \
            floats##N weights = WIDEN(job->weight + at) * job->scale[at / GROUP];                                           \
            if (job->halves) {                                                                                              \
                ints##N bits = (ints##N)weights;                                                                            \
                bits = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;                                                          \
                *(halves##N *)(job->halves + at) = __builtin_convertvector(bits, halves##N);                                \
            } else                                                                                                          \
                *(loose##N *)(job->y + at) = weights;                                                                       \
        }                                                                                                                   \
    }

/* All of x over a part of the matrix, six rows of x at a time. */
#define PRODUCT(TARGET, LEVEL, N, WIDEN, R1, R2, R3, R4, R5, R6)                                                            \
    TILE(TARGET, LEVEL##_1, R1, 1, N, WIDEN)                                                                                \
    TILE(TARGET, LEVEL##_2, R2, 2, N, WIDEN)                                                                                \
    TILE(TARGET, LEVEL##_3, R3, 3, N, WIDEN)                                                                                \
    TILE(TARGET, LEVEL##_4, R4, 4, N, WIDEN)                                                                                \
    TILE(TARGET, LEVEL##_5, R5, 5, N, WIDEN)                                                                                \
    TILE(TARGET, LEVEL##_6, R6, 6, N, WIDEN)                                                                                \
    EXPAND(TARGET, LEVEL##_expand, N, WIDEN)                                                                                \
    static void LEVEL(const job_t *job, long first, long last) {                                                            \
        static void (*const tiles[])(const job_t *, long, long, long) = {LEVEL##_1, LEVEL##_2, LEVEL##_3,                   \
                                                                         LEVEL##_4, LEVEL##_5, LEVEL##_6};                  \
        for (long at = 0; at < job->m; at += 6) tiles[job->m - at < 6 ? job->m - at - 1 : 5](job, first, last, at);         \
    }

INLINE floats8 widen_plain(const int8_t *from) {
    floats8 to;
    EACH(lane, 8) to[lane] = from[lane];
    return to;
}
PRODUCT(, plain, 8, widen_plain, 1, 1, 1, 1, 1, 1)

#if defined(__x86_64__)
#include <immintrin.h>

#define AVX2 __attribute__((target("avx2,fma")))
AVX2 INLINE floats8 widen_avx2(const int8_t *from) {
    return (floats8)_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)from)));
}
PRODUCT(AVX2, avx2, 8, widen_avx2, 4, 4, 2, 2, 2, 2)

#define AVX512 __attribute__((target("avx2,fma,avx512f,avx512bw,avx512vl,avx512dq,prefer-vector-width=512")))
AVX512 INLINE floats16 widen_avx512(const int8_t *from) {
    return (floats16)_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)from)));
}
PRODUCT(AVX512, avx512, 16, widen_avx512, 4, 4, 4, 4, 4, 4)
#endif

static void run(void *data) {
    job_t *job = data;
    for (long first; (first = __atomic_fetch_add(&job->next, job->chunk, __ATOMIC_RELAXED)) < job->o;) {
        long last = first + job->chunk;
        job->part(job, first, last < job->o ? last : job->o);
    }
}

/* The best instructions of this processor: 0 plain, 1 AVX2, 2 AVX-512. */
int int8_level(void) {
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("avx512dq"))
        return 2;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return 1;
#endif
    return 0;
}

static void share(job_t *job, parallel_t parallel, int threads) {
    job->chunk = CHUNK_BYTES / job->i > 4 ? CHUNK_BYTES / job->i / 4 * 4 : 4;
    if (parallel && threads > 1)
        parallel(run, job, (unsigned)threads, 0);
    else
        run(job);
}

void int8_product(int level, const float *x, long m, const int8_t *weight, const float *scale, long o, long i, float *y,
                  parallel_t parallel, int threads) {
    job_t job = {.x = x, .weight = weight, .scale = scale, .y = y, .m = m, .o = o, .i = i, .part = plain};
#if defined(__x86_64__)
    if (level > 0) job.part = level > 1 ? avx512 : avx2;
#endif
    share(&job, parallel, threads);
}

/* To float32 [o][i] at y, or where y is null to bfloat16 at halves. */
void int8_expand(int level, const int8_t *weight, const float *scale, long o, long i, float *y, int16_t *halves,
                 parallel_t parallel, int threads) {
    job_t job = {.weight = weight, .scale = scale, .y = y, .halves = halves, .o = o, .i = i, .part = plain_expand};
#if defined(__x86_64__)
    if (level > 0) job.part = level > 1 ? avx512_expand : avx2_expand;
#endif
    share(&job, parallel, threads);
}
