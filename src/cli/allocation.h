// Allocation: GPUs of the pool for `run` and `request_gpus`: asking the servers, waiting in their queues, and
// saying so to the user.
//
// Servers of one pool decide together, whichever is asked. Servers of several pools are asked one after
// another, those first that have room; where none has, the request waits in all of their queues and the first
// that grants wins. A server that is down is skipped with a warning; one that went down between the grant and
// its first use is left out, and the others are asked once more.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "cli/options.h"
#include "cli/rest_client.h"
#include "cli/server_view.h"

namespace bitfusion::cli {

struct Granted {
    Endpoint server;
    size_t index = 0;  // of the server in the list
    std::string version;
    std::string id;
    std::string server_id;       // in its pool
    std::string server_address;  // under which its pool knows it; empty: not told
    std::string ticket;          // a secret
    std::string pin;             // of the data port's key; empty: not encrypted
    Endpoint data;
    uint64_t memory_mib = 0;  // per GPU; 0: whole GPUs
    uint64_t smallest_mib = 0;
    uint64_t smallest_gpu_mib = 0;
    int64_t idle_limit_minutes = 0;
    std::vector<uint64_t> ordinals;

    // The value of BITFUSION_SESSION.
    std::string session() const;
};

// GPUs that this process has for as long as it holds them.
struct Allocated {
    Granted granted;
    Hold hold;
};

// `program` is for listings. Writes its progress and its errors to standard error; nothing when it fails.
std::optional<Allocated> allocate(const Allocation& wanted, const std::string& program);
// Lets the GPUs stay allocated without a hold, until they are released or idle.
Status keep(const Granted& granted);

// "full memory" or "partial memory 0.5"
std::string fraction_text(const Allocation& wanted, const Granted& granted);
void say_banner(const Granted& granted);
void say_running(const Granted& granted, const std::vector<std::string>& program);
// False: it could not be released, which has been said.
bool release(const Endpoint& server, const std::string& lease);

// nvidia-smi for machines that have none: last in PATH, so that NVIDIA's own wins where it is installed.
void offer_programs(const std::string& root);
// This process's environment with the library and the session.
std::vector<std::string> gpu_environment(const std::string& session, const std::string& root);

}  // namespace bitfusion::cli
