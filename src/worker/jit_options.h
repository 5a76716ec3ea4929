// JIT options as they travel: pairs of option and value, and the log texts that come back. One thread: the
// worker's dispatch thread.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

#include "cuda_types.gen.h"

namespace bitfusion::worker {

// JIT options of the client and our own log buffers behind them.
struct JitOptions {
    static constexpr size_t kMost = 64;
    static constexpr size_t kMostLog = 64u << 10;
    struct Option {
        uint32_t option;
        uint32_t reserved;
        uint64_t value;
    };

    std::vector<CUjit_option> names;
    std::vector<void*> values;
    std::vector<char> info;  // empty without logs: what a library keeps is small
    std::vector<char> error;
    size_t wall_at = SIZE_MAX;

    // `with_logs`: our own buffers for the texts. Not for libraries: a driver that loads lazily keeps the
    // pointers and compiles when a kernel is first needed, long after this call.
    bool read(std::span<const uint8_t> bytes, bool with_logs) {
        if (bytes.size() % sizeof(Option) != 0 || bytes.size() / sizeof(Option) > kMost) return false;
        for (size_t at = 0; at < bytes.size(); at += sizeof(Option)) {
            Option option{};
            memcpy(&option, bytes.data() + at, sizeof option);
            switch (option.option) {  // by value only: a pointer of the client means nothing here
                case CU_JIT_MAX_REGISTERS:
                case CU_JIT_THREADS_PER_BLOCK:
                case CU_JIT_OPTIMIZATION_LEVEL:
                case CU_JIT_TARGET_FROM_CUCONTEXT:
                case CU_JIT_TARGET:
                case CU_JIT_FALLBACK_STRATEGY:
                case CU_JIT_GENERATE_DEBUG_INFO:
                case CU_JIT_LOG_VERBOSE:
                case CU_JIT_GENERATE_LINE_INFO:
                case CU_JIT_CACHE_MODE:
                case CU_JIT_POSITION_INDEPENDENT_CODE:
                case CU_JIT_MIN_CTA_PER_SM:
                case CU_JIT_MAX_THREADS_PER_BLOCK:
                case CU_JIT_OVERRIDE_DIRECTIVE_VALUES:
                    add(static_cast<CUjit_option>(option.option), reinterpret_cast<void*>(option.value));
                    break;
                default:
                    break;
            }
        }
        if (!with_logs) return true;
        info.resize(kMostLog);
        error.resize(kMostLog);
        add(CU_JIT_INFO_LOG_BUFFER, info.data());
        add(CU_JIT_INFO_LOG_BUFFER_SIZE_BYTES, reinterpret_cast<void*>(info.size()));
        add(CU_JIT_ERROR_LOG_BUFFER, error.data());
        add(CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES, reinterpret_cast<void*>(error.size()));
        wall_at = values.size();
        add(CU_JIT_WALL_TIME, nullptr);
        return true;
    }
    float wall_ms() const {
        float milliseconds = 0;
        if (wall_at < values.size()) memcpy(&milliseconds, &values[wall_at], sizeof milliseconds);
        return milliseconds;
    }
    std::string_view info_log() const { return text_in(info); }
    std::string_view error_log() const { return text_in(error); }
    static std::string_view text_in(const std::vector<char>& log) {
        return log.empty() ? std::string_view{}
                           : std::string_view{log.data(), strnlen(log.data(), log.size())};
    }
    void add(CUjit_option name, void* value) {
        names.push_back(name);
        values.push_back(value);
    }
};

}  // namespace bitfusion::worker
