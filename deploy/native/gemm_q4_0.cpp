// Multiply Q4_0 weights with several rows of activations: `ggml_gemm_q4_0_8x8_q8_0` for processors with AVX-512 VNNI.
//
// llama.cpp's own routine multiplies signed by signed bytes, for which the processor has no instruction: it takes
// absolute values and moves signs, twice as many instructions in all. Here weights are made unsigned (w + 8) and
// what that adds, 8 times the sum of the activations, is taken away once per row and block: the sums are as cheap
// as one column. Where VNNI is missing, or a shape is unusual, llama.cpp's routine is called under its new name.
//
// Layouts (ggml-cpu/repack.h): a block of weights holds 32 values of each of 8 columns, as eight bytes of each column
// in turn, two nibbles per byte (values 0-15 low, 16-31 high); a block of activations 32 values of each of 4 rows, as
// eight bytes of each row in turn. Scales are half floats, one per column or row and block.

#include <cstddef>
#include <cstdint>
#include <cstring>

extern "C" {
void ggml_gemm_q4_0_8x8_q8_0(int n, float * s, size_t bs, const void * vx, const void * vy, int nr, int nc);
void ggml_gemm_q4_0_8x8_q8_0_upstream(int n, float * s, size_t bs, const void * vx, const void * vy, int nr, int nc);
}

#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512VL__) && defined(__AVX512VNNI__)

#include <immintrin.h>

namespace {

constexpr int VALUES = 32;      // of a block, per column or row
constexpr int MOST_BLOCKS = 512;  // of a row: 16,384 values, more than any model of the size that this portal runs

struct Weights {
    uint16_t scales[8];
    uint8_t nibbles[128];
};

struct Activations {
    uint16_t scales[4];
    int8_t values[128];
};

static_assert(sizeof(Weights) == 144 && sizeof(Activations) == 136, "as in ggml-cpu/repack.h");

// What a group of four rows needs besides its values: scales, and minus 4 times the sum, for each of the two lanes
// that a column has.
struct Row {
    float scale[MOST_BLOCKS][4];
    int32_t start[MOST_BLOCKS][4];
};

void read_rows(const Activations * blocks, int count, Row & row) {
    const __m512i ones = _mm512_set1_epi8(1);
    for (int b = 0; b < count; ++b) {
        __m128i halves;
        std::memcpy(&halves, blocks[b].scales, sizeof blocks[b].scales);
        _mm_storeu_ps(row.scale[b], _mm_cvtph_ps(halves));
        __m512i sums = _mm512_dpbusd_epi32(_mm512_setzero_si512(), ones, _mm512_loadu_si512(blocks[b].values));
        sums = _mm512_dpbusd_epi32(sums, ones, _mm512_loadu_si512(blocks[b].values + 64));
        // Lanes 2r and 2r + 1 of either half belong to row r.
        const __m256i eight = _mm256_add_epi32(_mm512_castsi512_si256(sums), _mm512_extracti64x4_epi64(sums, 1));
        const __m256i pairs = _mm256_add_epi32(eight, _mm256_srli_epi64(eight, 32));
        const __m128i four = _mm256_cvtepi64_epi32(pairs);
        const __m128i minus = _mm_sub_epi32(_mm_setzero_si128(), _mm_slli_epi32(four, 2));
        _mm_storeu_si128((__m128i *) row.start[b], minus);
    }
}

__m512i broadcast8(const int8_t * bytes) {
    int64_t eight;
    std::memcpy(&eight, bytes, sizeof eight);
    return _mm512_set1_epi64(eight);
}

// Compute GROUPS * 4 rows of PANELS * 8 columns. All of them stay in registers: 16 of 32 for two and two.
template <int GROUPS, int PANELS>
void tile(int blocks, float * s, size_t bs, const Weights * weights, const Activations * activations, const Row * rows) {
    const __m512i low = _mm512_set1_epi8(0x0F);
    const __m512i flip = _mm512_set1_epi8((char) 0x88);
    const __m512i twice = _mm512_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7);
    __m512 sums[GROUPS * 4][PANELS];
    for (auto & row : sums) {
        for (auto & panel : row) {
            panel = _mm512_setzero_ps();
        }
    }
    for (int b = 0; b < blocks; ++b) {
        __m512i w[PANELS][4];
        __m512 scales[PANELS];
        for (int p = 0; p < PANELS; ++p) {
            const Weights & block = weights[p * blocks + b];
            const __m512i first = _mm512_xor_si512(_mm512_loadu_si512(block.nibbles), flip);
            const __m512i second = _mm512_xor_si512(_mm512_loadu_si512(block.nibbles + 64), flip);
            w[p][0] = _mm512_and_si512(first, low);
            w[p][1] = _mm512_and_si512(second, low);
            w[p][2] = _mm512_and_si512(_mm512_srli_epi16(first, 4), low);
            w[p][3] = _mm512_and_si512(_mm512_srli_epi16(second, 4), low);
            const __m256 eight = _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *) block.scales));
            scales[p] = _mm512_permutexvar_ps(twice, _mm512_castps256_ps512(eight));
        }
        for (int g = 0; g < GROUPS; ++g) {
            const int8_t * values = activations[g * blocks + b].values;
            for (int r = 0; r < 4; ++r) {
                const __m512i start = _mm512_set1_epi32(rows[g].start[b][r]);
                const __m512 scale = _mm512_set1_ps(rows[g].scale[b][r]);
                __m512i dots[PANELS];
                for (auto & dot : dots) {
                    dot = start;
                }
                for (int k = 0; k < 4; ++k) {
                    const __m512i a = broadcast8(values + k * 32 + r * 8);
                    for (int p = 0; p < PANELS; ++p) {
                        dots[p] = _mm512_dpbusd_epi32(dots[p], w[p][k], a);
                    }
                }
                for (int p = 0; p < PANELS; ++p) {
                    __m512 & sum = sums[g * 4 + r][p];
                    sum = _mm512_fmadd_ps(_mm512_cvtepi32_ps(dots[p]), _mm512_mul_ps(scales[p], scale), sum);
                }
            }
        }
    }
    const __m512i even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 0, 0, 0, 0, 0, 0, 0, 0);
    for (int r = 0; r < GROUPS * 4; ++r) {
        for (int p = 0; p < PANELS; ++p) {
            const __m512 sum = sums[r][p];
            const __m512 both = _mm512_add_ps(sum, _mm512_permute_ps(sum, 0xB1));
            _mm256_storeu_ps(s + r * bs + p * 8, _mm512_castps512_ps256(_mm512_permutexvar_ps(even, both)));
        }
    }
}

