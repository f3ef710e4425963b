/* Int4 weights times float activations on x86, exact to float32: each activation becomes a 24-bit integer in three
 * signed bytes ("limbs"), so that the byte dot products of AVX-512 VNNI (or AVX2) do the work in exact integers.
 *
 * Letters: o rows of the matrix (outputs), i columns (inputs), m rows of x.
 *
 * Tiles: uint8 [ceil(o / 16)][i / 8][64]. Byte 4 r + j of a line holds two weights of row r of the block, each plus 8:
 * column j of the eight in the low nibble, column 4 + j in the high one. A line loaded once serves 16 outputs.
 *
 * Limbs: x = scale * (l2 * 65536 + l1 * 256 + l0), int8 [i / 8][t][3][8] for each group of t rows that pass over the tiles
 * together (8, at the end what is left). A weight w is stored as w + 8, so that a sum over columns is too large by 8 times
 * the sum of the limb; that is taken off in integers before anything is rounded.
 *
 * The threads are those of the OpenMP that the caller hands in (torch's own: two pools on the same cores would only wait
 * for each other).
 */
#include <stdint.h>

typedef void (*parallel_t)(void (*run)(void *), void *data, unsigned threads, unsigned flags);

enum { ROWS = 16, COLUMNS = 8, LINE = 64, LIMBS = 3, STEP = LIMBS * COLUMNS, GROUP = 8 };

/* About how much of a matrix a thread takes at once: it stays in the second-level cache while all rows of x pass over it. */
enum { CHUNK_BYTES = 256 * 1024 };

/* Bytes: how far ahead tiles are fetched from memory. */
enum { AHEAD = 4096 };

typedef struct {
    const float *x, *scale, *bias;
    const uint8_t *packed;
    uint8_t *tiles;
    float *y;
    long o, i, m;
    int level;
    int8_t *limbs;
    float *x_scale;
    int32_t *x_sums;
    long chunk, next;
} job_t;

static long take(job_t *job) { return __atomic_fetch_add(&job->next, 1, __ATOMIC_RELAXED); }

static void share(parallel_t parallel, int threads, void (*run)(void *), job_t *job) {
    job->next = 0;
    if (parallel && threads > 1)
        parallel(run, job, (unsigned)threads, 0);
    else
        run(job);
}

static long blocks_of(long o) { return (o + ROWS - 1) / ROWS; }

/* ---- tiles from the checkpoint's form: int8 [o][i / 2], even column in the high nibble, two's complement ---- */

static void repack_blocks(void *data) {
    job_t *job = data;
    long lines = job->i / COLUMNS, width = job->i / 2;
    for (long block; (block = take(job)) < blocks_of(job->o);) {
        uint8_t *tile = job->tiles + block * lines * LINE;
        for (long r = 0; r < ROWS; r++) {
            long row = block * ROWS + r;
            const uint8_t *from = row < job->o ? job->packed + row * width : 0;
            for (long c = 0; c < lines; c++)
                for (long j = 0; j < 4; j++) {
                    /* Columns j and 4 + j of the eight; a nibble plus 8 is the nibble with its top bit turned. */
                    uint8_t low = from ? from[4 * c + j / 2] : 0, high = from ? from[4 * c + 2 + j / 2] : 0;
                    low = (j % 2 ? low : low >> 4) & 15, high = (j % 2 ? high : high >> 4) & 15;
                    tile[c * LINE + 4 * r + j] = (uint8_t)((low ^ 8) | (high ^ 8) << 4);
                }
        }
    }
}

void int4_repack(const uint8_t *packed, uint8_t *tiles, long o, long i, parallel_t parallel, int threads) {
    job_t job = {.packed = packed, .tiles = tiles, .o = o, .i = i};
    share(parallel, threads, repack_blocks, &job);
}

#if defined(__x86_64__)
#include <immintrin.h>

#define AVX2 __attribute__((target("avx2,fma")))
#define AVX512 __attribute__((target("avx2,fma,avx512f,avx512bw,avx512vl,avx512vnni")))
#define UNROLL _Pragma("GCC unroll 16")

/* ---- activations ---- */

/* Just under the 8,355,711 that three signed bytes hold on both sides: rounding may add to it. */
static const float TOP = 8355000;

