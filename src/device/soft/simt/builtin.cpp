#include "device/soft/simt/builtin.h"

#include <algorithm>
#include <cinttypes>
#include <cstring>

#include "device/soft/simt/memory.h"

namespace bitfusion::soft {

namespace {

constexpr size_t kLongestString = 64 * 1024;

template <class T>
bool argument(Warp& warp, unsigned lane, uint64_t* at, T* out) {
    *at = (*at + sizeof(T) - 1) / sizeof(T) * sizeof(T);
    const std::byte* place = resolve<AddressSpace::kGeneric>(warp, lane, *at, sizeof(T));
    if (place == nullptr) return false;
    std::memcpy(out, place, sizeof(T));
    *at += sizeof(T);
    return true;
}

// Appends one conversion; the specification has been checked, so the host's printf may have it.
template <class T>
void append(std::string* out, const std::string& specification, T value) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    const int length = std::snprintf(nullptr, 0, specification.c_str(), value);
    if (length <= 0) return;
    const size_t start = out->size();
    out->resize(start + static_cast<size_t>(length) + 1);
    std::snprintf(out->data() + start, static_cast<size_t>(length) + 1, specification.c_str(), value);
    out->resize(start + static_cast<size_t>(length));
#pragma GCC diagnostic pop
}

// Digits of a width or precision; clamped so that no program makes megabytes of blanks.
void take_number(const std::string& format, size_t* at, std::string* specification) {
    unsigned value = 0;
    bool any = false;
    for (; *at < format.size() && format[*at] >= '0' && format[*at] <= '9'; ++*at) {
        value = std::min(value * 10 + static_cast<unsigned>(format[*at] - '0'), 4096u);
        any = true;
    }
    if (any) *specification += std::to_string(value);
}

}  // namespace

bool read_string(Warp& warp, unsigned lane, uint64_t address, std::string* out) {
    out->clear();
    for (; out->size() < kLongestString; ++address) {
        const std::byte* place = resolve<AddressSpace::kGeneric>(warp, lane, address, 1);
        if (place == nullptr) return false;
        const auto c = static_cast<char>(load<uint8_t>(place));
        if (c == '\0') break;
        *out += c;
    }
    return true;
}

bool format_text(Warp& warp, unsigned lane, uint64_t format_address, uint64_t at, std::string* out,
                 int* converted) {
    std::string format;
    if (!read_string(warp, lane, format_address, &format)) return false;
    *converted = 0;
    for (size_t i = 0; i < format.size();) {
        if (format[i] != '%') {
            *out += format[i++];
            continue;
        }
        if (i + 1 < format.size() && format[i + 1] == '%') {
            *out += '%';
            i += 2;
            continue;
        }
        size_t end = i + 1;
        std::string specification = "%";
        while (end < format.size() && std::strchr("-+ #0", format[end]) != nullptr)
            specification += format[end++];
        const auto star = [&] {
            int32_t value = 0;
            if (!argument(warp, lane, &at, &value)) return false;
            specification += std::to_string(std::clamp(value, -4096, 4096));
            ++end;
            return true;
        };
        if (end < format.size() && format[end] == '*') {
            if (!star()) return false;
        } else {
            take_number(format, &end, &specification);
        }
        if (end < format.size() && format[end] == '.') {
            specification += '.';
            ++end;
            if (end < format.size() && format[end] == '*') {
                if (!star()) return false;
            } else {
                take_number(format, &end, &specification);
            }
        }
        unsigned longs = 0;
        bool wide = false;
        unsigned shorts = 0;
        for (; end < format.size() && std::strchr("hljztLq", format[end]) != nullptr; ++end) {
            if (format[end] == 'l') ++longs;
            if (format[end] == 'h') ++shorts;
            if (std::strchr("jztq", format[end]) != nullptr) wide = true;
        }
        wide |= longs > 0;
        const char kind = end < format.size() ? format[end] : '\0';
        if (kind == 'd' || kind == 'i') {
            int64_t value = 0;
            int32_t word = 0;
            if (wide ? !argument(warp, lane, &at, &value) : !argument(warp, lane, &at, &word)) return false;
            if (!wide)
                value = shorts == 1  ? static_cast<int16_t>(word)
                        : shorts > 1 ? static_cast<int8_t>(word)
                                     : word;
            append(out, specification + PRId64, value);
        } else if (kind == 'u' || kind == 'x' || kind == 'X' || kind == 'o') {
            uint64_t value = 0;
            uint32_t word = 0;
            if (wide ? !argument(warp, lane, &at, &value) : !argument(warp, lane, &at, &word)) return false;
            if (!wide) value = shorts == 1 ? word & 0xffff : shorts > 1 ? word & 0xff : word;
            append(out,
                   specification + (kind == 'u'   ? PRIu64
                                    : kind == 'x' ? PRIx64
                                    : kind == 'X' ? PRIX64
                                                  : PRIo64),
                   value);
        } else if (kind == 'c') {
            int32_t value = 0;
            if (!argument(warp, lane, &at, &value)) return false;
            append(out, specification + "c", static_cast<int>(static_cast<unsigned char>(value)));
        } else if (kind != '\0' && std::strchr("eEfFgGaA", kind) != nullptr) {
            double value = 0;
            if (!argument(warp, lane, &at, &value)) return false;
            append(out, specification + kind, value);
        } else if (kind == 's') {
            uint64_t value = 0;
            std::string text;
            if (!argument(warp, lane, &at, &value)) return false;
            if (value == 0)
                text = "(null)";
            else if (!read_string(warp, lane, value, &text))
                return false;
            append(out, specification + "s", text.c_str());
        } else if (kind == 'p') {
            uint64_t value = 0;
            if (!argument(warp, lane, &at, &value)) return false;
            append(out, specification + "s",
                   ("0x" +
                    [&] {
                        char digits[24];
                        std::snprintf(digits, sizeof digits, "%" PRIx64, value);
                        return std::string(digits);
                    }())
                       .c_str());
        } else {
            // not a conversion: CUDA prints it as it stands
            *out += format.substr(i, end - i);
            i = end;
            continue;
        }
        ++*converted;
        i = end + 1;
    }
    return true;
}