template <int GROUPS>
void stripe(int blocks, float * s, size_t bs, const Weights * weights, const Activations * activations, const Row * rows,
            int columns) {
    int c = 0;
    for (; c + 16 <= columns; c += 16) {
        tile<GROUPS, 2>(blocks, s + c, bs, weights + (c / 8) * blocks, activations, rows);
    }
    if (c < columns) {
        tile<GROUPS, 1>(blocks, s + c, bs, weights + (c / 8) * blocks, activations, rows);
    }
}

}  // namespace

void ggml_gemm_q4_0_8x8_q8_0(int n, float * s, size_t bs, const void * vx, const void * vy, int nr, int nc) {
    const int blocks = n / VALUES;
    if (n % VALUES != 0 || blocks > MOST_BLOCKS || nr % 4 != 0 || nc % 8 != 0) {
        ggml_gemm_q4_0_8x8_q8_0_upstream(n, s, bs, vx, vy, nr, nc);
        return;
    }
    static thread_local Row rows[2];
    const auto * weights = (const Weights *) vx;
    const auto * activations = (const Activations *) vy;
    int g = 0;
    for (; g + 2 <= nr / 4; g += 2) {
        read_rows(activations + g * blocks, blocks, rows[0]);
        read_rows(activations + (g + 1) * blocks, blocks, rows[1]);
        stripe<2>(blocks, s + g * 4 * bs, bs, weights, activations + g * blocks, rows, nc);
    }
    if (g < nr / 4) {
        read_rows(activations + g * blocks, blocks, rows[0]);
        stripe<1>(blocks, s + g * 4 * bs, bs, weights, activations + g * blocks, rows, nc);
    }
}

#else

void ggml_gemm_q4_0_8x8_q8_0(int n, float * s, size_t bs, const void * vx, const void * vy, int nr, int nc) {
    ggml_gemm_q4_0_8x8_q8_0_upstream(n, s, bs, vx, vy, nr, nc);
}

#endif