AVX2 static void limbs_of_row(const float *x, long i, int8_t *limbs, long step, float *scale, int32_t *sums) {
    float top = 0;
    for (long k = 0; k < i; k++) {
        float size = x[k] < 0 ? -x[k] : x[k];
        top = size > top || size != size ? size : top; /* NaN stays */
    }
    float factor = top > 0 ? TOP / top : 0;
    *scale = top > 0 ? top / TOP : top;
    __m256i all[LIMBS] = {_mm256_setzero_si256(), _mm256_setzero_si256(), _mm256_setzero_si256()};
    for (long c = 0; c < i / COLUMNS; c++) {
        __m256i rest = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x + c * COLUMNS), _mm256_set1_ps(factor)));
        for (int l = 0; l < LIMBS; l++) {
            __m256i limb = _mm256_srai_epi32(_mm256_slli_epi32(rest, 24), 24);
            rest = _mm256_srai_epi32(_mm256_sub_epi32(rest, limb), 8);
            all[l] = _mm256_add_epi32(all[l], limb);
            __m128i words = _mm_packs_epi32(_mm256_castsi256_si128(limb), _mm256_extracti128_si256(limb, 1));
            _mm_storel_epi64((__m128i *)(limbs + c * step + l * COLUMNS), _mm_packs_epi16(words, words));
        }
    }
    for (int l = 0; l < LIMBS; l++) {
        int32_t lanes[8];
        _mm256_storeu_si256((__m256i *)lanes, all[l]);
        sums[l] = 0;
        for (int k = 0; k < 8; k++) sums[l] += lanes[k];
    }
}

static void limbs_of_rows(void *data) {
    job_t *job = data;
    for (long m; (m = take(job)) < job->m;) {
        long first = m - m % GROUP, together = job->m - first < GROUP ? job->m - first : GROUP;
        int8_t *limbs = job->limbs + first * job->i * LIMBS + m % GROUP * STEP;
        limbs_of_row(job->x + m * job->i, job->i, limbs, together * STEP, job->x_scale + m, job->x_sums + m * LIMBS);
    }
}

/* ---- AVX-512 VNNI: one block of 16 outputs, MT rows of x ---- */

AVX512 static inline __attribute__((always_inline)) __m512 total512(const __m512i *sums, const int32_t *offset) {
    __m512 total = _mm512_setzero_ps();
    UNROLL for (int l = LIMBS - 1; l >= 0; l--) {
        __m512 limb = _mm512_cvtepi32_ps(_mm512_sub_epi32(sums[l], _mm512_set1_epi32(8 * offset[l])));
        total = _mm512_fmadd_ps(total, _mm512_set1_ps(256), limb);
    }
    return total;
}

/* sums += four weights of each row times four limbs, which all rows share. */
AVX512 static inline __attribute__((always_inline)) __m512i dot512(__m512i sums, __m512i weights, const int8_t *limbs) {
    __asm__("vpdpbusd %2%{1to16%}, %1, %0" : "+v"(sums) : "v"(weights), "m"(*(const int32_t *)limbs));
    return sums;
}

AVX512 static inline __attribute__((always_inline)) void block512(const job_t *job, long block, long m, const int MT) {
    const int SPLIT = MT <= 2 ? 2 : 1; /* few rows: more sums at once, or each would wait for the one before */
    long lines = job->i / COLUMNS;
    const uint8_t *tile = job->tiles + block * lines * LINE;
    const int8_t *limbs = job->limbs + m * job->i * LIMBS;
    const __m512i nibble = _mm512_set1_epi8(15);
    __m512i sums[2][GROUP][LIMBS];
    UNROLL for (int s = 0; s < SPLIT; s++)
        UNROLL for (int t = 0; t < MT; t++)
            UNROLL for (int l = 0; l < LIMBS; l++) sums[s][t][l] = _mm512_setzero_si512();
    for (long c = 0; c < lines; c++) {
        _mm_prefetch(tile + c * LINE + AHEAD, _MM_HINT_T0);
        __m512i line = _mm512_loadu_si512(tile + c * LINE);
        __m512i low = _mm512_and_si512(line, nibble), high = _mm512_and_si512(_mm512_srli_epi16(line, 4), nibble);
        UNROLL for (int t = 0; t < MT; t++) {
            const int8_t *x = limbs + (c * MT + t) * STEP;
            UNROLL for (int l = 0; l < LIMBS; l++) {
                sums[0][t][l] = dot512(sums[0][t][l], low, x + l * COLUMNS);
                sums[SPLIT - 1][t][l] = dot512(sums[SPLIT - 1][t][l], high, x + l * COLUMNS + 4);
            }
        }
    }
    long o = block * ROWS, left = job->o - o;
    __mmask16 inside = left >= ROWS ? 0xFFFF : (__mmask16)((1 << left) - 1);
    __m512 scale = _mm512_maskz_loadu_ps(inside, job->scale + o);
    __m512 bias = job->bias ? _mm512_maskz_loadu_ps(inside, job->bias + o) : _mm512_setzero_ps();
    UNROLL for (int t = 0; t < MT; t++) {
        if (SPLIT == 2)
            UNROLL for (int l = 0; l < LIMBS; l++) sums[0][t][l] = _mm512_add_epi32(sums[0][t][l], sums[1][t][l]);
        __m512 total = total512(sums[0][t], job->x_sums + (m + t) * LIMBS);
        total = _mm512_mul_ps(total, _mm512_set1_ps(job->x_scale[m + t]));
        _mm512_mask_storeu_ps(job->y + (m + t) * job->o + o, inside, _mm512_fmadd_ps(total, scale, bias));
    }
}

