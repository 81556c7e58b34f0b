"""
Source of `_sums`, the compiled count of lines and CRC-32 of a text.

The wheel's build hook compiles it where a compiler is there.  Without it `tscm.spool.sums` asks Python's
own library and gives the same numbers.
"""

DECLARATIONS = """
size_t count_ends(const char *data, size_t length);
int folds(void);
uint32_t folded_crc(const char *data, size_t length, uint32_t before);
"""

SOURCE = r"""
#include <stdint.h>
#include <stddef.h>

/* How many LFs stand in the text.  The sums of a piece fit an octet, so that the compiler adds many at once. */
size_t count_ends(const char *data, size_t length) {
    size_t ends = 0;
    while (length) {
        size_t some = length < 255 * 32 ? length : 255 * 32, whole = some / 32 * 32;
        unsigned char sums[32] = { 0 };
        for (size_t at = 0; at < whole; at += 32)
            for (unsigned i = 0; i < 32; i++) sums[i] += data[at + i] == '\n';
        for (unsigned i = 0; i < 32; i++) ends += sums[i];
        for (size_t at = whole; at < some; at++) ends += data[at] == '\n';
        data += some; length -= some;
    }
    return ends;
}

static uint32_t octet_by_octet(const unsigned char *data, size_t length, uint32_t state) {
    while (length--) {
        state ^= *data++;
        for (unsigned i = 0; i < 8; i++) state = state >> 1 ^ (0xedb88320u & -(state & 1));
    }
    return state;
}

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>

int folds(void) { return __builtin_cpu_supports("pclmul") && __builtin_cpu_supports("sse4.1"); }

#define FOLDING __attribute__((target("pclmul,sse4.1")))

FOLDING static inline __m128i fold(__m128i state, __m128i by, __m128i next) {
    __m128i low = _mm_clmulepi64_si128(state, by, 0x00), high = _mm_clmulepi64_si128(state, by, 0x11);
    return _mm_xor_si128(_mm_xor_si128(low, high), next);
}

/* CRC-32 (IEEE 802.3) by folding with carry-less products: V. Gopal and others, "Fast CRC Computation for
   Generic Polynomials Using PCLMULQDQ Instruction", Intel, 2009.  The constants are powers of x modulo the
   polynomial, reflected: 4 * 128 and 128 bits, each with 32 more and 32 less. */
FOLDING uint32_t folded_crc(const char *text, size_t length, uint32_t before) {
    const unsigned char *data = (const unsigned char *)text;
    uint32_t state = ~before;
    if (length >= 64) {
        const __m128i far = _mm_set_epi64x(0x01c6e41596, 0x0154442bd4), near = _mm_set_epi64x(0x00ccaa009e, 0x01751997d0);
        unsigned char rest[16];
        __m128i part[4];
        for (unsigned i = 0; i < 4; i++) part[i] = _mm_loadu_si128((const __m128i *)data + i);
        part[0] = _mm_xor_si128(part[0], _mm_cvtsi32_si128(state));
        for (data += 64, length -= 64; length >= 64; data += 64, length -= 64)
            for (unsigned i = 0; i < 4; i++)
                part[i] = fold(part[i], far, _mm_loadu_si128((const __m128i *)data + i));
        for (unsigned i = 1; i < 4; i++) part[i] = fold(part[i - 1], near, part[i]);
        _mm_storeu_si128((__m128i *)rest, part[3]);
        state = octet_by_octet(rest, sizeof rest, 0);
    }
    return ~octet_by_octet(data, length, state);
}
#else
int folds(void) { return 0; }
uint32_t folded_crc(const char *data, size_t length, uint32_t before) { (void)data; (void)length; return before; }
#endif
"""
