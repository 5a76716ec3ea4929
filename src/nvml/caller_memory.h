// Memory of a caller whose arguments no header describes (export_table.cpp): the kernel copies, so that an
// address which is none becomes an answer and not a crash. Any thread.
#pragma once

#include <cstddef>
#include <string>

namespace bitfusion::nvml {

// False where not all of `from` can be read or not all of `to` written; a part may have been copied then.
bool copy_if_possible(void* to, const void* from, size_t bytes);

// Text that ends within kMostText bytes; false where there is none.
constexpr size_t kMostText = 64;
bool text_of_caller(const char* from, std::string* text);

// Whether an argument of unknown meaning may be where the caller wants a number: aligned, and in no library's
// memory, where what earlier calls left in a register often points.
bool may_be_a_variable(const void* argument);

}  // namespace bitfusion::nvml
