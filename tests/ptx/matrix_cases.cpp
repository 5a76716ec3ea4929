// Matrix instructions ("PTX ISA", section 9.7.14): mma, wmma, ldmatrix, stmatrix, movmatrix.
//
// The fragments of mma lie in a table of the module, one row a lane; where elements live is written down here
// as PTX's formulas have it. Elements are small whole numbers, so every sum is exact in every format.
#include <algorithm>

#include "ptx/case.h"
#include "ptx/matrix.h"
#include "ptx/number.h"

namespace bitfusion::ptx {

namespace {

struct Place {
    unsigned row;
    unsigned column;
};
using Layout = std::function<Place(unsigned lane, unsigned i)>;

struct Shape {
    std::string name;
    unsigned m, n, k;
};

// Of A and B, with g = lane / 4 and t = lane % 4: `per` elements follow each other in a register; then come
// the rows g + 8, then the columns further on.
Layout layout_a(const Shape& shape, unsigned per) {
    return [=](unsigned lane, unsigned i) {
        const unsigned part = i / per;
        const unsigned row = shape.m == 16 ? lane / 4 + 8 * (part % 2) : lane / 4;
        const unsigned block = shape.m == 16 ? part / 2 : part;
        return Place{row, lane % 4 * per + i % per + 4 * per * block};
    };
}
Layout layout_b(unsigned per) {
    return [=](unsigned lane, unsigned i) {
        return Place{lane % 4 * per + i % per + 4 * per * (i / per), lane / 4};
    };
}
Layout layout_c() {
    return [](unsigned lane, unsigned i) { return Place{lane / 4 + 8 * (i / 2), lane % 4 * 2 + i % 2}; };
}

struct Multiplication {
    std::string name;  // with all suffixes
    Shape shape;
    std::string a, b, d;  // types of the elements; c is of d's
    Layout place_a, place_b, place_c;
    unsigned capability;
    std::string operation;  // "", "xor", "and", "satfinite"
};

// Registers with elements in them, as the fragment's instruction wants them.
std::vector<uint32_t> fragment(const Matrix& matrix, const Layout& layout, unsigned elements,
                               const std::string& type, unsigned lane) {
    std::vector<uint32_t> words(std::max(1u, elements * bits_of_element(type) / 32));
    for (unsigned i = 0; i < elements; ++i) {
        const Place place = layout(lane, i);
        put_element(words, i, type, matrix.at(place.row, place.column));
    }
    return words;
}

std::string list(const std::string& prefix, size_t count) {
    std::string out = "{";
    for (size_t i = 0; i < count; ++i) out += (i == 0 ? "" : ", ") + prefix + std::to_string(i);
    return out + "}";
}

Case multiplication(const Multiplication& one) {
    const Shape& s = one.shape;
    const unsigned groups = s.name == "m8n8k4" && one.a != "f64" ? 4 : 1;  // matrices side by side
    const unsigned a_count = s.m * s.k * groups / 32;
    const unsigned b_count = s.k * s.n * groups / 32;
    const unsigned c_count = s.m * s.n * groups / 32;
    std::vector<Matrix> as, bs, cs;
    for (unsigned group = 0; group < groups; ++group) {
        as.push_back(Matrix::numbers(s.m, s.k, one.a, 1 + group));
        bs.push_back(Matrix::numbers(s.k, s.n, one.b, 11 + group));
        cs.push_back(
            Matrix::numbers(s.m, s.n, one.operation == "satfinite" ? "s32 large" : one.d, 21 + group));
    }
    const auto group_of = [groups](unsigned lane) { return groups == 1 ? 0 : lane % 16 / 4; };
    std::vector<uint32_t> table;
    std::vector<size_t> sizes(3);
    for (unsigned lane = 0; lane < 32; ++lane) {
        const auto add = [&](size_t which, const std::vector<uint32_t>& words) {
            sizes[which] = words.size();
            table.insert(table.end(), words.begin(), words.end());
        };
        add(0, fragment(as[group_of(lane)], one.place_a, a_count, one.a, lane));
        add(1, fragment(bs[group_of(lane)], one.place_b, b_count, one.b, lane));
        add(2, fragment(cs[group_of(lane)], one.place_c, c_count, one.d, lane));
    }
    std::vector<Matrix> results;
    for (unsigned group = 0; group < groups; ++group)
        results.push_back(product(as[group], bs[group], cs[group], one.operation));
    const size_t row = sizes[0] + sizes[1] + sizes[2];
    const bool wide = one.d == "f64";
    const std::string reg = wide ? ".f64" : ".b32";
    std::string code =
        ".reg .u64 %p; .reg .u32 %x; .reg .u64 %w; .reg " + reg +
        " %A<16>, %B<16>, %C<16>, %D<16>; and.b32 %x, %t, 31; mov.u64 %p, table; mad.wide.u32 %p, %x, " +
        std::to_string(row * 4) + ", %p; ";
    const unsigned step = wide ? 8 : 4;
    unsigned at = 0;
    for (size_t which = 0; which < 3; ++which)
        for (size_t i = 0; i < sizes[which] * 4 / step; ++i, at += step)
            code += "ld.global" + reg + " %" + std::string(1, static_cast<char>('A' + which)) +
                    std::to_string(i) + ", [%p+" + std::to_string(at) + "]; ";
    const size_t scale = step / 4;
    code += one.name + " " + list("%D", sizes[2] / scale) + ", " + list("%A", sizes[0] / scale) + ", " +
            list("%B", sizes[1] / scale) + ", " + list("%C", sizes[2] / scale) + "; mov.u64 %d, 0; ";
    for (size_t i = 0; i < sizes[2] / scale; ++i)
        code += (wide ? "mov.b64 %w, %D" : "cvt.u64.u32 %w, %D") + std::to_string(i) +
                "; mad.lo.u64 %d, %d, 31, %w; ";
    Case out =
        together(one.name, "u64 u32",
                 [=](const std::vector<In>& threads) {
                     std::vector<uint64_t> hashes(threads.size());
                     for (size_t i = 0; i < threads.size(); ++i) {
                         const auto lane = static_cast<unsigned>(i % 32);
                         hashes[i] = hash_of(
                             fragment(results[group_of(lane)], one.place_c, c_count, one.d, lane), one.d);
                     }
                     return hashes;
                 })
            .needs(one.capability)
            .written(code);
    out.declarations = table_text("table", table);
    return out;
}

// The layouts that Volta's quads have: the one shape where four 8x8x4 products stand side by side.
void quads(std::vector<Case>& all) {
    const Shape shape{"m8n8k4", 8, 8, 4};
    const auto upper = [](unsigned lane) { return lane < 16 ? 0u : 4u; };
    for (const std::string a_layout : {"row", "col"})
        for (const std::string b_layout : {"row", "col"})
            for (const std::string d : {"f16", "f32"}) {
                Multiplication one;
                one.shape = shape;
                one.a = one.b = "f16";
                one.d = d;
                one.capability = 70;
                one.name = "mma.sync.aligned.m8n8k4." + a_layout + "." + b_layout + "." + d + ".f16.f16." + d;
                one.place_a = [=](unsigned lane, unsigned i) {
                    return a_layout == "row" ? Place{lane % 4 + upper(lane), i}
                                             : Place{i + upper(lane), lane % 4};
                };
                one.place_b = [=](unsigned lane, unsigned i) {
                    return b_layout == "row" ? Place{lane % 4, i + upper(lane)}
                                             : Place{i, lane % 4 + upper(lane)};
                };
                if (d == "f16")
                    one.place_c = [=](unsigned lane, unsigned i) { return Place{lane % 4 + upper(lane), i}; };
                else
                    one.place_c = [=](unsigned lane, unsigned i) {
                        return Place{(lane & 1) + (i & 2) + upper(lane), (i & 4) + (lane & 2) + (i & 1)};
                    };
                all.push_back(multiplication(one));
            }
}

void multiplications(std::vector<Case>& all) {
    const auto add = [&](Shape shape, const std::string& a, const std::string& b, const std::string& d,
                         unsigned capability, const std::string& operation = "") {
        Multiplication one;
        one.shape = shape;
        one.a = a;
        one.b = b;
        one.d = d;
        one.capability = capability;
        one.operation = operation;
        const unsigned bits = bits_of_element(a);
        const unsigned per = bits >= 32 ? 1 : 32 / bits;
        one.place_a = layout_a(shape, per);
        one.place_b = layout_b(per);
        one.place_c = layout_c();
        const bool binary = a == "b1";
        one.name = "mma.sync.aligned." + shape.name + ".row.col." +
                   (operation == "satfinite" ? "satfinite." : "") + d + "." + a + "." + b + "." + d +
                   (binary ? "." + operation + ".popc" : "");
        all.push_back(multiplication(one));
    };
    const Shape k4{"m16n8k4", 16, 8, 4}, k8{"m16n8k8", 16, 8, 8}, k16{"m16n8k16", 16, 8, 16},
        k32{"m16n8k32", 16, 8, 32}, k64{"m16n8k64", 16, 8, 64};
    for (const std::string d : {"f16", "f32"}) {
        add(k8, "f16", "f16", d, 75);
        add(k16, "f16", "f16", d, 80);
    }
    add(k8, "bf16", "bf16", "f32", 80);
    add(k16, "bf16", "bf16", "f32", 80);
    add(k4, "tf32", "tf32", "f32", 80);
    add(k8, "tf32", "tf32", "f32", 80);
    add({"m8n8k4", 8, 8, 4}, "f64", "f64", "f64", 80);
    add(k4, "f64", "f64", "f64", 90);
    add(k8, "f64", "f64", "f64", 90);
    add(k16, "f64", "f64", "f64", 90);
    for (const std::string a : {"e4m3", "e5m2"})
        for (const std::string b : {"e4m3", "e5m2"}) add(k32, a, b, "f32", 89);
    for (const std::string operation : {"", "satfinite"}) {
        for (const std::string a : {"s8", "u8"})
            for (const std::string b : {"s8", "u8"}) {
                add({"m8n8k16", 8, 8, 16}, a, b, "s32", 75, operation);
                add(k16, a, b, "s32", 80, operation);
                add(k32, a, b, "s32", 80, operation);
            }
        for (const std::string a : {"s4", "u4"})
            for (const std::string b : {"s4", "u4"}) {
                add({"m8n8k32", 8, 8, 32}, a, b, "s32", 75, operation);
                add(k32, a, b, "s32", 80, operation);
                add(k64, a, b, "s32", 80, operation);
            }
    }
    add({"m8n8k128", 8, 8, 128}, "b1", "b1", "s32", 75, "xor");
    for (const std::string operation : {"xor", "and"}) {
        add({"m16n8k128", 16, 8, 128}, "b1", "b1", "s32", 80, operation);
        add({"m16n8k256", 16, 8, 256}, "b1", "b1", "s32", 80, operation);
    }
    add({"m8n8k128", 8, 8, 128}, "b1", "b1", "s32", 80, "and");
}

// Matrices in shared memory, 8 rows of 16 bytes each; the element at (row, column) of matrix m.
uint16_t cell(unsigned m, unsigned row, unsigned column) {
    return static_cast<uint16_t>(m * 1000 + row * 31 + column * 7 + 3);
}

void transfers(std::vector<Case>& all) {
    const std::string fill =
        ".shared .align 16 .b8 v[512]; .reg .u32 %x, %y, %z, %v; .reg .b16 %h; .reg .b32 %D<4>; mov.u32 %v, "
        "v; mov.u32 %x, %t; "
        "FILL: shr.u32 %y, %x, 6; mul.lo.u32 %y, %y, 1000; shr.u32 %z, %x, 3; and.b32 %z, %z, 7; mad.lo.u32 "
        "%y, %z, 31, %y; and.b32 %z, %x, 7; "
        "mad.lo.u32 %y, %z, 7, %y; add.u32 %y, %y, 3; cvt.u16.u32 %h, %y; mad.lo.u32 %z, %x, 2, %v; "
        "st.shared.b16 [%z], %h; add.u32 %x, %x, 32; .reg .pred %p; "
        "setp.lt.u32 %p, %x, 256; @%p bra FILL; bar.sync 0; mad.lo.u32 %x, %t, 16, %v; ";
    for (const unsigned count : {1u, 2u, 4u})
        for (const bool transposed : {false, true}) {
            const std::string shape =
                ".sync.aligned.m8n8.x" + std::to_string(count) + (transposed ? ".trans" : "") + ".shared.b16";
            std::string code =
                fill + "ldmatrix" + shape + " " + list("%D", count) + ", [%x]; mov.u32 %d, 0; ";
            for (unsigned i = 0; i < count; ++i)
                code += "mad.lo.u32 %d, %d, 31, %D" + std::to_string(i) + "; ";
            const auto element = [=](unsigned m, unsigned lane, unsigned k) {
                const unsigned row = lane / 4;
                const unsigned column = lane % 4 * 2 + k;
                return transposed ? cell(m, column, row) : cell(m, row, column);
            };
            all.push_back(together("ldmatrix" + shape, "u32 u32",
                                   [=](const std::vector<In>& threads) {
                                       std::vector<uint64_t> out(threads.size());
                                       for (size_t i = 0; i < threads.size(); ++i)
                                           for (unsigned m = 0; m < count; ++m) {
                                               const auto lane = static_cast<unsigned>(i % 32);
                                               out[i] = out[i] * 31 +
                                                        (element(m, lane, 0) |
                                                         static_cast<uint64_t>(element(m, lane, 1)) << 16);
                                           }
                                       return out;
                                   })
                              .needs(75)
                              .in_blocks_of(32)
                              .written(code));
            // what stmatrix writes, ldmatrix of the same form reads back
            std::string back =
                ".shared .align 16 .b8 v[512]; .reg .u32 %x; .reg .b32 %D<4>, %S<4>; mov.u32 %x, v; "
                "mad.lo.u32 %x, %t, 16, %x; ";
            for (unsigned i = 0; i < count; ++i)
                back += "mad.lo.u32 %S" + std::to_string(i) + ", %a, " + std::to_string(2 * i + 1) + ", %b; ";
            back += "stmatrix" + shape + " [%x], " + list("%S", count) + "; bar.sync 0; ldmatrix" + shape +
                    " " + list("%D", count) + ", [%x]; mov.u32 %d, 0; ";
            for (unsigned i = 0; i < count; ++i)
                back += "mad.lo.u32 %d, %d, 31, %D" + std::to_string(i) + "; ";
            all.push_back(exact("stmatrix" + shape, "u32 u32 u32",
                                [=](In x) {
                                    uint64_t out = 0;
                                    for (unsigned i = 0; i < count; ++i)
                                        out = out * 31 + ((x.a * (2 * i + 1) + x.b) & 0xffffffff);
                                    return out;
                                })
                              .needs(90)
                              .in_blocks_of(32)
                              .over(scattered(64))
                              .written(back));
        }
    all.push_back(together("movmatrix.sync.aligned.m8n8.trans.b16", "u32 u32",
                           [](const std::vector<In>& threads) {
                               std::vector<uint64_t> out(threads.size());
                               for (size_t i = 0; i < threads.size(); ++i)
                                   for (unsigned k = 0; k < 2; ++k) {
                                       const size_t lane = i % 32;
                                       const size_t row = lane % 4 * 2 + k;
                                       const size_t column = lane / 4;
                                       const uint64_t word = threads[i / 32 * 32 + row * 4 + column / 2].a;
                                       out[i] |= (word >> (16 * (column % 2)) & 0xffff) << (16 * k);
                                   }
                               return out;
                           })
                      .needs(75)
                      .written("movmatrix.sync.aligned.m8n8.trans.b16 %d, %a;"));
}

// wmma's fragments are the machine's own: memory to memory.
void whole_matrices(std::vector<Case>& all) {
    struct One {
        Shape shape;
        std::string a, b, c, d;
        unsigned capability;
        unsigned a_registers, b_registers;
    };
    std::vector<One> list_of;
    const Shape square{"m16n16k16", 16, 16, 16}, broad{"m8n32k16", 8, 32, 16}, tall{"m32n8k16", 32, 8, 16};
    for (const Shape& shape : {square, broad, tall}) {
        for (const std::string c : {"f16", "f32"})
            for (const std::string d : {"f16", "f32"})
                list_of.push_back({shape, "f16", "f16", c, d, 70, 8, 8});
        const unsigned a = shape.m * 16 / 64;
        const unsigned b = shape.n * 16 / 64;
        list_of.push_back({shape, "bf16", "bf16", "f32", "f32", 80, a, b});
        list_of.push_back({shape, "s8", "s8", "s32", "s32", 72, a / 2, b / 2});
        list_of.push_back({shape, "u8", "u8", "s32", "s32", 72, a / 2, b / 2});
    }
    list_of.push_back({{"m16n16k8", 16, 16, 8}, "tf32", "tf32", "f32", "f32", 80, 4, 4});
    list_of.push_back({{"m8n8k4", 8, 8, 4}, "f64", "f64", "f64", "f64", 80, 1, 1});
    list_of.push_back({{"m8n8k32", 8, 8, 32}, "s4", "s4", "s32", "s32", 75, 1, 1});
    list_of.push_back({{"m8n8k32", 8, 8, 32}, "u4", "u4", "s32", "s32", 75, 1, 1});
    list_of.push_back({{"m8n8k128", 8, 8, 128}, "b1", "b1", "s32", "s32", 75, 1, 1});
    for (const One& one : list_of)
        for (const std::string a_layout : {"row", "col"})
            for (const std::string b_layout : {"row", "col"}) {
                const bool tiny = bits_of_element(one.a) < 8;
                if (tiny && (a_layout != "row" || b_layout != "col")) continue;
                const Shape& s = one.shape;
                const Matrix a = Matrix::numbers(s.m, s.k, one.a, 1);
                const Matrix b = Matrix::numbers(s.k, s.n, one.b, 2);
                const Matrix c = Matrix::numbers(s.m, s.n, one.c, 3);
                const std::string operation = one.a == "b1" ? "xor" : "";
                const Matrix d = product(a, b, c, operation);
                const auto leading = [](const std::string& layout, unsigned rows, unsigned columns) {
                    return std::to_string(layout == "row" ? columns : rows);
                };
                const auto registers = [&](const std::string& type) {
                    return type == "f16" ? s.m * s.n / 64 : s.m * s.n / 32;
                };
                const auto kind = [](const std::string& type) {
                    return type == "f64" ? ".f64" : type == "f32" ? ".f32" : ".b32";
                };
                const bool plain = one.a == "f16";
                const std::string name =
                    std::string("wmma.mma.") + (one.a == "b1" ? "xor.popc." : "") + "sync.aligned." +
                    a_layout + "." + b_layout + "." + s.name + "." +
                    (plain ? one.d + "." + one.c : one.d + "." + one.a + "." + one.b + "." + one.c);
                std::string code = ".reg .u64 %p, %q; .reg .u32 %x; .reg " +
                                   std::string(kind(one.a == "f64" ? "f64" : "b32")) +
                                   " %A<8>, %B<8>; .reg " + kind(one.c) + " %C<8>; .reg " + kind(one.d) +
                                   " %D<8>; ";
                const auto load = [&](const std::string& part, const std::string& layout,
                                      const std::string& type, const std::string& table, size_t count,
                                      unsigned rows, unsigned columns) {
                    code += "mov.u64 %p, " + table + "; wmma.load." + part + ".sync.aligned." + layout + "." +
                            s.name + ".global." + type + " " +
                            list("%" + std::string(1, static_cast<char>(part[0] - 32)), count) + ", [%p], " +
                            leading(layout, rows, columns) + "; ";
                };
                load("a", a_layout, one.a, "ta", one.a_registers, s.m, s.k);
                load("b", b_layout, one.b, "tb", one.b_registers, s.k, s.n);
                load("c", "row", one.c, "tc", registers(one.c), s.m, s.n);
                code += name + " " + list("%D", registers(one.d)) + ", " + list("%A", one.a_registers) +
                        ", " + list("%B", one.b_registers) + ", " + list("%C", registers(one.c)) + "; ";
                code += "wmma.store.d.sync.aligned.col." + s.name + ".global." + one.d + " [%m], " +
                        list("%D", registers(one.d)) + ", " + std::to_string(s.m) + "; bar.sync 0; ";
                const unsigned each = s.m * s.n / 32;
                const unsigned bytes = bits_of_element(one.d) / 8;
                code += "mul.wide.u32 %p, %t, " + std::to_string(each * bytes) +
                        "; add.u64 %p, %p, %m; mov.u64 %d, 0; ";
                for (unsigned i = 0; i < each * bytes / (bytes == 8 ? 8 : 4); ++i)
                    code += std::string(bytes == 8 ? "ld.global.u64" : "ld.global.u32") + " %q, [%p+" +
                            std::to_string(i * (bytes == 8 ? 8 : 4)) + "]; mad.lo.u64 %d, %d, 31, %q; ";
                Case out = together(name, "u64 u32",
                                    [=](const std::vector<In>& threads) {
                                        std::vector<uint64_t> hashes(threads.size());
                                        for (unsigned t = 0; t < 32; ++t) {
                                            std::vector<uint32_t> words(each * bytes / 4);
                                            for (unsigned i = 0; i < each; ++i)
                                                put_element(words, i, one.d,
                                                            d.at((t * each + i) % s.m, (t * each + i) / s.m));
                                            hashes[t] = hash_of(words, one.d);
                                        }
                                        return hashes;
                                    })
                               .needs(one.capability)
                               .in_blocks_of(32)
                               .over(scattered(32))
                               .written(code);
                out.declarations = table_text("ta", in_memory(a, one.a, a_layout == "col")) +
                                   table_text("tb", in_memory(b, one.b, b_layout == "col")) +
                                   table_text("tc", in_memory(c, one.c, false));
                all.push_back(std::move(out));
            }
}

}  // namespace

std::vector<Case> matrix_cases() {
    std::vector<Case> all;
    quads(all);
    multiplications(all);
    transfers(all);
    whole_matrices(all);
    return all;
}

}  // namespace bitfusion::ptx
