#include "client/jit_options.h"

#include <algorithm>
#include <cstring>

namespace bitfusion::client {

JitOptions::JitOptions(unsigned count, CUjit_option* options, void** values) {
    for (unsigned i = 0; i < count; ++i) {
        const auto size = static_cast<unsigned>(reinterpret_cast<uintptr_t>(values[i]));
        switch (options[i]) {
            case CU_JIT_INFO_LOG_BUFFER:
                info_.buffer = static_cast<char*>(values[i]);
                break;
            case CU_JIT_ERROR_LOG_BUFFER:
                error_.buffer = static_cast<char*>(values[i]);
                break;
            case CU_JIT_INFO_LOG_BUFFER_SIZE_BYTES:
                info_.size = &values[i];
                info_.room = size;
                break;
            case CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES:
                error_.size = &values[i];
                error_.room = size;
                break;
            case CU_JIT_WALL_TIME:
                wall_times_.push_back(&values[i]);
                break;
            case CU_JIT_GLOBAL_SYMBOL_NAMES:
            case CU_JIT_GLOBAL_SYMBOL_ADDRESSES:
            case CU_JIT_REFERENCED_KERNEL_NAMES:
            case CU_JIT_REFERENCED_VARIABLE_NAMES:
                good_ = false;
                break;
            default:
                carried_.push_back(
                    {static_cast<uint32_t>(options[i]), 0, reinterpret_cast<uint64_t>(values[i])});
        }
    }
}

void JitOptions::give(Log* log, std::string_view text) {
    if (log->size == nullptr) return;
    size_t written = 0;
    if (log->buffer != nullptr && log->room != 0) {
        written = std::min(text.size(), log->room - 1);
        memcpy(log->buffer, text.data(), written);
        log->buffer[written] = '\0';
    }
    *log->size = reinterpret_cast<void*>(static_cast<uintptr_t>(written));
}

void JitOptions::give_logs(std::string_view info, std::string_view error) {
    give(&info_, info);
    give(&error_, error);
}

void JitOptions::give_wall_time(float milliseconds) {
    for (void** slot : wall_times_) memcpy(slot, &milliseconds, sizeof milliseconds);
}

}  // namespace bitfusion::client
