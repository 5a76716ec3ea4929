// Credentials: who this machine is to the pool, and how it knows the pool's servers.
//
// Found in this order: BITFUSION_INSECURE=true (no TLS and no token; loopback addresses only),
// BITFUSION_TOKEN with BITFUSION_CA_FILE, the folder BITFUSION_CLIENT_DIR, ~/.bitfusion, /etc/bitfusion. A
// folder counts when it holds client.yaml; the authority is the file that its key cacertpath names, or ca.crt
// beside it, or /etc/bitfusion/tls/ca.crt. With nothing of this only servers on loopback addresses are asked,
// without TLS. Files are only read. Read once for a process.
#pragma once

#include <string>

#include "base/result.h"

namespace bitfusion::cli {

struct Credentials {
    bool secure = false;
    std::string authority_file;
    std::string token;    // a secret
    std::string origin;   // where they come from, for messages
    std::string machine;  // digest of the machine's id
    std::string host;
};

const Result<Credentials>& credentials();
Result<Credentials> parse_client_yaml(const std::string& text, const std::string& path);

}  // namespace bitfusion::cli
