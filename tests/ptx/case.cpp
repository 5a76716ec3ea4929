#include "ptx/case.h"

#include <cmath>
#include <cstring>
#include <random>
#include <sstream>

#include "ptx/number.h"

namespace bitfusion::ptx {

namespace {

std::vector<std::string> words_of(std::string_view text) {
    std::istringstream in{std::string(text)};
    std::vector<std::string> words;
    for (std::string word; in >> word;) words.push_back(word);
    return words;
}

char register_of(std::string_view type) {
    switch (width_of(type)) {
        case 1:
            return 'p';
        case 8:
        case 16:
            return 'h';
        case 64:
            return 'l';
        default:
            return 'r';
    }
}

uint64_t masked(uint64_t bits, unsigned width) {
    return width >= 64 ? bits : bits & ((uint64_t{1} << width) - 1);
}

std::string hex(uint64_t bits) {
    char text[24];
    std::snprintf(text, sizeof text, "0x%llx", static_cast<unsigned long long>(bits));
    return text;
}

Case prepared(std::string name, std::string_view signature) {
    const auto words = words_of(signature);
    Case out;
    for (const std::string& word : words) out.types += register_of(word);
    out.threads = combinations({words.begin() + 1, words.end()});
    out.code = name + " %d";
    static constexpr const char* kNames[] = {", %a", ", %b", ", %c", ", %e"};
    for (size_t i = 1; i < words.size(); ++i) out.code += kNames[i - 1];
    out.code += ";";
    out.name = std::move(name);
    return out;
}

}  // namespace

unsigned width_of(std::string_view type) {
    if (type == "pred") return 1;
    if (type.ends_with("x2")) return type.starts_with("e") || type.ends_with("8x2") ? 16 : 32;
    if (type.ends_with("64")) return 64;
    if (type.ends_with("32")) return 32;
    if (type.ends_with("16")) return 16;
    return 8;
}

std::vector<uint64_t> edges(std::string_view type, bool few) {
    if (type == "pred") return {0, 1};
    if (type == "n32")
        return few ? std::vector<uint64_t>{0, 1, 31, 32, 255}
                   : std::vector<uint64_t>{0, 1, 7, 15, 16, 17, 31, 32, 33, 63, 64, 65, 255, 256, 0xffffffff};
    const unsigned width = width_of(type);
    std::vector<uint64_t> out;
    if (type.ends_with("x2")) {
        const auto halves = edges(type.substr(0, type.size() - 2), few);
        for (size_t i = 0; i < halves.size(); ++i)
            out.push_back(halves[i] | halves[(i * 7 + 3) % halves.size()] << (width / 2));
        return out;
    }
    if (type[0] == 'f' || type.starts_with("bf") || type == "tf32") return float_edges(type, few);
    const uint64_t all = masked(~uint64_t{0}, width);
    const uint64_t top = uint64_t{1} << (width - 1);
    out = {0, 1, all, top, top - 1, 0x5a & all};
    if (few) return out;
    for (const uint64_t more : {uint64_t{2}, top + 1, all - 1, uint64_t{0x123456789abcdef0} & all,
                                uint64_t{0xfedcba9876543210} & all, uint64_t{0x00ff00ff00ff00ff} & all,
                                uint64_t{31} & all, uint64_t{32} & all})
        out.push_back(more);
    return out;
}

std::vector<In> combinations(const std::vector<std::string>& sources) {
    std::vector<In> out{{}};
    for (size_t s = 0; s < sources.size(); ++s) {
        std::vector<In> grown;
        for (const uint64_t value : edges(sources[s], sources.size() > 2))
            for (In in : out) {
                (s == 0 ? in.a : s == 1 ? in.b : s == 2 ? in.c : in.e) = value;
                grown.push_back(in);
            }
        out = std::move(grown);
    }
    return out;
}

std::vector<In> scattered(size_t count, uint64_t seed) {
    std::mt19937_64 random(seed);
    std::vector<In> out(count);
    for (In& in : out) in = {random(), random(), random(), random()};
    return out;
}

Case exact(std::string name, std::string_view signature, Reference reference) {
    Case out = prepared(std::move(name), signature);
    const unsigned width = width_of(words_of(signature)[0]);
    out.judge = [width, reference = std::move(reference)](const std::vector<In>& threads, size_t i,
                                                          uint64_t got) {
        const uint64_t wanted = masked(reference(threads[i]), width);
        return masked(got, width) == wanted ? std::string() : hex(wanted);
    };
    return out;
}

Case exact_or_nan(std::string name, std::string_view signature, Reference reference) {
    Case out = prepared(std::move(name), signature);
    const std::string type = words_of(signature)[0];
    out.judge = [type, reference = std::move(reference)](const std::vector<In>& threads, size_t i,
                                                         uint64_t got) {
        const unsigned width = width_of(type);
        const uint64_t wanted = masked(reference(threads[i]), width);
        if (masked(got, width) == wanted || (is_nan(type, wanted) && is_nan(type, got))) return std::string();
        return hex(wanted);
    };
    return out;
}

Case together(std::string name, std::string_view signature, WarpReference reference) {
    Case out = prepared(std::move(name), signature);
    const unsigned width = width_of(words_of(signature)[0]);
    out.judge = [width, reference = std::move(reference)](const std::vector<In>& threads, size_t i,
                                                          uint64_t got) {
        const uint64_t wanted = masked(reference(threads)[i], width);
        return masked(got, width) == wanted ? std::string() : hex(wanted);
    };
    out.threads = scattered(64);
    return out;
}

Case near(std::string name, std::string_view signature, std::function<double(double)> reference,
          Tolerance tolerance) {
    Case out = prepared(std::move(name), signature);
    const auto words = words_of(signature);
    out.judge = [result = words[0], source = words[1], reference = std::move(reference), tolerance](
                    const std::vector<In>& threads, size_t i, uint64_t got) -> std::string {
        const double x = value_of(source, threads[i].a);
        const double value = value_of(result, got);
        const auto fits = [&](double wanted) {
            if (std::isnan(wanted)) return std::isnan(value);
            if (std::isnan(value)) return false;
            if (wanted == value)
                return wanted != 0 || tolerance.flushed || std::signbit(wanted) == std::signbit(value);
            const double largest = largest_of(result);
            if (std::isinf(value))
                return std::fabs(wanted) >= largest && std::signbit(value) == std::signbit(wanted);
            if (std::isinf(wanted)) return std::fabs(value) >= largest * (1 - tolerance.relative);
            if (tolerance.flushed && value == 0 && std::fabs(wanted) < smallest_normal_of(result))
                return true;
            return std::fabs(value - wanted) <=
                   std::max(tolerance.absolute, tolerance.relative * std::fabs(wanted));
        };
        const double wanted = reference(x);
        if (fits(wanted)) return {};
        if (tolerance.flushed && x != 0 && std::fabs(x) < smallest_normal_of(source) &&
            fits(reference(std::copysign(0.0, x))))
            return {};
        return std::to_string(wanted) + " for " + std::to_string(x) + ", not " + std::to_string(value);
    };
    return out;
}

std::string module_of(const Case& one) {
    static constexpr const char* kNames[] = {"%d", "%a", "%b", "%c", "%e"};
    std::string text = ".version 8.6\n.target sm_" + std::to_string(one.sm);
    text += "\n.address_size 64\n" + one.declarations +
            "\n.visible .entry k(.param .u64 inputs, .param .u64 results, .param .u64 scratch, .param .u32 "
            "count)\n{\n"
            "    .reg .b64 %from, %to, %m, %wide; .reg .b32 %t, %n, %i, %word; .reg .pred %past;\n";
    const auto declare = [](char type) {
        return std::string(type == 'h' ? ".b16" : type == 'r' ? ".b32" : type == 'l' ? ".b64" : ".pred");
    };
    for (size_t i = 0; i < one.types.size(); ++i)
        text += "    .reg " + declare(one.types[i]) + " " + kNames[i] + ";\n";
    text +=
        "    ld.param.u64 %from, [inputs]; ld.param.u64 %to, [results]; ld.param.u64 %m, [scratch];\n"
        "    ld.param.u32 %n, [count]; mov.u32 %t, %tid.x; mov.u32 %i, %ctaid.x; mov.u32 %word, %ntid.x;\n"
        "    mad.lo.u32 %i, %i, %word, %t; setp.ge.u32 %past, %i, %n; @%past bra DONE;\n"
        "    mad.wide.u32 %from, %i, 32, %from; mad.wide.u32 %to, %i, 8, %to;\n";
    for (size_t i = 1; i < one.types.size(); ++i) {
        const std::string at = "[%from+" + std::to_string((i - 1) * 8) + "]";
        if (one.types[i] == 'p')
            text += "    ld.global.u32 %word, " + at + "; setp.ne.u32 " + kNames[i] + ", %word, 0;\n";
        else
            text += "    ld.global" + declare(one.types[i]) + " " + kNames[i] + ", " + at + ";\n";
    }
    text += "    {\n    " + one.code + "\n    }\n";
    switch (one.types[0]) {
        case 'p':
            text += "    selp.u64 %wide, 1, 0, %d;\n";
            break;
        case 'h':
            text += "    cvt.u64.u16 %wide, %d;\n";
            break;
        case 'r':
            text += "    cvt.u64.u32 %wide, %d;\n";
            break;
        default:
            text += "    mov.b64 %wide, %d;\n";
            break;
    }
    return text + "    st.global.u64 [%to], %wide;\nDONE:\n    ret;\n}\n";
}

const std::vector<Group>& groups() {
    static const std::vector<Group> all{
        {"integer", integer_cases()}, {"carry", carry_cases()},     {"bits", bit_cases()},
        {"float", float_cases()},     {"math", math_cases()},       {"half", half_cases()},
        {"compare", compare_cases()}, {"convert", convert_cases()}, {"move", move_cases()},
        {"memory", memory_cases()},   {"atomic", atomic_cases()},   {"control", control_cases()},
        {"barrier", barrier_cases()}, {"warp", warp_cases()},       {"matrix", matrix_cases()},
        {"video", video_cases()},     {"special", special_cases()},
    };
    return all;
}

const std::vector<Refused>& refused() {
    static const std::vector<Refused> all = refused_cases();
    return all;
}

}  // namespace bitfusion::ptx
