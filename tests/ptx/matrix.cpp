#include "ptx/matrix.h"

#include <algorithm>
#include <random>

#include "ptx/number.h"

namespace bitfusion::ptx {

Matrix Matrix::numbers(unsigned rows, unsigned columns, std::string_view type, uint64_t seed) {
    std::mt19937_64 random(seed);
    int64_t least = -4;
    int64_t most = 4;
    if (type == "s8") least = -128, most = 127;
    if (type == "u8") least = 0, most = 255;
    if (type == "s4") least = -8, most = 7;
    if (type == "u4") least = 0, most = 15;
    if (type == "b1") least = 0, most = 1;
    if (type == "s32") least = -100000, most = 100000;
    Matrix out{rows, columns, {}};
    for (unsigned i = 0; i < rows * columns; ++i) {
        int64_t value = least + static_cast<int64_t>(random() % static_cast<uint64_t>(most - least + 1));
        if (type == "s32 large") value = (random() & 1) != 0 ? INT32_MAX - 50 : INT32_MIN + 50;
        out.cells.push_back(value);
    }
    return out;
}

Matrix product(const Matrix& a, const Matrix& b, const Matrix& c, std::string_view operation) {
    Matrix d = c;
    for (unsigned row = 0; row < d.rows; ++row)
        for (unsigned column = 0; column < d.columns; ++column) {
            int64_t& sum = d.cells[row * d.columns + column];
            for (unsigned k = 0; k < a.columns; ++k) {
                const int64_t x = a.at(row, k);
                const int64_t y = b.at(k, column);
                sum += operation == "xor" ? (x ^ y) : operation == "and" ? (x & y) : x * y;
            }
            if (operation == "satfinite") sum = std::clamp<int64_t>(sum, INT32_MIN, INT32_MAX);
        }
    return d;
}

unsigned bits_of_element(std::string_view type) {
    if (type == "f64") return 64;
    if (type == "f16" || type == "bf16") return 16;
    if (type == "b1") return 1;
    if (type == "s4" || type == "u4") return 4;
    return type.ends_with("8") || type == "e4m3" || type == "e5m2" ? 8 : 32;
}

uint64_t element_bits(std::string_view type, int64_t value) {
    if (type == "e4m3" || type == "e5m2") {
        for (uint64_t bits = 0; bits < 0x7c; ++bits)
            if (value_of(type, bits) == static_cast<double>(std::abs(value)))
                return bits | (value < 0 ? 0x80 : 0);
        return 0;
    }
    if (type[0] == 'f' || type == "bf16" || type == "tf32")
        return from_integer(type == "tf32" ? "f32" : type, value);
    return static_cast<uint64_t>(value);
}

void put_element(std::vector<uint32_t>& words, unsigned i, std::string_view type, int64_t value) {
    const unsigned bits = bits_of_element(type);
    const uint64_t element = element_bits(type, value);
    if (bits == 64) {
        words[2 * i] = static_cast<uint32_t>(element);
        words[2 * i + 1] = static_cast<uint32_t>(element >> 32);
    } else if (bits == 32) {
        words[i] = static_cast<uint32_t>(element);
    } else {
        const unsigned per = 32 / bits;
        words[i / per] |= (static_cast<uint32_t>(element) & ((1u << bits) - 1)) << (i % per * bits);
    }
}

std::vector<uint32_t> in_memory(const Matrix& matrix, std::string_view type, bool by_column) {
    std::vector<uint32_t> words(std::max<size_t>(1, matrix.cells.size() * bits_of_element(type) / 32));
    unsigned i = 0;
    for (unsigned outer = 0; outer < (by_column ? matrix.columns : matrix.rows); ++outer)
        for (unsigned inner = 0; inner < (by_column ? matrix.rows : matrix.columns); ++inner, ++i)
            put_element(words, i, type, by_column ? matrix.at(inner, outer) : matrix.at(outer, inner));
    return words;
}

uint64_t hash_of(const std::vector<uint32_t>& words, std::string_view type) {
    uint64_t hash = 0;
    if (type == "f64")
        for (size_t i = 0; i < words.size(); i += 2)
            hash = hash * 31 + (words[i] | static_cast<uint64_t>(words[i + 1]) << 32);
    else
        for (const uint32_t word : words) hash = hash * 31 + word;
    return hash;
}

std::string table_text(const std::string& name, const std::vector<uint32_t>& words) {
    std::string out = ".global .align 32 .b32 " + name + "[" + std::to_string(words.size()) + "] = {";
    for (size_t i = 0; i < words.size(); ++i) out += (i == 0 ? "" : ", ") + std::to_string(words[i]);
    return out + "};\n";
}

}  // namespace bitfusion::ptx
