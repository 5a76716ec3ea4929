#include "digits/embedded.h"

// .incbin, because a string literal of this size is not portable C++ and a generator would be one more tool.
__asm__(
    ".pushsection .rodata\n"
    "digits_csv_begin: .incbin \"" DIGITS_FOLDER
    "/optdigits.csv\"\n"
    "digits_csv_end: .byte 0\n"
    "digits_ptx_begin: .incbin \"" DIGITS_FOLDER
    "/digits_kernels.ptx\"\n"
    ".byte 0\n"
    ".popsection\n");

extern "C" {
extern const char digits_csv_begin[] __attribute__((visibility("hidden")));
extern const char digits_csv_end[] __attribute__((visibility("hidden")));
extern const char digits_ptx_begin[] __attribute__((visibility("hidden")));
}

namespace digits {

std::string_view embedded_csv() {
    return {digits_csv_begin, static_cast<std::size_t>(digits_csv_end - digits_csv_begin)};
}

const char* embedded_kernels() { return digits_ptx_begin; }

}  // namespace digits