AVX512 static long rows512(const job_t *job, long block, long end, long m) {
    long left = job->m - m;
    for (; block < end; block++) switch (left < GROUP ? left : GROUP) {
            case 1: block512(job, block, m, 1); break;
            case 2: block512(job, block, m, 2); break;
            case 3: block512(job, block, m, 3); break;
            case 4: block512(job, block, m, 4); break;
            case 5: block512(job, block, m, 5); break;
            case 6: block512(job, block, m, 6); break;
            case 7: block512(job, block, m, 7); break;
            default: block512(job, block, m, 8);
        }
    return left < GROUP ? left : GROUP;
}

/* ---- AVX2: half a block (8 outputs), MT rows of x ---- */

/* Sums of pairs are at most 2 * 15 * 128 = 3,840, so that eight of them fit 16 bits. */
enum { LINES_IN_16_BITS = 4 };

AVX2 static inline __attribute__((always_inline)) void half256(const job_t *job, long block, long m, int half, const int MT) {
    long first_row = m - m % GROUP, together = job->m - first_row < GROUP ? job->m - first_row : GROUP;
    long lines = job->i / COLUMNS;
    const uint8_t *tile = job->tiles + block * lines * LINE + half * 32;
    const int8_t *limbs = job->limbs + first_row * job->i * LIMBS + m % GROUP * STEP;
    const __m256i nibble = _mm256_set1_epi8(15), ones = _mm256_set1_epi16(1);
    __m256i sums[2][LIMBS];
    UNROLL for (int t = 0; t < MT; t++) UNROLL for (int l = 0; l < LIMBS; l++) sums[t][l] = _mm256_setzero_si256();
    for (long first = 0; first < lines; first += LINES_IN_16_BITS) {
        long last = first + LINES_IN_16_BITS < lines ? first + LINES_IN_16_BITS : lines;
        __m256i part[2][LIMBS];
        UNROLL for (int t = 0; t < MT; t++) UNROLL for (int l = 0; l < LIMBS; l++) part[t][l] = _mm256_setzero_si256();
        for (long c = first; c < last; c++) {
            __m256i line = _mm256_loadu_si256((const __m256i *)(tile + c * LINE));
            __m256i low = _mm256_and_si256(line, nibble), high = _mm256_and_si256(_mm256_srli_epi16(line, 4), nibble);
            UNROLL for (int t = 0; t < MT; t++) {
                const int8_t *x = limbs + (c * together + t) * STEP;
                UNROLL for (int l = 0; l < LIMBS; l++) {
                    const int32_t *four = (const int32_t *)(x + l * COLUMNS);
                    __m256i one = _mm256_maddubs_epi16(low, _mm256_set1_epi32(four[0]));
                    __m256i two = _mm256_maddubs_epi16(high, _mm256_set1_epi32(four[1]));
                    part[t][l] = _mm256_add_epi16(part[t][l], _mm256_add_epi16(one, two));
                }
            }
        }
        UNROLL for (int t = 0; t < MT; t++)
            UNROLL for (int l = 0; l < LIMBS; l++)
                sums[t][l] = _mm256_add_epi32(sums[t][l], _mm256_madd_epi16(part[t][l], ones));
    }
    UNROLL for (int t = 0; t < MT; t++) {
        __m256 total = _mm256_setzero_ps();
        UNROLL for (int l = LIMBS - 1; l >= 0; l--) {
            int32_t offset = 8 * job->x_sums[(m + t) * LIMBS + l];
            __m256 limb = _mm256_cvtepi32_ps(_mm256_sub_epi32(sums[t][l], _mm256_set1_epi32(offset)));
            total = _mm256_fmadd_ps(total, _mm256_set1_ps(256), limb);
        }
        float lanes[8];
        _mm256_storeu_ps(lanes, _mm256_mul_ps(total, _mm256_set1_ps(job->x_scale[m + t])));
        long o = block * ROWS + half * 8;
        for (int r = 0; r < 8 && o + r < job->o; r++)
            job->y[(m + t) * job->o + o + r] = lanes[r] * job->scale[o + r] + (job->bias ? job->bias[o + r] : 0);
    }
}