namespace {

template <class T>
bool parameter(Warp& warp, unsigned lane, const CallSite& site, uint64_t base, size_t index, T* out) {
    if (index >= site.arguments.size() || site.arguments[index].size < sizeof(T)) return false;
    std::memcpy(out, warp.local + size_t{lane} * warp.stack_bytes + base + site.arguments[index].offset,
                sizeof(T));
    return true;
}

template <class T>
void give(Warp& warp, unsigned lane, const CallSite& site, uint64_t base, T value) {
    if (site.results.empty()) return;
    std::memcpy(warp.local + size_t{lane} * warp.stack_bytes + base + site.results[0].offset, &value,
                std::min<size_t>(sizeof(T), site.results[0].size));
}

bool print(Warp& warp, unsigned lane, const CallSite& site, uint64_t base) {
    uint64_t format = 0;
    uint64_t arguments = 0;
    if (!parameter(warp, lane, site, base, 0, &format) || !parameter(warp, lane, site, base, 1, &arguments))
        return true;
    std::string text;
    int converted = 0;
    if (!format_text(warp, lane, format, arguments, &text, &converted)) return false;
    if (warp.grid->request.print) {
        const std::lock_guard lock(warp.grid->print_mutex);
        warp.grid->request.print(text);
    }
    give(warp, lane, site, base, converted);
    return true;
}

// void __assertfail(const char* message, const char* file, unsigned line, const char* function, size_t
// charSize)
void assert_fail(Warp& warp, unsigned lane, const CallSite& site, uint64_t base) {
    uint64_t places[3] = {};
    uint32_t line = 0;
    std::string message;
    std::string file;
    std::string function;
    if (parameter(warp, lane, site, base, 0, &places[0]) &&
        parameter(warp, lane, site, base, 1, &places[1]) && parameter(warp, lane, site, base, 2, &line) &&
        parameter(warp, lane, site, base, 3, &places[2])) {
        if (!read_string(warp, lane, places[0], &message) || !read_string(warp, lane, places[1], &file) ||
            !read_string(warp, lane, places[2], &function))
            return;
    }
    const Dim3& block = warp.block->index;
    const auto triple = [](uint32_t x, uint32_t y, uint32_t z) {
        return "[" + std::to_string(x) + "," + std::to_string(y) + "," + std::to_string(z) + "]";
    };
    warp.fault(FaultKind::kAssert, lane, 0,
               file + ":" + std::to_string(line) + ": " + function +
                   ": block: " + triple(block.x, block.y, block.z) +
                   ", thread: " + triple(warp.tid_x[lane], warp.tid_y[lane], warp.tid_z[lane]) +
                   " Assertion `" + message + "` failed.");
}

}  // namespace

void call_builtin(Warp& warp, Builtin builtin, const CallSite& site, uint64_t base, uint32_t mask) {
    for (uint32_t left = mask; left != 0; left &= left - 1) {
        const auto lane = static_cast<unsigned>(std::countr_zero(left));
        uint64_t value = 0;
        switch (builtin) {
            case Builtin::kPrint:
                if (!print(warp, lane, site, base)) return;
                break;
            case Builtin::kAssertFail:
                assert_fail(warp, lane, site, base);
                return;
            case Builtin::kAllocate:
                if (!parameter(warp, lane, site, base, 0, &value)) return;
                value = warp.grid->request.heap != nullptr && warp.grid->request.heap->allocate
                            ? warp.grid->request.heap->allocate(value)
                            : 0;
                give(warp, lane, site, base, value);
                break;
            case Builtin::kRelease:
                if (!parameter(warp, lane, site, base, 0, &value)) return;
                if (value != 0 && warp.grid->request.heap != nullptr && warp.grid->request.heap->release)
                    warp.grid->request.heap->release(value);
                break;
            case Builtin::kSetConditional: {
                uint32_t set = 0;
                if (!parameter(warp, lane, site, base, 0, &value) ||
                    !parameter(warp, lane, site, base, 1, &set))
                    return;
                if (warp.grid->request.set_conditional) warp.grid->request.set_conditional(value, set);
                break;
            }
            case Builtin::kNone:
                break;
        }
    }
}

}  // namespace bitfusion::soft
