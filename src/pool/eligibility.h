// Eligibility: which servers and which of their GPUs may serve a claim at all, by its filters and list of
// servers.
//
// Worked out once for all claims that say the same, and again when servers join, change or go. What is free
// does not matter here, nor whether a server is up: a server that is down may come back. One thread.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "pool/claim.h"
#include "pool/server.h"
#include "pool/share.h"

namespace bitfusion::pool {

// What a request counts in its client's quota: its GPUs times its fraction, or its part of the GPUs with
// these sizes in MiB where it asks for MiB.
Share share_of(const Request& request, const std::vector<uint64_t>& sizes);

class Eligibility {
  public:
    // `servers` by number.
    Eligibility(const std::vector<Filter>& filters, const std::vector<std::string>& list,
                const std::vector<const Server*>& servers);

    // Bit i stands for the i-th of Server::gpus.
    uint64_t gpus_of(uint32_t number) const { return number < masks_.size() ? masks_[number] : 0; }
    // The most memory of which any one server has `gpus` such GPUs; 0 when none has so many.
    uint64_t most_mib(uint32_t gpus) const;
    // The most memory and the least memory of any GPU; 0 without one.
    uint64_t largest_mib() const { return most_mib(1); }
    uint64_t smallest_mib() const { return smallest_; }

    // The least that the request can count in a quota, on the server that suits it best; it must not be
    // impossible.
    Share least_share(const Request& request) const;

    // Why no server can ever serve this, with the most that could be asked; nothing where one can. `request`
    // is not malformed.
    std::optional<std::string> never(const Request& request) const;

    // Two claims with equal keys are eligible for the same.
    static std::string key_of(const std::vector<Filter>& filters, const std::vector<std::string>& list);

  private:
    // Which servers were looked at, to stand after "server".
    std::string which() const;

    std::vector<uint64_t> masks_;
    std::set<std::vector<uint64_t>>
        makes_;                   // sizes of one server's GPUs, the largest first; equal servers once
    std::vector<uint64_t> most_;  // by count of GPUs less one
    uint64_t smallest_ = 0;
    bool by_filters_ = false;
    bool by_list_ = false;
    bool any_server_ = false;
    std::string unknown_;  // an entry of the list that is no server's id or address
};

}  // namespace bitfusion::pool