AVX2 static long rows256(const job_t *job, long block, long end, long m) {
    long some = job->m - m < 2 ? 1 : 2;
    for (; block < end; block++)
        for (int half = 0; half < 2; half++)
            if (some == 1)
                half256(job, block, m, half, 1);
            else
                half256(job, block, m, half, 2);
    return some;
}

static void product_chunks(void *data) {
    job_t *job = data;
    long blocks = blocks_of(job->o);
    for (long chunk; (chunk = take(job)) * job->chunk < blocks;) {
        long first = chunk * job->chunk, end = first + job->chunk < blocks ? first + job->chunk : blocks;
        for (long m = 0; m < job->m;)
            m += job->level == 2 ? rows512(job, first, end, m) : rows256(job, first, end, m);
    }
}

/* 2 with AVX-512 VNNI, 1 with AVX2, 0 where this file has nothing for the processor. */
int int4_level(void) {
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl"))
        return 2;
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

/* y [m][o] = x [m][i] W^T + bias. limbs: 3 m i bytes to work in; x_scale: m; x_sums: 3 m. bias may be null. */
void int4_product(int level, const float *x, long m, const uint8_t *tiles, const float *scale, const float *bias, long o,
                  long i, float *y, int8_t *limbs, float *x_scale, int32_t *x_sums, parallel_t parallel, int threads) {
    long bytes = i / COLUMNS * LINE, chunk = CHUNK_BYTES / bytes;
    job_t job = {.x = x, .m = m, .tiles = (uint8_t *)tiles, .scale = scale, .bias = bias, .o = o, .i = i, .y = y,
                 .limbs = limbs, .x_scale = x_scale, .x_sums = x_sums, .level = level, .chunk = chunk > 0 ? chunk : 1};
    share(parallel, m < 4 ? 1 : threads, limbs_of_rows, &job);
    share(parallel, threads, product_chunks, &job);
}

/* ---- whole rows in float32, for products with many rows and for gradients ---- */

AVX2 static void expand_blocks(void *data) {
    job_t *job = data;
    long lines = job->i / COLUMNS;
    const __m128i nibble = _mm_set1_epi8(15);
    for (long block; (block = take(job)) < blocks_of(job->o);) {
        const uint8_t *tile = job->tiles + block * lines * LINE;
        for (long r = 0; r < ROWS && block * ROWS + r < job->o; r++) {
            long row = block * ROWS + r;
            __m256 scale = _mm256_set1_ps(job->scale[row]);
            for (long c = 0; c < lines; c++) {
                __m128i four = _mm_loadu_si32(tile + c * LINE + 4 * r);
                __m128i low = _mm_and_si128(four, nibble), high = _mm_and_si128(_mm_srli_epi16(four, 4), nibble);
                __m256i eight = _mm256_cvtepu8_epi32(_mm_unpacklo_epi32(low, high));
                __m256 values = _mm256_cvtepi32_ps(_mm256_sub_epi32(eight, _mm256_set1_epi32(8)));
                _mm256_storeu_ps(job->y + row * job->i + c * COLUMNS, _mm256_mul_ps(values, scale));
            }
        }
    }
}

/* y [o][i] = W in float32. */
void int4_expand(const uint8_t *tiles, const float *scale, long o, long i, float *y, parallel_t parallel, int threads) {
    job_t job = {.tiles = (uint8_t *)tiles, .scale = scale, .o = o, .i = i, .y = y};
    share(parallel, threads, expand_blocks, &job);
}

#else
int int4_level(void) { return 0; }
#endif
