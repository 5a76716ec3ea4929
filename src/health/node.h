// Node: the machine that the checks look at. Files are read below `root`, so that tests can build a machine
// in a folder; the rest is gathered by who knows it: the daemon from its inventory and store, the CLI from
// servers' answers.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "health/address.h"
#include "health/check.h"

namespace bitfusion::health {

// Files below a root: /proc, /sys and /etc of this machine or of a test. Reads at most 1 MiB of a file.
class Files {
  public:
    explicit Files(std::string root = "") : root_(std::move(root)) {}
    std::string path(const std::string& inside) const { return root_ + inside; }
    std::optional<std::string> text(const std::string& inside) const;   // nothing when it cannot be read
    std::optional<int64_t> number(const std::string& inside) const;     // decimal or 0x...
    std::vector<std::string> entries(const std::string& inside) const;  // sorted names
    bool exists(const std::string& inside) const;

  private:
    std::string root_;
};

// What bitfusion-worker --inventory tells; absent where the device or its driver does not.
struct Gpu {
    int64_t ordinal = 0;
    std::string name;
    std::string pci;  // "00000000:65:00.0"
    int64_t memory_mib = 0;
    std::optional<int64_t> memory_used_mib;
    std::optional<int64_t> temperature_c;
    std::optional<int64_t> utilization_percent;
    std::optional<int64_t> ecc_errors;  // volatile, uncorrected
    std::optional<std::string> compute_mode;
    std::optional<bool> memory_operations;  // of streams
    std::optional<std::string> peers;       // ordinals that it reaches, "0,2"
};

struct Gpus {
    std::string backend;  // "real", "soft", "" unknown
    std::string driver_version;
    int64_t cuda_version = 0;                // 12040
    std::optional<int64_t> management_gpus;  // as NVML counts them
    std::optional<int64_t> management_cuda_version;
    std::string error;  // why the list is not complete
    std::vector<Gpu> list;
};

struct Store {
    std::string kind = "memory";  // memory, sqlite, etcd
    std::string error;            // why it cannot be asked
    size_t members = 1;           // nodes of the store
    size_t voters = 1;            // of them
    size_t voters_wanted = 1;     // as configured
    size_t servers = 1;           // of the pool, in its records
    size_t servers_known = 1;     // as this server sees them
    bool leader = true;
    bool quorum = true;
    std::string history_error;  // why no history is kept
    size_t history_series = 0;
    size_t history_damaged = 0;
};

struct Controller {
    std::string address;
    std::string error;  // empty: it answered
};

struct Remote {
    std::string server;
    std::vector<Address> addresses;
};

struct Node {
    Side side = Side::kClient;
    Files files;
    Gpus gpus;
    Store store;
    std::vector<Controller> controllers;
    std::vector<Address> addresses;  // of this node, loopback left out
    std::vector<Remote> remotes;     // clients: of the servers
    uint64_t open_files = 0;         // soft limit
    std::string installation;        // folder with bin and lib
    std::string data_folder;         // where this node writes
    // Sum of lost packets of each interface when they were last looked at; empty at the first look.
    std::map<std::string, uint64_t> earlier_losses;
};

// Fills addresses and open_files of this process and machine.
void observe(Node* node);

// Packets lost by each interface so far (errors and dropped of both directions), loopback left out: what
// `earlier_losses` of the next look should be.
std::map<std::string, uint64_t> losses(const Files& files);

// From the worker's inventory, or from what a daemon made of it: the same keys. Wrong types count as absent.
Gpus gpus_of(const nlohmann::json& inventory);

}  // namespace bitfusion::health
