// The files that travel inside the program, so that it is one file to copy: its data and its kernels.
//
// Both live as long as the program. Source and licence of the data: DATA.md.
#pragma once

#include <string_view>

namespace digits {

std::string_view embedded_csv();  // optdigits.csv
const char* embedded_kernels();   // digits_kernels.ptx, ended by a zero byte as cuModuleLoadData expects

}  // namespace digits
