// AdminOptions: the commands that keep a pool: token, user, clients, servers, leases, settings, tls-certs.
// Each is a noun, a verb, and what a table says that the verb takes; they need no more than that.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "cli/servers.h"

namespace bitfusion::cli {

struct AdminOptions {
    std::string noun;
    std::string verb;
    std::vector<std::string> arguments;
    std::map<std::string, std::string> flags;  // those without a value have "true"
    ServerOptions servers;
    bool json = false;

    bool has(const std::string& flag) const { return flags.contains(flag); }
    std::string flag(const std::string& name) const {
        const auto found = flags.find(name);
        return found == flags.end() ? "" : found->second;
    }
};

// The noun that this word stands for (aliases included), or nothing.
std::string admin_noun(const std::string& word);
// `words` begins with the noun. Errors end with what to do.
Result<AdminOptions> parse_admin(const std::vector<std::string>& words);
std::string admin_help(const std::string& noun);

}  // namespace bitfusion::cli
