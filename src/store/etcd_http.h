// EtcdHttp: requests to etcd's JSON gateway over HTTP or HTTPS. Private to src/store.
//
// Source: etcd 3.4, "gRPC gateway". Every request is a POST of one JSON object to /v3/...; the answer is one
// object, or for a watch one object a line for as long as it lasts. Answers are hostile like all that comes
// from the network: they are bounded, and have a deadline. One thread at a time each.
#pragma once

#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "base/result.h"
#include "store/open.h"

namespace bitfusion::store {

// After so long without an answer nodes are asked whether they are alive.
constexpr std::chrono::milliseconds kEtcdSilence{700};

class EtcdHttp {
  public:
    // A request that is answered line by line.
    class Lines {
      public:
        virtual ~Lines() = default;
        // Nothing when the time is over.
        virtual Result<std::optional<nlohmann::json>> next(std::chrono::milliseconds wait) = 0;
    };

    static Result<std::unique_ptr<EtcdHttp>> make(const EtcdOptions& options);
    virtual ~EtcdHttp() = default;

    // Tries the endpoints in turn, from the one that answered last, for EtcdOptions::timeout together; of
    // nodes that hang or are gone (etcd_pulse.h) it lets go after kEtcdSilence. A request that changes
    // something (`once`) is not repeated when it may have arrived: that is kUnreachable.
    virtual Result<nlohmann::json> post(const std::string& path, const nlohmann::json& body, bool once) = 0;
    virtual Result<std::unique_ptr<Lines>> stream(const std::string& path, const nlohmann::json& body) = 0;
};

// As the gateway writes bytes.
std::string to_base64(const std::string& bytes);
std::optional<std::string> from_base64(const std::string& text);

}  // namespace bitfusion::store
