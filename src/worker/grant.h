// Grant: what the daemon lets this worker have, as `key=value` lines on a descriptor that it closes after the
// last.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"

namespace bitfusion::worker {

struct Grant {
    std::string backend = "soft";  // "soft" or "real"
    std::vector<int> devices;      // ordinals on this server, in the session's order
    uint64_t memory_mib = 0;       // partition per GPU; 0: all of it
    int software_gpus = 1;
    uint64_t software_memory = uint64_t{4} << 30;  // bytes per software GPU
    uint32_t software_capability = 89;             // 89 for 8.9
    uint32_t software_launch_limit = 0;            // seconds; 0: none
    std::string lease;
    std::string program;
    uint32_t process = 0;  // pid on the client
    uint64_t capabilities = 0;
    int slot = 0;                                // of this worker in the lease's usage memory
    uint64_t mapped_memory = uint64_t{8} << 30;  // bytes of RAM for the session's mirrors (mirror.h)
    std::string shared_folder;  // where the client may find shared memory; empty: the usual places
    std::string image_cache;    // folder of code images; empty: none are kept
    uint64_t image_cache_bytes = 0;
    std::string tls;  // the connection's secrets (link/tls_keys.h); empty: it is not encrypted
};

// Unknown keys are ignored: the daemon may be newer.
Result<Grant> parse_grant(const std::string& text);
Result<Grant> read_grant(int descriptor);

}  // namespace bitfusion::worker
