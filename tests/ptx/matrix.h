// Matrix: small matrices of whole numbers and their bits in PTX's element types, for the tests of mma and
// wmma. Types: f16 bf16 tf32 f32 f64 e4m3 e5m2 s8 u8 s4 u4 b1 s32.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace bitfusion::ptx {

struct Matrix {
    unsigned rows = 0;
    unsigned columns = 0;
    std::vector<int64_t> cells;

    int64_t at(unsigned row, unsigned column) const { return cells[row * columns + column]; }
    // Numbers that the type holds exactly and whose products' sums it, or s32 and f32, hold too. "s32 large":
    // near the limits, for saturation.
    static Matrix numbers(unsigned rows, unsigned columns, std::string_view type, uint64_t seed);
};

// C + A B; "xor" and "and" count bits, "satfinite" clamps to s32.
Matrix product(const Matrix& a, const Matrix& b, const Matrix& c, std::string_view operation);

unsigned bits_of_element(std::string_view type);
uint64_t element_bits(std::string_view type, int64_t value);
// Element `i` of packed 32-bit words.
void put_element(std::vector<uint32_t>& words, unsigned i, std::string_view type, int64_t value);
// The matrix as it lies in memory, row by row or column by column.
std::vector<uint32_t> in_memory(const Matrix& matrix, std::string_view type, bool by_column);
// What the kernels compute of a fragment: h = 31 h + word, words of 32 bits, of 64 for f64.
uint64_t hash_of(const std::vector<uint32_t>& words, std::string_view type);
// ".global .align 32 .b32 name[n] = {...};"
std::string table_text(const std::string& name, const std::vector<uint32_t>& words);

}  // namespace bitfusion::ptx
